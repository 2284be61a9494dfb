//! A URL that deliveries may be sent to, parsed once.
//!
//! Guarantees: `http` or `https`, a host, no credentials, no fragment, bounded length, and a host
//! that is written as an address is known to be one in whatever notation it came (the `url`
//! crate follows the WHATWG rules: decimal, octal, hexadecimal, short and full-width forms).
//! [`Target::admit`] also shows such an address to the guard. Names are not resolved here.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use url::{Host, Url};

use super::guard::{EgressGuard, Refused};
use crate::model::limits::URL_BYTES_MAX;

/// Where a request goes. Its `Debug` and [`Target::host`] are fit for logs; the whole URL, which
/// often is a secret in itself, only comes out of [`Target::as_str`].
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    url: Url,
    uri: http::Uri,
    names_port: bool,
}

/// Why a text can't be the URL of an endpoint, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Over the limit, as written or once normalised.
    #[error("the URL is longer than {URL_BYTES_MAX} bytes: use a shorter one")]
    TooLong,
    /// White space at an end or a control character anywhere: parsers disagree about those.
    #[error("the URL contains white space or control characters: remove them")]
    Unclean,
    /// Another scheme, or none.
    #[error("the URL must begin with https:// or http://")]
    Scheme,
    /// Not a URL.
    #[error("this is not a valid URL: write it like https://example.com/hook")]
    Malformed(#[source] url::ParseError),
    /// A URL that can't be written into an HTTP request.
    #[error("the URL's host can't be used in an HTTP request: use letters, digits, '-' and '.'")]
    Unsendable,
    /// `user:password@`.
    #[error("the URL contains credentials: remove them and use a custom header instead")]
    Credentials,
    /// `#…`.
    #[error("the URL has a fragment, which is never sent: remove '#' and what follows")]
    Fragment,
    /// Port 0.
    #[error("nothing can listen on port 0: use the receiver's port, or none")]
    PortZero,
    /// A literal address that the guard refuses.
    #[error(transparent)]
    Forbidden(#[from] Refused),
}

impl Target {
    /// Parses without asking the guard: for what [`Self::admit`] let into the store before.
    pub fn parse(text: &str) -> Result<Self, TargetError> {
        if text.len() > URL_BYTES_MAX {
            return Err(TargetError::TooLong);
        }
        if text.trim() != text || text.chars().any(char::is_control) {
            return Err(TargetError::Unclean);
        }
        // The parser also takes `http:host` and `http:/host`: nobody means that.
        let begins = |scheme: &str| {
            text.get(..scheme.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        };
        if !begins("https://") && !begins("http://") {
            return Err(TargetError::Scheme);
        }
        let url = Url::parse(text).map_err(TargetError::Malformed)?;
        if url.as_str().len() > URL_BYTES_MAX {
            return Err(TargetError::TooLong);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(TargetError::Credentials);
        }
        if url.fragment().is_some() {
            return Err(TargetError::Fragment);
        }
        if url.port() == Some(0) {
            return Err(TargetError::PortZero);
        }
        let uri = http::Uri::from_str(url.as_str()).map_err(|_invalid| TargetError::Unsendable)?;
        Ok(Self {
            names_port: url.port().is_some() || writes_port(text),
            url,
            uri,
        })
    }

    /// Parses a URL that someone wants to save. A host that is an address, or that means this
    /// machine by definition (`localhost`, RFC 6761), must pass the guard now; any other name is
    /// judged whenever it is dialled.
    pub fn admit(text: &str, guard: &EgressGuard) -> Result<Self, TargetError> {
        let target = Self::parse(text)?;
        let local = target
            .is_localhost()
            .then_some(IpAddr::V4(Ipv4Addr::LOCALHOST));
        if let Some(address) = target.literal().or(local) {
            guard.vet(address)?;
        }
        Ok(target)
    }

    /// The host, without the port: `endpoint.host` in logs and metrics. IPv6 in brackets.
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// The whole normalised URL: for the store and its owner's eyes, never for logs.
    pub fn as_str(&self) -> &str {
        self.url.as_str()
    }

    /// Whether requests to it go through TLS.
    pub fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// Whether a port was written out, were it the usual one, which is not in [`Target::as_str`] any more.
    pub fn names_port(&self) -> bool {
        self.names_port
    }

    /// The host if it is an address: such a host is dialled without asking a resolver.
    pub(super) fn literal(&self) -> Option<IpAddr> {
        match self.url.host()? {
            Host::Ipv4(address) => Some(IpAddr::V4(address)),
            Host::Ipv6(address) => Some(IpAddr::V6(address)),
            Host::Domain(_) => None,
        }
    }

    /// The URL as it is written into a request.
    pub(super) fn uri(&self) -> &http::Uri {
        &self.uri
    }

    fn is_localhost(&self) -> bool {
        let name = self.host().trim_end_matches('.');
        name == "localhost" || name.ends_with(".localhost")
    }
}

/// Whether a URL without a user, as it was written, has a colon after its host: the usual port is lost once it
/// is parsed.
fn writes_port(text: &str) -> bool {
    let after_scheme = text.split_once(':').map_or("", |(_, rest)| rest);
    let authority = after_scheme.trim_start_matches(['/', '\\']);
    let end = authority.find(['/', '\\', '?', '#']);
    let authority = &authority[..end.unwrap_or(authority.len())];
    let host_and_port = authority.rsplit('@').next().unwrap_or_default();
    match host_and_port.rsplit_once(']') {
        Some((_, after_host)) => after_host.contains(':'),
        None => host_and_port.contains(':'),
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({}://{}/…)", self.url.scheme(), self.host())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_urls_are_taken() {
        let guard = EgressGuard::default();
        for (text, host) in [
            ("https://example.com/hook?key=1", "example.com"),
            ("HTTP://EXAMPLE.com:8080", "example.com"),
            ("https://bücher.example/", "xn--bcher-kva.example"),
            ("https://8.8.8.8/", "8.8.8.8"),
            ("https://[2606:4700::1]/", "[2606:4700::1]"),
        ] {
            assert_eq!(Target::admit(text, &guard).expect(text).host(), host);
        }
    }

    #[test]
    fn what_can_not_be_an_endpoint_is_named() {
        let long = format!("https://example.com/{}", "a".repeat(URL_BYTES_MAX));
        let long_once_encoded = format!("https://example.com/{}", "ü".repeat(600));
        let cases: &[(&str, TargetError)] = &[
            (&long, TargetError::TooLong),
            (&long_once_encoded, TargetError::TooLong),
            ("", TargetError::Scheme),
            ("example.com/hook", TargetError::Scheme),
            ("ftp://example.com/", TargetError::Scheme),
            ("file:///etc/passwd", TargetError::Scheme),
            ("http:example.com", TargetError::Scheme),
            ("http:/example.com", TargetError::Scheme),
            (" https://example.com/", TargetError::Unclean),
            ("https://exam\tple.com/", TargetError::Unclean),
            ("https://example.com/\r\nX: y", TargetError::Unclean),
            ("https://example.com/\0", TargetError::Unclean),
            ("https://user@example.com/", TargetError::Credentials),
            ("https://user:secret@example.com/", TargetError::Credentials),
            ("https://:secret@example.com/", TargetError::Credentials),
            ("https://example.com/#part", TargetError::Fragment),
            ("https://example.com/#", TargetError::Fragment),
            ("https://example.com:0/", TargetError::PortZero),
            ("https://{{host}}/", TargetError::Unsendable),
        ];
        for (text, expected) in cases {
            assert_eq!(Target::parse(text).as_ref(), Err(expected), "{text}");
        }
        for text in [
            "https://",
            "https://:80/",
            "https://a b/",
            "https://1.2.3.4.5/",
            "https://[::1",
        ] {
            let error = Target::parse(text).expect_err(text);
            assert!(
                matches!(error, TargetError::Malformed(_)),
                "{text}: {error:?}"
            );
        }
    }

    #[test]
    fn an_allowed_network_may_be_saved() {
        let guard = EgressGuard::new(vec!["127.0.0.0/8".parse().expect("a network")]);
        for text in ["http://127.0.0.1:9000/", "http://localhost:9000/"] {
            assert!(Target::admit(text, &guard).is_ok(), "{text}");
        }
        assert!(Target::admit("http://10.0.0.1/", &guard).is_err());
    }

    #[test]
    fn a_port_that_is_written_out_is_seen() {
        for (text, expected) in [
            ("https://example.com/", false),
            ("https://example.com", false),
            ("https://example.com/a:1?b:2", false),
            ("https://example.com?a:1", false),
            ("https://[2606:4700::1]/", false),
            ("https:////example.com/a:1", false),
            ("https://example.com:443/", true),
            ("https://example.com:443", true),
            ("http://example.com:80?a", true),
            ("https://example.com:/", true),
            ("https://example.com:8443/", true),
            ("HTTPS://EXAMPLE.com:0443\\a", true),
            ("https:///example.com:443/", true),
            ("https://[2606:4700::1]:443/", true),
        ] {
            let target = Target::parse(text).expect(text);
            assert_eq!(target.names_port(), expected, "{text}");
        }
    }

    #[test]
    fn a_log_line_never_shows_the_path() {
        let target = Target::parse("https://hooks.example.com/T0/B0/token?key=1").expect("valid");
        let shown = format!("{target:?} {}", target.host());
        assert!(
            !shown.contains("token") && !shown.contains("key"),
            "{shown}"
        );
    }
}
