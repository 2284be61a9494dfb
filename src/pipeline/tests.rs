//! What can only be seen from inside: parts that break off, starts that fail, and events that are
//! evaluated after what their endpoint was at their revision has changed.

mod courses;
mod drafts;
mod jobs;
mod trials;

use std::net::SocketAddr;
use std::sync::atomic::AtomicUsize;

use bytes::Bytes;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::course::Unplanned;
use super::evaluate::AcceptedEvent;
use super::*;
use crate::automation::{Action, Definition, Trigger};
use crate::envelope::Envelope;
use crate::failure::FailurePolicy;
use crate::model::{AutomationId, EventId, ManualClock};
use crate::outbound::{self, EgressGuard, UrlRule};
use crate::plugin::{self, Engine};
use crate::retry::RetryPolicy;
use crate::signing::AccountKey;
use crate::store::{
    Accepted, Batch, DeliveryFilter, EndpointChange, EndpointState, NewAccount, NewAutomation,
    NewEndpoint, NewEvent, Publication,
};
use crate::throttle::EndpointLimits;
use crate::vault::MasterKey;

const NOW: Timestamp = Timestamp::from_ms(1_790_000_000_000);

/// A database with one account.
struct House {
    folder: TempDir,
    parts: Parts,
    account: AccountId,
}

impl House {
    async fn open() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite:{}", folder.path().join("house.db").display());
        let store = Store::open(&url).await.expect("it opens");
        let sandbox = plugin::Settings {
            instances_max: 2,
            ..plugin::Settings::default()
        };
        let engine = Engine::new(&sandbox).expect("an engine");
        let client = Client::new(outbound::Settings {
            guard: EgressGuard::new(vec!["127.0.0.0/8".parse().expect("a network")]),
            ..outbound::Settings::default()
        });
        let vault = Arc::new(Vault::new(MasterKey::from_random([7; 32]), Vec::new()));
        let account = AccountId::mint(NOW);
        let key = AccountKey::from_random([9; 32]).text().to_string();
        let sealed = vault.seal(key.as_bytes(), &sealing::account_key(account));
        let new = NewAccount {
            id: account,
            uid: None,
            name: "an account".to_owned(),
            signing_key: sealed.expect("sealed").into(),
            owner_mail: None,
            created_at: NOW,
        };
        store.create_account(&new).await.expect("it is new");
        let parts = Parts {
            components: Components::new(engine, store.clone()),
            store,
            vault,
            client: client.expect("a client"),
            clock: Clock::Manual(ManualClock::new(NOW)),
            limits: Limits::default(),
        };
        Self {
            folder,
            parts,
            account,
        }
    }

    async fn start(&self) -> Pipeline {
        Pipeline::start(self.parts.clone())
            .await
            .expect("it starts")
    }

    /// Past the store.
    fn execute(&self, sql: &str) {
        let path = self.folder.path().join("house.db");
        let connection = rusqlite::Connection::open(path).expect("it opens");
        connection.execute_batch(sql).expect("valid SQL");
    }

    /// An endpoint that everything goes to, unsigned and tried once.
    async fn endpoint(&self, url: String) -> EndpointId {
        let settings = EndpointSettings {
            profile: "default".to_owned(),
            envelope: Envelope::Raw,
            signatures: Vec::new(),
            retry_policy: RetryPolicy::own(Vec::new(), 0).expect("within bounds"),
            failure_policy: FailurePolicy::Never,
            timeout_ms: 30_000,
            subscribe: None,
            headers: std::collections::BTreeMap::new(),
            method: DeliveryMethod::Post,
            http: UrlRule::Allowed,
            explicit_port: UrlRule::Allowed,
            notify: None,
            limits: EndpointLimits::default(),
            success_rate_alert: crate::tally::SuccessRateAlert::Account,
            auth: None,
            client_certificate: None,
            proxy: None,
            follows: super::Follows::default(),
        };
        let id = EndpointId::mint(NOW);
        let definition = Definition {
            trigger: Trigger {
                events: vec!["*".parse().expect("a pattern")],
                schedule: None,
            },
            condition: None,
            flow: None,
            transforms: Vec::new(),
            actions: vec![Action::Webhook {
                endpoint: id,
                url: None,
            }],
            alert_after: None,
            tests: Vec::new(),
        };
        let new = NewEndpoint {
            id,
            name: "an endpoint".to_owned(),
            url,
            settings: serde_json::to_string(&settings).expect("plain"),
            owner_automation: None,
            state: EndpointState::Enabled,
            secrets: Vec::new(),
            key_pairs: Vec::new(),
            subscription: Some(NewAutomation {
                id: AutomationId::mint(NOW),
                name: "its own".to_owned(),
                owner_endpoint: Some(id),
                definition: serde_json::to_string(&definition).expect("plain"),
                publication: Publication::Live,
                endpoints: Vec::new(),
                author: None,
                note: None,
                override_reason: None,
                created_at: NOW,
            }),
            created_at: NOW,
        };
        let made = self.parts.store.create_endpoint(self.account, &new).await;
        made.expect("it is new");
        id
    }

    fn event(&self) -> NewEvent {
        NewEvent {
            account: self.account,
            id: EventId::mint(NOW),
            event_type: "a.b".parse().expect("a name"),
            occurred_at: NOW,
            payload: Bytes::from_static(b"{}"),
            origin: None,
            keys: Vec::new(),
            body_hash: [0; 32],
            violations: None,
        }
    }

    /// An event that is accepted now and not evaluated, and the account's revision then.
    async fn accepted(&self, pipeline: &Pipeline) -> (NewEvent, i64) {
        self.accepted_as(pipeline, self.event()).await
    }

    async fn accepted_as(&self, pipeline: &Pipeline, event: NewEvent) -> (NewEvent, i64) {
        let batch = Batch {
            accepts: vec![Arc::new(event.clone())],
            ..Batch::default()
        };
        let node = &pipeline.node;
        let outcome = node.store.write(node.holder, &batch).await;
        let Accepted::New { revision } = outcome.expect("written").accepted[0] else {
            panic!("it is new");
        };
        (event, revision)
    }

    /// Evaluates it now, and lets everything happen that follows. What became of its only delivery.
    async fn evaluated(&self, pipeline: &Pipeline, accepted: (NewEvent, i64)) -> String {
        let (event, revision) = accepted;
        let node = &pipeline.node;
        node.evaluate(vec![Unplanned {
            account: self.account,
            revision,
            event: AcceptedEvent {
                id: event.id,
                event_type: event.event_type,
                occurred_at: NOW,
                payload: event.payload,
                cause: None,
                origin: None,
            },
            permit: node.permits.take_over(self.account, 2),
            alone: None,
        }]);
        pipeline.settle().await;
        self.state(event.id).await
    }

    async fn change(&self, endpoint: EndpointId, change: EndpointChange) {
        let at = NOW.plus_ms(1);
        let store = &self.parts.store;
        let changed = store
            .change_endpoint(self.account, endpoint, &change, at)
            .await;
        changed.expect("written").expect("it is there");
    }

    /// What became of the only delivery of an event.
    async fn state(&self, event: EventId) -> String {
        let filter = DeliveryFilter {
            event: Some(event),
            ..DeliveryFilter::default()
        };
        let store = &self.parts.store;
        let page = store.deliveries(self.account, &filter, None, 10).await;
        let mut rows = page.expect("read").rows;
        assert_eq!(rows.len(), 1);
        rows.remove(0).state
    }
}

/// Takes everything, and counts it.
struct Taker {
    address: SocketAddr,
    taken: Arc<AtomicUsize>,
}

impl Taker {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let taken = Arc::<AtomicUsize>::default();
        let count = taken.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n{}") {
                    if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
                        break;
                    }
                }
                count.fetch_add(1, Ordering::SeqCst);
                let answer = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
                stream.write_all(answer).await.expect("it listens");
            }
        });
        Self { address, taken }
    }

    fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    fn count(&self) -> usize {
        self.taken.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn what_was_accepted_before_a_change_leaves_as_the_endpoint_stands_after_it() {
    let house = House::open().await;
    let (old, new) = (Taker::start().await, Taker::start().await);
    let endpoint = house.endpoint(old.url()).await;
    let pipeline = house.start().await;
    let first = house.accepted(&pipeline).await;
    assert_eq!(house.evaluated(&pipeline, first.clone()).await, "delivered");
    assert_eq!((old.count(), new.count()), (1, 0));

    let moved = house.accepted(&pipeline).await;
    let switched_off = house.accepted(&pipeline).await;
    assert_eq!(moved.1, first.1, "in memory as it was then");
    let url = EndpointChange {
        url: Some(new.url()),
        ..EndpointChange::default()
    };
    house.change(endpoint, url).await;
    assert_eq!(house.evaluated(&pipeline, moved).await, "delivered");
    assert_eq!((old.count(), new.count()), (1, 1), "to the new URL");

    let off = EndpointChange {
        state: Some(EndpointState::Disabled { why: "by_user" }),
        ..EndpointChange::default()
    };
    house.change(endpoint, off).await;
    assert_eq!(house.evaluated(&pipeline, switched_off).await, "held");
    assert_eq!((old.count(), new.count()), (1, 1), "nothing more");
    pipeline.shut_down().await.expect("it stops");
}

#[tokio::test]
async fn a_panic_in_a_part_of_it_ends_the_incarnation() {
    let house = House::open().await;
    let pipeline = house.start().await;
    assert!(pipeline.is_alive());
    pipeline.node.spawn(async { panic!("as a defect would") });
    pipeline.ended().await;
    assert!(!pipeline.is_alive());
    let answers = pipeline.accept(vec![house.event()]).await;
    assert_eq!(answers, [Err(AcceptError::Unavailable)]);
    pipeline.shut_down().await.expect("it stops");
    let next = house.start().await;
    assert!(next.accept(vec![house.event()]).await[0].is_ok());
    next.settle().await;
    next.shut_down().await.expect("it stops");
}

#[tokio::test]
async fn a_start_that_fails_leaves_nothing_at_work() {
    let house = House::open().await;
    house.execute("ALTER TABLE inbox RENAME TO away");
    let life = house.parts.store.begin_life(NOW).await.expect("it begins");
    let ghost = node_of(house.parts.clone(), life.id()).expect("it has threads");
    let failed = work(&ghost, life).await;
    assert!(failed.is_err(), "nothing can be taken over");
    assert!(ghost.is_closing() && *ghost.ended.borrow());
    ghost.tracker.close();
    ghost.tracker.wait().await;

    house.execute("ALTER TABLE away RENAME TO inbox");
    let pipeline = house.start().await;
    let refused = ghost.store.write(ghost.holder, &Batch::default()).await;
    assert!(
        matches!(refused, Err(store::Error::Fenced)),
        "it is nobody any more: {refused:?}"
    );
    pipeline.shut_down().await.expect("it stops");
}

#[tokio::test]
async fn a_plugin_that_can_not_be_read_fails_the_load_and_is_not_remembered() {
    let house = House::open().await;
    let definition = format!(
        r#"{{"trigger":{{"events":["*"]}},"transforms":[{{"plugin":"p@1.0.0","digest":"{}","config":{{}}}}],"actions":[]}}"#,
        plugin::Digest::of(b"nobody has it")
    );
    let new = NewAutomation {
        id: AutomationId::mint(NOW),
        name: "an automation".to_owned(),
        owner_endpoint: None,
        definition,
        publication: Publication::Live,
        endpoints: Vec::new(),
        author: None,
        note: None,
        override_reason: None,
        created_at: NOW,
    };
    let store = &house.parts.store;
    let revision = store.create_automation(house.account, &new).await;
    let revision = revision.expect("it is new");
    let Parts {
        store,
        vault,
        components,
        ..
    } = house.parts.clone();
    let snapshots = Snapshots::new(store, vault, components);
    house.execute("ALTER TABLE plugin_versions RENAME TO away");
    for _ in 0..2 {
        let failed = snapshots.at(house.account, revision).await;
        assert!(
            matches!(failed, Err(SnapshotError::Plugin(_))),
            "{failed:?}"
        );
    }
    house.execute("ALTER TABLE away RENAME TO plugin_versions");
    let loaded = snapshots.at(house.account, revision).await;
    let candidates = loaded
        .expect("it can be read")
        .candidates(&house.event().event_type);
    let verdict = &candidates[0].transforms[0].component;
    assert!(verdict.is_err(), "there is none, and that is a verdict");
}
