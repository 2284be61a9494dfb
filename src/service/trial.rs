//! Trying an automation that is not made, on a sample or on an event that came: the checks of saving it,
//! then the verdict with its steps, and the requests that would leave, signed. Nothing is sent and nothing
//! is stored.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::absence::{NOT_SUBSCRIBED, unmet};
use super::automation_shape::NewAutomation;
use super::draft::Drafted;
use super::hidden::Shown;
use super::principal::{MayWrite, Principal};
use super::schedule::own::may_meet;
use super::turns::Turn;
use super::{Error, Place, Service, check, payload};
use crate::automation::{Action, Definition, EventType, may_name_variables};
use crate::model::limits::VARIABLES_PER_ACCOUNT_MAX;
use crate::model::{AccountId, EndpointId, EventId, Timestamp};
use crate::pipeline::{
    AcceptedEvent, Addressees, DeliveryMethod, Step, Trial, TrialError, Tried, TriedRequest,
};
use crate::store::{self, PublishedAutomation, SnapshotRows};

/// How long a trial may take.
pub(super) const TRIAL_MS: i64 = 30_000;

/// What is tried: an automation, which is not made, on an event, which is not sent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTrial {
    /// The automation, as it would be sent to `POST /v1/automations`. Whether it is `enabled` or a `draft` makes
    /// no difference.
    pub automation: NewAutomation,
    /// The event.
    pub event: TrialEvent,
}

/// An event to try an automation on: `type` and `data` of a sample, or the `id` of one that came.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TrialEvent {
    /// The id of an event that came; nothing else then.
    #[schema(example = "evt_0198c1f0a3b27c4d8e5f60718293a4b5")]
    pub id: Option<String>,
    /// The sample's type, such as `deal.stage.changed`.
    #[serde(rename = "type")]
    pub event_type: Option<String>,
    /// The sample's payload: any JSON value, within the limits of an event's.
    #[serde(default, deserialize_with = "carried")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub data: Option<Box<RawValue>>,
    /// When the sample happened, RFC 3339; now, if left out.
    #[schema(format = DateTime)]
    pub timestamp: Option<String>,
}

/// What came of a trial. The values of secret variables are hidden in it.
#[derive(Debug, Serialize, ToSchema)]
pub struct TrialView {
    /// The verdict: one of an evaluation's, or `not_subscribed` (the trigger does not name the event's type).
    pub verdict: &'static str,
    /// A sentence with the values that decided.
    pub summary: String,
    /// The condition and each plugin's run, in their order. A run's `detail` has its `input` and its `outputs`,
    /// each with the first 16 KiB of its body.
    #[schema(value_type = Vec<Object>)]
    pub steps: Vec<Step>,
    /// What would leave now: one request for each output and webhook.
    pub requests: Vec<RequestView>,
    /// The events that would be made, one for each output and type. What would follow from them is not tried.
    pub events: Vec<MadeView>,
}

/// An event that would be made.
#[derive(Debug, Serialize, ToSchema)]
pub struct MadeView {
    /// Its type.
    #[serde(rename = "type")]
    pub event_type: String,
    /// Its payload.
    #[schema(value_type = serde_json::Value)]
    pub data: Box<RawValue>,
}

impl MadeView {
    fn of((event_type, payload): (EventType, Bytes)) -> Result<Self, Error> {
        let text = String::from_utf8(payload.into());
        let text = text.map_err(|error| Error::unreadable("the event", error))?;
        Ok(Self {
            event_type: event_type.to_string(),
            data: RawValue::from_string(text)
                .map_err(|error| Error::unreadable("the event", error))?,
        })
    }
}

/// A request that would leave.
#[derive(Debug, Serialize, ToSchema)]
pub struct RequestView {
    /// The id of the endpoint; null for a bare URL, which would become one.
    #[schema(value_type = Option<String>)]
    pub endpoint: Option<EndpointId>,
    /// How: `POST` or `PUT`.
    pub method: DeliveryMethod,
    /// Where to.
    pub url: String,
    /// The headers, signed as of now. A delivery's id is made up, as the automation is not made. What HTTP itself
    /// needs, such as the length, is added when a request leaves.
    pub headers: BTreeMap<String, String>,
    /// The body, byte for byte as it is signed: of all requests together, the first MiB.
    pub body: String,
    /// That the body is cut; left out, if it is whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut: Option<String>,
    /// Why it would not leave now, such as an endpoint that is switched off; left out, if it would.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<String>,
}

/// JSON as it is, of which `null` is some.
fn carried<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(deserializer).map(Some)
}

impl Service {
    /// Tries an automation on an event. The checks are those of saving it.
    pub async fn test_automation(
        &self,
        who: &Principal<MayWrite>,
        new: NewTrial,
    ) -> Result<TrialView, Error> {
        let account = who.account();
        let turn = self.trial_turn(account).await?;
        let now = self.inner.clock.now();
        let draft = self.drafted(account, new.automation, now).await;
        let Drafted {
            row, definition, ..
        } = draft.map_err(|error| within("/automation", error))?;
        let event = self.trial_event(account, new.event, now).await;
        let event = event.map_err(|error| within("/event", error))?;
        let trigger = &definition.trigger;
        if !may_meet(trigger, &event.event_type) {
            return Ok(TrialView {
                verdict: NOT_SUBSCRIBED,
                summary: unmet(trigger, &event.event_type),
                steps: Vec::new(),
                requests: Vec::new(),
                events: Vec::new(),
            });
        }
        let bare: BTreeSet<EndpointId> = row.endpoints.iter().map(|new| new.id).collect();
        let rows = self.addressees(account, &definition, row.endpoints).await?;
        let trial = Trial {
            account,
            automation: PublishedAutomation {
                id: row.id,
                name: row.name,
                owner_endpoint: None,
                version: 1,
                definition: row.definition,
            },
            event,
            endpoints: Some(Addressees {
                rows,
                vault: self.inner.vault.clone(),
                now,
            }),
            variables: None,
        };
        let Tried {
            explained,
            requests,
            events,
            outputs: _,
        } = self.try_out(turn, trial).await?;
        let shown = |request: TriedRequest| RequestView {
            endpoint: Some(request.endpoint).filter(|id| !bare.contains(id)),
            method: request.method,
            url: request.url,
            headers: request.headers.into_iter().collect(),
            body: request.body,
            cut: request.cut,
            held: request.held,
        };
        let events = events.into_iter().map(MadeView::of);
        let view = TrialView {
            verdict: explained.verdict.as_str(),
            summary: explained.summary,
            steps: explained.steps,
            requests: requests.into_iter().map(shown).collect(),
            events: events.collect::<Result<_, _>>()?,
        };
        Ok(view.without(&self.hidden(account).await?))
    }

    /// Waits for a turn to try something of this account's.
    pub(super) async fn trial_turn(&self, account: AccountId) -> Result<Turn, Error> {
        let turn = self.inner.trials.turn(&self.inner.clock, account).await;
        turn.map_err(Error::Trying)
    }

    /// Tries it, in a turn that was waited for, and not for ever.
    pub(super) async fn try_out(&self, turn: Turn, trial: Trial) -> Result<Tried, Error> {
        let clock = &self.inner.clock;
        let until = clock.now().plus_ms(TRIAL_MS);
        let tried = tokio::select! {
            biased;
            tried = self.try_now(trial) => tried,
            () = clock.sleep_until(until) => return Err(Error::TrialOverdue { s: TRIAL_MS / 1000 }),
        };
        drop(turn);
        tried
    }

    /// Tries it. Whoever asks has a turn, and waits as long as they will.
    pub(super) async fn try_now(&self, trial: Trial) -> Result<Tried, Error> {
        let pipeline = self.pipeline().ok_or(Error::Unavailable)?;
        let (account, automation) = (trial.account, trial.automation.id);
        let tried = pipeline.try_out(trial).await;
        tried.map_err(|error: TrialError| {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, account.id = %account, automation.id = %automation, "an automation can't be tried");
            Error::Unavailable
        })
    }

    async fn trial_event(
        &self,
        account: AccountId,
        event: TrialEvent,
        now: Timestamp,
    ) -> Result<AcceptedEvent, Error> {
        let (event_type, data) = match (event.id, event.event_type, event.data) {
            (Some(id), None, None) if event.timestamp.is_none() => {
                let missing = || {
                    Error::field(
                        "/id",
                        "there is no such event in this account: check its id",
                    )
                };
                let id: EventId = check::id(&id, "event").map_err(|_| missing())?;
                let row = self.inner.store.event(account, id).await?;
                return self.accepted(account, row.ok_or_else(missing)?).await;
            }
            (None, Some(event_type), Some(data)) => (event_type, data),
            _ => {
                let why = "an event is a sample or one that came: give type and data, or id alone";
                return Err(Error::field("", why));
            }
        };
        let event_type: EventType = event_type
            .parse()
            .map_err(|error| Error::field("/type", error))?;
        payload::check(data.get().as_bytes(), self.inner.rules.payload_bytes_max)?;
        let occurred_at = match event.timestamp {
            None => now,
            Some(text) => text
                .parse()
                .map_err(|error| Error::field("/timestamp", error))?,
        };
        let text: Box<str> = data.into();
        Ok(AcceptedEvent {
            id: EventId::mint(now),
            event_type,
            occurred_at,
            payload: String::from(text).into(),
            cause: None,
            origin: None,
        })
    }

    /// How the endpoints of a definition stand, `bare` ones among them as they would be made.
    async fn addressees(
        &self,
        account: AccountId,
        definition: &Definition,
        bare: Vec<store::NewEndpoint>,
    ) -> Result<SnapshotRows, Error> {
        let store = &self.inner.store;
        let mut rows = SnapshotRows::of(self.account_row(account).await?);
        rows.endpoints = bare.into_iter().map(as_made).collect();
        let mut known: BTreeSet<EndpointId> = rows.endpoints.iter().map(|row| row.id).collect();
        for endpoint in definition.actions.iter().filter_map(Action::endpoint) {
            if !known.insert(endpoint) {
                continue;
            }
            rows.endpoints
                .extend(store.endpoint(account, endpoint).await?);
            rows.secrets
                .extend(store.endpoint_secrets(account, endpoint).await?);
            rows.key_pairs
                .extend(store.key_pairs(account, endpoint).await?);
        }
        let mut settings = rows.endpoints.iter().map(|row| &row.settings);
        if settings.any(|settings| may_name_variables(settings)) {
            let variables = store.variables(account, None, VARIABLES_PER_ACCOUNT_MAX);
            rows.variables = variables.await?;
        }
        Ok(rows)
    }
}

/// An endpoint as it would stand once it is made.
fn as_made(new: store::NewEndpoint) -> store::Endpoint {
    store::Endpoint {
        id: new.id,
        name: new.name,
        url: new.url,
        settings: new.settings,
        owner_automation: new.owner_automation,
        state: "enabled".to_owned(),
        disabled_why: None,
        failing_since: None,
        created_at: new.created_at,
        updated_at: new.created_at,
    }
}

/// The same, with its place in the whole body.
pub(super) fn within(field: &str, error: Error) -> Error {
    match error {
        Error::Invalid {
            code,
            at: Place::Body(pointer),
            why,
        } => Error::Invalid {
            code,
            at: Place::body(format!("{field}{pointer}")),
            why,
        },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_may_be_null_and_is_kept_as_it_is() {
        for (text, wanted) in [
            (r#"{"type":"a","data":null}"#, Some("null")),
            (
                r#"{"type":"a","data": {"a" : 1e999} }"#,
                Some(r#"{"a" : 1e999}"#),
            ),
            (r#"{"id":"evt_1"}"#, None),
        ] {
            let event: TrialEvent = serde_json::from_str(text).expect(text);
            assert_eq!(event.data.as_deref().map(RawValue::get), wanted, "{text}");
        }
        assert!(serde_json::from_str::<TrialEvent>(r#"{"datum":1}"#).is_err());
    }

    #[test]
    fn a_place_is_told_from_the_whole_body() {
        let error = within("/automation", Error::field("/actions/0", "no"));
        assert_eq!(error.place(), Some(&Place::body("/automation/actions/0")));
        let other = within("/automation", Error::NotFound("account"));
        assert_eq!((other.code(), other.place()), ("not_found", None));
    }
}
