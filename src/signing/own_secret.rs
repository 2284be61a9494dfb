//! The secret of an endpoint's own deliveries, and the keys it is under the schemes that use one.

use zeroize::Zeroizing;

use super::key::{EndpointSecret, SigningKey};
use super::{Error, Scheme, Secret};

/// Longest text that is a secret.
const TEXT_BYTES_MAX: usize = 512;

/// A secret: `whsec_…`, which encodes the key of `standard`; or any other text, which is itself the key of the
/// schemes that sign with a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnSecret {
    /// Of both kinds of schemes.
    Encoded(EndpointSecret),
    /// Of those that sign with the text.
    Text(Secret),
}

impl OwnSecret {
    /// The secret with this text for these schemes: with `standard` among them `whsec_` and base64, else 1 to 512
    /// bytes without control characters.
    pub fn parse(text: &str, schemes: &[Scheme]) -> Result<Self, Error> {
        let encoded = EndpointSecret::parse(text);
        if schemes.contains(&Scheme::Standard) {
            return encoded.map(Self::Encoded);
        }
        let fits = (1..=TEXT_BYTES_MAX).contains(&text.len());
        if !fits || text.chars().any(char::is_control) {
            return Err(Error::SecretText);
        }
        Ok(match encoded {
            // In another spelling it would be another text.
            Ok(secret) if *secret.text() == text => Self::Encoded(secret),
            _ => Self::Text(Secret::new(text.as_bytes().to_vec())),
        })
    }

    /// One that was stored.
    pub fn stored(text: &str) -> Result<Self, Error> {
        Self::parse(text, &[])
    }

    /// A new secret made of 32 random bytes, for any scheme.
    pub fn from_random(random: [u8; 32]) -> Self {
        Self::Encoded(EndpointSecret::from_random(random))
    }

    /// The text form, for the one who may see it and for sealing.
    pub fn text(&self) -> Zeroizing<String> {
        match self {
            Self::Encoded(secret) => secret.text(),
            Self::Text(secret) => {
                // It was a text.
                Zeroizing::new(String::from_utf8_lossy(secret.expose()).into_owned())
            }
        }
    }

    /// Refuses a secret that the scheme can't sign with.
    pub fn check(&self, scheme: &Scheme) -> Result<(), Error> {
        match (self, scheme) {
            (Self::Text(_), Scheme::Standard) => Err(Error::SecretPrefix),
            _ => Ok(()),
        }
    }

    /// The keys it is.
    pub fn keys(&self) -> OwnKeys {
        OwnKeys {
            standard: match self {
                Self::Encoded(secret) => Some(secret.signing_key()),
                Self::Text(_) => None,
            },
            text: SigningKey::from_bytes(self.text().as_bytes()),
        }
    }
}

/// The keys that a secret is. Made once per secret and kept.
#[derive(Debug, Clone)]
pub struct OwnKeys {
    standard: Option<SigningKey>,
    text: SigningKey,
}

impl OwnKeys {
    /// The one that signs under this scheme.
    pub fn of(&self, scheme: &Scheme) -> Result<&SigningKey, Error> {
        if *scheme == Scheme::Standard {
            self.standard.as_ref().ok_or(Error::SecretPrefix)
        } else {
            Ok(&self.text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXTS: [Scheme; 3] = [Scheme::EventHeader, Scheme::Github, Scheme::Stripe];

    #[test]
    fn a_secret_is_encoded_or_a_text() {
        let encoded = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let unpadded = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
        for (text, is_encoded) in [
            (encoded, true),
            (unpadded, false),
            ("whsec_test_1", false),
            ("your-secret-key", false),
            ("ü 1", false),
        ] {
            let secret = OwnSecret::parse(text, &TEXTS).expect(text);
            assert_eq!(*secret.text(), text, "as it was given");
            assert_eq!(OwnSecret::stored(text), Ok(secret.clone()));
            assert_eq!(
                secret.check(&Scheme::Standard).is_ok(),
                is_encoded,
                "{text}"
            );
            assert_eq!(secret.keys().of(&Scheme::Standard).is_ok(), is_encoded);
            for scheme in TEXTS {
                assert!(secret.check(&scheme).is_ok() && secret.keys().of(&scheme).is_ok());
            }
        }
        let both = [Scheme::Github, Scheme::Standard];
        let padded = OwnSecret::parse(unpadded, &both).expect("padding is optional");
        assert_eq!(*padded.text(), format!("{unpadded}="));
        let long = "x".repeat(513);
        for (text, schemes, wanted) in [
            ("", &TEXTS[..], Error::SecretText),
            ("a\nb", &TEXTS, Error::SecretText),
            (&long, &TEXTS, Error::SecretText),
            ("your-secret-key", &both, Error::SecretPrefix),
            ("whsec_AAAA", &both, Error::SecretLength { bytes: 3 }),
        ] {
            assert_eq!(OwnSecret::parse(text, schemes), Err(wanted), "{text}");
        }
    }
}
