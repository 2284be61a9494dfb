//! One attempt: sign, dial a vetted address, send, read a bounded answer, classify. Only for a
//! delivery that is on disk and claimed by this node, and as its endpoint stands now.
//!
//! What can't be sent because something stored can't be read, or because a key is missing, waits and
//! is looked at again, with an error in the log each time: it is lost to nobody, it needs no hand but the
//! one that mends the cause, and no attempt of its policy is used up.

use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;

use super::crash::crash_point;
use super::decide::{self, Outcome};
use super::lane::Feeling;
use super::plan::Content;
use super::request::RequestParts;
use super::slot::Slot;
use super::standing::{Current, EndpointView, Standing};
use super::trace::{self, Trace};
use crate::automation::OPERATIONAL_PREFIX;
use crate::envelope::{self, Envelope};
use crate::model::{
    AccountId, AttemptId, AttemptResult, Clock, DeliveryId, DeliveryState, EndpointId, Failure,
    OrderKey, Timestamp,
};
use crate::outbound::{Answer, Client, Request};
use crate::retry::Advice;
use crate::store::{NewAttempt, NewRecord, Tells};
use crate::vault::random;

/// How long a delivery waits until it is seen whether somebody has mended what it can't be sent for.
const MENDED_MS: i64 = 60_000;

/// A delivery that this node has claimed.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) account: AccountId,
    pub(super) delivery: DeliveryId,
    pub(super) endpoint: EndpointId,
    pub(super) webhook_id: String,
    pub(super) envelope: Result<Envelope, envelope::Error>,
    /// How many attempts were counted before this one.
    pub(super) attempts_made: u16,
    /// `None`: the payload's retention has ended.
    pub(super) content: Option<Arc<Content>>,
    /// How the account stands when it leaves.
    pub(super) standing: Arc<Standing>,
    /// What it keeps its order with.
    pub(super) order: Option<OrderKey>,
    /// Whether it is of a test: nothing follows from that for its endpoint.
    pub(super) test: bool,
    pub(super) slot: Slot,
}

/// An attempt that was made, to be recorded. The slot is freed once it is.
#[derive(Debug)]
pub(super) struct Attempted {
    pub(super) record: Arc<NewRecord>,
    pub(super) slot: Slot,
}

impl Attempted {
    /// What it said about the endpoint's strength, and how long that took, in milliseconds.
    pub(super) fn said(&self) -> (Feeling, i64) {
        match &self.record.attempt {
            Some(attempt) => (Feeling::from(attempt.result), attempt.duration_ms),
            None => (Feeling::Unasked, 0),
        }
    }
}

/// A delivery that is not sent because the node stops: it waits in the store as it was.
pub(super) fn hand_back(outgoing: Outgoing, now: Timestamp) -> Attempted {
    without_request(outgoing, DeliveryState::Pending { due_at: now })
}

/// Makes the attempt. Never fails: whatever happens is on the record.
pub(super) async fn attempt(outgoing: Outgoing, client: &Client, clock: &Clock) -> Attempted {
    crash_point("planned-not-sent");
    let now = clock.now();
    let current = outgoing.standing.current();
    let Ready {
        view,
        headers,
        body,
    } = match ready(&outgoing, current.as_deref(), now) {
        Ok(ready) => ready,
        Err(next) => return without_request(outgoing, next),
    };
    let digest = trace::digest(&headers);
    let answer = client
        .send(Request {
            method: view.settings.method.into(),
            target: &view.target,
            connection: &view.connection,
            headers,
            body,
            timeout: Duration::from_millis(view.settings.timeout_ms),
            on_behalf_of: outgoing.account.uuid(),
        })
        .await;
    crash_point("sent-not-recorded");
    let times = (now, clock.now());
    let record = record(&outgoing, view, (answer, digest), times);
    log_failure(&record, view.target.host());
    Attempted {
        record: Arc::new(record),
        slot: outgoing.slot,
    }
}

/// A request that may leave.
struct Ready<'a> {
    view: &'a EndpointView,
    headers: HeaderMap,
    body: Bytes,
}

/// The request to the endpoint as it stands now; or what becomes of the delivery without one.
fn ready<'a>(
    outgoing: &Outgoing,
    current: Option<&'a Current>,
    now: Timestamp,
) -> Result<Ready<'a>, DeliveryState> {
    let Some(content) = &outgoing.content else {
        return Err(DeliveryState::Failed {
            at: now,
            why: Failure::Expired,
        });
    };
    // The claimer loads what is new, and its gate says what becomes of it.
    let to_the_gate = DeliveryState::Pending { due_at: now };
    let Some(current) = current else {
        return Err(to_the_gate);
    };
    let unready = |why: &str| {
        tracing::error!(delivery.id = %outgoing.delivery, endpoint.id = %outgoing.endpoint, why, "a delivery can't be sent and waits");
        DeliveryState::Pending {
            due_at: now.plus_ms(MENDED_MS),
        }
    };
    let view = match current.endpoint(outgoing.endpoint) {
        None => return Err(DeliveryState::Cancelled),
        Some(Err(unreadable)) => return Err(unready(&unreadable.why)),
        Some(Ok(view)) => view,
    };
    if !current.is_open(outgoing.endpoint) {
        return Err(to_the_gate);
    }
    match request_parts(outgoing, view, content, now) {
        Ok((headers, body)) => Ok(Ready {
            view,
            headers,
            body,
        }),
        Err(why) => Err(unready(&why)),
    }
}

/// What is written of an attempt.
fn record(
    outgoing: &Outgoing,
    view: &EndpointView,
    (answer, digest): (Answer, u64),
    (started_at, ended_at): (Timestamp, Timestamp),
) -> NewRecord {
    let result = answer.result;
    let outcome = Outcome::from(result);
    metrics::counter!("throwbar_attempts_total", "class" => result.class()).increment(1);
    let no = NonZeroU16::MIN.saturating_add(outgoing.attempts_made);
    let trace = Trace::pack(view, digest, &answer);
    let retry_after_ms = match result {
        AttemptResult::Http { status: 429 | 503 } => {
            answer.retry_after.map(|asked| asked.wait_ms(ended_at))
        }
        _ => None,
    };
    let advice = Advice {
        jitter: if result.is_success() { 0.0 } else { jitter() },
        retry_after_ms,
    };
    NewRecord {
        account: outgoing.account,
        delivery: outgoing.delivery,
        endpoint: outgoing.endpoint,
        attempt: Some(NewAttempt {
            id: AttemptId::mint(started_at),
            no: no.get(),
            result,
            message: answer.message,
            response: Some(answer.excerpt).filter(|excerpt| !excerpt.is_empty()),
            trace,
            started_at,
            duration_ms: i64::from(answer.duration_ms),
        }),
        attempts_made: no.get(),
        next: decide::next(result, no, &view.settings.retry_policy, (ended_at, advice)),
        mark: outcome
            .mark(view.settings.failure_policy, ended_at, view.updated_at)
            .filter(|_| !outgoing.test),
        order: outgoing.order,
        tells: tells(outgoing),
    }
}

/// What of an attempt is told: of a test nothing, and of one that carries an operational event nothing, or it would
/// go on without end; that a delivery is given up only where somebody wants to know.
fn tells(outgoing: &Outgoing) -> Tells {
    let content = outgoing.content.as_ref();
    let operational = |content: &Arc<Content>| content.event_type.starts_with(OPERATIONAL_PREFIX);
    if outgoing.test || content.is_some_and(operational) {
        Tells::Nothing
    } else if outgoing.standing.last_loaded().listens {
        Tells::OfDelivery
    } else {
        Tells::OfEndpoint
    }
}

fn without_request(outgoing: Outgoing, next: DeliveryState) -> Attempted {
    Attempted {
        record: Arc::new(NewRecord {
            account: outgoing.account,
            delivery: outgoing.delivery,
            endpoint: outgoing.endpoint,
            attempt: None,
            attempts_made: outgoing.attempts_made,
            next,
            mark: None,
            tells: tells(&outgoing),
            order: outgoing.order,
        }),
        slot: outgoing.slot,
    }
}

fn request_parts(
    outgoing: &Outgoing,
    view: &EndpointView,
    content: &Content,
    now: Timestamp,
) -> Result<(HeaderMap, Bytes), String> {
    let envelope = outgoing
        .envelope
        .clone()
        .map_err(|error| error.to_string())?;
    let parts = RequestParts {
        account: outgoing.account,
        envelope,
        webhook_id: &outgoing.webhook_id,
        content,
    };
    parts.signed(view, now)
}

/// A number from 0 up to but not including 1.
fn jitter() -> f64 {
    // Without randomness there is no jitter, which no policy depends on.
    let bytes: [u8; 4] = random::bytes().unwrap_or_default();
    f64::from(u32::from_be_bytes(bytes)) / (f64::from(u32::MAX) + 1.0)
}

fn log_failure(record: &NewRecord, host: &str) {
    let Some(attempt) = &record.attempt else {
        return;
    };
    if attempt.result.is_success() {
        return;
    }
    tracing::info!(
        account.id = %record.account,
        delivery.id = %record.delivery,
        endpoint.host = host,
        attempt.no = attempt.no,
        attempt.class = attempt.result.class(),
        "an attempt failed"
    );
}
