//! The fence: from the moment somebody has declared a node dead in PostgreSQL, each of its writes is
//! refused, whatever it is.

use bytes::Bytes;
use throwbar::model::{
    AccountId, AutomationId, DeliveryState, EndpointId, EventId, IncarnationId, SecretId,
};
use throwbar::store::{
    AutomationChange, AutomationStanding, Batch, ClaimRequest, EndpointChange, Error, Store,
    Switch, Whole,
};

use super::accounts::api_key;
use super::jobs::new_job;
use super::lives::until_ended;
use super::planning::record;
use super::plugins::plugin_version;
use super::{claim, planned, somebody, state};
use crate::support::batch;
use crate::support::making::{self, now};
use crate::support::store::{Engine, TestStore, ok, some};

/// What was there before the node was declared dead.
struct Known {
    account: AccountId,
    endpoint: EndpointId,
    automation: AutomationId,
    dead: IncarnationId,
}

/// A store whose life somebody else has ended.
async fn ended(place: &TestStore) -> (Store, Known) {
    let account = making::account(&place.store).await;
    let automation = making::automation("one");
    ok(place.store.create_automation(account, &automation)).await;
    let late = place.another().await;
    let life = ok(late.begin_life(now())).await;
    let known = Known {
        account,
        endpoint: making::stored_endpoint(&place.store, account).await,
        automation: automation.id,
        dead: life.id(),
    };
    drop(life);
    let mut living = ok(place.store.begin_life(now())).await;
    until_ended(&place.store, &mut living, known.dead).await;
    ok(place.store.end_life(living, now())).await;
    (late, known)
}

#[track_caller]
fn refused<T>(answer: Result<T, Error>) {
    assert!(matches!(answer.err(), Some(Error::Fenced)));
}

async fn pipeline_is_refused(late: &Store, known: &Known) {
    let &Known {
        account,
        endpoint,
        dead,
        ..
    } = known;
    let accepts = batch::accepts(vec![making::event(account, "1")]);
    let again = making::delivery(EventId::mint(now()), endpoint, None).id;
    refused(late.write(dead, &accepts).await);
    refused(late.write(dead, &Batch::default()).await);
    refused(late.take_over_inbox(somebody(), dead, 1).await);
    refused(late.release_claims(somebody(), dead, now(), 1).await);
    refused(late.begin_alone(account, EventId::mint(now()), dead).await);
    refused(late.forget_life(somebody()).await);
    refused(late.cancel_open(account, endpoint, 1).await);
    refused(late.resend(account, again, again, now()).await);
    refused(late.take_jobs(dead, 1, now()).await);
}

async fn users_are_refused(late: &Store, known: &Known) {
    let &Known {
        account,
        endpoint,
        automation,
        ..
    } = known;
    let lives = (now(), now());
    let key = api_key(Some(account), 1);
    refused(late.switch_account(account, Switch::Off).await);
    refused(late.create_account(&making::new_account()).await);
    refused(late.create_api_key(&key).await);
    refused(late.revoke_api_key(account, key.id, now()).await);
    let of_one = making::event_type("a", 1);
    refused(making::write_event_type(late, account, None, &of_one).await);
    refused(late.change_intake(account, Some("mark"), None).await);
    refused(late.delete_event_type(account, "a").await);
    let hold = (account, "k", [0; 16]);
    refused(late.begin_reply(hold, [0; 32], lives).await);
    refused(late.extend_reply(hold, now()).await);
    let whole = Whole::default();
    refused(late.finish_reply(hold, (200, b"{}"), now(), &whole).await);
    refused(late.abandon_reply(hold, &whole).await);
    refused(late.forget_replies(now(), 1).await);
    refused(late.forget_event_keys(now(), 1).await);
    let change = EndpointChange::default();
    let secret = (SecretId::mint(now()), Bytes::new(), now());
    refused(late.create_endpoint(account, &making::endpoint()).await);
    refused(
        late.change_endpoint(account, endpoint, &change, now())
            .await,
    );
    refused(late.rotate_secret(account, endpoint, secret, now()).await);
    refused(late.delete_endpoint(account, endpoint, now()).await);
    let plugin = plugin_version("redact", "1.0.0", 1);
    refused(
        late.create_automation(account, &making::automation("x"))
            .await,
    );
    let from = AutomationStanding {
        name: "x".to_owned(),
        latest_version: 1,
        published_version: None,
        enabled: false,
        archived: false,
    };
    let further = making::automation("x");
    let renamed = AutomationChange {
        name: Some("y".to_owned()),
        course: None,
        by: making::authorship(),
    };
    refused(late.save_version(account, &further, &from).await);
    refused(
        late.change_automation(account, automation, &renamed, &from)
            .await,
    );
    refused(late.delete_automation(account, automation, now()).await);
    let job = new_job();
    refused(late.create_job(account, &job).await);
    refused(late.cancel_job(account, job.id, now()).await);
    refused(late.add_plugin_version(account, &plugin).await);
}

#[tokio::test]
async fn who_was_declared_dead_writes_nothing_more() {
    let place = TestStore::open(Engine::Postgres).await;
    let (late, known) = Box::pin(ended(&place)).await;
    Box::pin(pipeline_is_refused(&late, &known)).await;
    Box::pin(users_are_refused(&late, &known)).await;

    let account = some(late.account(known.account)).await;
    assert!(account.enabled, "it may read, and nothing has changed");
    some(late.endpoint(known.account, known.endpoint)).await;
    assert_eq!(ok(late.inbox_len()).await, 0);

    let life = ok(late.begin_life(now())).await;
    let accepts = batch::accepts(vec![making::event(known.account, "1")]);
    ok(late.write(life.id(), &accepts)).await;
}

#[tokio::test]
async fn what_a_dead_node_had_in_hand_is_refused_and_its_heir_s_record_stands() {
    let place = TestStore::open(Engine::Postgres).await;
    let (heir, late) = (&place.store, &place.another().await);
    let account = making::account(heir).await;
    let to = (account, making::stored_endpoint(heir, account).await);
    // The node sends a delivery of its own when it is cut off: it goes on, and knows nothing.
    let life = ok(late.begin_life(now())).await;
    let dead = life.id();
    let delivery = planned(late, dead, to, None).await;
    drop(life);

    // Somebody else takes over, and has claimed the delivery: it is just the state a record is for.
    let mut living = ok(heir.begin_life(now())).await;
    until_ended(heir, &mut living, dead).await;
    assert_eq!(
        ok(heir.release_claims(dead, living.id(), now(), 10)).await,
        [to]
    );
    let request = ClaimRequest {
        account,
        endpoint: to.1,
        now: now().plus_ms(1_000),
        limit: 10,
        first: 0,
    };
    let claimed = claim(heir, living.id(), request).await.deliveries;
    assert_eq!(claimed.len(), 1);

    // Now the node has an answer, a plan and an event to write, alone and all together.
    let (event, planned_late) = (making::event(account, "1"), making::event(account, "2"));
    let waits = making::delivery(planned_late.id, to.1, Some(now()));
    let delivered = DeliveryState::Delivered { at: now() };
    let [records, plans, accepts] = [
        batch::records(vec![record(to, delivery, delivered)]),
        batch::plans(vec![making::plan(
            account,
            planned_late.id,
            vec![waits.clone()],
        )]),
        batch::accepts(vec![event.clone()]),
    ];
    let together = Batch {
        records: records.records.clone(),
        plans: plans.plans.clone(),
        accepts: accepts.accepts.clone(),
        ..Batch::default()
    };
    for batch in [&records, &plans, &accepts, &together] {
        refused(late.write(dead, batch).await);
    }

    assert_eq!(state(heir, account, delivery).await, "claimed");
    let attempts = ok(heir.attempts(account, delivery)).await;
    let classes: Vec<_> = attempts
        .iter()
        .map(|row| row.error_class.as_deref())
        .collect();
    assert_eq!(classes, [Some("interrupted")]);
    assert!(ok(heir.delivery(account, waits.id)).await.is_none());
    assert!(ok(heir.event(account, event.id)).await.is_none());

    // The same record is the heir's to write.
    ok(heir.write(living.id(), &records)).await;
    assert_eq!(state(heir, account, delivery).await, "delivered");
}
