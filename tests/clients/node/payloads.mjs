// Prints every example payload of @octokit/webhooks-examples for github.com, one JSON object a
// line: {"name", "action", "payload_json_text"}. `action` is null where GitHub sends none.
import { createRequire } from "node:module";

const events = createRequire(import.meta.url)("@octokit/webhooks-examples");

for (const { name, examples } of events) {
  for (const example of examples) {
    const action = typeof example.action === "string" ? example.action : null;
    const line = { name, action, payload_json_text: JSON.stringify(example) };
    process.stdout.write(`${JSON.stringify(line)}\n`);
  }
}
