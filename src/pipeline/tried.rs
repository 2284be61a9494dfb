//! What a trial comes to: its verdict, and the requests that would leave.

use bytes::Bytes;

use super::request::RequestParts;
use super::secret::HIDDEN;
use super::settings::DeliveryMethod;
use super::standing::Current;
use super::{Evaluation, Explained, shown};
use crate::automation::EventType;
use crate::model::{EndpointId, Timestamp};
use crate::store::NewDelivery;

/// What came of a trial.
#[derive(Debug)]
pub struct Tried {
    /// The verdict, with steps that tell what went into each run and what came out.
    pub explained: Explained,
    /// What it put out, before any envelope and without secrets.
    pub outputs: Vec<Bytes>,
    /// What would leave, if it fired and requests were wanted. As it would leave: what nobody may see is hidden by
    /// whoever shows it.
    pub requests: Vec<TriedRequest>,
    /// The events that it would make, if it fired: of each its type and its payload, as it would be.
    pub events: Vec<(EventType, Bytes)>,
}

/// A request that would leave.
#[derive(Debug)]
pub struct TriedRequest {
    /// Where to.
    pub endpoint: EndpointId,
    /// The method; `POST`, if the endpoint can't be read.
    pub method: DeliveryMethod,
    /// Its URL; nothing, if the endpoint can't be read.
    pub url: String,
    /// The headers, signatures among them, hidden where the endpoint fills them with a secret. What HTTP itself
    /// needs is added when it is sent.
    pub headers: Vec<(String, String)>,
    /// The body, byte for byte as it is signed unless it is cut.
    pub body: String,
    /// That the body is cut, if it is.
    pub cut: Option<String>,
    /// Why it would not leave now, or can't be made, if so.
    pub held: Option<String>,
}

/// What a trial has come to.
pub(super) struct Settled {
    pub(super) evaluation: Evaluation,
    pub(super) outputs: Vec<Bytes>,
    pub(super) requests: Vec<TriedRequest>,
    pub(super) events: Vec<(EventType, Bytes)>,
}

impl Settled {
    /// Nothing follows from it.
    pub(super) fn empty(evaluation: Evaluation) -> Self {
        Self {
            evaluation,
            outputs: Vec::new(),
            requests: Vec::new(),
            events: Vec::new(),
        }
    }
}

impl From<Settled> for Tried {
    fn from(settled: Settled) -> Self {
        Self {
            explained: settled.evaluation.into(),
            outputs: settled.outputs,
            requests: settled.requests,
            events: settled.events,
        }
    }
}

/// The request of one delivery, with as much of its body as there is room for.
pub(super) fn request(
    parts: &RequestParts<'_>,
    delivery: &NewDelivery,
    stands: (&Current, Timestamp),
    bytes_max: usize,
) -> TriedRequest {
    let (current, now) = stands;
    let endpoint = delivery.endpoint;
    let mut request = TriedRequest {
        endpoint,
        method: DeliveryMethod::default(),
        url: String::new(),
        headers: Vec::new(),
        body: String::new(),
        cut: None,
        held: None,
    };
    let view = match current.endpoint(endpoint) {
        None => {
            request.held = Some("its endpoint was removed".to_owned());
            return request;
        }
        Some(Err(unreadable)) => {
            request.held = Some(format!("its endpoint can't be read: {}", unreadable.why));
            return request;
        }
        Some(Ok(view)) => view,
    };
    request.method = view.settings.method;
    view.target.as_str().clone_into(&mut request.url);
    if !current.is_open(endpoint) {
        let why = "it would be held: its endpoint, or the account, is switched off";
        request.held = Some(why.to_owned());
    }
    match parts.signed(view, now) {
        Ok((headers, body)) => {
            let text = |value: &http::HeaderValue| {
                if value.is_sensitive() {
                    return HIDDEN.to_owned();
                }
                String::from_utf8_lossy(value.as_bytes()).into_owned()
            };
            let headers = headers.iter();
            request.headers = headers
                .map(|(name, value)| (name.as_str().to_owned(), text(value)))
                .collect();
            (request.body, request.cut) = shown::text(&body, bytes_max);
        }
        Err(why) => request.held = Some(format!("it can't be signed, and would wait: {why}")),
    }
    request
}
