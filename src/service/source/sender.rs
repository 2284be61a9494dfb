//! What comes to a source: found by its URL, proved, mapped and taken as an event. The sender has no key; that
//! it knows the URL brings it to the door, and only what it proves opens it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http_body_util::BodyExt;
use moka::sync::Cache;
use serde_json::value::RawValue;
use tokio::sync::Semaphore;

use super::look::{Making, Maps, OpenSource};
use super::request::Received;
use super::shape::Settings;
use super::token_hash;
use crate::model::{AccountId, Origin};
use crate::pipeline::{Acknowledged, sealing};
use crate::service::intake::NewEvent;
use crate::service::{Error, Service};
use crate::signing::Outcome;
use crate::store::{self, Source};

/// How long a source is taken for what it was, should nobody say that it has changed.
const KNOWN_FOR: Duration = Duration::from_secs(10);
/// Most sources that are known at a time.
const KNOWN_MAX: u64 = 10_000;
/// Most look-ups at a time: whoever makes up URLs asks the database no more than this.
const LOOKUPS_MAX: usize = 4;

/// Sources that were looked up lately.
pub(in crate::service) struct Doors {
    known: Cache<[u8; 32], Arc<OpenSource>>,
    /// Counts the changes, so that a look-up that a change overtakes is not kept.
    changes: AtomicU64,
    lookups: Semaphore,
}

impl Default for Doors {
    fn default() -> Self {
        Self {
            known: Cache::builder()
                .max_capacity(KNOWN_MAX)
                .time_to_live(KNOWN_FOR)
                .build(),
            changes: AtomicU64::new(0),
            lookups: Semaphore::new(LOOKUPS_MAX),
        }
    }
}

impl Doors {
    /// Something of the account's has changed: its sources are looked up again.
    pub(in crate::service) fn forget(&self, account: AccountId) {
        self.changes.fetch_add(1, Ordering::SeqCst);
        for (hash, source) in &self.known {
            if source.account == account {
                self.known.invalidate(&*hash);
            }
        }
    }

    /// Keeps what a look-up has found that began when there were `changes`.
    fn keep(&self, hash: [u8; 32], source: &Arc<OpenSource>, changes: u64) {
        // First kept, then asked: whoever changes it meanwhile finds it here.
        self.known.insert(hash, source.clone());
        if self.changes.load(Ordering::SeqCst) != changes {
            self.known.invalidate(&hash);
        }
    }
}

/// A source at whose door somebody is who knows its URL.
#[derive(Debug, Clone)]
pub struct SourceDoor(pub(in crate::service) Arc<OpenSource>);

/// A request at a source's door, its body still to be read.
#[derive(Debug)]
pub struct Arrival<B> {
    /// Its headers.
    pub headers: HeaderMap,
    /// Its query, as it stands in the URL.
    pub query: String,
    /// Its body.
    pub body: B,
}

/// What has become of a request.
#[derive(Debug)]
pub(in crate::service) enum Came {
    /// An event, not accepted yet.
    Event(Box<store::NewEvent>),
    /// Nothing: the source's plugin wants no event of it, for this reason.
    Dropped(String),
}

impl Service {
    /// The source whose URL ends with `token`.
    pub async fn source_door(&self, token: &str) -> Result<SourceDoor, Error> {
        let doors = &self.inner.doors;
        let hash = token_hash(token);
        if let Some(known) = doors.known.get(&hash) {
            return Ok(SourceDoor(known));
        }
        let changes = doors.changes.load(Ordering::SeqCst);
        let _turn = doors.lookups.acquire().await;
        let Some(row) = self.inner.store.source_at(hash).await? else {
            metrics::counter!("throwbar_source_refusals_total", "code" => "not_found").increment(1);
            return Err(Error::NotFound("source"));
        };
        let source = Arc::new(self.open_source(&row).await?);
        doors.keep(hash, &source, changes);
        Ok(SourceDoor(source))
    }

    /// A source as it stands, its secrets opened.
    pub(in crate::service) async fn open_source(&self, row: &Source) -> Result<OpenSource, Error> {
        let proof = Settings::read(&row.settings)?.verification;
        let mut keys = Vec::new();
        for secret in self.inner.store.source_secrets(row.account, row.id).await? {
            let context = sealing::source_secret(row.account, secret.id);
            let plain = self.inner.vault.open(&secret.sealed, &context)?;
            let text = std::str::from_utf8(&plain)
                .map_err(|error| Error::unreadable("the source's secret", error))?;
            let key = proof
                .key(text)
                .map_err(|error| Error::unreadable("the source's secret", error))?;
            keys.push((key, secret.expires_at));
        }
        OpenSource::open(row, keys)
    }

    /// From now on this node looks the account's sources up again, as soon as what was written is durable.
    pub(in crate::service) async fn forget_doors(&self, account: AccountId) {
        let service = self.clone();
        let forget = async move { service.inner.doors.forget(account) };
        self.inner.store.once_durable(forget).await;
    }

    /// Takes a request as an event; returns when that is durable. `None`: it was taken, and the source's plugin
    /// wants no event of it. What is refused for good is counted and written down for the source's owner.
    pub async fn receive<B: BodyExt<Data = Bytes> + Unpin>(
        &self,
        door: &SourceDoor,
        arrival: Arrival<B>,
    ) -> Result<Option<Acknowledged>, Error> {
        let source = &*door.0;
        let bytes_max = self.inner.rules.payload_bytes_max;
        let room = Some(self.source_room(source.account));
        let (headers, query) = (arrival.headers, arrival.query);
        let body = self.read_body(arrival.body, bytes_max, room).await;
        let (body, taken) = match body {
            Err(error) => (Bytes::new(), Err(error)),
            Ok(body) => {
                let request = Received {
                    headers,
                    query,
                    body: body.clone(),
                    at: self.inner.clock.now(),
                };
                (body, self.take_request(source, &request).await)
            }
        };
        if let Err(error) = &taken {
            self.note_refusal(source, error, &body);
        }
        taken
    }

    async fn take_request(
        &self,
        source: &OpenSource,
        request: &Received,
    ) -> Result<Option<Acknowledged>, Error> {
        check_enabled(source)?;
        let report = source.prove(request);
        if !report.is_genuine() {
            let failed = |outcome| outcome == Outcome::Failed;
            let finding = report.findings.into_iter().find(|it| failed(it.outcome));
            let why = finding.map_or_else(|| "it can't be verified".to_owned(), |it| it.text);
            return Err(Error::NotTaken {
                code: "not_genuine",
                why: format!("the request is not taken for genuine: {why}"),
            });
        }
        match self.event_of(source, request, &mut Vec::new()).await? {
            Came::Event(event) => self.take_one(*event).await.map(Some),
            Came::Dropped(why) => {
                self.note_dropped(source, &why, &request.body);
                Ok(None)
            }
        }
    }

    /// What becomes of a request; what was made of it on the way is added to `makings`.
    pub(in crate::service) async fn event_of(
        &self,
        source: &OpenSource,
        request: &Received,
        makings: &mut Vec<Making>,
    ) -> Result<Came, Error> {
        let expressions = match &source.maps {
            Maps::Expressions(expressions) => expressions,
            Maps::Plugin(plugin) => {
                // In a box: who names no plugin pays nothing for what waits here.
                let mapping = self.map_by_plugin((source, plugin), request, makings);
                return Box::pin(mapping).await;
            }
        };
        let made = expressions.make(request, makings)?;
        let data: &RawValue = serde_json::from_slice(&made.payload)
            .map_err(|error| Error::unreadable("the payload", error))?;
        let known_as = made.known_as.map(|name| source.known_as(&name));
        let envelope = NewEvent::of(made.event_type.as_str(), data, (known_as, None));
        let event = self.incoming(source.account, &made.payload, envelope, None)?;
        Ok(Came::Event(Box::new(store::NewEvent {
            origin: Some(Origin::of_source(&source.name).into()),
            ..event
        })))
    }
}

/// Refuses what is sent to a source that is switched off.
pub(in crate::service) fn check_enabled(source: &OpenSource) -> Result<(), Error> {
    if source.enabled {
        return Ok(());
    }
    Err(Error::NotTaken {
        code: "source_disabled",
        why: "this source is switched off: nothing that is sent to it is taken".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{SourceId, Timestamp};

    fn source(account: AccountId) -> Arc<OpenSource> {
        let at = Timestamp::from_ms(0);
        let row = Source {
            account,
            id: SourceId::mint(at),
            name: "a".to_owned(),
            path_sealed: Vec::new(),
            settings: r#"{"verification":{"scheme":"none"}}"#.to_owned(),
            enabled: true,
            refused: 0,
            created_at: at,
            updated_at: at,
        };
        Arc::new(OpenSource::open(&row, Vec::new()).expect("settings"))
    }

    #[test]
    fn a_look_up_that_a_change_overtakes_is_not_kept() {
        let doors = Doors::default();
        let account = |no| AccountId::from_uuid(uuid::Uuid::from_u128(no));
        let (one, other) = (source(account(1)), source(account(2)));
        doors.keep([1; 32], &one, 0);
        doors.keep([2; 32], &other, 0);
        doors.forget(account(1));
        assert!(doors.known.get(&[1; 32]).is_none());
        assert!(doors.known.get(&[2; 32]).is_some(), "another account's");
        doors.keep([1; 32], &one, 0);
        assert!(
            doors.known.get(&[1; 32]).is_none(),
            "it was read before the change"
        );
        doors.keep([1; 32], &one, 1);
        assert!(doors.known.get(&[1; 32]).is_some());
    }
}
