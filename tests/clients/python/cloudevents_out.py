"""Writes CloudEvents with the PyPI package cloudevents.

Reads one JSON object a line on standard input, {"mode", "events": [{"attributes", "data" or
"data_base64"}]}, and answers each with a line, {"headers", "body_base64"}: the request that the
package makes of it. `mode` is structured, binary or batch; the package makes no batches itself, so a
batch is the array of its structured bodies.
"""

import base64
import json
import sys
from datetime import datetime

from cloudevents.core.bindings.http import to_binary, to_structured
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent


def event(described):
    attributes = dict(described["attributes"])
    if "time" in attributes:
        attributes["time"] = datetime.fromisoformat(attributes["time"])
    if "data_base64" in described:
        return CloudEvent(attributes, base64.b64decode(described["data_base64"]))
    return CloudEvent(attributes, described.get("data"))


def message(mode, events):
    if mode == "batch":
        bodies = [to_structured(one, JSONFormat()).body for one in events]
        body = b"[" + b",".join(bodies) + b"]"
        return {"content-type": "application/cloudevents-batch+json"}, body
    write = to_binary if mode == "binary" else to_structured
    made = write(events[0], JSONFormat())
    return made.headers, made.body


for line in sys.stdin:
    asked = json.loads(line)
    headers, body = message(asked["mode"], [event(one) for one in asked["events"]])
    print(json.dumps({"headers": headers, "body_base64": base64.b64encode(body).decode()}))
