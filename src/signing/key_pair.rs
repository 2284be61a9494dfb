//! Key pairs: the private half signs and is never shown, the public half is given to everybody who wants to
//! verify.
//!
//! | kind | signs with | public half in text |
//! | --- | --- | --- |
//! | `rsa` | RSASSA-PKCS1-v1_5 over SHA-256, 2048 bits if made here | PEM, JWK (`RS256`) |
//! | `ed25519` | Ed25519 | `whpk_` and base64 as in Standard Webhooks, PEM, JWK (`EdDSA`) |

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ED25519, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256,
    RsaKeyPair, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{PrivateKeyDer, SubjectPublicKeyInfoDer};
use zeroize::Zeroizing;

use super::Error;
use super::public_key::PublicKey;
use crate::model::limits::KEY_PAIRS_PER_KIND_MAX;
use crate::model::words;

/// What a private ed25519 key begins with, and a public one (Standard Webhooks).
const PRIVATE_PREFIX: &str = "whsk_";
pub(super) const PUBLIC_PREFIX: &str = "whpk_";
/// Bytes of an ed25519 seed; the public half may follow it.
const SEED_BYTES: usize = 32;
/// How long an RSA key that is brought along may be, in bytes.
const MODULUS_BYTES: std::ops::RangeInclusive<usize> = 256..=512;
/// Longest text of a private key that is looked at.
const PRIVATE_TEXT_BYTES_MAX: usize = 8 * 1024;

/// What a key pair signs with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// RSA, 2048 bits and more.
    Rsa,
    /// Ed25519.
    Ed25519,
}

words!(KeyKind {
    Rsa = "rsa",
    Ed25519 = "ed25519",
});

/// A key pair. Clones are the same.
#[derive(Clone)]
pub enum KeyPair {
    /// RSA.
    Rsa(Arc<RsaKeyPair>),
    /// Ed25519.
    Ed25519(Arc<Ed25519KeyPair>),
}

impl KeyPair {
    /// A new one. The library takes its randomness itself. An RSA pair takes some tenths of a second.
    pub fn generate(kind: KeyKind) -> Result<Self, Error> {
        Ok(match kind {
            KeyKind::Rsa => {
                let pair = RsaKeyPair::generate(KeySize::Rsa2048);
                Self::Rsa(Arc::new(pair.map_err(|_| Error::NoRandomness)?))
            }
            KeyKind::Ed25519 => {
                let pair = Ed25519KeyPair::generate();
                Self::Ed25519(Arc::new(pair.map_err(|_| Error::NoRandomness)?))
            }
        })
    }

    /// One that was made elsewhere: PEM (PKCS#8, of RSA also PKCS#1), of ed25519 also `whsk_` and the base64 of
    /// the seed, or of the seed and the public half.
    pub fn import(kind: KeyKind, text: &str) -> Result<Self, Error> {
        let wrong = Error::PrivateKey(kind.as_str());
        if text.len() > PRIVATE_TEXT_BYTES_MAX {
            return Err(wrong);
        }
        let text = text.trim();
        if let (KeyKind::Ed25519, Some(encoded)) = (kind, text.strip_prefix(PRIVATE_PREFIX)) {
            let bytes = Zeroizing::new(STANDARD.decode(encoded).map_err(|_| wrong.clone())?);
            return of_seed(&bytes).ok_or(wrong);
        }
        let der = PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|_| wrong.clone())?;
        let pair = match (kind, &der) {
            (_, PrivateKeyDer::Pkcs8(der)) => Self::stored(kind, der.secret_pkcs8_der()),
            (KeyKind::Rsa, PrivateKeyDer::Pkcs1(der)) => {
                let pair = RsaKeyPair::from_der(der.secret_pkcs1_der());
                pair.map(|pair| Self::Rsa(Arc::new(pair)))
                    .map_err(|_| wrong.clone())
            }
            _ => Err(wrong.clone()),
        }?;
        match &pair {
            Self::Rsa(key) if !MODULUS_BYTES.contains(&key.public_modulus_len()) => Err(wrong),
            _ => Ok(pair),
        }
    }

    /// One that was stored.
    pub fn stored(kind: KeyKind, pkcs8: &[u8]) -> Result<Self, Error> {
        let wrong = |_| Error::PrivateKey(kind.as_str());
        Ok(match kind {
            KeyKind::Rsa => Self::Rsa(Arc::new(RsaKeyPair::from_pkcs8(pkcs8).map_err(wrong)?)),
            KeyKind::Ed25519 => Self::Ed25519(Arc::new(
                Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8).map_err(wrong)?,
            )),
        })
    }

    /// The private half as PKCS#8, to be sealed.
    pub fn private(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        let der: Result<Pkcs8V1Der<'_>, _> = match self {
            Self::Rsa(pair) => pair.as_der(),
            Self::Ed25519(pair) => pair.as_der(),
        };
        der.map(|der| Zeroizing::new(der.as_ref().to_vec()))
            .map_err(|_| Error::PrivateKey(self.kind().as_str()))
    }

    /// The public half.
    pub fn public(&self) -> Result<PublicKey, Error> {
        let der: Result<PublicKeyX509Der<'_>, _> = match self {
            Self::Rsa(pair) => pair.public_key().as_der(),
            Self::Ed25519(pair) => pair.public_key().as_der(),
        };
        let der = der.map_err(|_| Error::PublicKey(self.kind().as_str()))?;
        PublicKey::stored(self.kind(), der.as_ref())
    }

    /// Its kind.
    pub fn kind(&self) -> KeyKind {
        match self {
            Self::Rsa(_) => KeyKind::Rsa,
            Self::Ed25519(_) => KeyKind::Ed25519,
        }
    }

    /// The signature of the message. An RSA one takes a quarter of a millisecond.
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        match self {
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(
                    &RSA_PKCS1_SHA256,
                    &SystemRandom::new(),
                    message,
                    &mut signature,
                )
                .map_err(|_| Error::PrivateKey(KeyKind::Rsa.as_str()))?;
                Ok(signature)
            }
            Self::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
        }
    }
}

/// Of a seed that the public half may follow, which then must be its own.
fn of_seed(bytes: &[u8]) -> Option<KeyPair> {
    let (seed, public) = bytes.split_at_checked(SEED_BYTES)?;
    let pair = if public.is_empty() {
        Ed25519KeyPair::from_seed_unchecked(seed)
    } else {
        Ed25519KeyPair::from_seed_and_public_key(seed, public)
    };
    pair.ok().map(|pair| KeyPair::Ed25519(Arc::new(pair)))
}

impl PublicKey {
    /// Whether this is the signature of the message.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let verified = match self.kind() {
            KeyKind::Rsa => UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, self.der())
                .verify(message, signature),
            KeyKind::Ed25519 => {
                UnparsedPublicKey::new(&ED25519, self.der()).verify(message, signature)
            }
        };
        verified.is_ok()
    }

    /// The public key in this text: PEM, or of ed25519 `whpk_` and base64.
    pub fn parse(kind: KeyKind, text: &str) -> Result<Self, Error> {
        let text = text.trim();
        if let (KeyKind::Ed25519, Some(encoded)) = (kind, text.strip_prefix(PUBLIC_PREFIX)) {
            let bytes = STANDARD.decode(encoded).ok();
            return bytes
                .and_then(|bytes| Self::of_ed25519(&bytes))
                .ok_or(Error::PublicKey(kind.as_str()));
        }
        let der = SubjectPublicKeyInfoDer::from_pem_slice(text.as_bytes())
            .map_err(|_| Error::PublicKey(kind.as_str()))?;
        Self::stored(kind, &der)
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyPair({}, hidden)", self.kind().as_str())
    }
}

/// The key pairs of one kind that an endpoint has at the moment: one or two, the oldest first.
#[derive(Debug, Clone)]
pub struct KeyPairs(Vec<KeyPair>);

impl KeyPairs {
    /// The pairs, the oldest first: it signs where there is room for one signature.
    pub fn new(oldest_first: Vec<KeyPair>) -> Result<Self, Error> {
        match oldest_first.len() {
            0 => Err(Error::NoKey),
            1..=KEY_PAIRS_PER_KIND_MAX => Ok(Self(oldest_first)),
            count => Err(Error::TooManyKeys { count }),
        }
    }

    pub(super) fn oldest(&self) -> &KeyPair {
        &self.0[0]
    }

    pub(super) fn all(&self) -> &[KeyPair] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_made_stored_and_brought_along() {
        for kind in KeyKind::ALL {
            let made = KeyPair::generate(*kind).expect("randomness");
            let private = made.private().expect("its private half");
            let stored = KeyPair::stored(*kind, &private).expect("as it was stored");
            assert_eq!(
                stored.public().expect("public"),
                made.public().expect("public")
            );
            let signature = stored.sign(b"message").expect("signed");
            let public = made.public().expect("public");
            assert!(public.verifies(b"message", &signature));
            assert!(!public.verifies(b"massage", &signature));
            let text = public.pem();
            assert_eq!(PublicKey::parse(*kind, &text), Ok(public));
            assert!(format!("{made:?}").ends_with("hidden)"));

            let body = STANDARD.encode(&*private);
            let pem = format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
            let brought = KeyPair::import(*kind, &pem).expect("PKCS#8");
            assert_eq!(brought.public(), made.public());
        }
    }

    #[test]
    fn a_private_key_that_is_none_is_refused_and_not_repeated() {
        let other = KeyPair::generate(KeyKind::Ed25519).expect("randomness");
        let body = STANDARD.encode(&*other.private().expect("private"));
        let ed25519 = format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
        let halves = format!("whsk_{}", STANDARD.encode([[7; 32], [8; 32]].concat()));
        for (kind, text) in [
            (KeyKind::Rsa, ed25519.as_str()),
            (KeyKind::Rsa, "whsk_AAAA"),
            (KeyKind::Ed25519, "whsk_AAAA"),
            (KeyKind::Ed25519, &halves),
            (KeyKind::Ed25519, "-----BEGIN PRIVATE KEY-----"),
            (KeyKind::Rsa, &"x".repeat(PRIVATE_TEXT_BYTES_MAX + 1)),
        ] {
            let error = KeyPair::import(kind, text).expect_err("no key");
            assert_eq!(error, Error::PrivateKey(kind.as_str()));
            assert!(!error.to_string().contains("AAAA"));
        }
    }

    #[test]
    fn there_are_one_or_two() {
        let pair = KeyPair::generate(KeyKind::Ed25519).expect("randomness");
        assert_eq!(KeyPairs::new(vec![]).expect_err("none"), Error::NoKey);
        assert!(KeyPairs::new(vec![pair.clone(); KEY_PAIRS_PER_KIND_MAX]).is_ok());
        let count = KEY_PAIRS_PER_KIND_MAX + 1;
        assert_eq!(
            KeyPairs::new(vec![pair; count]).expect_err("too many"),
            Error::TooManyKeys { count }
        );
    }
}
