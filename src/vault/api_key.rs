//! API keys: shown once, kept as a hash.
//!
//! The hash is one SHA-256, not a slow password hash: a key is 256 random bits, which nobody
//! guesses however fast a guess is, and it is hashed on each request. The same holds for a
//! bootstrap key as far as whoever chose it used a generator.

use std::fmt;
use std::hash::{Hash, Hasher};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

/// What a key begins with, so that people and secret scanners know it for what it is.
const PREFIX: &str = "tb_";

/// A new key, in the clear: `tb_` and 43 characters of URL-safe base64.
pub struct ApiKey(Zeroizing<String>);

impl ApiKey {
    /// A key made of random bytes.
    pub fn from_random(mut random: [u8; 32]) -> Self {
        let mut text = Zeroizing::new(String::with_capacity(PREFIX.len() + 43));
        text.push_str(PREFIX);
        URL_SAFE_NO_PAD.encode_string(random, &mut text);
        random.zeroize();
        Self(text)
    }

    /// The key, for the one it is made for.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// What is kept of it.
    pub fn hash(&self) -> ApiKeyHash {
        ApiKeyHash::of(&self.0)
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(hidden)")
    }
}

/// What is kept of a key. Two are compared in constant time; finding one by an index on the hash
/// is safe, too, since nobody can choose keys whose hashes lie near another.
#[derive(Clone, Copy)]
pub struct ApiKeyHash([u8; 32]);

impl ApiKeyHash {
    /// The hash of a text that somebody presents as a key, whatever its form.
    pub fn of(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }

    /// The hash with these bytes, as the store keeps them.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes that the store keeps.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for ApiKeyHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for ApiKeyHash {}

impl Hash for ApiKeyHash {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl fmt::Debug for ApiKeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKeyHash(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_its_form_and_its_hash() {
        let key = ApiKey::from_random([0xfb; 32]);
        assert_eq!(key.text(), "tb_-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_s");
        assert_eq!(key.text().len(), 46);
        assert_eq!(key.hash(), ApiKeyHash::of(key.text()));
        assert_ne!(key.hash(), ApiKey::from_random([0xfa; 32]).hash());
        assert_eq!(
            format!("{key:?} {:?}", key.hash()),
            "ApiKey(hidden) ApiKeyHash(hidden)"
        );
    }

    #[test]
    fn the_hash_is_the_sha_256_of_the_text() {
        // FIPS 180-2, appendix B.1.
        let hash = ApiKeyHash::of("abc");
        let wanted = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hex::encode(hash.as_bytes()), wanted);
        assert_eq!(ApiKeyHash::from_bytes(*hash.as_bytes()), hash);
    }

    #[test]
    fn random_bytes_differ() {
        let [a, b] = [(); 2].map(|()| super::super::random::bytes::<32>().expect("random"));
        assert_ne!(a, b);
    }
}
