// Writes CloudEvents with the npm package cloudevents. Reads one JSON object a line on standard
// input, {"mode", "events": [{"attributes", "data" or "data_base64"}]}, and answers each with a line,
// {"headers", "body_base64"}: the request that the package makes of it. `mode` is structured, binary
// or batch; the package makes no batches itself, so a batch is the array of its structured bodies.
import { createInterface } from "node:readline";
import { CloudEvent, HTTP } from "cloudevents";

function event({ attributes, data, data_base64 }) {
  return new CloudEvent({ ...attributes, data: data_base64 ? Buffer.from(data_base64, "base64") : data });
}

function message(mode, events) {
  if (mode === "batch") {
    const bodies = events.map((one) => HTTP.structured(one).body);
    return {
      headers: { "content-type": "application/cloudevents-batch+json" },
      body: `[${bodies.join(",")}]`,
    };
  }
  return mode === "binary" ? HTTP.binary(events[0]) : HTTP.structured(events[0]);
}

for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  const { mode, events } = JSON.parse(line);
  const { headers, body } = message(mode, events.map(event));
  const bytes = Buffer.from(body ?? "");
  process.stdout.write(`${JSON.stringify({ headers, body_base64: bytes.toString("base64") })}\n`);
}
