//! Keys: one event of a window wins, on one node or two, and an account has so many of them.

use throwbar::automation::flow::{Ask, FlowVerdict, Over, Then};
use throwbar::model::limits::FLOW_KEYS_PER_ACCOUNT_MAX;
use throwbar::model::{AutomationId, DeadLetterId};
use throwbar::store::NewPlan;

use super::{Story, debounce, dedupe, digest};
use crate::store_contract::somebody;
use crate::support::batch;
use crate::support::making::{self, now};
use crate::support::store::{Engine, TestStore, ok, on_both, some};

#[tokio::test]
async fn one_event_of_a_key_wins_in_a_batch_and_over_batches() {
    on_both(async |engine| {
        let place = TestStore::open(engine).await;
        let story = Story::begin(&place.store).await;
        let mut plans = Vec::new();
        for _ in 0..5 {
            plans.push(story.planned(&dedupe(1_000), 0).await);
        }
        let first = plans[0].event;
        plans.reverse();
        let gated = story.write(plans.clone()).await;
        let won: Vec<_> = gated.iter().filter(|one| one.goes_on).collect();
        assert_eq!((won.len(), won[0].event), (1, first), "the first that came");
        let later = story.take(&dedupe(1_000), 999).await;
        assert_eq!(
            (later.verdict, later.goes_on),
            (FlowVerdict::Deduped, false)
        );
        let record = story.record(later.event).await;
        assert!(
            record.summary.contains(&first.to_string()),
            "{}",
            record.summary
        );
        assert!(
            record.steps.contains("\"what\":\"dedupe\""),
            "{}",
            record.steps
        );

        assert_eq!(
            story.write(plans).await,
            [],
            "planned again, nothing is decided again"
        );
        let next = story.take(&dedupe(1_000), 1_000).await;
        assert!(next.goes_on, "the window is over");
        assert_eq!(
            place
                .number("SELECT COUNT(*) FROM flow_waits WHERE state = 'claimed'")
                .await,
            2
        );
    })
    .await;
}

#[tokio::test]
async fn a_key_is_of_one_automation_of_one_account() {
    on_both(async |engine| {
        let place = TestStore::open(engine).await;
        let (story, other) = (
            Story::begin(&place.store).await,
            Story::begin(&place.store).await,
        );
        assert!(story.take(&dedupe(1_000), 0).await.goes_on);
        assert!(other.take(&dedupe(1_000), 0).await.goes_on, "another's");
        let second = Story {
            automation: AutomationId::mint(now()),
            ..Story::begin(&place.store).await
        };
        assert!(second.take(&dedupe(1_000), 0).await.goes_on);
        let known = ok(place
            .store
            .flow_known(other.account, story.automation, &dedupe(1)))
        .await;
        assert_eq!(known.taken, None);
    })
    .await;
}

#[tokio::test]
async fn an_account_with_too_many_keys_is_told_so_and_another_is_not() {
    on_both(async |engine| {
        let place = TestStore::open(engine).await;
        let story = Story::begin(&place.store).await;
        assert!(story.take(&dedupe(1_000), 0).await.goes_on);
        let filled = match engine {
            Engine::Sqlite => format!(
                "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {FLOW_KEYS_PER_ACCOUNT_MAX})
                 INSERT INTO flow_keys SELECT k.account_id, k.automation_id, k.kind, CAST(i AS TEXT), k.event_id,
                   k.at_ms, k.events, k.expires_at_ms FROM n, (SELECT * FROM flow_keys LIMIT 1) k"
            ),
            Engine::Postgres => format!(
                "INSERT INTO flow_keys SELECT k.account_id, k.automation_id, k.kind, CAST(i AS TEXT), k.event_id,
                   k.at_ms, k.events, k.expires_at_ms
                 FROM generate_series(1, {FLOW_KEYS_PER_ACCOUNT_MAX}) i, (SELECT * FROM flow_keys LIMIT 1) k"
            ),
        };
        place.execute(&filled).await;
        // A node that has counted before counts again when it is told of nothing for a while.
        let fresh = place.another().await;
        let story = Story { store: &fresh, ..story };
        let other_key = Ask {
            dedupe: Some(("new".to_owned(), 1_000)),
            then: Then::Go,
        };
        let refused = story.take(&other_key, 0).await;
        assert_eq!((refused.verdict, refused.goes_on), (FlowVerdict::LimitExceeded, false));
        let record = story.record(refused.event).await;
        assert!(record.summary.contains("100000 keys"), "{}", record.summary);
        let letter = DeadLetterId::derive(refused.event, refused.event.minted_at(), story.automation);
        let letter = some(fresh.dead_letter(story.account, letter)).await;
        assert_eq!((letter.verdict.as_str(), letter.state.as_str()), ("limit_exceeded", "open"));
        assert_eq!(letter.summary, record.summary);
        let errors = "SELECT errors FROM automation_failures";
        assert_eq!(place.number(errors).await, 1);
        let again = story.plan_of(&making::event(story.account, "x"), &other_key, 0);
        let again = NewPlan { event: refused.event, ..again };
        assert_eq!(story.write(vec![again]).await, [], "planned again");
        assert_eq!(place.number(errors).await, 1, "and failed once");
        let known = story.take(&dedupe(1_000), 0).await;
        assert_eq!(known.verdict, FlowVerdict::Deduped, "a key that is known goes on being one");
        assert!(Story::begin(&fresh).await.take(&dedupe(1_000), 0).await.goes_on);
    })
    .await;
}

#[tokio::test]
async fn two_nodes_with_one_key_decide_one_after_the_other() {
    let place = TestStore::open(Engine::Postgres).await;
    let stores = [place.another().await, place.another().await];
    let story = Story::begin(&place.store).await;
    let limit = Ask {
        dedupe: Some(("k".to_owned(), 1_000)),
        then: Then::Rate {
            key: "k".to_owned(),
            events_max: 1,
            window_ms: 1_000,
            over: Over::Drop,
        },
    };
    let mut asks = vec![limit, debounce(), digest(1_000)];
    asks[0].dedupe = None;
    asks.push(dedupe(1_000));
    let mut written = Vec::new();
    for no in 0..40 {
        let plan = story.planned(&asks[no % 4], 0).await;
        let node = stores[no % 8 / 4].clone();
        let holder = story.holder;
        written.push(tokio::spawn(async move {
            loop {
                match node.write(holder, &batch::plans(vec![plan.clone()])).await {
                    Ok(outcome) => return outcome.gated[0],
                    Err(throwbar::store::Error::Raced) => {}
                    Err(error) => panic!("{error:?}"),
                }
            }
        }));
    }
    let mut goes_on = 0;
    for written in written {
        goes_on += usize::from(written.await.expect("written").goes_on);
    }
    assert_eq!(goes_on, 2, "one by the limit, one by the dedupe");
    assert_eq!(
        place
            .number("SELECT COUNT(*) FROM flow_waits WHERE kind = 'debounce'")
            .await,
        1
    );
    assert_eq!(
        place
            .number("SELECT COUNT(*) FROM flow_waits WHERE kind = 'digest'")
            .await,
        1
    );
    let placed = "SELECT COUNT(DISTINCT place) FROM flow_entries";
    assert_eq!(place.number(placed).await, 10);
}

#[tokio::test]
async fn plans_without_flow_control_ask_nothing() {
    on_both(async |engine| {
        let place = TestStore::open(engine).await;
        // Whoever looked into these tables would find none.
        let tables = ["flow_keys", "flow_waits", "flow_entries", "flow_verdicts"];
        for table in tables {
            place
                .execute(&format!("ALTER TABLE {table} RENAME TO {table}_away"))
                .await;
        }
        let own = making::account(&place.store).await;
        let event = making::event(own, "1");
        ok(place
            .store
            .write(somebody(), &batch::accepts(vec![event.clone()])))
        .await;
        let plan = making::plan(own, event.id, Vec::new());
        let outcome = ok(place.store.write(somebody(), &batch::plans(vec![plan]))).await;
        assert_eq!(outcome.gated, []);
    })
    .await;
}
