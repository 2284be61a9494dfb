//! Names of headers with a meaning of their own.

/// Headers that belong to the connection or frame the message: HTTP's own business.
pub const OF_THE_CONNECTION: [&str; 10] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Whether a header with this name, in lower case, says of itself that it is a signature.
pub fn is_signature(name: &str) -> bool {
    name.contains("signature") || name.contains("hmac")
}
