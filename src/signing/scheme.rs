//! Which signature a delivery carries, and how users write it: `{"scheme":"standard"}` or
//! `{"scheme":"body-hmac","header":"X-Signature"}`. Schemes that are not built are refused by
//! name, never ignored.

use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use super::{Error, SignatureHeader};

const STANDARD: &str = "standard";
const BODY_HMAC: &str = "body-hmac";
/// Schemes that are planned; named so that a user learns that the word itself was right.
const NOT_BUILT: [&str; 1] = ["rsa"];
const EVENT_HEADER: &str = "event-header";
const GITHUB: &str = "github";
const STRIPE: &str = "stripe";
/// Those that there are, in words.
pub(super) const SUPPORTED: &str = "standard, body-hmac, event-header, github and stripe";
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
        match (scheme, header) {
            (STANDARD, None) => Ok(Self::Standard),
            (EVENT_HEADER, None) => Ok(Self::EventHeader),
            (GITHUB, None) => Ok(Self::Github),
            (STRIPE, None) => Ok(Self::Stripe),
            (STANDARD, Some(_)) => Err(Error::HeaderNotForScheme(STANDARD)),
            (EVENT_HEADER, Some(_)) => Err(Error::HeaderNotForScheme(EVENT_HEADER)),
            (GITHUB, Some(_)) => Err(Error::HeaderNotForScheme(GITHUB)),
            (STRIPE, Some(_)) => Err(Error::HeaderNotForScheme(STRIPE)),
            (BODY_HMAC, None) => Ok(Self::BodyHmac {
                header: SignatureHeader::default(),
            }),
            (BODY_HMAC, Some(name)) => Ok(Self::BodyHmac {
                header: SignatureHeader::parse(name)?,
            }),
            (word, _) if NOT_BUILT.contains(&word) => Err(Error::SchemeNotBuilt(word.to_owned())),
            (word, _) => Err(Error::SchemeUnknown(
                word.chars().take(SHOWN_CHARS_MAX).collect(),
            )),
        }
    }

    /// The scheme that a secret of this form is for: an account key signs bodies, any other
    /// text is taken for an endpoint secret.
    pub fn of_secret(text: &str) -> Self {
        if text.trim_start().starts_with("tbk_") {
            Self::BodyHmac {
                header: SignatureHeader::default(),
            }
        } else {
            Self::Standard
        }
    }

    /// Its name.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Standard => STANDARD,
            Self::BodyHmac { .. } => BODY_HMAC,
            Self::EventHeader => EVENT_HEADER,
            Self::Github => GITHUB,
            Self::Stripe => STRIPE,
        }
    }

    /// Whether it signs with a secret of the endpoint's own, and not with the account's key.
    pub fn takes_own_secret(&self) -> bool {
        !matches!(self, Self::BodyHmac { .. })
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
        let word = scheme.as_str().to_owned();
        let header = match scheme {
            Scheme::Standard | Scheme::EventHeader | Scheme::Github | Scheme::Stripe => None,
            Scheme::BodyHmac { header } => Some(header.as_str().to_owned()),
        };
        Self {
            scheme: word,
            header,
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
        let body_hmac = ObjectBuilder::new()
            .property("scheme", word(BODY_HMAC))
            .property(
                "header",
                ObjectBuilder::new()
                    .schema_type(Type::String)
                    .default(Some(json!("X-Signature"))),
            )
            .required("scheme")
            .description(Some(
                "Lowercase hexadecimal HMAC-SHA256 of the body with the account's key",
            ));
        let bare = |name, description: &str| {
            ObjectBuilder::new()
                .property("scheme", word(name))
                .required("scheme")
                .description(Some(description))
        };
        OneOfBuilder::new()
            .item(standard)
            .item(body_hmac)
            .item(bare(EVENT_HEADER, "X-Webhook-Event and X-Webhook-Timestamp; X-Webhook-Signature, lowercase hexadecimal HMAC-SHA256 of the body, if the endpoint has a secret, whose text is the key"))
            .item(bare(GITHUB, "X-Hub-Signature-256: sha256= and lowercase hexadecimal HMAC-SHA256 of the body; the secret's text is the key"))
            .item(bare(STRIPE, "Stripe-Signature: t=, the time in seconds, and v1=, lowercase hexadecimal HMAC-SHA256 of time.body; the secret's text is the key"))
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
        ] {
            let scheme: Scheme = serde_json::from_str(text).expect(text);
            assert_eq!(serde_json::to_string(&scheme).expect("plain"), shown);
        }
    }

    #[test]
    fn what_is_not_supported_is_refused_by_name_with_what_is() {
        for word in ["rsa", "hmac-md5", "", "Standard"] {
            let text = format!(r#"{{"scheme":"{word}"}}"#);
            let error = serde_json::from_str::<Scheme>(&text)
                .expect_err(word)
                .to_string();
            assert!(error.contains(&format!("'{word}'")), "{error}");
            assert!(
                error
                    .contains("supported are standard, body-hmac, event-header, github and stripe"),
                "{error}"
            );
            assert_eq!(
                error.contains("not built yet"),
                NOT_BUILT.contains(&word),
                "{error}"
            );
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
        assert_eq!(words, [STANDARD, BODY_HMAC, EVENT_HEADER, GITHUB, STRIPE]);
    }
}
