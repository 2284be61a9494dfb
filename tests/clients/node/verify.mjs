// Verifies deliveries with the npm package standardwebhooks. Reads one JSON object a line on
// standard input, {"secret", "headers", "body_base64"}, and answers each with a line: `ok`, or
// `err ` and why not.
import { createInterface } from "node:readline";
import { Webhook } from "standardwebhooks";

for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  const { secret, headers, body_base64 } = JSON.parse(line);
  let answer = "ok";
  try {
    new Webhook(secret).verify(Buffer.from(body_base64, "base64").toString("utf8"), headers);
  } catch (error) {
    answer = `err ${String(error.message ?? error).replaceAll("\n", " ")}`;
  }
  process.stdout.write(`${answer}\n`);
}
