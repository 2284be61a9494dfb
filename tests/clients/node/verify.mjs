// Verifies deliveries with the npm packages of those whose style they are signed in: standardwebhooks,
// @octokit/webhooks-methods and stripe; what key pairs have signed, with Node's own crypto and a JSON Web Key. Reads one JSON object a line on standard input, {"scheme", "secret",
// "headers", "body_base64"}, and answers each with a line: `ok`, or `err ` and why not.
import { createHmac, createPublicKey, timingSafeEqual, verify as verifyByKey } from "node:crypto";
import { createInterface } from "node:readline";
import { verify } from "@octokit/webhooks-methods";
import { Webhook } from "standardwebhooks";
import Stripe from "stripe";

const byKey = (algorithm, jwk, signed, signature) => {
  const key = createPublicKey({ key: JSON.parse(jwk), format: "jwk" });
  if (!verifyByKey(algorithm, Buffer.from(signed), key, Buffer.from(signature, "base64"))) throw new Error("no match");
};

const verifiers = {
  "body-hmac": (secret, headers, body) => {
    const wanted = createHmac("sha256", secret).update(body).digest("hex");
    if (!timingSafeEqual(Buffer.from(wanted), Buffer.from(headers["x-signature"]))) throw new Error("no match");
  },
  rsa: (jwk, headers, body) => byKey("RSA-SHA256", jwk, body, headers["x-siqsignature"]),
  "standard-ed25519": (jwk, headers, body) => {
    const { "webhook-id": id, "webhook-timestamp": at, "webhook-signature": signatures } = headers;
    const entry = signatures.split(" ").find((entry) => entry.startsWith("v1a,"));
    byKey(null, jwk, `${id}.${at}.${body}`, entry.slice("v1a,".length));
  },
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
