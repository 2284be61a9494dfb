// Asks tables with the npm package @supabase/postgrest-js, as supabase-js does. Reads one JSON object a line on standard
// input, {"url", "headers", "calls"}, where calls are the methods that are called one on what the other returns, each
// with its arguments: [["from", "webhook_logs"], ["select", "*"]]. Answers each with a line of JSON.
import { createInterface } from "node:readline";
import { PostgrestClient } from "@supabase/postgrest-js";

for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  const { url, headers, calls } = JSON.parse(line);
  let asked = new PostgrestClient(url, { headers });
  for (const [method, ...args] of calls) asked = asked[method](...args);
  const { data, error, count, status } = await asked;
  process.stdout.write(JSON.stringify({ data, error, count, status }) + "\n");
}
