"""Reads deliveries with the PyPI package cloudevents.

Reads one JSON object a line on standard input, {"headers", "body_base64"}, and answers each with a line,
{"attributes", "data"}: the event as the package understands and validates it.
"""

import base64
import json
import sys

from cloudevents.core.bindings.http import HTTPMessage, from_http
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

for line in sys.stdin:
    came = json.loads(line)
    message = HTTPMessage(came["headers"], base64.b64decode(came["body_base64"]))
    event = from_http(message, JSONFormat(), CloudEvent)
    attributes = {name: str(value) for name, value in event.get_attributes().items()}
    print(json.dumps({"attributes": attributes, "data": event.get_data()}))
