<?php
// Verifies deliveries as a receiver in PHP does: an HMAC of the body with hash_hmac.
// Reads one JSON object a line on standard input, {"scheme", "secret", "headers", "body_base64"}, and answers each with
// a line: `ok`, or `err ` and why not.

$digits = fn(string $header, string $prefix = "") =>
    fn($secret, $headers, $body) => hash_equals($prefix . hash_hmac("sha256", $body, $secret), $headers[$header]);

$verifiers = [
    "body-hmac" => $digits("x-signature"),
    "event-header" => $digits("x-webhook-signature"),
    "github" => $digits("x-hub-signature-256", "sha256="),
];

while (($line = fgets(STDIN)) !== false) {
    $delivery = json_decode($line, true);
    $body = base64_decode($delivery["body_base64"]);
    $verify = $verifiers[$delivery["scheme"]];
    echo $verify($delivery["secret"], $delivery["headers"], $body) ? "ok\n" : "err no match\n";
}
