//! Sealing and opening.
//!
//! # The format, version 1
//!
//! ```text
//! 1 byte   1
//! 8 bytes  id of the master key
//! 12 bytes nonce, random
//! n bytes  the plain bytes under AES-256-GCM-SIV (RFC 8452)
//! 16 bytes tag
//! ```
//!
//! Authenticated beside the plain bytes: the first nine bytes and a context that names the place
//! the secret is for, such as the endpoint's id. A row that is copied into another account's
//! place does not open there.
//!
//! # Why this cipher
//!
//! The nonce is random, with no counter to keep over restarts and nodes. Twelve random bytes
//! meet twice in 2^32 seals with a chance of about 2^-33; far fewer are made. With plain AES-GCM or
//! ChaCha20-Poly1305 a repeat would still give away the key of the tag and both plain texts
//! combined. With GCM-SIV it only shows whether the two were equal in everything, so even a
//! cloned virtual machine that repeats its random numbers loses nothing. (XChaCha20's longer nonce would
//! do as well against chance, not against clones, and is not in aws-lc-rs.)

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, NONCE_LEN, Nonce};
use zeroize::Zeroizing;

use super::{Error, KeyId, MasterKey, random};

const FORMAT: u8 = 1;
const HEADER_BYTES: usize = 1 + KeyId::BYTES;
const TAG_BYTES: usize = 16;
/// What sealing adds.
const OVERHEAD_BYTES: usize = HEADER_BYTES + NONCE_LEN + TAG_BYTES;

/// The master keys: the current one seals, it and the older ones open.
///
/// To rotate, a new key is put before the others. What an older one has sealed opens as long as that
/// key is there; it is not sealed anew by itself.
#[derive(Debug)]
pub struct Vault {
    current: MasterKey,
    older: Vec<MasterKey>,
}

impl Vault {
    /// A vault with these keys.
    pub fn new(current: MasterKey, older: Vec<MasterKey>) -> Self {
        Self { current, older }
    }

    /// The vault with the keys in this text: base64, one a line, the current one first. Empty
    /// lines and lines that begin with `#` are passed over.
    pub fn from_text(text: &str) -> Result<Self, Error> {
        let mut keys = Vec::new();
        for (place, line) in text.lines().map(str::trim).enumerate() {
            if !line.is_empty() && !line.starts_with('#') {
                let wrong = Error::MasterKeyText { line: place + 1 };
                keys.push(MasterKey::parse(line).ok_or(wrong)?);
            }
        }
        if keys.is_empty() {
            return Err(Error::MasterKeyMissing);
        }
        let current = keys.remove(0);
        Ok(Self::new(current, keys))
    }

    /// The vault with the keys in a file: exactly the 32 bytes of one, or text as in
    /// [`Vault::from_text`]. (Base64 of a key is longer than 32 bytes, so nothing is both.)
    pub fn from_file_content(content: &[u8]) -> Result<Self, Error> {
        if let Ok(bytes) = <[u8; MasterKey::BYTES]>::try_from(content) {
            return Ok(Self::new(MasterKey::from_random(bytes), Vec::new()));
        }
        let text = std::str::from_utf8(content).map_err(|_| Error::MasterKeyBytes)?;
        Self::from_text(text)
    }

    /// Which key seals.
    pub fn current_key(&self) -> KeyId {
        self.current.id()
    }

    /// Whether this was sealed under the key that seals now.
    pub fn is_current(&self, sealed: &[u8]) -> bool {
        Parts::of(sealed).is_ok_and(|parts| parts.key == self.current.id())
    }

    /// Seals `plain` under the current key for the place that `context` names; it opens with the
    /// same context only. Twice the same gives different bytes.
    pub fn seal(&self, plain: &[u8], context: &[u8]) -> Result<Vec<u8>, Error> {
        let nonce: [u8; NONCE_LEN] = random::bytes()?;
        let id = self.current.id();
        let aad = Aad::from(authenticated(id, context));
        // The copy of `plain` is turned into the sealed text where it lies.
        let mut text = plain.to_vec();
        let tag = self
            .current
            .cipher
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), aad, &mut text)
            .map_err(|_| Error::Seal { bytes: plain.len() })?;
        let mut sealed = Vec::with_capacity(OVERHEAD_BYTES + plain.len());
        sealed.push(FORMAT);
        sealed.extend_from_slice(id.as_bytes());
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&text);
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed)
    }

    /// What was sealed, if it was sealed by one of these keys for this context and not altered.
    /// The plain bytes are overwritten when dropped.
    pub fn open(&self, sealed: &[u8], context: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        let parts = Parts::of(sealed)?;
        let key = std::iter::once(&self.current)
            .chain(&self.older)
            .find(|key| key.id() == parts.key)
            .ok_or(Error::UnknownKey(parts.key))?;
        let mut plain = Zeroizing::new(parts.text_and_tag.to_vec());
        let aad = Aad::from(authenticated(parts.key, context));
        let length = key
            .cipher
            .open_in_place(Nonce::assume_unique_for_key(parts.nonce), aad, &mut plain)
            .map_err(|_| Error::Broken)?
            .len();
        plain.truncate(length);
        Ok(plain)
    }
}

/// Everything that is authenticated but not hidden. The header's length is fixed, so no two pairs
/// of header and context read the same.
fn authenticated(id: KeyId, context: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES + context.len());
    bytes.push(FORMAT);
    bytes.extend_from_slice(id.as_bytes());
    bytes.extend_from_slice(context);
    bytes
}

/// Sealed bytes, taken apart.
struct Parts<'a> {
    key: KeyId,
    nonce: [u8; NONCE_LEN],
    text_and_tag: &'a [u8],
}

impl<'a> Parts<'a> {
    fn of(sealed: &'a [u8]) -> Result<Self, Error> {
        let too_short = || Error::TooShort {
            bytes: sealed.len(),
        };
        let (&format, rest) = sealed.split_first().ok_or_else(too_short)?;
        if format != FORMAT {
            return Err(Error::Format(format));
        }
        let (key, rest) = rest.split_first_chunk().ok_or_else(too_short)?;
        let (nonce, text_and_tag) = rest.split_first_chunk().ok_or_else(too_short)?;
        if text_and_tag.len() < AES_256_GCM_SIV.tag_len() {
            return Err(too_short());
        }
        Ok(Self {
            key: KeyId::from_bytes(*key),
            nonce: *nonce,
            text_and_tag,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTEXT: &[u8] = b"endpoint secret ep_1";
    /// `whsec_abc`, sealed by the first version of this format under the key of 32 ones;
    /// pyca/cryptography's AESGCMSIV opens it as well.
    const SEALED_V1: &str = "01f9696454a63eb95b1ce1edb92bf11f3756a1fdd8a373a090a1daf4674e56f0\
                             af49b1499255cd12d057177d02c3";

    fn key(byte: u8) -> MasterKey {
        MasterKey::from_random([byte; 32])
    }

    fn vault(current: u8, older: &[u8]) -> Vault {
        Vault::new(key(current), older.iter().map(|byte| key(*byte)).collect())
    }

    #[test]
    fn what_is_sealed_opens_and_shows_nothing_meanwhile() {
        let vault = vault(1, &[]);
        for plain in [&b""[..], b"whsec_abc", &[0x5a; 5_000]] {
            let sealed = vault.seal(plain, CONTEXT).expect("sealed");
            assert_eq!(sealed.len(), plain.len() + OVERHEAD_BYTES);
            assert!(plain.is_empty() || !sealed.windows(plain.len()).any(|part| part == plain));
            assert_eq!(*vault.open(&sealed, CONTEXT).expect("opened"), plain);
            assert_ne!(
                vault.seal(plain, CONTEXT).expect("sealed"),
                sealed,
                "the nonce is new"
            );
        }
    }

    #[test]
    fn the_cipher_s_tag_is_as_long_as_the_format_says() {
        assert_eq!(AES_256_GCM_SIV.tag_len(), TAG_BYTES);
        assert_eq!(AES_256_GCM_SIV.nonce_len(), NONCE_LEN);
    }

    #[test]
    fn a_secret_opens_only_in_the_place_it_was_sealed_for() {
        let vault = vault(1, &[]);
        let sealed = vault.seal(b"secret", CONTEXT).expect("sealed");
        for other in [&b""[..], b"endpoint secret ep_2", b"endpoint secret ep_1 "] {
            assert_eq!(vault.open(&sealed, other), Err(Error::Broken));
        }
    }

    #[test]
    fn every_altered_byte_is_noticed() {
        let vault = vault(1, &[]);
        let sealed = vault.seal(b"secret", CONTEXT).expect("sealed");
        for place in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[place] ^= 1;
            let error = vault.open(&altered, CONTEXT).expect_err("altered");
            match place {
                0 => assert_eq!(error, Error::Format(0)),
                1..HEADER_BYTES => assert!(matches!(error, Error::UnknownKey(_))),
                _ => assert_eq!(error, Error::Broken),
            }
        }
        for length in 0..sealed.len() {
            let error = vault.open(&sealed[..length], CONTEXT).expect_err("cut off");
            assert!(
                matches!(error, Error::TooShort { .. } | Error::Broken),
                "{length}: {error}"
            );
        }
    }

    #[test]
    fn a_rotated_key_still_opens_until_it_is_taken_away() {
        let sealed = vault(1, &[]).seal(b"secret", CONTEXT).expect("sealed");
        let rotated = vault(2, &[3, 1]);
        assert_eq!(
            *rotated
                .open(&sealed, CONTEXT)
                .expect("opened by the old key"),
            b"secret"
        );

        let again = rotated.seal(b"secret", CONTEXT).expect("sealed");
        let without = vault(2, &[]);
        assert_eq!(*without.open(&again, CONTEXT).expect("opened"), b"secret");
        assert_eq!(
            without.open(&sealed, CONTEXT),
            Err(Error::UnknownKey(key(1).id()))
        );
    }

    #[test]
    fn bytes_sealed_once_open_for_ever() {
        let sealed = hex::decode(SEALED_V1).expect("hexadecimal");
        assert_eq!(
            *vault(1, &[]).open(&sealed, CONTEXT).expect("opened"),
            b"whsec_abc"
        );
    }

    #[test]
    fn keys_come_from_a_text_or_a_file() {
        let lines = format!("# current\n {} \n\n{}\n", *key(2).text(), *key(1).text());
        let vault = Vault::from_text(&lines).expect("two keys");
        assert_eq!(vault.current_key(), key(2).id());
        assert_eq!(vault.older[0].id(), key(1).id());
        for content in [&[1u8; 32][..], key(1).text().as_bytes()] {
            let vault = Vault::from_file_content(content).expect("one key");
            assert_eq!(vault.current_key(), key(1).id());
        }
        for (content, wanted) in [
            (&b""[..], Error::MasterKeyMissing),
            (b"# nothing here\n", Error::MasterKeyMissing),
            (b"\n\nswordfish\n", Error::MasterKeyText { line: 3 }),
            (&[0xff; 31], Error::MasterKeyBytes),
        ] {
            let error = Vault::from_file_content(content).expect_err("no key");
            assert_eq!(error, wanted);
            assert!(!error.to_string().contains("swordfish"));
        }
    }
}
