//! How sources look from outside: what is asked for, and what is told; and how they are stored.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::automation::Mapping;
use crate::model::{SourceId, Timestamp};
use crate::service::Error;
use crate::service::json::nullable;
use crate::signing::SenderProof;

/// What stands before the last part of a source's URL.
const PATH: &str = "/in/";

/// A source to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSource {
    /// A name by which people recognise it, and conditions, as `event.source == "source:NAME"`: 1 to 200 bytes,
    /// on one line. No two sources of an account have the same.
    #[schema(example = "github")]
    pub name: String,
    /// How its sender proves itself.
    pub verification: SenderProof,
    /// What its events are called; the usual for its verification, if left out.
    pub mapping: Option<SourceMapping>,
    /// The secret that its sender signs with, as the sender shows it: of `standard` `whsec_` and base64, else 1 to
    /// 512 bytes. One is made, if left out.
    pub secret: Option<String>,
    /// False: nothing that is sent to it is taken. True, if left out.
    pub enabled: Option<bool>,
}

/// What the events of a source are: their type and id by expressions, or all of them by a plugin. An expression is
/// CEL, as conditions are, about `headers` (names in lower case), `body` (the payload) and `query`, and gives a
/// string.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceMapping {
    /// The event's type; the usual, if left out or null.
    #[serde(rename = "type", default)]
    #[schema(example = "\"github.\" + headers[\"x-github-event\"]")]
    pub event_type: Option<String>,
    /// What its sender calls the event: the same twice is the same event. `null` as the expression: each
    /// request is another event. The usual, if left out or null.
    #[serde(default)]
    #[schema(example = "headers[\"x-github-delivery\"]")]
    pub id: Option<String>,
    /// The plugin that makes the event, in place of `type` and `id`: `name@version`, `name` (its newest version when
    /// this is saved, which then stays), or a digest, `sha256:…`. It is given the request as the data of an event,
    /// `{"headers":{…},"query":{…},"body":…}`, and puts out `{"type":…,"data":…}`, with `id` and `timestamp` if it
    /// has them.
    #[serde(default)]
    #[schema(example = "shop@1.0.0")]
    pub plugin: Option<String>,
    /// The plugin's configuration, as its own schema wants it: 64 KiB at most; `{}`, if left out.
    #[serde(default)]
    #[schema(value_type = Option<serde_json::Value>)]
    pub config: Option<Box<RawValue>>,
}

/// What is changed of a source; what is left out stays. The scheme of its verification can't be changed: make
/// another source, and remove this one when nothing comes to it any more.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SourcePatch {
    /// A name by which people recognise it: 1 to 200 bytes, on one line.
    pub name: Option<String>,
    /// The same scheme with another header or tolerance.
    pub verification: Option<SenderProof>,
    /// What its events are called, as a whole; null: the usual for its verification.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<SourceMapping>)]
    pub mapping: Option<Option<SourceMapping>>,
    /// False: nothing that is sent to it is taken.
    pub enabled: Option<bool>,
}

/// A source.
#[derive(Debug, Serialize, ToSchema)]
pub struct SourceView {
    /// The source's id.
    #[schema(value_type = String, example = "src_0198c1f0a3b27c4d8e5f60718293a4b5")]
    pub id: SourceId,
    /// A name by which people recognise it.
    pub name: String,
    /// The path of its URL on this server, to which its sender sends with `POST`. Null for the verification
    /// `none`, whose path is its secret: shown once, when it is made.
    #[schema(example = "/in/in_…")]
    pub path: Option<String>,
    /// How its sender proves itself.
    pub verification: SenderProof,
    /// What its events are called.
    pub mapping: SourceMappingView,
    /// Whether what is sent to it is taken.
    pub enabled: bool,
    /// How many requests it has refused so far.
    pub refused: i64,
    /// When it was made, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it last changed, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

/// What the events of a source are: the expressions in force, or the plugin.
#[derive(Debug, Serialize, ToSchema)]
pub struct SourceMappingView {
    /// The expression for the event's type; left out, if a plugin says it.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub event_type: Option<String>,
    /// The expression for what its sender calls the event; left out, if a plugin says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The plugin that makes the event; left out, if none does.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "shop@1.0.0")]
    pub plugin: Option<String>,
    /// SHA-256 of the component that runs: `sha256:` and 64 hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The plugin's configuration, with its references to variables.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub config: Option<Box<RawValue>>,
}

/// A source that was just made.
#[derive(Serialize, ToSchema)]
pub struct NewSourceView {
    /// The source, with its path whatever its verification.
    #[serde(flatten)]
    pub source: SourceView,
    /// The secret to sign with; shown here and never again. Left out, if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "whsec_…")]
    pub secret: Option<String>,
}

/// What is stored of how a source works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::service) struct Settings {
    pub(in crate::service) verification: SenderProof,
    /// `None`: the usual for the verification, also when that changes.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub(in crate::service) event_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::service) id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::service) plugin: Option<MappingPlugin>,
}

/// The plugin that makes a source's events, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::service) struct MappingPlugin {
    /// As it was named, with its version.
    pub(in crate::service) plugin: String,
    /// SHA-256 of the component, pinned when it was saved.
    pub(in crate::service) digest: String,
    /// Its configuration: JSON in its one spelling, in which no escape hides a reference to a variable.
    pub(in crate::service) config: String,
}

impl Settings {
    /// The expression for the type.
    pub(in crate::service) fn event_type(&self) -> &str {
        self.event_type
            .as_deref()
            .unwrap_or(match self.verification {
                SenderProof::Github => r#""github." + headers["x-github-event"]"#,
                SenderProof::Stripe { .. } => r#""stripe." + body.type"#,
                SenderProof::Standard { .. } | SenderProof::Hmac { .. } | SenderProof::None => {
                    r#"has(body.type) ? body.type : "webhook.received""#
                }
            })
    }

    /// The expression for the id.
    pub(in crate::service) fn id(&self) -> &str {
        self.id.as_deref().unwrap_or(match self.verification {
            SenderProof::Github => r#"headers["x-github-delivery"]"#,
            SenderProof::Stripe { .. } => "body.id",
            SenderProof::Standard { .. } => {
                r#"has(headers["webhook-id"]) ? headers["webhook-id"] : headers["svix-id"]"#
            }
            SenderProof::Hmac { .. } | SenderProof::None => "null",
        })
    }

    /// The same with other expressions, which are checked; the usual ones, where there are none.
    pub(in crate::service) fn mapped(
        self,
        event_type: Option<String>,
        id: Option<String>,
    ) -> Result<Self, Error> {
        for (pointer, source) in [("/mapping/type", &event_type), ("/mapping/id", &id)] {
            if let Some(source) = source {
                Mapping::parse(source).map_err(|error| Error::field(pointer, error))?;
            }
        }
        Ok(Self {
            event_type,
            id,
            plugin: None,
            ..self
        })
    }

    /// What says what its events are.
    pub(in crate::service) fn mapping(&self) -> Result<SourceMappingView, Error> {
        let Some(plugin) = &self.plugin else {
            return Ok(SourceMappingView {
                event_type: Some(self.event_type().to_owned()),
                id: Some(self.id().to_owned()),
                plugin: None,
                digest: None,
                config: None,
            });
        };
        let config = RawValue::from_string(plugin.config.clone());
        Ok(SourceMappingView {
            event_type: None,
            id: None,
            plugin: Some(plugin.plugin.clone()),
            digest: Some(plugin.digest.clone()),
            config: Some(config.map_err(|error| Error::unreadable("the source", error))?),
        })
    }

    pub(in crate::service) fn read(text: &str) -> Result<Self, Error> {
        serde_json::from_str(text).map_err(|error| Error::unreadable("the source", error))
    }

    pub(in crate::service) fn text(&self) -> Result<String, Error> {
        serde_json::to_string(self).map_err(|error| Error::unreadable("the source", error))
    }
}

/// The path of a source whose URL ends so.
pub(in crate::service) fn path(token: &str) -> String {
    format!("{PATH}{token}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_usual_can_be_parsed() {
        for scheme in ["standard", "github", "stripe", "hmac", "none"] {
            let text = format!(r#"{{"verification":{{"scheme":"{scheme}"}}}}"#);
            let settings = Settings::read(&text).expect("settings");
            for source in [settings.event_type(), settings.id()] {
                assert!(Mapping::parse(source).is_ok(), "{scheme}: {source}");
            }
            let again = Settings::read(&settings.text().expect("plain")).expect("settings");
            assert_eq!(again, settings);
        }
    }

    #[test]
    fn mappings_are_checked_by_their_fields() {
        let settings =
            || Settings::read(r#"{"verification":{"scheme":"none"}}"#).expect("settings");
        let text = |text: &str| Some(text.to_owned());
        for (event_type, id, at) in [
            (text("event.type"), None, "/mapping/type"),
            (None, text("body."), "/mapping/id"),
        ] {
            let error = settings().mapped(event_type, id).expect_err(at);
            assert_eq!(error.code(), "invalid_field", "{error}");
            assert_eq!(
                error.place(),
                Some(&crate::service::Place::body(at)),
                "{error}"
            );
        }
        let mapped = settings().mapped(None, text("body.no")).expect("fine");
        assert_eq!(
            (mapped.id(), mapped.event_type()),
            ("body.no", settings().event_type())
        );
        assert_eq!(mapped.mapped(None, None).expect("fine"), settings());
    }
}
