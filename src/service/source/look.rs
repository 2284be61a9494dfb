//! The look at one request to a source: is it genuine, and which event would it be? Live it stops at the first
//! thing that is wrong; a trial sees every step. It stores nothing.

use bytes::Bytes;
use serde_json::Value;

use super::plugin::OpenPlugin;
use super::request::{Received, form, headers, payload};
use super::shape::Settings;
use crate::automation::{EventType, Mapped, Mapping, RequestView};
use crate::model::limits::CLIENT_KEY_BYTES_MAX;
use crate::model::{AccountId, SourceId, Timestamp, counted};
use crate::service::cloudevent::pair;
use crate::service::{Error, Place};
use crate::signing::{Report, SenderProof, Sent, SigningKey};
use crate::store::KeyOf;

/// A source, ready to look at requests.
#[derive(Debug)]
pub(in crate::service) struct OpenSource {
    pub(in crate::service) account: AccountId,
    pub(in crate::service) id: SourceId,
    pub(in crate::service) name: String,
    pub(in crate::service) enabled: bool,
    pub(in crate::service) proof: SenderProof,
    /// Each with the time from which on it proves nothing.
    pub(in crate::service) keys: Vec<(SigningKey, Option<Timestamp>)>,
    pub(in crate::service) maps: Maps,
}

/// What says which event a request is.
#[derive(Debug)]
pub(in crate::service) enum Maps {
    /// Expressions, for its type and for what its sender calls it.
    Expressions(Expressions),
    /// A plugin.
    Plugin(OpenPlugin),
}

/// The expressions of a source.
#[derive(Debug)]
pub(in crate::service) struct Expressions {
    event_type: Mapping,
    known_as: Mapping,
}

/// What a request says.
#[derive(Debug)]
pub(in crate::service) struct Made {
    pub(in crate::service) event_type: EventType,
    /// What its sender calls it, if anything.
    pub(in crate::service) known_as: Option<String>,
    pub(in crate::service) payload: Bytes,
}

/// One thing that was made of a request, or could not be.
#[derive(Debug)]
pub(in crate::service) struct Making {
    /// `body`, `type`, `id` or `plugin`.
    pub(in crate::service) step: &'static str,
    pub(in crate::service) came: Result<String, String>,
    /// What a plugin has used, logged and put out.
    pub(in crate::service) detail: Value,
}

impl OpenSource {
    /// The source with these settings, its secrets opened.
    pub(in crate::service) fn open(
        row: &crate::store::Source,
        keys: Vec<(SigningKey, Option<Timestamp>)>,
    ) -> Result<Self, Error> {
        let settings = Settings::read(&row.settings)?;
        let parse = |source: &str| {
            Mapping::parse(source).map_err(|error| Error::unreadable("the source's mapping", error))
        };
        Ok(Self {
            account: row.account,
            id: row.id,
            name: row.name.clone(),
            enabled: row.enabled,
            maps: match &settings.plugin {
                Some(plugin) => Maps::Plugin(OpenPlugin::new(plugin.clone())),
                None => Maps::Expressions(Expressions {
                    event_type: parse(settings.event_type())?,
                    known_as: parse(settings.id())?,
                }),
            },
            proof: settings.verification,
            keys,
        })
    }

    /// What an event of this source is known by: what two senders call theirs has nothing to do with one
    /// another.
    pub(in crate::service) fn known_as(&self, name: &str) -> (KeyOf, String) {
        (KeyOf::Source, pair(&self.id.to_string(), name))
    }

    /// Whether the request is genuine, step by step.
    pub(in crate::service) fn prove(&self, request: &Received) -> Report {
        let good = |(_, until): &&(SigningKey, Option<Timestamp>)| {
            until.is_none_or(|until| until > request.at)
        };
        let keys: Vec<SigningKey> = self
            .keys
            .iter()
            .filter(good)
            .map(|(key, _)| key.clone())
            .collect();
        let sent = Sent {
            headers: &request.headers,
            body: &request.body,
            at: request.at,
        };
        self.proof.look(&keys, &sent)
    }
}

impl Expressions {
    /// The event that the request is; what was made of it on the way is added to `makings`.
    pub(in crate::service) fn make(
        &self,
        request: &Received,
        makings: &mut Vec<Making>,
    ) -> Result<Made, Error> {
        let payload = payload(&request.headers, &request.body);
        let words = |payload: &Bytes| format!("{} of JSON.", counted(payload.len(), "byte"));
        let payload = told(makings, "body", payload, words)?;
        let (headers, query) = (
            headers(&request.headers, |_| true),
            form(request.query.as_bytes()),
        );
        let view = RequestView::new(&headers, &payload, &query);
        let words = |event_type: &EventType| said(&self.event_type, event_type.as_str());
        let event_type = told(makings, "type", event_type(&self.event_type, &view), words)?;
        let words = |known_as: &Option<String>| {
            let source = self.known_as.source();
            known_as.as_ref().map_or_else(
                || format!("`{source}` is null: each request is another event."),
                |name| said(&self.known_as, name),
            )
        };
        let known_as = told(makings, "id", known_as(&self.known_as, &view), words)?;
        Ok(Made {
            event_type,
            known_as,
            payload,
        })
    }
}

/// Writes down what came of a step, and goes on with it.
fn told<T>(
    makings: &mut Vec<Making>,
    step: &'static str,
    came: Result<T, String>,
    words: impl FnOnce(&T) -> String,
) -> Result<T, Error> {
    let told = came.as_ref().map(words).map_err(Clone::clone);
    makings.push(Making {
        step,
        came: told,
        detail: Value::Null,
    });
    came.map_err(|why| Error::Invalid {
        code: "mapping_failed",
        at: Place::body(""),
        why: format!("no {step}: {why}"),
    })
}

fn said(mapping: &Mapping, text: &str) -> String {
    format!("`{}` is {}.", mapping.source(), Value::from(text))
}

fn event_type(mapping: &Mapping, view: &RequestView<'_>) -> Result<EventType, String> {
    match mapping.evaluate(view) {
        Mapped::Text(text) => text
            .parse()
            .map_err(|error: crate::automation::PatternError| error.to_string()),
        Mapped::Nothing => Err(format!("`{}` is null", mapping.source())),
        Mapped::Error(why) => Err(why),
    }
}

fn known_as(mapping: &Mapping, view: &RequestView<'_>) -> Result<Option<String>, String> {
    match mapping.evaluate(view) {
        Mapped::Text(text) if text.is_empty() => Err(format!("`{}` is empty", mapping.source())),
        Mapped::Text(text) if text.chars().any(char::is_control) => {
            Err(format!("`{}` has control characters", mapping.source()))
        }
        Mapped::Text(text) if text.len() > CLIENT_KEY_BYTES_MAX => Err(format!(
            "`{}` has {} bytes: {CLIENT_KEY_BYTES_MAX} at most",
            mapping.source(),
            text.len()
        )),
        Mapped::Text(text) => Ok(Some(text)),
        Mapped::Nothing => Ok(None),
        Mapped::Error(why) => Err(why),
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::*;

    fn source(settings: &str) -> OpenSource {
        let at = Timestamp::from_ms(0);
        let row = crate::store::Source {
            account: AccountId::mint(at),
            id: SourceId::mint(at),
            name: "a".to_owned(),
            path_sealed: Vec::new(),
            settings: settings.to_owned(),
            enabled: true,
            refused: 0,
            created_at: at,
            updated_at: at,
        };
        OpenSource::open(&row, Vec::new()).expect("settings")
    }

    fn request(
        headers: &[(&'static str, &'static str)],
        query: &str,
        body: &'static str,
    ) -> Received {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (
                http::HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        };
        Received {
            headers: headers.iter().map(pair).collect(),
            query: query.to_owned(),
            body: Bytes::from_static(body.as_bytes()),
            at: Timestamp::from_ms(0),
        }
    }

    fn made(
        settings: &str,
        request: &Received,
    ) -> Result<(String, Option<String>, String), String> {
        let Maps::Expressions(expressions) = source(settings).maps else {
            panic!("no plugin is named");
        };
        let made = expressions.make(request, &mut Vec::new());
        made.map(|made| {
            let payload = String::from_utf8(made.payload.to_vec()).expect("text");
            (made.event_type.as_str().to_owned(), made.known_as, payload)
        })
        .map_err(|error| error.to_string())
    }

    #[test]
    fn the_usual_mappings_are_those_of_their_senders() {
        for (scheme, headers, body, event_type, known_as) in [
            (
                "github",
                &[("x-github-event", "issues"), ("x-github-delivery", "d-1")][..],
                "{}",
                "github.issues",
                Some("d-1"),
            ),
            (
                "stripe",
                &[],
                r#"{"type":"invoice.paid","id":"evt_1"}"#,
                "stripe.invoice.paid",
                Some("evt_1"),
            ),
            (
                "standard",
                &[("webhook-id", "m-1")],
                r#"{"type":"a.b"}"#,
                "a.b",
                Some("m-1"),
            ),
            (
                "standard",
                &[("svix-id", "m-2")],
                "[]",
                "webhook.received",
                Some("m-2"),
            ),
            ("hmac", &[], r#"{"type":"a"}"#, "a", None),
            ("none", &[], "7", "webhook.received", None),
        ] {
            let settings = format!(r#"{{"verification":{{"scheme":"{scheme}"}}}}"#);
            let wanted = (
                event_type.to_owned(),
                known_as.map(str::to_owned),
                body.to_owned(),
            );
            assert_eq!(
                made(&settings, &request(headers, "", body)),
                Ok(wanted),
                "{scheme}"
            );
        }
    }

    #[test]
    fn forms_queries_and_repeated_headers_are_seen() {
        let settings = r#"{"verification":{"scheme":"none"},"type":"body.kind + '.' + query.a","id":"headers['x-n']"}"#;
        let mut form = request(
            &[
                (
                    "content-type",
                    "application/x-www-form-urlencoded; charset=utf-8",
                ),
                ("x-n", "1"),
            ],
            "a=x&b=1&b=2",
            "kind=caf%C3%A9&n=1&n=2",
        );
        form.headers.append("x-n", HeaderValue::from_static("2"));
        let refused = made(settings, &form).expect_err("é is in no type");
        assert!(refused.starts_with("no type: "), "{refused}");
        form.body = Bytes::from_static(b"kind=cafe&n=1&n=2");
        let wanted = r#"{"kind":"cafe","n":["1","2"]}"#.to_owned();
        assert_eq!(
            made(settings, &form),
            Ok(("cafe.x".to_owned(), Some("1, 2".to_owned()), wanted))
        );
    }

    #[test]
    fn what_can_t_become_an_event_is_told() {
        for (settings, body, wanted) in [
            (
                r#"{"verification":{"scheme":"none"}}"#,
                "<xml/>",
                "neither JSON nor",
            ),
            (
                r#"{"verification":{"scheme":"none"}}"#,
                r#"{"type":[]}"#,
                "needs to be a string",
            ),
            (
                r#"{"verification":{"scheme":"stripe"}}"#,
                "{}",
                "no type: `body.type` is missing",
            ),
            (
                r#"{"verification":{"scheme":"stripe"}}"#,
                r#"{"type":"a"}"#,
                "no id: `body.id` is missing",
            ),
            (
                r#"{"verification":{"scheme":"none"},"type":"null"}"#,
                "{}",
                "no type: `null` is null",
            ),
            (
                r#"{"verification":{"scheme":"none"},"id":"''"}"#,
                "{}",
                "is empty",
            ),
            (
                r#"{"verification":{"scheme":"none"},"id":"body.id"}"#,
                r#"{"id":"a\nb"}"#,
                "control characters",
            ),
        ] {
            let said = made(settings, &request(&[], "", body)).expect_err(body);
            assert!(said.contains(wanted), "{body}: {said}");
        }
        let payload = payload(&HeaderMap::new(), &Bytes::new()).expect("nothing is null");
        assert_eq!(payload, "null");
    }
}
