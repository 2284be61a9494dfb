//! Reading events: what came in, where it stands, and what every automation said of it.

mod cause;
mod export;
mod search;

use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::delivery::{span, type_name};
use super::hidden::Shown;
use super::principal::{MayRead, Principal};
use super::recorded::Record;
use super::{Error, Listed, PageRequest, Place, Service, check};
use crate::model::{AccountId, AutomationId, EventId, MappedBy, Timestamp};
use crate::pipeline::{Explained, Verdict, own_source};
use crate::schema::Violation;
use crate::search::Query;
use crate::store::{self, EventFilter};

pub use cause::{BranchView, CauseView, LinkView};
pub use export::{LogExport, LogQuery};

/// Which events are wanted, as it was asked for.
#[derive(Debug, Clone, Default)]
pub struct EventQuery {
    /// Only of this type.
    pub event_type: Option<String>,
    /// Only those that were accepted then or later.
    pub since: Option<String>,
    /// Only those that were accepted before.
    pub until: Option<String>,
    /// Only those in whose payloads this is found.
    pub search: Option<String>,
}

impl EventQuery {
    fn filter(&self) -> Result<EventFilter, Error> {
        Ok(EventFilter {
            event_type: type_name(self.event_type.as_deref())?,
            span: span(self.since.as_deref(), self.until.as_deref())?,
        })
    }

    fn sought(&self) -> Result<Option<Query>, Error> {
        let read = self.search.as_deref().map(Query::parse).transpose();
        read.map_err(|error| Error::Invalid {
            code: "invalid_parameter",
            at: Place::Query("search".to_owned()),
            why: error.to_string(),
        })
    }
}

/// An event in a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventSummary {
    /// The event's id.
    #[schema(value_type = String, example = "evt_0198c1f0a3b27c4d8e5f60718293a4b5")]
    pub id: EventId,
    /// The event's type, such as `deal.stage.changed`.
    #[serde(rename = "type")]
    pub event_type: String,
    /// When it happened, as its sender says, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub timestamp: Timestamp,
    /// The `id` that its sender gave it; null, if none. Of a CloudEvent its source and its id, with a space between;
    /// of what came to a source that source's id and the sender's. Longer ones are told by their SHA-256.
    pub client_id: Option<String>,
    /// When it was accepted, or made, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub accepted_at: Timestamp,
    /// Whether it is a test: one that was sent to an endpoint to see it arrive, and that no automation looked at.
    pub test: bool,
}

/// An event.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventView {
    /// The event's id.
    #[schema(value_type = String, example = "evt_0198c1f0a3b27c4d8e5f60718293a4b5")]
    pub id: EventId,
    /// The event's type, such as `deal.stage.changed`.
    #[serde(rename = "type")]
    pub event_type: String,
    /// When it happened, as its sender says, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub timestamp: Timestamp,
    /// The `id` that its sender gave it; null, if none. Of a CloudEvent its source and its id, with a space between;
    /// of what came to a source that source's id and the sender's. Longer ones are told by their SHA-256.
    pub client_id: Option<String>,
    /// When it was accepted, or made, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub accepted_at: Timestamp,
    /// What made it; left out, if it came in from outside or is an operational event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<CauseView>,
    /// Whether it is a test: one that was sent to an endpoint to see it arrive, and that no automation looked at.
    pub test: bool,
    /// Where the event stands.
    pub state: EventState,
    /// Why it was set aside, as a sentence; left out, if it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What of the payload did not fit the schema of its type when it was accepted; left out, if it fitted or nobody
    /// asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub misfit: Option<MisfitView>,
    /// By which way it came in: `api`, or `source:` and the name of a source; `test`, if it is one; `automation`, if one has made it;
    /// `throwbar`, if it is an operational event.
    pub source: String,
    /// The attributes that it had as a CloudEvent; left out, if it was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub cloudevent: Option<Box<RawValue>>,
    /// The plugin that has made it of a source's request, and that plugin's digest; left out, if none has.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub mapped_by: Option<MappedBy>,
    /// The payload, as the bytes it came as; a secret variable's value in it is hidden. null, if the payload is not
    /// kept any more.
    #[schema(value_type = serde_json::Value)]
    pub data: Box<RawValue>,
}

/// What of a payload does not fit the schema of its event's type.
#[derive(Debug, Serialize, ToSchema)]
pub struct MisfitView {
    /// The version of the schema that was asked.
    pub schema_version: i64,
    /// What does not fit: `pointer` (a JSON pointer into the payload), `keyword` of the schema, what is `wrong`, and
    /// what was `expected`. At most 20.
    #[schema(value_type = Vec<Object>)]
    pub violations: Vec<Violation>,
}

/// Where an event stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventState {
    /// It is durable and waits to be evaluated.
    InInbox,
    /// Every automation has looked at it, and its deliveries are made.
    Planned,
    /// It will not be evaluated: its evaluation could not be stored or ended a node three times, or its
    /// payload or account is missing. The operator must look at it.
    SetAside,
    /// It was planned, and its payload is not kept any more.
    PayloadExpired,
}

/// What became of one automation for an event.
#[derive(Debug, Serialize, ToSchema)]
pub struct EvaluationView {
    /// The id of the automation. An endpoint's own subscription is one, too.
    #[schema(value_type = String)]
    pub automation: AutomationId,
    /// The number of the automation's version that the event met.
    pub version: i64,
    /// What became of it: `fired`, `filtered` (the condition does not hold), `condition_error` (it can't be
    /// answered: docs/conditions.md), `plugin_dropped`, `plugin_error`, `limit_exceeded` (with those before it, it
    /// would make more than one event may, or the account has no room for it), `loop_refused` (the event descends from
    /// what the automation has made: docs/failures.md) or `evaluation_error`; of flow control
    /// (docs/flow.md) `deduped`, `debounced`, `digested`, `rate_limited`, `delayed`, `flow_error` (its key or its time
    /// can't be told) or `cancelled` (its automation was removed, or off for too long, while it waited). What has
    /// waited and went is `fired`.
    #[schema(value_type = String)]
    pub verdict: Verdict,
    /// A sentence with the values that decided.
    pub summary: String,
    /// The condition, each plugin's run and the events that were made, in their order: what it was, what came of
    /// it, and why.
    #[schema(value_type = Vec<Object>)]
    pub steps: Vec<crate::pipeline::Step>,
}

/// What every candidate automation said of an event.
#[derive(Debug, Serialize, ToSchema)]
pub struct Evaluations {
    /// One entry for each automation whose trigger the event meets, in the order of their ids. Of many long conditions
    /// the last ones' parts are left out: each automation's own explanation has them.
    pub data: Vec<EvaluationView>,
    /// What to send as `cursor` for the next page; null on the last one, and only there.
    pub next_cursor: Option<String>,
    /// Where the event stands.
    pub state: EventState,
    /// Why it was set aside, as a sentence; left out, if it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl From<store::EventHead> for EventSummary {
    fn from(row: store::EventHead) -> Self {
        Self {
            id: row.id,
            event_type: row.r#type,
            timestamp: row.occurred_at,
            client_id: row.client_id,
            accepted_at: row.id.accepted_at(row.occurred_at),
            test: row.test.is_some(),
        }
    }
}

impl From<Explained> for EvaluationView {
    fn from(explained: Explained) -> Self {
        Self {
            automation: explained.automation,
            version: explained.version,
            verdict: explained.verdict,
            summary: explained.summary,
            steps: explained.steps,
        }
    }
}

impl Service {
    /// The event with this id.
    pub async fn event(&self, who: &Principal<MayRead>, id: &str) -> Result<EventView, Error> {
        let id: EventId = check::id(id, "event")?;
        let row = self
            .inner
            .store
            .event(who.account(), id)
            .await?
            .ok_or(Error::NotFound("event"))?;
        let (state, why, _) = self.standing(who.account(), id).await?;
        let cause = self.inner.store.cause(who.account(), id).await?;
        let origin = super::stored_event::origin(row.origin.as_deref())?.unwrap_or_default();
        let state = match state {
            EventState::Planned if !row.has_payload() => EventState::PayloadExpired,
            state => state,
        };
        let payload = if row.has_payload() {
            row.payload
        } else {
            b"null".to_vec()
        };
        let payload =
            String::from_utf8(payload).map_err(|error| Error::unreadable("the payload", error))?;
        let mut data = RawValue::from_string(payload)
            .map_err(|error| Error::unreadable("the payload", error))?;
        self.hidden(who.account()).await?.hide_in_json(&mut data);
        let own = own_source(&row.r#type, cause.as_ref());
        let source = origin.source().unwrap_or(own).to_owned();
        let (cloudevent, mapped_by) = origin.into_parts();
        Ok(EventView {
            id,
            event_type: row.r#type,
            timestamp: row.occurred_at,
            client_id: row.client_id,
            accepted_at: id.accepted_at(row.occurred_at),
            cause: cause.as_ref().map(CauseView::from),
            test: row.test.is_some(),
            state,
            why,
            misfit: self.misfit(who.account(), id).await?,
            source,
            cloudevent,
            mapped_by,
            data,
        })
    }

    async fn misfit(&self, account: AccountId, id: EventId) -> Result<Option<MisfitView>, Error> {
        let Some(found) = self.inner.store.event_violations(account, id).await? else {
            return Ok(None);
        };
        Ok(Some(MisfitView {
            schema_version: found.schema_version,
            violations: serde_json::from_str(&found.violations)
                .map_err(|error| Error::unreadable("what does not fit", error))?,
        }))
    }

    /// A page of the account's events. Payloads are left out.
    pub async fn events(
        &self,
        who: &Principal<MayRead>,
        query: &EventQuery,
        page: &PageRequest,
    ) -> Result<Listed<EventSummary>, Error> {
        let _turn = self.list_turn(who.account()).await?;
        let filter = query.filter()?;
        let (after, limit) = (page.after()?, page.limit()?);
        let (account, store) = (who.account(), &self.inner.store);
        let rows = match query.sought()? {
            Some(sought) => {
                let what = (&sought, &filter);
                self.search_events(account, what, (after, limit)).await?
            }
            None => store.events(account, &filter, after, limit).await?,
        };
        Ok(Listed::of(rows, EventSummary::from))
    }

    /// A page of what every candidate automation said of the event.
    pub async fn evaluations(
        &self,
        who: &Principal<MayRead>,
        id: &str,
        page: &PageRequest,
    ) -> Result<Evaluations, Error> {
        let (after, limit) = (page.after()?, page.limit()?);
        let account = who.account();
        let id = check::id(id, "event")?;
        let turn = self.list_turn(account).await?;
        let found = self.inner.store.event(account, id);
        let event = found.await?.ok_or(Error::NotFound("event"))?;
        let (state, why, packed) = self.standing(account, event.id).await?;
        let record = match packed {
            Some(packed) => Record::read(&packed)?,
            None => Record::default(),
        };
        let page = record.page(after, limit);
        let page = self.explained(account, &event, page, Some(turn)).await?;
        let hidden = self.hidden(account).await?;
        let shown = |explained| EvaluationView::from(explained).without(&hidden);
        let Listed { data, next_cursor } = Listed::of(page, shown);
        Ok(Evaluations {
            data,
            next_cursor,
            state,
            why,
        })
    }

    /// Where an event stands, why it was set aside, and its packed evaluations.
    pub(super) async fn standing(
        &self,
        account: AccountId,
        id: EventId,
    ) -> Result<(EventState, Option<String>, Option<Vec<u8>>), Error> {
        let store = &self.inner.store;
        if let Some(packed) = store.verdicts(account, id).await? {
            return Ok((EventState::Planned, None, Some(packed)));
        }
        match store.inbox_state(account, id).await? {
            Some(None) => Ok((EventState::InInbox, None, None)),
            Some(why) => Ok((EventState::SetAside, why, None)),
            // It was planned between the two looks.
            None => Ok((
                EventState::Planned,
                None,
                store.verdicts(account, id).await?,
            )),
        }
    }
}
