//! The public half of a key pair, and the forms it is given out in.

use aws_lc_rs::rsa;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::Error;
use super::key_pair::{KeyKind, PUBLIC_PREFIX};

/// What stands before the 32 bytes of an ed25519 key in a SubjectPublicKeyInfo (RFC 8410).
const ED25519_SPKI: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];
const ED25519_BYTES: usize = 32;
/// Characters in a line of PEM (RFC 7468).
const PEM_LINE_CHARS: usize = 64;

/// A public key, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    kind: KeyKind,
    /// SubjectPublicKeyInfo.
    der: Vec<u8>,
}

impl PublicKey {
    /// One that was stored: a SubjectPublicKeyInfo in DER.
    pub fn stored(kind: KeyKind, der: &[u8]) -> Result<Self, Error> {
        let is_one = match kind {
            KeyKind::Rsa => rsa::PublicKey::from_der(der).is_ok(),
            KeyKind::Ed25519 => der
                .strip_prefix(&ED25519_SPKI)
                .is_some_and(|bytes| bytes.len() == ED25519_BYTES),
        };
        if !is_one {
            return Err(Error::PublicKey(kind.as_str()));
        }
        Ok(Self {
            kind,
            der: der.to_vec(),
        })
    }

    /// The ed25519 key of these 32 bytes.
    pub(super) fn of_ed25519(bytes: &[u8]) -> Option<Self> {
        (bytes.len() == ED25519_BYTES).then(|| Self {
            kind: KeyKind::Ed25519,
            der: [&ED25519_SPKI, bytes].concat(),
        })
    }

    /// Its kind.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// As SubjectPublicKeyInfo in DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// As PEM (`BEGIN PUBLIC KEY`), which ends with a line break.
    pub fn pem(&self) -> String {
        let encoded = STANDARD.encode(&self.der);
        let mut text = String::from("-----BEGIN PUBLIC KEY-----\n");
        for line in encoded.as_bytes().chunks(PEM_LINE_CHARS) {
            text.extend(line.iter().copied().map(char::from));
            text.push('\n');
        }
        text.push_str("-----END PUBLIC KEY-----\n");
        text
    }

    /// Of ed25519 the text that the libraries of Standard Webhooks take: `whpk_` and base64.
    pub fn standard_text(&self) -> Option<String> {
        let bytes = self.der.strip_prefix(&ED25519_SPKI)?;
        Some(format!("{PUBLIC_PREFIX}{}", STANDARD.encode(bytes)))
    }

    /// As JSON Web Key (RFC 7517, of ed25519 RFC 8037) under this name.
    pub fn jwk(&self, kid: &str) -> Result<Value, Error> {
        let wrong = || Error::PublicKey(self.kind.as_str());
        let encoded = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        Ok(match self.kind {
            KeyKind::Rsa => {
                let key = rsa::PublicKey::from_der(&self.der).map_err(|_| wrong())?;
                json!({
                    "kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid,
                    "n": encoded(key.modulus().big_endian_without_leading_zero()),
                    "e": encoded(key.exponent().big_endian_without_leading_zero()),
                })
            }
            KeyKind::Ed25519 => {
                let bytes = self.der.strip_prefix(&ED25519_SPKI).ok_or_else(wrong)?;
                json!({
                    "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": kid,
                    "x": encoded(bytes),
                })
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_are_those_of_others() {
        let vectors: Value =
            serde_json::from_str(include_str!("../../tests/vectors/signatures.json"))
                .expect("the vectors are JSON");
        let pem = vectors["rsa_sha256_pkcs1v15"]["public_key_pem"]
            .as_str()
            .expect("a text");
        let key = PublicKey::parse(KeyKind::Rsa, pem).expect("PEM");
        assert_eq!(key.pem(), pem);
        let jwk = key.jwk("kp_1").expect("whole");
        assert_eq!(
            (&jwk["kty"], &jwk["e"], &jwk["kid"]),
            (&json!("RSA"), &json!("AQAB"), &json!("kp_1"))
        );
        assert_eq!(jwk["n"].as_str().map(str::len), Some(342));

        let text = vectors["standard_v1a"]["public"].as_str().expect("a text");
        let key = PublicKey::parse(KeyKind::Ed25519, text).expect("whpk_");
        assert_eq!(key.standard_text().as_deref(), Some(text));
        assert_eq!(
            PublicKey::parse(KeyKind::Ed25519, &key.pem()),
            Ok(key.clone())
        );
        let x = key.jwk("k").expect("whole")["x"].clone();
        assert_eq!(x, "1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4");
        assert!(PublicKey::parse(KeyKind::Rsa, &key.pem()).is_err());
        assert!(PublicKey::parse(KeyKind::Ed25519, pem).is_err());
    }
}
