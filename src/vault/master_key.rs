//! Master keys: 32 bytes under which secrets are sealed, and the ids by which they are found.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM_SIV, LessSafeKey, UnboundKey};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
/// Makes the hash that key ids are taken from useless for anything else.
const KEY_ID_DOMAIN: &[u8] = b"throwbar master key id\0";

/// Which master key: the first 8 bytes of a hash of it. Kept beside what is sealed, so that keys
/// need no names and old ones are found again. Of 256 random bits a hash tells nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId([u8; KeyId::BYTES]);

impl KeyId {
    /// How long it is.
    pub const BYTES: usize = 8;

    pub(super) const fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// The id itself.
    pub const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// A key that seals.
pub struct MasterKey {
    id: KeyId,
    bytes: Zeroizing<[u8; MasterKey::BYTES]>,
    pub(super) cipher: LessSafeKey,
}

impl MasterKey {
    /// How many bytes a key has.
    pub const BYTES: usize = 32;

    /// A key made of random bytes.
    pub fn from_random(mut random: [u8; Self::BYTES]) -> Self {
        let bytes = Zeroizing::new(random);
        random.zeroize();
        let hash = Sha256::new()
            .chain_update(KEY_ID_DOMAIN)
            .chain_update(bytes.as_slice())
            .finalize();
        let mut id = [0; KeyId::BYTES];
        id.copy_from_slice(&hash[..KeyId::BYTES]);
        let cipher = cipher(&bytes);
        Self {
            id: KeyId(id),
            bytes,
            cipher,
        }
    }

    /// The key with this base64 text; `None` if it is not 32 bytes of standard base64.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let decoded = Zeroizing::new(LENIENT.decode(text).ok()?);
        decoded.as_slice().try_into().ok().map(Self::from_random)
    }

    /// Which key it is.
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// The base64 text, for writing a new key down.
    pub fn text(&self) -> Zeroizing<String> {
        Zeroizing::new(STANDARD.encode(*self.bytes))
    }
}

fn cipher(bytes: &[u8; MasterKey::BYTES]) -> LessSafeKey {
    let key = UnboundKey::new(&AES_256_GCM_SIV, bytes).expect("the cipher takes 32 bytes");
    LessSafeKey::new(key)
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_in_text_and_back_is_the_same_key() {
        let key = MasterKey::from_random([7; 32]);
        let again = MasterKey::parse(&key.text()).expect("valid");
        assert_eq!((again.id(), again.text()), (key.id(), key.text()));
        assert_ne!(MasterKey::from_random([8; 32]).id(), key.id());
        let bare = key.text().trim_end_matches('=').to_owned();
        assert_eq!(
            MasterKey::parse(&bare).expect("padding is optional").id(),
            key.id()
        );
    }

    #[test]
    fn a_key_s_debug_form_is_its_id_only() {
        let key = MasterKey::from_random([7; 32]);
        let shown = format!("{key:?}");
        assert_eq!(shown, format!("MasterKey({})", key.id()));
        assert_eq!(shown.len(), "MasterKey()".len() + 16);
        assert!(!key.text().contains(&key.id().to_string()));
    }

    #[test]
    fn only_32_bytes_of_base64_are_a_key() {
        for wrong in [
            "",
            "AAAA",
            &STANDARD.encode([0; 31]),
            &STANDARD.encode([0; 33]),
            "ä",
        ] {
            assert!(MasterKey::parse(wrong).is_none(), "{wrong}");
        }
    }
}
