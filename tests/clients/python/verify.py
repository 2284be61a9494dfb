"""Verifies deliveries as their receivers do: with the PyPI packages standardwebhooks and stripe, and, where the
scheme is an HMAC of the body, with Python's own hmac.

Reads one JSON object a line on standard input, {"scheme", "secret", "headers", "body_base64"}, and answers
each with a line: `ok`, or `err ` and why not.
"""

import base64
import hashlib
import hmac
import json
import sys

from standardwebhooks.webhooks import Webhook
from stripe import WebhookSignature


def of_body(header, prefix=""):
    def verify(secret, headers, body):
        digits = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(prefix + digits, headers[header]):
            raise ValueError("no match")

    return verify


VERIFIERS = {
    "standard": lambda secret, headers, body: Webhook(secret).verify(body, headers),
    "body-hmac": of_body("x-signature"),
    "event-header": of_body("x-webhook-signature"),
    "github": of_body("x-hub-signature-256", "sha256="),
    "stripe": lambda secret, headers, body: WebhookSignature.verify_header(
        body.decode(), headers["stripe-signature"], secret, tolerance=300
    ),
}

for line in sys.stdin:
    delivery = json.loads(line)
    answer = "ok"
    try:
        body = base64.b64decode(delivery["body_base64"])
        VERIFIERS[delivery["scheme"]](delivery["secret"], delivery["headers"], body)
    except Exception as error:
        answer = "err " + (str(error) or type(error).__name__).replace("\n", " ")
    print(answer)
