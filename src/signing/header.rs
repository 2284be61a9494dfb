//! The header that carries a `body-hmac` signature: the name a user chose, as it was spelt.

use std::fmt;

use http::HeaderName;

use super::Error;
use crate::model::header::OF_THE_CONNECTION;

/// Longest header name that may be chosen.
const HEADER_NAME_BYTES_MAX: usize = 100;

/// Headers that the request has for other reasons, besides those of the connection. A signature in one
/// of them would break the request or be overwritten by it.
const RESERVED: [&str; 8] = [
    "accept",
    "accept-encoding",
    "authorization",
    "content-encoding",
    "content-type",
    "cookie",
    "date",
    "user-agent",
];
/// Beginnings of names that have a meaning of their own.
const RESERVED_PREFIXES: [&str; 4] = ["proxy-", "svix-", "throwbar-", "webhook-"];

/// The name of a header that holds one signature.
///
/// Two names that differ in upper and lower case only are the same header and equal.
#[derive(Debug, Clone)]
pub struct SignatureHeader {
    /// As it was written, for showing it again.
    spelling: String,
    name: HeaderName,
}

impl SignatureHeader {
    /// The header with this name.
    pub fn parse(spelling: &str) -> Result<Self, Error> {
        let shown = || spelling.chars().take(HEADER_NAME_BYTES_MAX).collect();
        let is_plain = spelling
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if spelling.is_empty() || spelling.len() > HEADER_NAME_BYTES_MAX || !is_plain {
            return Err(Error::HeaderName(shown()));
        }
        let name = HeaderName::try_from(spelling).map_err(|_| Error::HeaderName(shown()))?;
        let is_reserved = OF_THE_CONNECTION.contains(&name.as_str())
            || RESERVED.contains(&name.as_str())
            || RESERVED_PREFIXES
                .iter()
                .any(|prefix| name.as_str().starts_with(prefix));
        if is_reserved {
            return Err(Error::HeaderReserved(shown()));
        }
        Ok(Self {
            spelling: spelling.to_owned(),
            name,
        })
    }

    /// The name as HTTP has it, in lower case.
    pub fn name(&self) -> &HeaderName {
        &self.name
    }

    /// The name as the user spelt it.
    pub fn as_str(&self) -> &str {
        &self.spelling
    }
}

impl Default for SignatureHeader {
    fn default() -> Self {
        Self {
            spelling: "X-Signature".to_owned(),
            name: HeaderName::from_static("x-signature"),
        }
    }
}

impl PartialEq for SignatureHeader {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for SignatureHeader {}

impl fmt::Display for SignatureHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.spelling)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_spelling_and_is_compared_without() {
        let header = SignatureHeader::parse("X-Acme-Signature").expect("valid");
        assert_eq!(header.as_str(), "X-Acme-Signature");
        assert_eq!(header.name().as_str(), "x-acme-signature");
        assert_eq!(
            header,
            SignatureHeader::parse("x-acme-signature").expect("valid")
        );
        assert_eq!(
            SignatureHeader::default(),
            SignatureHeader::parse("X-Signature").expect("valid")
        );
    }

    #[test]
    fn names_that_break_a_request_are_refused() {
        let long = "x".repeat(101);
        for wrong in [
            "",
            "X Signature",
            "X-Sig:",
            "X-Sig\r\nHost",
            "X-Señal",
            ":path",
            &long,
        ] {
            let error = SignatureHeader::parse(wrong).expect_err(wrong);
            assert!(matches!(error, Error::HeaderName(_)), "{wrong:?}: {error}");
        }
        for taken in [
            "Host",
            "Content-Type",
            "content-length",
            "Webhook-Id",
            "svix-signature",
        ] {
            let error = SignatureHeader::parse(taken).expect_err(taken);
            assert!(
                matches!(error, Error::HeaderReserved(_)),
                "{taken}: {error}"
            );
        }
    }
}
