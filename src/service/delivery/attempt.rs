//! Attempts: those of a delivery in full, and those of the account by what they came to.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::{parameter, span, type_name, wrong};
use crate::model::{AccountId, AttemptId, DeliveryId, EndpointId, Refusal, Timestamp};
use crate::pipeline::{DeliveryMethod, Secrets, SentDelivery, SentRequest, Trace};
use crate::service::hidden::Shown;
use crate::service::principal::{MayRead, Principal};
use crate::service::{Error, Listed, PageRequest, Service, check};
use crate::store::{self, AttemptFilter, OutcomeFilter};

/// Why there was no answer, where that is no refusal.
const INTERRUPTED: &str = "interrupted";

/// Which attempts are wanted, as it was asked for.
#[derive(Debug, Clone, Default)]
pub struct AttemptQuery {
    /// Only for the delivery with this id.
    pub delivery: Option<String>,
    /// Only at the endpoint with this id.
    pub endpoint: Option<String>,
    /// Only those that came to this: `success`, `failed`, a status, or a hundred of them such as `5xx`.
    pub status: Option<String>,
    /// Only those without an answer, for this reason.
    pub error_class: Option<String>,
    /// Only of events of this type.
    pub event_type: Option<String>,
    /// Only those that began then or later.
    pub since: Option<String>,
    /// Only those that began before.
    pub until: Option<String>,
}

/// One HTTP request for a delivery, and what came back.
#[derive(Debug, Serialize, ToSchema)]
pub struct AttemptView {
    /// The attempt's id.
    #[schema(value_type = String, example = "att_0198c1f0a3b27c4d8e5f60718293a4b5")]
    pub id: AttemptId,
    /// The id of the delivery that it was made for.
    #[schema(value_type = String)]
    pub delivery: DeliveryId,
    /// The id of the endpoint that it went to; null, if that is not known any more.
    #[schema(value_type = Option<String>)]
    pub endpoint: Option<EndpointId>,
    /// The attempt's number within the delivery, from 1.
    pub no: i64,
    /// The request's method; null, if none was made.
    #[schema(inline)]
    pub method: Option<DeliveryMethod>,
    /// The URL that it went to; null, if none was made.
    pub url: Option<String>,
    /// The address and the port that answered; null, if none did.
    pub address: Option<String>,
    /// The answer's HTTP status; null, if there was no answer.
    pub status_code: Option<i64>,
    /// Why there was no answer: `dns`, `connect`, `tls`, `timeout`, `too_large`, `egress`, `proxy`,
    /// `authorization` or `interrupted`;
    /// null, if there was one.
    pub error_class: Option<String>,
    /// A sentence about what went wrong; null, if there is nothing to add.
    pub message: Option<String>,
    /// The beginning of the answer's body as text: 4096 bytes at most. A secret variable's value in it is hidden.
    pub response: Option<String>,
    /// The answer's headers: 32 at most, and 4096 bytes. Cookies are not kept.
    pub response_headers: BTreeMap<String, String>,
    /// Whether the answer had more headers than these.
    pub response_headers_cut: bool,
    /// How long it took until the answer began, in milliseconds; null, if none did.
    pub first_byte_ms: Option<u32>,
    /// How long it took from the look-up of the host to the answer's last byte, in milliseconds.
    pub duration_ms: i64,
    /// When it began, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
}

/// An attempt with the request that left.
#[derive(Debug, Serialize, ToSchema)]
pub struct WholeAttemptView {
    /// The attempt.
    #[serde(flatten)]
    pub attempt: AttemptView,
    /// The request's headers, signatures among them, with `***` for what nobody may see. They are made again as
    /// they were; null, if what they are made of (the endpoint's headers, signatures or keys) has changed since.
    pub request_headers: Option<BTreeMap<String, String>>,
    /// The beginning of the request's body as text: 4096 bytes at most. A secret variable's value in it is hidden.
    /// Null, if it is not kept any more.
    pub request_body: Option<String>,
    /// How many bytes the whole body has; null, if it is not kept any more.
    pub request_body_bytes: Option<usize>,
}

impl From<store::Attempt> for AttemptView {
    fn from(row: store::Attempt) -> Self {
        let trace = row.trace.as_deref().and_then(Trace::read);
        let mut view = Self {
            id: row.id,
            delivery: row.delivery,
            endpoint: row.endpoint,
            no: row.no,
            method: None,
            url: None,
            address: None,
            status_code: row.status_code,
            error_class: row.error_class,
            message: row.message,
            response: row
                .response
                .map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
            response_headers: BTreeMap::new(),
            response_headers_cut: false,
            first_byte_ms: None,
            duration_ms: row.duration_ms,
            at: row.started_at,
        };
        if let Some(trace) = trace {
            view.method = Some(trace.method);
            view.url = Some(trace.url);
            view.address = trace.address.map(|address| address.to_string());
            view.first_byte_ms = trace.first_byte_ms;
            view.response_headers = by_name(trace.headers);
            view.response_headers_cut = trace.cut;
        }
        view
    }
}

/// Headers by their names; of one that came several times the values, with commas between.
fn by_name(headers: Vec<(String, String)>) -> BTreeMap<String, String> {
    let mut named = BTreeMap::<String, String>::new();
    for (name, value) in headers {
        named
            .entry(name)
            .and_modify(|known| {
                known.push_str(", ");
                known.push_str(&value);
            })
            .or_insert(value);
    }
    named
}

impl Shown for AttemptView {
    fn hide(&mut self, secrets: &Secrets) {
        let texts = [&mut self.message, &mut self.response, &mut self.url];
        let headers = self.response_headers.values_mut();
        for text in texts.into_iter().flatten().chain(headers) {
            secrets.hide(text);
        }
    }
}

impl AttemptQuery {
    pub(in crate::service) fn filter(&self) -> Result<AttemptFilter, Error> {
        Ok(AttemptFilter {
            delivery: parameter("delivery", self.delivery.as_deref())?,
            endpoint: parameter("endpoint", self.endpoint.as_deref())?,
            outcome: self.status.as_deref().map(outcome).transpose()?,
            error_class: self.error_class.as_deref().map(class).transpose()?,
            event_type: type_name(self.event_type.as_deref())?,
            span: span(self.since.as_deref(), self.until.as_deref())?,
        })
    }
}

fn outcome(word: &str) -> Result<OutcomeFilter, Error> {
    let number = |text: &str| {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u16>().ok().filter(|_| digits)
    };
    let found = match word {
        "success" => Some(OutcomeFilter::Success),
        "failed" => Some(OutcomeFilter::Failed),
        _ => match word.strip_suffix("xx") {
            Some(hundreds) => number(hundreds)
                .filter(|hundreds| (1..=9).contains(hundreds))
                .map(|hundreds| OutcomeFilter::Status(hundreds * 100, hundreds * 100 + 99)),
            None => number(word)
                .filter(|status| (100..=999).contains(status))
                .map(|status| OutcomeFilter::Status(status, status)),
        },
    };
    found.ok_or_else(|| {
        let why = "this is no status: take success, failed, a number such as 503, or a hundred of them such as 5xx";
        wrong("status", why.to_owned())
    })
}

fn class(word: &str) -> Result<String, Error> {
    if Refusal::from_word(word).is_some() || word == INTERRUPTED {
        return Ok(word.to_owned());
    }
    let why = "there is no such class: an attempt without an answer is dns, connect, tls, timeout, too_large, egress, \
               proxy, authorization or interrupted; for answers, ask by status";
    Err(wrong("error_class", why.to_owned()))
}

impl Service {
    /// The attempts of a delivery in full, oldest first.
    pub async fn attempts(
        &self,
        who: &Principal<MayRead>,
        id: &str,
    ) -> Result<Listed<WholeAttemptView>, Error> {
        let account = who.account();
        let _turn = self.list_turn(account).await?;
        let id: DeliveryId = check::id(id, "delivery")?;
        let found = self.inner.store.delivery(account, id).await?;
        let delivery = found.ok_or(Error::NotFound("delivery"))?;
        let rows = self.inner.store.attempts(account, id).await?;
        let hidden = self.hidden(account).await?;
        let sent = if rows.is_empty() {
            None
        } else {
            self.sent(account, &delivery).await?
        };
        let whole = |row| whole(row, sent.as_ref(), &hidden);
        Ok(Listed::whole(rows.into_iter().map(whole).collect()))
    }

    /// The attempt with this id, in full.
    pub async fn attempt(
        &self,
        who: &Principal<MayRead>,
        id: &str,
    ) -> Result<WholeAttemptView, Error> {
        let account = who.account();
        let _turn = self.list_turn(account).await?;
        let id: AttemptId = check::id(id, "attempt")?;
        let found = self.inner.store.attempt(account, id).await?;
        let row = found.ok_or(Error::NotFound("attempt"))?;
        let sent = match self.inner.store.delivery(account, row.delivery).await? {
            Some(delivery) => self.sent(account, &delivery).await?,
            None => None,
        };
        Ok(whole(row, sent.as_ref(), &self.hidden(account).await?))
    }

    /// A page of the account's attempts, newest first.
    pub async fn list_attempts(
        &self,
        who: &Principal<MayRead>,
        query: &AttemptQuery,
        page: &PageRequest,
    ) -> Result<Listed<AttemptView>, Error> {
        let account = who.account();
        let _turn = self.list_turn(account).await?;
        let filter = query.filter()?;
        let (after, limit) = (page.after()?, page.limit()?);
        let store = &self.inner.store;
        let rows = store.attempts_of(account, &filter, after, limit).await?;
        let hidden = self.hidden(account).await?;
        let shown = |row| AttemptView::from(row).without(&hidden);
        Ok(Listed::of(rows, shown))
    }

    /// What the attempts of a delivery have sent; `None` while this node can't tell.
    async fn sent(
        &self,
        account: AccountId,
        delivery: &store::Delivery,
    ) -> Result<Option<SentDelivery>, Error> {
        let store = &self.inner.store;
        let (Some(row), Some(parts), Some(pipeline)) = (
            store.account(account).await?,
            store.delivery_parts(account, delivery.id).await?,
            self.pipeline(),
        ) else {
            return Ok(None);
        };
        let sent = pipeline.sent((account, row.revision), delivery.endpoint, parts);
        sent.await.map(Some).map_err(|error| {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, delivery.id = %delivery.id, "what a delivery has sent can't be told");
            Error::Unavailable
        })
    }
}

fn whole(row: store::Attempt, sent: Option<&SentDelivery>, hidden: &Secrets) -> WholeAttemptView {
    let trace = row.trace.as_deref().and_then(Trace::read);
    // Without a trace nobody knows whether anything left.
    let request = match (&trace, sent) {
        (Some(trace), Some(sent)) => sent.request(row.started_at, Some(trace.digest), hidden),
        _ => SentRequest::default(),
    };
    WholeAttemptView {
        attempt: AttemptView::from(row).without(hidden),
        request_headers: request.headers.map(by_name),
        request_body: request.body,
        request_body_bytes: request.body_bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::Place;

    #[test]
    fn what_an_attempt_came_to_is_asked_for_in_words() {
        for (word, meant) in [
            ("success", OutcomeFilter::Success),
            ("failed", OutcomeFilter::Failed),
            ("503", OutcomeFilter::Status(503, 503)),
            ("4xx", OutcomeFilter::Status(400, 499)),
        ] {
            assert_eq!(outcome(word).expect(word), meant);
        }
        for wrong in ["", "ok", "5", "0xx", "xx", "55xx", "+200", "1000", "200 "] {
            let error = outcome(wrong).expect_err(wrong);
            assert_eq!(error.place(), Some(&Place::Query("status".to_owned())));
        }
        assert_eq!(class("tls").expect("a class"), "tls");
        assert_eq!(class("interrupted").expect("a class"), "interrupted");
        assert!(class("500").is_err());
    }

    #[test]
    fn a_header_that_came_twice_is_told_once() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let named = by_name(vec![
            pair("via", "a"),
            pair("server", "s"),
            pair("via", "b"),
        ]);
        assert_eq!(named["via"], "a, b");
        assert_eq!(named.len(), 2);
    }
}
