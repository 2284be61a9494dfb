//! Which signature a delivery carries, and how users write it: `{"scheme":"standard"}` or
//! `{"scheme":"body-hmac","header":"X-Signature"}`.

use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use super::key_pair::{KeyKind, PUBLIC_PREFIX};
use super::{Error, SignatureHeader};

const STANDARD: &str = "standard";
const BODY_HMAC: &str = "body-hmac";
/// Where a `body-hmac` signature is, unless another header is named.
const BODY_HMAC_HEADER: &str = "X-Signature";
const EVENT_HEADER: &str = "event-header";
const GITHUB: &str = "github";
const STRIPE: &str = "stripe";
const STANDARD_ED25519: &str = "standard-ed25519";
const RSA: &str = "rsa";
/// Where an `rsa` signature is, unless another header is named.
const RSA_HEADER: &str = "X-SiqSignature";
/// Those that there are, in words.
pub(super) const SUPPORTED: &str =
    "standard, standard-ed25519, body-hmac, event-header, rsa, github and stripe";
/// How much of a wrong word is shown again.
const SHOWN_CHARS_MAX: usize = 80;

/// How a delivery is signed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Spelling", into = "Spelling")]
pub enum Scheme {
    /// Standard Webhooks, symmetric (`v1`), under both header families.
    #[default]
    Standard,
    /// Lowercase hexadecimal HMAC-SHA256 of the body, in one header.
    BodyHmac {
        /// Which one.
        header: SignatureHeader,
    },
    /// The event's type and the attempt's time in headers, and hexadecimal HMAC-SHA256 of the body if there is
    /// a secret.
    EventHeader,
    /// As GitHub signs: `sha256=` and hexadecimal HMAC-SHA256 of the body.
    Github,
    /// As Stripe signs: the attempt's time, and hexadecimal HMAC-SHA256 of `time.body`.
    Stripe,
    /// Standard Webhooks, asymmetric (`v1a`), under both header families; beside `standard` in the same headers.
    StandardEd25519,
    /// Base64 of SHA256withRSA (PKCS#1 v1.5) of the body, in one header.
    Rsa {
        /// Which one.
        header: SignatureHeader,
    },
}

/// What a scheme signs with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignsWith {
    /// The account's key.
    AccountKey,
    /// Secrets of the endpoint's own.
    OwnSecret,
    /// Key pairs of the endpoint's own, of this kind.
    KeyPair(KeyKind),
}

/// A scheme as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Spelling {
    scheme: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    header: Option<String>,
}

impl Scheme {
    /// The scheme with this name; `header` only for schemes that let it be chosen. For bodies
    /// that carry more beside the scheme than [`Scheme`]'s own form does.
    pub fn from_words(scheme: &str, header: Option<&str>) -> Result<Self, Error> {
        let named = |default: &str| SignatureHeader::parse(header.unwrap_or(default));
        let known = match scheme {
            STANDARD => Self::Standard,
            EVENT_HEADER => Self::EventHeader,
            GITHUB => Self::Github,
            STRIPE => Self::Stripe,
            STANDARD_ED25519 => Self::StandardEd25519,
            BODY_HMAC => Self::BodyHmac {
                header: named(BODY_HMAC_HEADER)?,
            },
            RSA => Self::Rsa {
                header: named(RSA_HEADER)?,
            },
            word => {
                return Err(Error::SchemeUnknown(
                    word.chars().take(SHOWN_CHARS_MAX).collect(),
                ));
            }
        };
        if header.is_some() && known.header().is_none() {
            return Err(Error::HeaderNotForScheme(known.as_str()));
        }
        Ok(known)
    }

    /// The header that it signs in, if that can be chosen.
    pub fn header(&self) -> Option<&SignatureHeader> {
        match self {
            Self::BodyHmac { header } | Self::Rsa { header } => Some(header),
            _ => None,
        }
    }

    /// Whether what it tells goes in the header of this name, which is in lower case. Those of Standard Webhooks can't
    /// be chosen for another scheme.
    pub fn tells_in(&self, name: &str) -> bool {
        match self {
            Self::BodyHmac { header } | Self::Rsa { header } => header.name() == name,
            Self::EventHeader => name.starts_with("x-webhook-"),
            Self::Github => name == "x-hub-signature-256",
            Self::Stripe => name == "stripe-signature",
            Self::Standard | Self::StandardEd25519 => false,
        }
    }

    /// The scheme that a secret or public key of this form is for: an account key signs bodies, PEM is taken for
    /// that of an RSA pair, and any other text for an endpoint secret.
    pub fn of_secret(text: &str) -> Self {
        let word = match text.trim_start() {
            text if text.starts_with("tbk_") => BODY_HMAC,
            text if text.starts_with(PUBLIC_PREFIX) => STANDARD_ED25519,
            text if text.starts_with("-----BEGIN") => RSA,
            _ => STANDARD,
        };
        Self::from_words(word, None).unwrap_or_default()
    }

    /// Its name.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Standard => STANDARD,
            Self::BodyHmac { .. } => BODY_HMAC,
            Self::EventHeader => EVENT_HEADER,
            Self::Github => GITHUB,
            Self::Stripe => STRIPE,
            Self::StandardEd25519 => STANDARD_ED25519,
            Self::Rsa { .. } => RSA,
        }
    }

    /// What it signs with.
    pub fn signs_with(&self) -> SignsWith {
        match self {
            Self::BodyHmac { .. } => SignsWith::AccountKey,
            Self::Standard | Self::EventHeader | Self::Github | Self::Stripe => {
                SignsWith::OwnSecret
            }
            Self::StandardEd25519 => SignsWith::KeyPair(KeyKind::Ed25519),
            Self::Rsa { .. } => SignsWith::KeyPair(KeyKind::Rsa),
        }
    }

    /// The kind of key pair without which nothing is sent under it.
    pub fn needs_key_pair(&self) -> Option<KeyKind> {
        match self.signs_with() {
            SignsWith::KeyPair(kind) => Some(kind),
            SignsWith::AccountKey | SignsWith::OwnSecret => None,
        }
    }

    /// Whether it signs with a secret of the endpoint's own, and not with the account's key.
    pub fn takes_own_secret(&self) -> bool {
        self.signs_with() == SignsWith::OwnSecret
    }

    /// Whether nothing is sent under it without that secret.
    pub fn needs_own_secret(&self) -> bool {
        self.takes_own_secret() && *self != Self::EventHeader
    }
}

impl TryFrom<Spelling> for Scheme {
    type Error = Error;
    fn try_from(spelling: Spelling) -> Result<Self, Error> {
        Self::from_words(&spelling.scheme, spelling.header.as_deref())
    }
}

impl From<Scheme> for Spelling {
    fn from(scheme: Scheme) -> Self {
        Self {
            scheme: scheme.as_str().to_owned(),
            header: scheme.header().map(|header| header.as_str().to_owned()),
        }
    }
}

impl PartialSchema for Scheme {
    fn schema() -> RefOr<Schema> {
        let word = |name| {
            ObjectBuilder::new()
                .schema_type(Type::String)
                .enum_values(Some([name]))
        };
        let standard = ObjectBuilder::new()
            .property("scheme", word(STANDARD))
            .required("scheme")
            .description(Some("Standard Webhooks: webhook-id, webhook-timestamp, webhook-signature, and the same under svix- names"));
        let in_header = |name, header: &str, description: &str| {
            let header = ObjectBuilder::new()
                .schema_type(Type::String)
                .default(Some(json!(header)));
            ObjectBuilder::new()
                .property("scheme", word(name))
                .property("header", header)
                .required("scheme")
                .description(Some(description))
        };
        let bare = |name, description: &str| {
            ObjectBuilder::new()
                .property("scheme", word(name))
                .required("scheme")
                .description(Some(description))
        };
        OneOfBuilder::new()
            .item(standard)
            .item(in_header(BODY_HMAC, BODY_HMAC_HEADER, "Lowercase hexadecimal HMAC-SHA256 of the body with the account's key"))
            .item(bare(EVENT_HEADER, "X-Webhook-Event and X-Webhook-Timestamp; X-Webhook-Signature, lowercase hexadecimal HMAC-SHA256 of the body, if the endpoint has a secret, whose text is the key"))
            .item(bare(GITHUB, "X-Hub-Signature-256: sha256= and lowercase hexadecimal HMAC-SHA256 of the body; the secret's text is the key"))
            .item(bare(STRIPE, "Stripe-Signature: t=, the time in seconds, and v1=, lowercase hexadecimal HMAC-SHA256 of time.body; the secret's text is the key"))
            .item(bare(STANDARD_ED25519, "Standard Webhooks with an ed25519 key pair (v1a), in the headers of standard"))
            .item(in_header(RSA, RSA_HEADER, "Base64 of SHA256withRSA (PKCS#1 v1.5) of the body with the oldest RSA key pair"))
            .description(Some("How a delivery is signed"))
            .into()
    }
}

impl ToSchema for Scheme {
    fn name() -> std::borrow::Cow<'static, str> {
        "SignatureScheme".into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes_as_users_write_them() {
        for (text, shown) in [
            (r#"{"scheme":"standard"}"#, r#"{"scheme":"standard"}"#),
            (
                r#"{"scheme":"event-header"}"#,
                r#"{"scheme":"event-header"}"#,
            ),
            (r#"{"scheme":"github"}"#, r#"{"scheme":"github"}"#),
            (r#"{"scheme":"stripe"}"#, r#"{"scheme":"stripe"}"#),
            (
                r#"{"scheme":"body-hmac"}"#,
                r#"{"scheme":"body-hmac","header":"X-Signature"}"#,
            ),
            (
                r#"{"scheme":"body-hmac","header":"X-Acme-Sig"}"#,
                r#"{"scheme":"body-hmac","header":"X-Acme-Sig"}"#,
            ),
            (
                r#"{"scheme":"rsa"}"#,
                r#"{"scheme":"rsa","header":"X-SiqSignature"}"#,
            ),
            (
                r#"{"scheme":"standard-ed25519"}"#,
                r#"{"scheme":"standard-ed25519"}"#,
            ),
        ] {
            let scheme: Scheme = serde_json::from_str(text).expect(text);
            assert_eq!(serde_json::to_string(&scheme).expect("plain"), shown);
        }
    }

    #[test]
    fn what_is_not_supported_is_refused_by_name_with_what_is() {
        for word in ["hmac-md5", "", "Standard"] {
            let text = format!(r#"{{"scheme":"{word}"}}"#);
            let error = serde_json::from_str::<Scheme>(&text)
                .expect_err(word)
                .to_string();
            assert!(error.contains(&format!("'{word}'")), "{error}");
            assert!(error.contains(SUPPORTED), "{error}");
        }
        for (text, wanted) in [
            (
                r#"{"scheme":"standard","header":"X-S"}"#,
                "fixed header names",
            ),
            (
                r#"{"scheme":"github","header":"X-S"}"#,
                "fixed header names",
            ),
            (r#"{"scheme":"body-hmac","header":"Host"}"#, "another use"),
            (
                r#"{"scheme":"standard","algorithm":"sha1"}"#,
                "unknown field `algorithm`",
            ),
            (r#"{"header":"X-S"}"#, "missing field `scheme`"),
        ] {
            let error = serde_json::from_str::<Scheme>(text)
                .expect_err(text)
                .to_string();
            assert!(error.contains(wanted), "{text}: {error}");
        }
    }

    #[test]
    fn a_secret_says_its_scheme() {
        assert_eq!(Scheme::of_secret("tbk_8f2c").as_str(), "body-hmac");
        assert_eq!(Scheme::of_secret("whsec_MfKQ").as_str(), "standard");
        assert_eq!(Scheme::of_secret("whpk_MfKQ").as_str(), "standard-ed25519");
        let pem = "\n-----BEGIN PUBLIC KEY-----";
        assert_eq!(Scheme::of_secret(pem).as_str(), "rsa");
    }

    #[test]
    fn the_schema_names_every_scheme() {
        let schema = serde_json::to_value(Scheme::schema()).expect("plain");
        let words: Vec<_> = schema["oneOf"]
            .as_array()
            .expect("a choice")
            .iter()
            .map(|choice| {
                choice["properties"]["scheme"]["enum"][0]
                    .as_str()
                    .expect("a word")
            })
            .collect();
        let wanted = [
            STANDARD,
            BODY_HMAC,
            EVENT_HEADER,
            GITHUB,
            STRIPE,
            STANDARD_ED25519,
            RSA,
        ];
        assert_eq!(words, wanted);
        for word in wanted {
            assert!(
                SUPPORTED.contains(word),
                "{word} is among those that errors name"
            );
        }
    }
}
