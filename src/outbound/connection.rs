//! How requests of one party are connected, where that is not the usual way: authorities that are trusted beside
//! the machine's, a certificate of the sender's own, a proxy, and credentials for which there is an access token.
//!
//! Whatever differs in any of it, or in whose it is, is another connection: what two of them have open is never
//! shared. A connection is known by a digest, which is made once, so that an attempt looks up and compares nothing.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::proxy::Proxy;
use super::token::ClientCredentials;

/// What makes a connection another than the usual one.
#[derive(Default)]
pub struct ConnectionParts {
    /// Certificates that are trusted beside the machine's, as PEM.
    pub authorities: Option<Arc<str>>,
    /// What the sender proves itself with.
    pub certificate: Option<ClientCertificate>,
    /// Through which proxy; `None`: the operator's, if there is one.
    pub proxy: Option<Proxy>,
    /// What access tokens are fetched with.
    pub credentials: Option<ClientCredentials>,
}

/// A certificate for clients, and its key. Not shown by `Debug`.
#[derive(Clone)]
pub struct ClientCertificate {
    /// PEM, its own certificate first.
    pub chain: String,
    /// PEM: PKCS#8, PKCS#1 or SEC1.
    pub key: Zeroizing<String>,
}

/// How requests are connected. Cheap to clone; the default is the usual way. Nothing of it is shown by `Debug`.
#[derive(Clone, Default)]
pub struct Connection(Option<Arc<Special>>);

/// A SHA-256.
pub(super) type Digest = [u8; 32];

pub(super) struct Special {
    pub(super) parts: ConnectionParts,
    /// Of whose it is, the certificates and the proxy; `None`: only there is a token to fetch.
    way: Option<Digest>,
    /// Of that, and of the credentials.
    all: Digest,
}

impl Connection {
    /// One of this owner's.
    pub fn of(owner: Uuid, parts: ConnectionParts) -> Self {
        let is_usual =
            parts.authorities.is_none() && parts.certificate.is_none() && parts.proxy.is_none();
        if is_usual && parts.credentials.is_none() {
            return Self::default();
        }
        let mut hash = Sha256::new();
        hash.update(owner.as_bytes());
        add(&mut hash, parts.authorities.as_deref());
        let certificate = parts.certificate.as_ref();
        add(&mut hash, certificate.map(|own| own.chain.as_str()));
        add(&mut hash, certificate.map(|own| own.key.as_str()));
        let texts = parts.proxy.as_ref().map(Proxy::texts);
        for text in texts.into_iter().flatten() {
            add(&mut hash, text);
        }
        let way: Digest = hash.clone().finalize().into();
        let credentials = parts.credentials.as_ref();
        for text in credentials.into_iter().flat_map(ClientCredentials::texts) {
            add(&mut hash, Some(text));
        }
        Self(Some(Arc::new(Special {
            parts,
            way: (!is_usual).then_some(way),
            all: hash.finalize().into(),
        })))
    }

    /// What is not usual about the way, and the digest of that.
    pub(super) fn way(&self) -> Option<(&Special, Digest)> {
        let special = self.0.as_deref()?;
        special.way.map(|way| (special, way))
    }

    /// What tokens are fetched with, and the digest that those are kept under.
    pub(super) fn credentials(&self) -> Option<(&ClientCredentials, Digest)> {
        let special = self.0.as_deref()?;
        let credentials = special.parts.credentials.as_ref();
        credentials.map(|credentials| (credentials, special.all))
    }
}

/// With its length before it, so that no two lists of texts are the same bytes.
fn add(hash: &mut Sha256, text: Option<&str>) {
    let length = text.map_or(u64::MAX, |text| text.len() as u64);
    hash.update(length.to_be_bytes());
    hash.update(text.unwrap_or_default());
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() {
            "Connection(…)"
        } else {
            "Connection"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(key: &str) -> ClientCertificate {
        ClientCertificate {
            chain: "chain".to_owned(),
            key: Zeroizing::new(key.to_owned()),
        }
    }

    #[test]
    fn what_differs_in_anything_is_another_connection() {
        let [one, other] = [1, 2].map(Uuid::from_u128);
        let parts =
            |authorities: Option<&str>, key: Option<&str>, proxy: Option<&str>| ConnectionParts {
                authorities: authorities.map(Arc::from),
                certificate: key.map(own),
                proxy: proxy.map(|url| Proxy::parse(url).expect(url)),
                credentials: None,
            };
        let all = [
            (one, parts(Some("ca"), None, None)),
            (other, parts(Some("ca"), None, None)),
            (one, parts(Some("cb"), None, None)),
            (one, parts(None, Some("a"), None)),
            (other, parts(None, Some("a"), None)),
            (one, parts(None, Some("b"), None)),
            (one, parts(None, None, Some("http://p.test:1"))),
            (one, parts(None, None, Some("http://p.test:2"))),
            (one, parts(None, None, Some("socks5://p.test:1"))),
            (one, parts(None, None, Some("http://u:a@p.test:1"))),
            (one, parts(None, None, Some("http://u:b@p.test:1"))),
            (one, parts(Some("ca"), Some("a"), Some("http://p.test:1"))),
        ];
        let ways: Vec<Digest> = all
            .into_iter()
            .map(|(owner, parts)| Connection::of(owner, parts).way().expect("special").1)
            .collect();
        let different: std::collections::HashSet<_> = ways.iter().collect();
        assert_eq!(different.len(), ways.len());
        let usual = Connection::of(one, ConnectionParts::default());
        assert!(usual.way().is_none() && usual.credentials().is_none());
    }
}
