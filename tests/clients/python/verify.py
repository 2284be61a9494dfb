"""Verifies deliveries with the PyPI package standardwebhooks.

Reads one JSON object a line on standard input, {"secret", "headers", "body_base64"}, and answers
each with a line: `ok`, or `err ` and why not.
"""

import base64
import json
import sys

from standardwebhooks.webhooks import Webhook

for line in sys.stdin:
    delivery = json.loads(line)
    answer = "ok"
    try:
        body = base64.b64decode(delivery["body_base64"])
        Webhook(delivery["secret"]).verify(body, delivery["headers"])
    except Exception as error:
        answer = "err " + (str(error) or type(error).__name__).replace("\n", " ")
    print(answer)
