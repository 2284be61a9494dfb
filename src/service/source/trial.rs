//! Trying a request on a source: is it genuine, step by step, and which event would it be? Nothing is stored,
//! and nothing counts as refused.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::look::{Making, Maps, OpenSource};
use super::request::Received;
use super::sender::{Came, check_enabled};
use crate::model::Timestamp;
use crate::service::principal::{MayWrite, Principal};
use crate::service::{Error, Service};
use crate::signing::Outcome;
use crate::store;

/// A request to try on a source.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceTrial {
    /// Its headers by name.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Its body as text, byte for byte: what is signed; empty, if left out.
    pub body: Option<String>,
    /// Its body in base64, in place of `body`.
    pub body_base64: Option<String>,
    /// Its query, as it stands in the URL.
    #[schema(example = "a=1&b=2")]
    pub query: Option<String>,
    /// When it came, RFC 3339: to try one that was recorded; now, if left out.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub at: Option<Timestamp>,
}

/// What would become of a request.
#[derive(Debug, Serialize, ToSchema)]
pub struct SourceTrialView {
    /// Whether it would be taken; also if the source's plugin would drop it.
    pub taken: bool,
    /// Whether it is what its sender's scheme says.
    pub genuine: bool,
    /// A sentence: what it would become, or why it would be refused.
    pub summary: String,
    /// What was looked at, one after the other.
    pub steps: Vec<SourceStepView>,
    /// The event that it would be; null, if none can be made of it.
    pub event: Option<SourceEventView>,
}

/// One thing that was looked at.
#[derive(Debug, Serialize, ToSchema)]
pub struct SourceStepView {
    /// `source`, `headers`, `timestamp`, `signature`, `body`, `type`, `id`, `plugin` or `event`.
    pub step: &'static str,
    /// `passed`, `failed` or `hint`.
    pub outcome: &'static str,
    /// A sentence.
    pub text: String,
    /// Of a plugin: its use against limits, its log, and the first 16 KiB of each of its outputs.
    #[serde(skip_serializing_if = "Value::is_null")]
    #[schema(value_type = Option<Object>)]
    pub detail: Value,
}

/// The event that a request would be.
#[derive(Debug, Serialize, ToSchema)]
pub struct SourceEventView {
    /// Its type.
    #[serde(rename = "type")]
    pub event_type: String,
    /// What it would be known by: the source's id and what its sender calls it; null, if nothing.
    pub client_id: Option<String>,
    /// What `event.source` would say.
    pub source: String,
    /// Its payload.
    #[schema(value_type = serde_json::Value)]
    pub data: Box<RawValue>,
}

impl SourceTrial {
    fn request(self, now: Timestamp) -> Result<Received, Error> {
        let body = match (self.body, self.body_base64) {
            (Some(_), Some(_)) => {
                let why = "the body is there twice: send body or body_base64, not both";
                return Err(Error::field("/body_base64", why));
            }
            (text, None) => Bytes::from(text.unwrap_or_default()),
            (None, Some(text)) => STANDARD
                .decode(text)
                .map_err(|_| Error::field("/body_base64", "this is not standard base64"))?
                .into(),
        };
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let parsed = (HeaderName::try_from(name), HeaderValue::try_from(value));
            let (Ok(name), Ok(value)) = parsed else {
                let pointer = format!("/headers/{}", crate::service::json::escape(name));
                return Err(Error::field(pointer, "this can't be a header"));
            };
            headers.append(name, value);
        }
        Ok(Received {
            headers,
            query: self.query.unwrap_or_default(),
            body,
            at: self.at.unwrap_or(now),
        })
    }
}

impl Service {
    /// Says what would become of a request to this source.
    pub async fn try_source(
        &self,
        who: &Principal<MayWrite>,
        id: &str,
        trial: SourceTrial,
    ) -> Result<SourceTrialView, Error> {
        let row = self.source_row(who.account(), id).await?;
        let source = self.open_source(&row).await?;
        let request = trial.request(self.inner.clock.now())?;
        let enabled = check_enabled(&source);
        let mut steps = vec![match &enabled {
            Ok(()) => step(
                "source",
                Outcome::Passed,
                "The source is switched on.".to_owned(),
            ),
            Err(error) => step("source", Outcome::Failed, error.to_string()),
        }];
        let report = source.prove(&request);
        let genuine = report.is_genuine();
        for finding in report.findings {
            steps.push(step(finding.step.as_str(), finding.outcome, finding.text));
        }
        let (event, dropped) = self.tried_event(&source, &request, &mut steps).await?;
        let made = event.is_some() || dropped.is_some();
        let taken = enabled.is_ok() && genuine && made;
        let failed = steps
            .iter()
            .find(|step| step.outcome == Outcome::Failed.as_str());
        let summary = match (failed, &event, dropped) {
            (Some(step), ..) => format!("it would be refused: {}", step.text),
            (None, Some(event), _) => {
                format!("it would become an event of the type {}", event.event_type)
            }
            (None, None, Some(why)) => {
                format!("it would be taken, and no event made of it: the plugin drops it: {why}")
            }
            (None, None, None) => "it would be refused".to_owned(),
        };
        Ok(SourceTrialView {
            taken,
            genuine,
            summary,
            steps,
            event,
        })
    }

    /// The event that it would be, or why a plugin wants none of it.
    async fn tried_event(
        &self,
        source: &OpenSource,
        request: &Received,
        steps: &mut Vec<SourceStepView>,
    ) -> Result<(Option<SourceEventView>, Option<String>), Error> {
        let mut makings = Vec::new();
        let came = self.event_of(source, request, &mut makings).await;
        let failed = makings.iter().any(|making| making.came.is_err());
        for making in makings {
            steps.push(SourceStepView::of(making));
        }
        let event = match came {
            Err(error) if error.is_passing() => return Err(error),
            // Its step has told it.
            Err(_) if failed => return Ok((None, None)),
            Err(error) => Err(error),
            Ok(Came::Dropped(why)) => return Ok((None, Some(why))),
            Ok(Came::Event(event)) => Ok(*event),
        };
        let mut event = [event];
        self.vet(source.account, &mut event).await?;
        let [event] = event;
        match event {
            Ok(event) => Ok((Some(shown(source, event)?), None)),
            Err(error) => {
                steps.push(step("event", Outcome::Failed, error.to_string()));
                Ok((None, None))
            }
        }
    }
}

impl SourceStepView {
    fn of(making: Making) -> Self {
        let (outcome, text) = match making.came {
            Ok(text) => (Outcome::Passed, text),
            Err(why) => (Outcome::Failed, why),
        };
        Self {
            detail: making.detail,
            ..step(making.step, outcome, text)
        }
    }
}

fn step(step: &'static str, outcome: Outcome, text: String) -> SourceStepView {
    SourceStepView {
        step,
        outcome: outcome.as_str(),
        text,
        detail: Value::Null,
    }
}

fn shown(source: &OpenSource, event: store::NewEvent) -> Result<SourceEventView, Error> {
    let payload = match &source.maps {
        Maps::Expressions(_) => event.payload,
        Maps::Plugin(plugin) => plugin.hidden(event.payload),
    };
    let data = serde_json::from_slice(&payload)
        .map_err(|error| Error::unreadable("the payload", error))?;
    let source = event.origin.as_ref().and_then(|origin| origin.source());
    Ok(SourceEventView {
        event_type: event.event_type.as_str().to_owned(),
        client_id: event.keys.into_iter().next().map(|key| key.key),
        source: source.unwrap_or_default().to_owned(),
        data,
    })
}
