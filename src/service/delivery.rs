//! Deliveries and their attempts: reading them, and making a delivery again.

mod attempt;

use serde::Serialize;
use utoipa::ToSchema;

use super::principal::{MayRead, MayWrite, Principal};
use super::{Error, Listed, PageRequest, Place, Service, check};
use crate::automation::EventType;
use crate::model::{
    AccountId, AutomationId, BEHIND, DeliveryId, EndpointId, EventId, Failure, JobId, Timestamp,
};
use crate::store::{self, DeliveryFilter, Span};

pub use attempt::{AttemptQuery, AttemptView, WholeAttemptView};

/// The states of a delivery.
const STATES: [&str; 6] = [
    "pending",
    "claimed",
    "delivered",
    "failed",
    "held",
    "cancelled",
];

/// Which deliveries are wanted, as it was asked for.
#[derive(Debug, Clone, Default)]
pub struct DeliveryQuery {
    /// Only of the event with this id.
    pub event: Option<String>,
    /// Only to the endpoint with this id.
    pub endpoint: Option<String>,
    /// Only in this state.
    pub state: Option<String>,
    /// Only those that were given up for this reason.
    pub failure: Option<String>,
    /// Only because of the automation with this id.
    pub automation: Option<String>,
    /// Only of events of this type.
    pub event_type: Option<String>,
    /// Only those whose event came then or later.
    pub since: Option<String>,
    /// Only those whose event came before.
    pub until: Option<String>,
}

/// One body that must reach one endpoint.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryView {
    /// The delivery's id.
    #[schema(value_type = String, example = "dlv_0198c1f0a3b27c4d8e5f60718293a4b5")]
    pub id: DeliveryId,
    /// The id of the event that it follows from.
    #[schema(value_type = String)]
    pub event: EventId,
    /// The id of the automation that it follows from. An endpoint's own subscription is one, too, which no list
    /// shows. Null, of a test.
    #[schema(value_type = Option<String>)]
    pub automation: Option<AutomationId>,
    /// The id of the endpoint that it goes to.
    #[schema(value_type = String)]
    pub endpoint: EndpointId,
    /// What the receiver knows it by (the header `webhook-id`): the same in every attempt.
    pub webhook_id: String,
    /// Where it stands: `pending` (it waits for its next attempt), `claimed` (a node has it in hand),
    /// `delivered`, `failed`, `held` (its endpoint or the account is switched off) or `cancelled` (its endpoint
    /// was removed).
    pub state: String,
    /// How many attempts were counted: one that broke off because its node ended is not.
    pub attempts_made: i64,
    /// When the next attempt may begin, RFC 3339; null, if it waits for none, or behind another.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_attempt_at: Option<Timestamp>,
    /// Whether it waits behind an earlier delivery of its ordering key to the same endpoint.
    pub waits_behind: bool,
    /// Why it was given up: `exhausted` (no attempt is left), `rejected` (the receiver answered with a status that
    /// is final by the retry policy), `gone` (it answered 410) or `expired` (its payload is no longer kept); null,
    /// if it was not.
    pub failure: Option<String>,
    /// The id of the delivery that this one repeats; null, if it repeats none.
    #[schema(value_type = Option<String>)]
    pub resend_of: Option<DeliveryId>,
    /// Why it was made: `event` (the event came), `resend` (it repeats another) or `rerun` (the event was run again).
    pub cause: &'static str,
    /// Whether its event is a test.
    pub test: bool,
    /// The id of the re-run that made it, or the one that it repeats; null, if none did.
    #[schema(value_type = Option<String>)]
    pub rerun: Option<JobId>,
    /// When it was made, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was delivered or given up, RFC 3339; null, if neither has happened.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub settled_at: Option<Timestamp>,
}

impl From<store::Delivery> for DeliveryView {
    fn from(row: store::Delivery) -> Self {
        Self {
            id: row.id,
            event: row.event,
            automation: Some(row.automation).filter(|_| row.test.is_none()),
            endpoint: row.endpoint,
            webhook_id: row.webhook_id,
            state: row.state,
            attempts_made: row.attempts_made,
            next_attempt_at: row.due_at.filter(|at| *at != BEHIND),
            waits_behind: row.due_at == Some(BEHIND),
            failure: row.failure,
            resend_of: row.resend_of,
            cause: match (row.resend_of, row.rerun) {
                (Some(_), _) => "resend",
                (None, Some(_)) => "rerun",
                (None, None) => "event",
            },
            test: row.test.is_some(),
            rerun: row.rerun,
            created_at: row.created_at,
            settled_at: row.settled_at,
        }
    }
}

impl DeliveryQuery {
    pub(super) fn filter(&self) -> Result<DeliveryFilter, Error> {
        if let Some(state) = &self.state
            && !STATES.contains(&state.as_str())
        {
            let why = format!(
                "there is no such state: a delivery is {}",
                STATES.join(", ")
            );
            return Err(wrong("state", why));
        }
        let failure = |word: &str| {
            let known = Failure::from_word(word);
            known.map(|_| word.to_owned()).ok_or_else(|| {
                let why = "there is no such reason: a delivery is given up as exhausted, rejected, gone or expired";
                wrong("failure", why.to_owned())
            })
        };
        Ok(DeliveryFilter {
            event: parameter("event", self.event.as_deref())?,
            endpoint: parameter("endpoint", self.endpoint.as_deref())?,
            state: self.state.clone(),
            failure: self.failure.as_deref().map(failure).transpose()?,
            automation: parameter("automation", self.automation.as_deref())?,
            event_type: type_name(self.event_type.as_deref())?,
            span: span(self.since.as_deref(), self.until.as_deref())?,
        })
    }
}

/// The span from `since` up to `until`.
pub(super) fn span(since: Option<&str>, until: Option<&str>) -> Result<Span, Error> {
    let span = Span {
        since: parameter("since", since)?,
        until: parameter("until", until)?,
    };
    if let (Some(since), Some(until)) = (span.since, span.until)
        && until <= since
    {
        let why = format!("it ends at {until}, before it begins at {since}: exchange the two");
        return Err(wrong("until", why));
    }
    Ok(span)
}

/// The name of an event type that is asked for.
pub(super) fn type_name(name: Option<&str>) -> Result<Option<String>, Error> {
    let read: Option<EventType> = parameter("type", name)?;
    Ok(read.map(|name| name.as_str().to_owned()))
}

fn parameter<I>(name: &str, text: Option<&str>) -> Result<Option<I>, Error>
where
    I: std::str::FromStr<Err: std::fmt::Display>,
{
    text.map(str::parse)
        .transpose()
        .map_err(|error: I::Err| wrong(name, error.to_string()))
}

fn wrong(name: &str, why: String) -> Error {
    Error::Invalid {
        code: "invalid_parameter",
        at: Place::Query(name.to_owned()),
        why,
    }
}

impl Service {
    /// The delivery with this id.
    pub async fn delivery(
        &self,
        who: &Principal<MayRead>,
        id: &str,
    ) -> Result<DeliveryView, Error> {
        let id: DeliveryId = check::id(id, "delivery")?;
        let found = self.inner.store.delivery(who.account(), id).await?;
        found
            .map(DeliveryView::from)
            .ok_or(Error::NotFound("delivery"))
    }

    /// A page of the account's deliveries.
    pub async fn deliveries(
        &self,
        who: &Principal<MayRead>,
        query: &DeliveryQuery,
        page: &PageRequest,
    ) -> Result<Listed<DeliveryView>, Error> {
        let _turn = self.list_turn(who.account()).await?;
        let filter = query.filter()?;
        let rows = self
            .inner
            .store
            .deliveries(who.account(), &filter, page.after()?, page.limit()?)
            .await?;
        Ok(Listed::of(rows, DeliveryView::from))
    }

    /// A page of one event's deliveries.
    pub async fn deliveries_of(
        &self,
        who: &Principal<MayRead>,
        event: &str,
        page: &PageRequest,
    ) -> Result<Listed<DeliveryView>, Error> {
        let id: EventId = check::id(event, "event")?;
        if self.inner.store.event(who.account(), id).await?.is_none() {
            return Err(Error::NotFound("event"));
        }
        let query = DeliveryQuery {
            event: Some(event.to_owned()),
            ..DeliveryQuery::default()
        };
        self.deliveries(who, &query, page).await
    }

    /// Makes a delivery again, whatever its state: the same body under the same `webhook-id`, with
    /// a whole retry policy before it. The new delivery's id.
    pub async fn resend(&self, who: &Principal<MayWrite>, id: &str) -> Result<DeliveryId, Error> {
        let first: DeliveryId = check::id(id, "delivery")?;
        let account = who.account();
        let row = self
            .inner
            .store
            .delivery(account, first)
            .await?
            .ok_or(Error::NotFound("delivery"))?;
        let endpoint = self.inner.store.endpoint(account, row.endpoint).await?;
        let endpoint = endpoint.ok_or_else(|| Error::Conflict {
            code: "endpoint_removed",
            why: "the delivery's endpoint was removed: there is nowhere to send it".to_owned(),
        })?;
        let event = self.inner.store.event(account, row.event).await?;
        let has_payload = event.is_some_and(|event| event.has_payload());
        if !has_payload || row.failure.as_deref() == Some(Failure::Expired.as_str()) {
            return Err(Error::payload_expired());
        }
        self.sees_deliveries_leave(account, &endpoint.state).await?;
        let now = self.inner.clock.now();
        let again = DeliveryId::mint(now);
        if !self.inner.store.resend(account, first, again, now).await? {
            return Err(Error::NotFound("delivery"));
        }
        self.wake(account, row.endpoint).await;
        Ok(again)
    }

    /// Sees that something leaves for an endpoint in this state: what is sent to another one is only held.
    pub(super) async fn sees_deliveries_leave(
        &self,
        account: AccountId,
        state: &str,
    ) -> Result<(), Error> {
        let row = self.inner.store.account(account).await?;
        let (code, why) = if state != "enabled" {
            (
                "endpoint_disabled",
                "the endpoint is switched off, and what is sent to it is held: switch it on before",
            )
        } else if row.is_some_and(|row| !row.enabled) {
            (
                "account_disabled",
                "the account's integration is switched off, and what is sent is held: switch it on before",
            )
        } else {
            return Ok(());
        };
        Err(Error::Conflict {
            code,
            why: why.to_owned(),
        })
    }
}
