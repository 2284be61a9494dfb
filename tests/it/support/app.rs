//! A whole node in this process, on either engine: the store, the sandbox, the guarded way out, the
//! pipeline, a scripted receiver beside it, and a clock in the test's hand.
//!
//! A story ends with [`TestApp::finish`], which checks that nothing is left half done. An app that is
//! dropped without it fails its test.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use throwbar::model::{AccountId, Clock, DeliveryId, EventId, ManualClock};
use throwbar::outbound::{self, Client, EgressGuard};
use throwbar::pipeline::components::Components;
use throwbar::pipeline::{
    AcceptError, Acknowledged, Evaluation, Explained, Limits, Parts, Pipeline,
};
use throwbar::plugin;
use throwbar::store::{Attempt, Delivery, DeliveryFilter, NewEvent, Store};
use throwbar::vault::{MasterKey, Vault};

use super::before_hanging;
use super::receiver::Receiver;
use super::store::{Engine, TestStore, on_both};

/// The node.
pub struct TestApp {
    /// Its database.
    pub place: TestStore,
    /// Its store, with the life of its pipeline.
    pub store: Store,
    /// What seals its secrets.
    pub vault: Arc<Vault>,
    /// The time, which stands still until [`TestApp::advance`].
    pub clock: ManualClock,
    /// Where its endpoints are.
    pub receiver: Receiver,
    /// The account that the story is about.
    pub account: AccountId,
    /// The text of the account's key.
    pub account_key: String,
    pipeline: Option<Pipeline>,
    parts: Parts,
    finished: bool,
}

/// The master key of all tests.
fn vault() -> Arc<Vault> {
    Arc::new(Vault::new(MasterKey::from_random([7; 32]), Vec::new()))
}

/// What a pipeline on `store` works with: real parts, loopback allowed, the clock in a hand.
pub fn parts(store: Store, clock: &ManualClock, limits: Limits) -> Parts {
    let loopback = "127.0.0.0/8".parse().expect("a network");
    let client = Client::new(outbound::Settings {
        guard: EgressGuard::new(vec![loopback]),
        response_bytes_max: 64 * 1024,
        ..outbound::Settings::default()
    });
    let sandbox = plugin::Settings {
        instances_max: 4,
        ..plugin::Settings::default()
    };
    let engine = plugin::Engine::new(&sandbox).expect("a sandbox");
    Parts {
        components: Components::new(engine, store.clone()),
        store,
        vault: vault(),
        client: client.expect("a client"),
        clock: Clock::Manual(clock.clone()),
        limits,
    }
}

impl TestApp {
    /// Tells the story of one at work on each engine, to its end.
    pub async fn on_both(story: impl AsyncFn(&Self)) {
        on_both(async |engine| {
            let app = Self::start(engine).await;
            story(&app).await;
            app.finish().await;
        })
        .await;
    }

    /// One at work.
    pub async fn start(engine: Engine) -> Self {
        Self::start_with(engine, Limits::default()).await
    }

    /// One at work whose requests go out like this.
    pub async fn start_dialling(engine: Engine, settings: outbound::Settings) -> Self {
        let mut app = Self::prepare(engine, Limits::default()).await;
        app.parts.client = Client::new(settings).expect("a client");
        app.wake().await;
        app
    }

    /// One at work within other bounds.
    pub async fn start_with(engine: Engine, limits: Limits) -> Self {
        let mut app = Self::prepare(engine, limits).await;
        app.wake().await;
        app
    }

    /// One whose pipeline is not started yet.
    pub async fn prepare(engine: Engine, limits: Limits) -> Self {
        let place = TestStore::open(engine).await;
        let store = place.store.clone();
        let clock = ManualClock::new(Clock::System.now());
        let mut app = Self {
            parts: parts(store.clone(), &clock, limits),
            vault: vault(),
            receiver: Receiver::start().await,
            account: AccountId::mint(clock.now()),
            account_key: String::new(),
            pipeline: None,
            finished: false,
            place,
            store,
            clock,
        };
        (app.account, app.account_key) = app.new_account().await;
        app
    }

    /// Starts its pipeline: a life that takes over whatever is left from before.
    pub async fn wake(&mut self) {
        let started = before_hanging("the start", Pipeline::start(self.parts.clone())).await;
        self.pipeline = Some(started.expect("it starts"));
    }

    /// Stops it in good order, as far as its patience goes, and keeps the database.
    pub async fn stop(&mut self) {
        let pipeline = self.pipeline.take().expect("it was started");
        before_hanging("the shutdown", pipeline.shut_down())
            .await
            .expect("it stops");
    }

    /// The pipeline.
    pub fn pipeline(&self) -> &Pipeline {
        self.pipeline.as_ref().expect("it was started")
    }

    /// An event of the app's account, not accepted yet.
    pub fn event(&self, event_type: &str, payload: impl Into<Bytes>) -> NewEvent {
        let now = self.clock.now();
        NewEvent {
            account: self.account,
            id: EventId::mint(now),
            event_type: event_type.parse().expect("a name"),
            occurred_at: now,
            payload: payload.into(),
            origin: None,
            keys: Vec::new(),
            body_hash: [0; 32],
            violations: None,
        }
    }

    /// Offers events, all at once.
    pub async fn accept(&self, events: Vec<NewEvent>) -> Vec<Result<Acknowledged, AcceptError>> {
        before_hanging("the acknowledgement", self.pipeline().accept(events)).await
    }

    /// Sends an event, which is acknowledged.
    pub async fn send(&self, event_type: &str, payload: impl Into<Bytes>) -> EventId {
        let answers = self.accept(vec![self.event(event_type, payload)]).await;
        answers[0].expect("it is accepted").event
    }

    /// Returns when nothing is under way and nothing is due.
    pub async fn settle(&self) {
        before_hanging("everything to settle", self.pipeline().settle()).await;
    }

    /// Turns the clock, and lets happen what is due by then.
    pub async fn advance(&self, by: Duration) {
        self.clock.advance(by);
        self.settle().await;
    }

    /// Sends an event and lets everything happen that follows now.
    pub async fn send_and_settle(&self, event_type: &str, payload: impl Into<Bytes>) -> EventId {
        let event = self.send(event_type, payload).await;
        self.settle().await;
        event
    }

    /// The deliveries of an event, by endpoint and id.
    pub async fn deliveries(&self, event: EventId) -> Vec<Delivery> {
        let filter = DeliveryFilter {
            event: Some(event),
            ..DeliveryFilter::default()
        };
        let page = self
            .store
            .deliveries(self.account, &filter, None, 1000)
            .await
            .expect("read");
        assert!(page.next.is_none(), "more deliveries than a story has");
        page.rows
    }

    /// The only delivery of an event.
    pub async fn delivery(&self, event: EventId) -> Delivery {
        let mut deliveries = self.deliveries(event).await;
        assert_eq!(deliveries.len(), 1, "{deliveries:?}");
        deliveries.remove(0)
    }

    /// The attempts of a delivery, oldest first.
    pub async fn attempts(&self, delivery: DeliveryId) -> Vec<Attempt> {
        self.store
            .attempts(self.account, delivery)
            .await
            .expect("read")
    }

    /// The state of an event's only delivery in a word, and what its attempts came to.
    pub async fn outcome(&self, event: EventId) -> (String, Vec<String>) {
        let delivery = self.delivery(event).await;
        let attempts = self.attempts(delivery.id).await;
        let words =
            attempts.iter().map(
                |attempt| match (&attempt.status_code, &attempt.error_class) {
                    (Some(status), None) => status.to_string(),
                    (None, Some(class)) => class.clone(),
                    other => panic!("an attempt with {other:?}"),
                },
            );
        (delivery.state, words.collect())
    }

    /// What is on record of each candidate automation.
    pub async fn verdicts(&self, event: EventId) -> Vec<Explained> {
        let packed = self
            .store
            .verdicts(self.account, event)
            .await
            .expect("read");
        explained(&packed.expect("it was evaluated"))
    }

    /// Ends the story: everything settles, and nothing is left half done.
    pub async fn finish(mut self) {
        self.finished = true;
        if self.pipeline.is_some() {
            self.settle().await;
            self.stop().await;
        }
        assert_eq!(
            self.store.inbox_len().await.expect("read"),
            0,
            "an event was not planned"
        );
        let claimed = DeliveryFilter {
            state: Some("claimed".to_owned()),
            ..DeliveryFilter::default()
        };
        for account in self.store.accounts(None, 1000).await.expect("read") {
            let left = self
                .store
                .deliveries(account.id, &claimed, None, 10)
                .await
                .expect("read");
            assert!(
                left.rows.is_empty(),
                "nobody is at these any more: {:?}",
                left.rows
            );
        }
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        assert!(
            self.finished || std::thread::panicking(),
            "the story did not `finish`"
        );
    }
}

/// A record, as far as it tells by itself.
pub fn explained(packed: &[u8]) -> Vec<Explained> {
    let found: Vec<Evaluation> = serde_json::from_slice(packed).expect("valid");
    found.into_iter().map(Explained::from).collect()
}
