//! A proxy that requests go through, parsed once: HTTP (`CONNECT`) or SOCKS5.
//!
//! Guarantees: a host and a port that was written out, nothing else in the URL but a user and a password, which are
//! not shown by `Debug`. It is asked for addresses only: names are looked up and judged here, so that what a proxy
//! could reach opens nothing that the guard shuts.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use percent_encoding::percent_decode_str;
use zeroize::Zeroizing;

use super::guard::{EgressGuard, Refused};
use super::target::{Target, TargetError};

/// Longest user and password: SOCKS5 has one byte for each length (RFC 1929).
const CREDENTIAL_BYTES_MAX: usize = 255;

/// What is spoken with a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Speaks {
    /// HTTP's `CONNECT`, for `http://` receivers, too.
    Connect,
    /// SOCKS5 (RFC 1928).
    Socks5,
}

/// A proxy.
#[derive(Clone)]
pub struct Proxy {
    speaks: Speaks,
    /// Its host and port, as an `http://` URL.
    place: Target,
    credentials: Option<(String, Zeroizing<String>)>,
}

/// Why a text can't be the URL of a proxy, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    /// Another scheme, or none.
    #[error(
        "the proxy's URL must begin with http:// or socks5://: names are looked up before the proxy is asked, so \
         that there is no socks5h://, and TLS is spoken with the receiver, not with the proxy"
    )]
    Scheme,
    /// Not a URL.
    #[error("the proxy's URL can't be used: {0}")]
    Place(TargetError),
    /// A path or a query.
    #[error("a proxy's URL ends after its port: remove what follows")]
    Path,
    /// No port, where usage differs.
    #[error("the proxy's URL names no port: write it, as in http://proxy.example:3128")]
    NoPort,
    /// Too long, or not text.
    #[error(
        "a proxy's user and password have 1 to {CREDENTIAL_BYTES_MAX} bytes each, no control characters, and the \
         user has no colon"
    )]
    Credentials,
    /// An address that the guard refuses.
    #[error(transparent)]
    Forbidden(Refused),
}

impl Proxy {
    /// Parses without asking the guard: for what was saved before, and for the operator's own.
    pub fn parse(text: &str) -> Result<Self, ProxyError> {
        let (scheme, rest) = text.split_once("://").ok_or(ProxyError::Scheme)?;
        let speaks = match scheme.to_ascii_lowercase().as_str() {
            "http" => Speaks::Connect,
            "socks5" => Speaks::Socks5,
            _ => return Err(ProxyError::Scheme),
        };
        let authority_ends = rest.find(['/', '\\', '?', '#']).unwrap_or(rest.len());
        let (user, place) = match rest[..authority_ends].rfind('@') {
            Some(at) => (Some(&rest[..at]), &rest[at + 1..]),
            None => (None, rest),
        };
        let place = Target::parse(&format!("http://{place}")).map_err(ProxyError::Place)?;
        if place.uri().path() != "/" || place.uri().query().is_some() {
            return Err(ProxyError::Path);
        }
        if !place.names_port() {
            return Err(ProxyError::NoPort);
        }
        let proxy = Self {
            speaks,
            place,
            credentials: None,
        };
        let Some(user) = user else { return Ok(proxy) };
        let (user, password) = user.split_once(':').ok_or(ProxyError::Credentials)?;
        let plain = |text: &str| -> Result<String, ProxyError> {
            let decoded = percent_decode_str(text).decode_utf8();
            decoded
                .map(Cow::into_owned)
                .map_err(|_| ProxyError::Credentials)
        };
        proxy.with_credentials(&plain(user)?, &plain(password)?)
    }

    /// Parses what someone wants to save: a host that is an address must pass the guard now, any name when it is
    /// dialled.
    pub fn admit(text: &str, guard: &EgressGuard) -> Result<Self, ProxyError> {
        let proxy = Self::parse(text)?;
        match Target::admit(proxy.place.as_str(), guard) {
            Ok(_) => Ok(proxy),
            Err(TargetError::Forbidden(refused)) => Err(ProxyError::Forbidden(refused)),
            Err(error) => Err(ProxyError::Place(error)),
        }
    }

    /// The same with this user and password.
    pub fn with_credentials(mut self, user: &str, password: &str) -> Result<Self, ProxyError> {
        let fits = |text: &str| {
            (1..=CREDENTIAL_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control)
        };
        if !fits(user) || !fits(password) || user.contains(':') {
            return Err(ProxyError::Credentials);
        }
        self.credentials = Some((user.to_owned(), Zeroizing::new(password.to_owned())));
        Ok(self)
    }

    /// Whether it has a user and a password.
    pub fn has_credentials(&self) -> bool {
        self.credentials.is_some()
    }

    pub(super) fn speaks(&self) -> Speaks {
        self.speaks
    }

    pub(super) fn place(&self) -> &Target {
        &self.place
    }

    pub(super) fn credentials(&self) -> Option<(&str, &str)> {
        let credentials = self.credentials.as_ref();
        credentials.map(|(user, password)| (user.as_str(), password.as_str()))
    }

    /// What proves to an HTTP proxy who asks.
    pub(super) fn authorization(&self) -> Option<HeaderValue> {
        let (user, password) = self.credentials()?;
        basic(user, password)
    }

    /// What tells it from other proxies.
    pub(super) fn texts(&self) -> [Option<&str>; 4] {
        let speaks = match self.speaks {
            Speaks::Connect => "http",
            Speaks::Socks5 => "socks5",
        };
        let (user, password) = self.credentials().unzip();
        [Some(speaks), Some(self.place.as_str()), user, password]
    }
}

/// The value of a header that names a user and a password (RFC 7617); sensitive.
pub fn basic(user: &str, password: &str) -> Option<HeaderValue> {
    let pair = Zeroizing::new(format!("{user}:{password}"));
    let text = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
    let mut value = HeaderValue::try_from(text.as_str()).ok()?;
    value.set_sensitive(true);
    Some(value)
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({:?}, {})", self.speaks, self.place.host())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_are_told_by_their_urls() {
        for (text, speaks, place, credentials) in [
            (
                "http://proxy.test:3128",
                Speaks::Connect,
                "http://proxy.test:3128/",
                None,
            ),
            (
                "HTTP://proxy.test:80/",
                Speaks::Connect,
                "http://proxy.test/",
                None,
            ),
            (
                "socks5://u%40x:p%3Aw@[2606:4700::1]:1080",
                Speaks::Socks5,
                "http://[2606:4700::1]:1080/",
                Some(("u@x", "p:w")),
            ),
            (
                "http://me:a@b@proxy.test:1",
                Speaks::Connect,
                "http://proxy.test:1/",
                Some(("me", "a@b")),
            ),
        ] {
            let proxy = Proxy::parse(text).expect(text);
            assert_eq!(proxy.speaks(), speaks, "{text}");
            assert_eq!(proxy.place().as_str(), place);
            assert_eq!(proxy.credentials(), credentials);
            assert!(!format!("{proxy:?}").contains("p:w"));
        }
    }

    #[test]
    fn what_is_no_proxy_is_named() {
        let long = format!("http://u:{}@p.test:1", "a".repeat(256));
        for (text, words) in [
            ("https://p.test:1", "must begin with"),
            ("socks5h://p.test:1", "must begin with"),
            ("p.test:1", "must begin with"),
            ("http://p.test", "names no port"),
            ("http://p.test:1/path", "ends after its port"),
            ("http://p.test:1/?a", "ends after its port"),
            ("http://p.test:0", "port 0"),
            ("http://me@p.test:1", "user and password"),
            ("http://me:%00@p.test:1", "user and password"),
            (&long, "user and password"),
        ] {
            let error = Proxy::parse(text).expect_err(text).to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn a_proxy_at_a_forbidden_address_is_not_taken() {
        let guard = EgressGuard::new(vec!["10.1.0.0/16".parse().expect("a network")]);
        for text in [
            "http://10.2.0.1:3128",
            "socks5://0x7f.1:1080",
            "http://localhost:1",
        ] {
            let error = Proxy::admit(text, &guard).expect_err(text);
            assert!(matches!(error, ProxyError::Forbidden(_)), "{text}: {error}");
        }
        for text in ["http://10.1.0.1:3128", "http://proxy.test:1"] {
            Proxy::admit(text, &guard).expect(text);
        }
    }
}
