// Verifies deliveries with the npm packages of those whose style they are signed in: standardwebhooks,
// @octokit/webhooks-methods and stripe. Reads one JSON object a line on standard input, {"scheme", "secret",
// "headers", "body_base64"}, and answers each with a line: `ok`, or `err ` and why not.
import { createInterface } from "node:readline";
import { verify } from "@octokit/webhooks-methods";
import { Webhook } from "standardwebhooks";
import Stripe from "stripe";

const verifiers = {
  standard: (secret, headers, body) => new Webhook(secret).verify(body, headers),
  github: async (secret, headers, body) => {
    if (!(await verify(secret, body, headers["x-hub-signature-256"]))) throw new Error("no match");
  },
  stripe: (secret, headers, body) =>
    Stripe.webhooks.constructEvent(body, headers["stripe-signature"], secret),
};

for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  const { scheme, secret, headers, body_base64 } = JSON.parse(line);
  let answer = "ok";
  try {
    await verifiers[scheme](secret, headers, Buffer.from(body_base64, "base64").toString("utf8"));
  } catch (error) {
    answer = `err ${String(error.message ?? error).replaceAll("\n", " ")}`;
  }
  process.stdout.write(`${answer}\n`);
}
