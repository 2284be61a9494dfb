//! Events that are made here: in the commit of what makes them, at the revision of that moment, once; and dead
//! letters, which are run again once.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use throwbar::model::{
    AccountId, AutomationId, Cause, DeadLetterId, EmissionOrigin, EventId, Link,
};
use throwbar::store::{
    Consequences, DeadLetterFilter, Health, LetterOutcome, LetterRun, LetterState, MadeEvent,
    NewDeadLetter, NewEmission, NewPlan, Store,
};

use super::{accept, somebody, write};
use crate::support::batch;
use crate::support::making::{self, now};
use crate::support::store::{TestStore, ok, on_both, some};

/// What is told of made events, in order.
fn heard(store: &Store) -> Arc<Mutex<Vec<MadeEvent>>> {
    let heard = Arc::<Mutex<Vec<MadeEvent>>>::default();
    let told = heard.clone();
    store.on_made(move |made| told.lock().expect("whole").extend(made));
    heard
}

/// A plan of an accepted event by which an automation makes one event.
async fn emitting(store: &Store, account: AccountId) -> (NewPlan, EventId) {
    let event = making::event(account, "{}");
    accept(store, &event).await;
    let automation = AutomationId::mint(now());
    let id = EventId::derive(&EmissionOrigin {
        event: event.id,
        automation,
        action_no: 0,
        output_no: 0,
    });
    let link = Link {
        event: event.id,
        automation,
    };
    let mut plan = making::plan(account, event.id, Vec::new());
    plan.consequences.emissions.push(NewEmission {
        id,
        event_type: "made.here".parse().expect("a name"),
        payload: Bytes::from_static(b"{ \"a\":1 }"),
        cause: Arc::new(Cause::next(None, link, 7)),
    });
    (plan, id)
}

#[tokio::test]
async fn an_event_is_made_with_its_plan_and_once() {
    on_both(async |engine| {
        let place = TestStore::open(engine).await;
        let store = &place.store;
        let own = making::account(store).await;
        let heard = heard(store);
        let (plan, id) = emitting(store, own).await;
        // It is evaluated as of what is published when it is made.
        making::stored_endpoint(store, own).await;
        let revision = some(store.account(own)).await.revision;
        let holder = somebody();
        for _ in 0..2 {
            ok(store.write(holder, &batch::plans(vec![plan.clone()]))).await;
        }
        let told = std::mem::take(&mut *heard.lock().expect("whole"));
        assert_eq!(told.len(), 1, "planned twice, it is made once");
        let made = &told[0];
        assert_eq!(
            (made.id, made.revision, made.holder),
            (id, revision, holder)
        );
        assert_eq!(made.payload, "{ \"a\":1 }");
        let stored = some(store.event(own, id)).await;
        assert_eq!(
            (stored.r#type.as_str(), stored.occurred_at),
            ("made.here", plan.evaluated_at)
        );
        let cause = some(store.cause(own, id)).await;
        assert_eq!(Some(&cause), made.cause.as_deref());
        assert_eq!(
            ok(store.inbox_len()).await,
            1,
            "it waits, and its parent does not"
        );
        // Once it is planned, it stays so.
        let done = making::plan(own, id, Vec::new());
        write(store, &batch::plans(vec![done])).await;
        write(store, &batch::plans(vec![plan])).await;
        assert_eq!(ok(store.inbox_len()).await, 0);
    })
    .await;
}

#[tokio::test]
async fn what_is_rolled_back_is_not_told() {
    on_both(async |engine| {
        let place = TestStore::open(engine).await;
        let store = &place.store;
        let own = making::account(store).await;
        let heard = heard(store);
        let (mut plan, _) = emitting(store, own).await;
        let twice = making::delivery(plan.event, making::endpoint().id, None);
        // A word that the database does not know.
        plan.deliveries = vec![throwbar::store::NewDelivery {
            webhook_id: "nul\0".to_owned(),
            ..twice
        }];
        let written = store.write(somebody(), &batch::plans(vec![plan])).await;
        let told = heard.lock().expect("whole").len();
        assert_eq!(told, usize::from(written.is_ok()));
        let events = place.number("SELECT COUNT(*) FROM events").await;
        assert_eq!(events, 1 + i64::from(written.is_ok()));
    })
    .await;
}

#[tokio::test]
async fn errors_are_counted_over_plans_and_forgotten_when_it_works() {
    on_both(async |engine| {
        let place = TestStore::open(engine).await;
        let store = &place.store;
        let own = making::account(store).await;
        let heard = heard(store);
        let automation = AutomationId::mint(now());
        let fares = async |health: Health| {
            let event = making::event(own, "{}");
            accept(store, &event).await;
            let mut plan = making::plan(own, event.id, Vec::new());
            plan.consequences.health.push((automation, health));
            write(store, &batch::plans(vec![plan])).await;
            let told = std::mem::take(&mut *heard.lock().expect("whole"));
            let types = told.iter().map(|event| event.event_type.to_string());
            types.collect::<Vec<_>>()
        };
        let failed = Health::Failed { alert_after: 2 };
        assert!(fares(Health::Works).await.is_empty());
        assert!(fares(failed).await.is_empty());
        assert_eq!(fares(failed).await, ["throwbar.automation.failing"]);
        assert!(fares(failed).await.is_empty(), "once");
        let revision = some(store.account(own)).await.revision;
        let snapshot = some(store.snapshot(own, revision)).await;
        assert_eq!(snapshot.failing, [automation]);
        assert_eq!(
            fares(Health::Works).await,
            ["throwbar.automation.recovered"]
        );
        assert!(fares(Health::Works).await.is_empty());
        assert!(fares(failed).await.is_empty(), "it counts anew");
    })
    .await;
}

/// A plan by which an automation has failed for an event.
async fn failing(store: &Store, account: AccountId, automation: AutomationId) -> NewDeadLetter {
    let event = making::event(account, "{}");
    accept(store, &event).await;
    let letter = NewDeadLetter {
        id: DeadLetterId::derive(event.id, event.id.minted_at(), automation),
        automation,
        version: 3,
        verdict: "plugin_error",
        summary: "it broke".to_owned(),
        place: Some(1),
        input: Some(Bytes::from_static(b"{ \"b\":2 }")),
        carried: Some(Bytes::from_static(b"[1]")),
    };
    let mut plan = making::plan(account, event.id, Vec::new());
    plan.consequences = Consequences {
        letters: vec![letter.clone()],
        ..Consequences::default()
    };
    for _ in 0..2 {
        write(store, &batch::plans(vec![plan.clone()])).await;
    }
    letter
}

#[tokio::test]
async fn letters_are_found_by_automation_verdict_time_and_state() {
    on_both(async |engine| {
        let place = TestStore::open(engine).await;
        let store = &place.store;
        let [own, other] = [making::account(store).await, making::account(store).await];
        let [one, two] = std::array::from_fn(|_| AutomationId::mint(now()));
        let first = failing(store, own, one).await;
        let second = failing(store, own, two).await;
        failing(store, other, one).await;
        let at = some(store.dead_letter(own, first.id))
            .await
            .event
            .minted_at();
        let any = DeadLetterFilter::default();
        let open = DeadLetterFilter {
            state: Some(LetterState::Open),
            ..any.clone()
        };
        let of = |verdict: &str| DeadLetterFilter {
            verdict: Some(verdict.to_owned()),
            ..open.clone()
        };
        let between = |since: Option<i64>, until: Option<i64>| DeadLetterFilter {
            since: since.map(|ms| at.plus_ms(ms)),
            until: until.map(|ms| at.plus_ms(ms)),
            ..any.clone()
        };
        let by_two = DeadLetterFilter {
            automation: Some(two),
            ..open.clone()
        };
        let settled = DeadLetterFilter {
            state: Some(LetterState::Rerun),
            ..any.clone()
        };
        for (filter, found) in [
            (any.clone(), 2),
            (by_two, 1),
            (settled, 0),
            (of("plugin_error"), 2),
            (of("condition_error"), 0),
            (between(Some(60_000), None), 0),
            (between(None, Some(0)), 0),
            (between(Some(0), Some(60_000)), 2),
        ] {
            let page = ok(store.dead_letters(own, &filter, None, 10)).await;
            assert_eq!(page.rows.len(), found, "{filter:?}");
        }
        let page = ok(store.dead_letters(own, &any, None, 1)).await;
        assert_eq!(page.rows[0].id, second.id.max(first.id), "the newest first");
        let next = ok(store.dead_letters(own, &any, page.next, 1)).await;
        assert_eq!(next.rows.len(), 1);
        let kept = ok(store.letter_inputs(own, first.id)).await;
        assert_eq!(kept.transform.as_deref(), Some(&b"{ \"b\":2 }"[..]));
        assert_eq!(kept.carried.as_deref(), Some(&b"[1]"[..]));
        assert!(ok(store.dead_letter(other, first.id)).await.is_none());
        assert!(!ok(store.discard_letter(other, first.id)).await);
        assert!(ok(store.discard_letter(own, first.id)).await);
        assert!(!ok(store.discard_letter(own, first.id)).await);
    })
    .await;
}

#[tokio::test]
async fn a_letter_is_run_again_once_and_counted_when_it_fails() {
    on_both(async |engine| {
        let place = TestStore::open(engine).await;
        let store = &place.store;
        let own = making::account(store).await;
        let endpoint = making::stored_endpoint(store, own).await;
        let letter = failing(store, own, AutomationId::mint(now())).await;
        let event = some(store.dead_letter(own, letter.id)).await.event;
        let at = now();
        let run = |verdict, outcome| LetterRun {
            letter: letter.id,
            version: 4,
            verdict,
            summary: "and now".to_owned(),
            outcome,
        };
        let again = run(
            "condition_error",
            LetterOutcome::Failed {
                place: None,
                input: None,
            },
        );
        assert_eq!(ok(store.write_reruns(own, &[again], at)).await, [true]);
        let row = some(store.dead_letter(own, letter.id)).await;
        assert_eq!((row.failures, row.version, row.place), (2, 4, None));
        assert_eq!(
            (row.verdict.as_str(), row.state.as_str()),
            ("condition_error", "open")
        );
        let kept = ok(store.letter_inputs(own, letter.id)).await;
        assert!(kept.transform.is_none() && kept.carried.is_some());

        let delivery = making::delivery(event, endpoint, Some(at));
        let plan = making::plan(own, event, vec![delivery.clone()]);
        let settled = run("fired", LetterOutcome::Settled(Arc::new(plan)));
        for written in [true, false] {
            let runs = std::slice::from_ref(&settled);
            assert_eq!(ok(store.write_reruns(own, runs, at)).await, [written]);
        }
        let row = some(store.dead_letter(own, letter.id)).await;
        assert_eq!((row.state.as_str(), row.failures), ("rerun", 2));
        assert_eq!((row.rerun_version, row.rerun_at), (Some(4), Some(at)));
        assert_eq!(row.rerun_verdict.as_deref(), Some("fired"));
        let sent = place.number("SELECT COUNT(*) FROM deliveries").await;
        assert_eq!(sent, 1);
        assert_eq!(super::state(store, own, delivery.id).await, "pending");
        // Another account's is nobody's.
        let other = making::account(store).await;
        assert_eq!(ok(store.write_reruns(other, &[settled], at)).await, [false]);
    })
    .await;
}
