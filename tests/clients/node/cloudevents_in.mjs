// Reads deliveries with the npm package cloudevents. Reads one JSON object a line on standard input,
// {"headers", "body_base64"}, and answers each with a line, {"attributes", "data"}: the event as the package
// understands and validates it.
import { createInterface } from "node:readline";
import { HTTP } from "cloudevents";

for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  const { headers, body_base64 } = JSON.parse(line);
  const event = HTTP.toEvent({ headers, body: Buffer.from(body_base64, "base64").toString("utf8") });
  event.validate();
  const { data, ...attributes } = event.toJSON();
  process.stdout.write(`${JSON.stringify({ attributes, data })}\n`);
}
