// Signs payloads as GitHub does, with the npm package @octokit/webhooks-methods. Reads one JSON object
// a line on standard input, {"secret", "payload"}, and answers each with the X-Hub-Signature-256.
import { createInterface } from "node:readline";
import { sign } from "@octokit/webhooks-methods";

for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  const { secret, payload } = JSON.parse(line);
  process.stdout.write(`${await sign(secret, payload)}\n`);
}
