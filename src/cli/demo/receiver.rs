//! The demo's receiver: an HTTP server on loopback that checks the signature of what it gets, keeps
//! it, and refuses some first attempts on purpose.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, Uri};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::story::{Place, reference_in, stumbles};
use crate::model::Clock;
use crate::signing::{self, Check, Outcome, Scheme, TOLERANCE_S_DEFAULT};

/// One request, and what the receiver made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Arrival {
    /// Its body.
    pub(super) body: Bytes,
    /// What was answered.
    pub(super) status: u16,
    /// Whether the signature is genuine, and if not, why.
    pub(super) signature: Result<(), String>,
}

/// What came, by place and reference.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Of the demo's own events.
    pub(super) arrivals: HashMap<(Place, String), Vec<Arrival>>,
    /// How each place's deliveries are signed, and the key to check it.
    secrets: HashMap<Place, (Scheme, String)>,
    /// References of the demo's own events that are under way.
    pub(super) told: HashSet<String>,
}

/// Something that arrived and that no event of the demo explains.
#[derive(Debug, Clone)]
pub(super) struct Stranger {
    /// Where it arrived.
    pub(super) path: String,
    /// What it was.
    pub(super) arrival: Arrival,
}

/// The receiver.
#[derive(Clone)]
pub(super) struct Receiver {
    ledger: Arc<Mutex<Ledger>>,
    strangers: UnboundedSender<Stranger>,
    address: SocketAddr,
}

impl Receiver {
    /// Begins to listen on a free port of the loopback.
    pub(super) async fn start() -> std::io::Result<(Self, UnboundedReceiver<Stranger>)> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let (strangers, seen) = unbounded_channel();
        let receiver = Self {
            ledger: Arc::default(),
            strangers,
            address: listener.local_addr()?,
        };
        let router = Router::new().fallback(take).with_state(receiver.clone());
        // It ends with the process; there is nothing to hand back.
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok((receiver, seen))
    }

    /// The URL of a place.
    pub(super) fn url(&self, place: Place) -> String {
        format!("http://{}{}", self.address, place.path())
    }

    /// From now on, deliveries at `place` are checked with this secret.
    pub(super) fn trust(&self, place: Place, secret: &str) {
        self.with(|ledger| {
            ledger
                .secrets
                .insert(place, (Scheme::of_secret(secret), secret.to_owned()))
        });
    }

    /// An event with this reference is about to be sent.
    pub(super) fn expect(&self, reference: &str) {
        self.with(|ledger| ledger.told.insert(reference.to_owned()));
    }

    /// Looks at what came.
    pub(super) fn with<T>(&self, look: impl FnOnce(&mut Ledger) -> T) -> T {
        look(&mut self.ledger.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn judge(&self, path: &str, headers: &HeaderMap, body: Bytes) -> StatusCode {
        let place = Place::at(path);
        let reference = std::str::from_utf8(&body)
            .ok()
            .and_then(reference_in)
            .map(str::to_owned);
        self.with(|ledger| {
            let signature = ledger.check(place, headers, &body);
            let known = reference.filter(|reference| ledger.told.contains(reference));
            let (Some(place), Some(reference)) = (place, known) else {
                let status = if place.is_some() {
                    StatusCode::OK
                } else {
                    StatusCode::NOT_FOUND
                };
                let arrival = Arrival {
                    body,
                    status: status.as_u16(),
                    signature,
                };
                // Nobody looks at strangers any more when the demo ends.
                let _ended = self.strangers.send(Stranger {
                    path: path.to_owned(),
                    arrival,
                });
                return status;
            };
            let stumbling = stumbles(place, &reference);
            let arrivals = ledger.arrivals.entry((place, reference)).or_default();
            let status = if stumbling && arrivals.is_empty() {
                StatusCode::INTERNAL_SERVER_ERROR
            } else if signature.is_ok() {
                StatusCode::OK
            } else {
                StatusCode::UNAUTHORIZED
            };
            arrivals.push(Arrival {
                body,
                status: status.as_u16(),
                signature,
            });
            status
        })
    }
}

impl Ledger {
    fn check(&self, place: Option<Place>, headers: &HeaderMap, body: &[u8]) -> Result<(), String> {
        let Some((scheme, secret)) = place.and_then(|place| self.secrets.get(&place)) else {
            return Err("there is no secret for this path".to_owned());
        };
        let report = signing::verify(&Check {
            scheme,
            secret,
            headers,
            body,
            now: Clock::System.now(),
            tolerance_s: TOLERANCE_S_DEFAULT,
            also_try: &[],
        });
        if report.is_genuine() {
            return Ok(());
        }
        let failed = report
            .findings
            .into_iter()
            .find(|finding| finding.outcome == Outcome::Failed);
        Err(failed.map_or_else(
            || "no signature was found".to_owned(),
            |finding| finding.text,
        ))
    }
}

async fn take(
    State(receiver): State<Receiver>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    receiver.judge(uri.path(), &headers, body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "tbk_8f2c0d5e7a914b36";

    async fn receiver() -> (Receiver, UnboundedReceiver<Stranger>) {
        let (receiver, strangers) = Receiver::start().await.expect("a free port");
        for place in Place::ALL {
            receiver.trust(place, KEY);
        }
        (receiver, strangers)
    }

    fn signed(body: &str) -> HeaderMap {
        let keys = signing::AccountKey::parse(KEY)
            .expect("a key")
            .signing_key()
            .into();
        let message = signing::Message {
            id: &signing::MessageId::parse("evt_1").expect("an id"),
            at: Clock::System.now(),
            event_type: &http::HeaderValue::from_static("deal.won"),
            body: body.as_bytes(),
        };
        let mut headers = HeaderMap::new();
        signing::sign(&Scheme::of_secret(KEY), &keys, &message, &mut headers)
            .expect("keys that fit");
        headers
    }

    #[tokio::test]
    async fn a_stumbling_reference_is_refused_once_and_then_taken() {
        let (receiver, _strangers) = receiver().await;
        let body = r#"{"number":"D-1001"}"#;
        receiver.expect("D-1001");
        for (place, statuses) in [(Place::Crm, [500, 200]), (Place::Sales, [200, 200])] {
            for status in statuses {
                let answered = receiver.judge(place.path(), &signed(body), body.into());
                assert_eq!(answered, status, "{place:?}");
            }
        }
    }

    #[tokio::test]
    async fn a_forgery_is_refused_with_its_reason_and_kept() {
        let (receiver, _strangers) = receiver().await;
        receiver.expect("D-1002");
        let body = r#"{"number":"D-1002"}"#;
        let answered = receiver.judge("/crm", &signed("{}"), body.into());
        assert_eq!(answered, StatusCode::UNAUTHORIZED);
        receiver.with(|ledger| {
            let arrivals = &ledger.arrivals[&(Place::Crm, "D-1002".to_owned())];
            let why = arrivals[0].signature.as_ref().expect_err("forged");
            assert!(why.contains("does not match"), "{why}");
        });
    }

    #[tokio::test]
    async fn what_nobody_expects_is_a_stranger() {
        let (receiver, mut strangers) = receiver().await;
        for (path, status) in [("/crm", 200), ("/elsewhere", 404)] {
            let body = r#"{"number":"D-9"}"#;
            assert_eq!(receiver.judge(path, &signed(body), body.into()), status);
            assert_eq!(strangers.recv().await.expect("seen").path, path);
        }
        receiver.with(|ledger| assert!(ledger.arrivals.is_empty()));
    }
}
