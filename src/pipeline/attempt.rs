//! One attempt: sign, dial a vetted address, send, read a bounded answer, classify. Only for a
//! delivery that is on disk and claimed by this node.

use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::crash::crash_point;
use super::decide;
use super::lane::Feeling;
use super::lanes::Slot;
use super::plan::Content;
use super::snapshot::{EndpointView, Snapshot};
use crate::envelope::{Envelope, Occurrence};
use crate::failure::FailurePolicy;
use crate::model::{
    AccountId, AttemptId, AttemptResult, Clock, DeliveryId, DeliveryState, EndpointId, Failure,
    Timestamp,
};
use crate::outbound::{Answer, Client, Method, Request};
use crate::retry::{Advice, RetryPolicy};
use crate::signing::{self, Message, MessageId};
use crate::store::{EndpointMark, NewAttempt, NewRecord};
use crate::vault::random;

/// A delivery that this node has claimed.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) account: AccountId,
    pub(super) delivery: DeliveryId,
    pub(super) endpoint: EndpointId,
    pub(super) webhook_id: String,
    pub(super) envelope: Envelope,
    /// How many attempts were counted before this one.
    pub(super) attempts_made: u16,
    /// `None`: the payload's retention has ended.
    pub(super) content: Option<Content>,
    /// The account's newest settings.
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) slot: Slot,
}

/// An attempt that was made, to be recorded. The slot is freed once it is.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) record: Arc<NewRecord>,
    pub(super) slot: Slot,
}

impl Made {
    /// What it said about the endpoint's strength, and how long that took, in milliseconds.
    pub(super) fn said(&self) -> (Feeling, i64) {
        match &self.record.attempt {
            Some(attempt) => (decide::feeling(attempt.result), attempt.duration_ms),
            None => (Feeling::Indifferent, 0),
        }
    }
}

/// A delivery that is not sent because the node stops: it waits in the store as it was.
pub(super) fn hand_back(outgoing: Outgoing, now: Timestamp) -> Made {
    without_request(outgoing, DeliveryState::Pending { due_at: now })
}

/// Makes the attempt. Never fails: whatever happens is on the record.
pub(super) async fn attempt(outgoing: Outgoing, client: &Client, clock: &Clock) -> Made {
    crash_point("planned-not-sent");
    let now = clock.now();
    let (Some(view), Some(content)) = (
        outgoing.snapshot.endpoint(outgoing.endpoint),
        &outgoing.content,
    ) else {
        let next = if outgoing.content.is_none() {
            DeliveryState::Failed {
                at: now,
                why: Failure::Expired,
            }
        } else {
            DeliveryState::Cancelled
        };
        return without_request(outgoing, next);
    };
    let (headers, body) = match request_parts(&outgoing, view, content, now) {
        Ok(parts) => parts,
        Err(why) => {
            // A key that can't be used is for the operator to mend; the delivery waits for it.
            tracing::error!(delivery.id = %outgoing.delivery, endpoint.id = %outgoing.endpoint, why, "can't sign");
            return without_request(outgoing, DeliveryState::Held);
        }
    };
    let answer = client
        .send(Request {
            method: Method::Post,
            target: &view.target,
            headers,
            body,
            timeout: Duration::from_millis(view.settings.timeout_ms),
        })
        .await;
    crash_point("sent-not-recorded");
    let policies = (&view.settings.retry_policy, view.settings.failure_policy);
    let record = record(&outgoing, policies, answer, (now, clock.now()));
    log_failure(&record, view.target.host());
    Made {
        record: Arc::new(record),
        slot: outgoing.slot,
    }
}

/// What is written of an attempt that began and ended at `times`.
fn record(
    outgoing: &Outgoing,
    policies: (&RetryPolicy, FailurePolicy),
    answer: Answer,
    times: (Timestamp, Timestamp),
) -> NewRecord {
    let (started_at, ended_at) = times;
    let result = answer.result;
    metrics::counter!("throwbar_attempts_total", "class" => result.class()).increment(1);
    let no = NonZeroU16::MIN.saturating_add(outgoing.attempts_made);
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
            started_at,
            duration_ms: i64::from(answer.duration_ms),
        }),
        attempts_made: no.get(),
        next: decide::after_attempt(no, result, policies.0, ended_at, advice),
        mark: decide::mark(result, policies.1, ended_at),
    }
}

fn without_request(outgoing: Outgoing, next: DeliveryState) -> Made {
    Made {
        record: Arc::new(NewRecord {
            account: outgoing.account,
            delivery: outgoing.delivery,
            endpoint: outgoing.endpoint,
            attempt: None,
            attempts_made: outgoing.attempts_made,
            next,
            mark: EndpointMark::Untouched,
        }),
        slot: outgoing.slot,
    }
}

fn request_parts(
    outgoing: &Outgoing,
    view: &EndpointView,
    content: &Content,
    now: Timestamp,
) -> Result<(HeaderMap, bytes::Bytes), &'static str> {
    let body = outgoing.envelope.wrap(&Occurrence {
        event_type: &content.event_type,
        at: content.occurred_at,
        payload: &content.payload,
    });
    let id =
        MessageId::parse(&outgoing.webhook_id).map_err(|_| "the webhook id can't be a header")?;
    let mut headers = HeaderMap::with_capacity(16);
    for (name, value) in &content.headers {
        // The sandbox has let only allowed names through.
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.insert(name, value);
        }
    }
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    for scheme in &view.settings.signatures {
        let keys = view
            .keys(scheme, now)
            .ok_or("the endpoint has no key for one of its signature schemes")?;
        let message = Message {
            id: &id,
            at: now,
            body: &body,
        };
        headers.extend(signing::sign(scheme, &keys, &message));
    }
    Ok((headers, body))
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
