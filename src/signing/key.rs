//! The two kinds of secret texts, and keys prepared from them.
//!
//! An endpoint secret is `whsec_` and base64 of 24 to 64 bytes, as Standard Webhooks says; the
//! decoded bytes are the HMAC key. An account key is `tbk_` and hexadecimal digits; its text
//! itself is the HMAC key, because the receivers' snippets pass the text they were given.

use std::fmt;
use std::ops::RangeInclusive;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

use super::{Error, Secret};
use crate::model::limits::SECRETS_PER_ENDPOINT_MAX;

/// What an endpoint secret begins with.
const SECRET_PREFIX: &str = "whsec_";
/// How long an endpoint secret may be once decoded (Standard Webhooks: 192 to 512 bits).
pub(super) const SECRET_BYTES: RangeInclusive<usize> = 24..=64;
/// Longest base64 text that is looked at: that of 64 bytes.
const SECRET_BASE64_BYTES_MAX: usize = 88;
/// What an account key begins with.
const ACCOUNT_KEY_PREFIX: &str = "tbk_";
/// How many digits an account key may have. Those made here have 64.
pub(super) const ACCOUNT_KEY_DIGITS: RangeInclusive<usize> = 16..=128;

/// Some senders leave the padding out; what is given out again always has it, since strict
/// receivers insist on it.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The signing secret of one endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointSecret(Secret);

impl EndpointSecret {
    /// The secret with this text, `whsec_…`.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let encoded = text
            .strip_prefix(SECRET_PREFIX)
            .ok_or(Error::SecretPrefix)?;
        if encoded.len() > SECRET_BASE64_BYTES_MAX {
            // Reckoned, not decoded: a megabyte of base64 is not worth the work.
            return Err(Error::SecretLength {
                bytes: encoded.len() / 4 * 3,
            });
        }
        let bytes = LENIENT.decode(encoded).map_err(|_| Error::SecretEncoding)?;
        let secret = Secret::new(bytes);
        let length = secret.expose().len();
        if !SECRET_BYTES.contains(&length) {
            return Err(Error::SecretLength { bytes: length });
        }
        Ok(Self(secret))
    }

    /// A new secret made of 32 random bytes.
    pub fn from_random(mut random: [u8; 32]) -> Self {
        let secret = Secret::new(random.to_vec());
        random.zeroize();
        Self(secret)
    }

    /// The text form, for the one who may see it and for sealing.
    pub fn text(&self) -> Zeroizing<String> {
        let mut text = String::with_capacity(SECRET_PREFIX.len() + SECRET_BASE64_BYTES_MAX);
        text.push_str(SECRET_PREFIX);
        STANDARD.encode_string(self.0.expose(), &mut text);
        Zeroizing::new(text)
    }

    /// How many bytes it has.
    pub fn bytes_len(&self) -> usize {
        self.0.expose().len()
    }

    /// The key that signs with it.
    pub fn signing_key(&self) -> SigningKey {
        SigningKey::from_bytes(self.0.expose())
    }
}

/// The signing key of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountKey(Secret);

impl AccountKey {
    /// The key with this text, `tbk_…`.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let digits = text
            .strip_prefix(ACCOUNT_KEY_PREFIX)
            .ok_or(Error::AccountKey)?;
        let is_hex = digits
            .bytes()
            .all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
        if !is_hex || !ACCOUNT_KEY_DIGITS.contains(&digits.len()) {
            return Err(Error::AccountKey);
        }
        Ok(Self(Secret::new(text.as_bytes().to_vec())))
    }

    /// A new key made of 32 random bytes.
    pub fn from_random(mut random: [u8; 32]) -> Self {
        let mut text = vec![0; ACCOUNT_KEY_PREFIX.len() + 64];
        text[..ACCOUNT_KEY_PREFIX.len()].copy_from_slice(ACCOUNT_KEY_PREFIX.as_bytes());
        hex::encode_to_slice(random, &mut text[ACCOUNT_KEY_PREFIX.len()..])
            .expect("64 digits for 32 bytes");
        random.zeroize();
        Self(Secret::new(text))
    }

    /// The text form, for the one who may see it and for sealing.
    pub fn text(&self) -> Zeroizing<String> {
        let text = std::str::from_utf8(self.0.expose()).expect("checked or made as ASCII");
        Zeroizing::new(text.to_owned())
    }

    /// The key that signs with it.
    pub fn signing_key(&self) -> SigningKey {
        SigningKey::from_bytes(self.0.expose())
    }
}

/// An HMAC-SHA256 key whose two blocks are already hashed in, so that a signature costs no key
/// set-up. Made once per key and kept.
#[derive(Clone)]
pub struct SigningKey(Hmac<Sha256>);

impl SigningKey {
    pub(super) fn from_bytes(key: &[u8]) -> Self {
        Self(Hmac::new_from_slice(key).expect("HMAC takes keys of any length"))
    }

    /// The HMAC of the parts, one after the other.
    pub(super) fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(hidden)")
    }
}

/// The keys that sign for one endpoint at the moment: one or more, oldest first. There is no
/// empty set of them, so that nothing leaves unsigned because a key was missing.
#[derive(Debug, Clone)]
pub struct SigningKeys(Vec<SigningKey>);

impl SigningKeys {
    /// The keys, the oldest first: a header that holds one signature is signed with that one
    /// until its overlap has ended.
    pub fn new(oldest_first: Vec<SigningKey>) -> Result<Self, Error> {
        match oldest_first.len() {
            0 => Err(Error::NoKey),
            1..=SECRETS_PER_ENDPOINT_MAX => Ok(Self(oldest_first)),
            count => Err(Error::TooManyKeys { count }),
        }
    }

    pub(super) fn oldest(&self) -> &SigningKey {
        &self.0[0]
    }

    pub(super) fn all(&self) -> &[SigningKey] {
        &self.0
    }
}

impl From<SigningKey> for SigningKeys {
    fn from(key: SigningKey) -> Self {
        Self(vec![key])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoint_secrets_in_text_and_back() {
        for text in [
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        ] {
            assert_eq!(*EndpointSecret::parse(text).expect(text).text(), text);
        }
        let without_padding = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
        let secret = EndpointSecret::parse(without_padding).expect("padding is optional");
        assert!(secret.text().ends_with('='), "what we give out is padded");

        let made = EndpointSecret::from_random([7; 32]);
        assert_eq!(EndpointSecret::parse(&made.text()), Ok(made));
    }

    #[test]
    fn bad_endpoint_secrets_are_told_apart_and_not_repeated() {
        let long = format!("whsec_{}", STANDARD.encode([1; 65]));
        let huge = format!("whsec_{}", "A".repeat(100_000));
        for (text, wanted) in [
            ("", Error::SecretPrefix),
            ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", Error::SecretPrefix),
            ("whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", Error::SecretPrefix),
            (
                "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa!!",
                Error::SecretEncoding,
            ),
            (
                "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n",
                Error::SecretEncoding,
            ),
            (
                "whsec_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_",
                Error::SecretEncoding,
            ),
            ("whsec_", Error::SecretLength { bytes: 0 }),
            (
                "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRY=",
                Error::SecretLength { bytes: 23 },
            ),
            (&long, Error::SecretLength { bytes: 65 }),
            (&huge, Error::SecretLength { bytes: 75_000 }),
        ] {
            let error = EndpointSecret::parse(text).expect_err(text);
            assert_eq!(error, wanted, "{text}");
            assert!(!error.to_string().contains("MfKQ"), "{error}");
        }
    }

    #[test]
    fn account_keys_in_text_and_back() {
        let made = AccountKey::from_random([0xab; 32]);
        assert_eq!(*made.text(), format!("tbk_{}", "ab".repeat(32)));
        assert_eq!(AccountKey::parse(&made.text()), Ok(made));
        assert!(AccountKey::parse("tbk_8f2c0d5e7a914b36").is_ok());
        for wrong in [
            "",
            "tbk_",
            "tbk_8f2c",
            "8f2c0d5e7a914b36",
            "tbk_8F2C0D5E7A914B36",
            "tbk_8f2c0d5e7a914b36\n",
        ] {
            assert_eq!(
                AccountKey::parse(wrong),
                Err(Error::AccountKey),
                "{wrong:?}"
            );
        }
    }

    #[test]
    fn there_is_never_no_key_and_never_too_many() {
        let key = SigningKey::from_bytes(b"k");
        assert_eq!(
            SigningKeys::new(Vec::new()).expect_err("none"),
            Error::NoKey
        );
        assert!(SigningKeys::new(vec![key.clone(); SECRETS_PER_ENDPOINT_MAX]).is_ok());
        let count = SECRETS_PER_ENDPOINT_MAX + 1;
        assert_eq!(
            SigningKeys::new(vec![key; count]).expect_err("too many"),
            Error::TooManyKeys { count }
        );
    }

    #[test]
    fn nothing_secret_is_shown() {
        let secret =
            EndpointSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("valid");
        let account_key = AccountKey::parse("tbk_8f2c0d5e7a914b36").expect("valid");
        let keys = SigningKeys::from(secret.signing_key());
        assert_eq!(
            format!("{secret:?} {account_key:?} {keys:?}"),
            "EndpointSecret(Secret(hidden)) AccountKey(Secret(hidden)) \
             SigningKeys([SigningKey(hidden)])"
        );
    }
}
