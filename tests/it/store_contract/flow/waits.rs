//! What waits: claimed once, in its order, held while its automation is off, released by whoever takes over.

use throwbar::automation::flow::{Over, Then};
use throwbar::store::{Fate, Publication};

use super::{Story, debounce, dedupe, digest, then};
use crate::store_contract::somebody;
use crate::support::making::{self, now};
use crate::support::store::{TestStore, ok, on_both, some};

async fn rows(place: &TestStore) -> i64 {
    let tables = ["flow_keys", "flow_waits", "flow_entries"];
    let mut count = 0;
    for table in tables {
        count += place.number(&format!("SELECT COUNT(*) FROM {table}")).await;
    }
    count
}

#[tokio::test]
async fn the_last_of_a_debounce_waits_and_is_claimed_once() {
    on_both(async |engine| {
        let place = TestStore::open(engine).await;
        let story = Story::begin(&place.store).await;
        let first = story.take(&debounce(), 0).await;
        assert_eq!(first.due_at, Some(story.start.plus_ms(100)));
        // Two in one commit: the second takes the place of the first, that of the one before.
        let pair = vec![
            story.planned(&debounce(), 60).await,
            story.planned(&debounce(), 60).await,
        ];
        let last = pair[1].event;
        let middle = pair[0].event;
        story.write(pair).await;
        assert_eq!(place.number("SELECT COUNT(*) FROM flow_waits").await, 1);
        let record = story.record(first.event).await;
        assert_eq!(
            (record.verdict.as_str(), record.went_with),
            ("debounced", Some(middle))
        );
        let note = record.note.expect("it is told");
        assert!(
            note.starts_with(&format!("{middle} took its place")),
            "{note}"
        );
        assert_eq!(story.record(middle).await.went_with, Some(last));

        assert_eq!(story.claimed(159).await, []);
        assert_eq!(story.claimed(160).await, [last]);
        assert_eq!(story.claimed(160).await, [], "once");
        // What is claimed takes no more: the next one begins anew.
        let next = story.take(&debounce(), 161).await;
        assert_eq!(next.due_at, Some(story.start.plus_ms(261)));
        assert_eq!(story.record(last).await.went_with, None);

        story.write(vec![story.late(last)]).await;
        let record = story.record(last).await;
        assert_eq!(record.late.as_deref(), Some(&b"[1]"[..]));
        assert_eq!(place.number("SELECT COUNT(*) FROM flow_waits").await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_digest_has_its_events_in_order_and_none_after_it_was_claimed() {
    on_both(async |engine| {
        let place = TestStore::open(engine).await;
        let story = Story::begin(&place.store).await;
        let first = story.take(&digest(3), 0).await;
        let mut events = vec![first.event];
        for ms in [10, 20] {
            let gated = story.take(&digest(3), ms).await;
            assert_eq!(story.record(gated.event).await.went_with, Some(first.event));
            events.push(gated.event);
        }
        // It is full, and due: the next one begins another.
        let fourth = story.take(&digest(3), 20).await;
        assert_eq!(story.claimed(20).await, [first.event]);
        let entries = ok(place.store.digest_events(story.place(first.event))).await;
        assert_eq!(
            entries.iter().map(|entry| entry.id).collect::<Vec<_>>(),
            events
        );
        assert_eq!(&entries[1].payload[..], b"10", "byte for byte");
        let other = ok(place.store.digest_events(story.place(fourth.event))).await;
        assert_eq!(other.len(), 1);

        story.write(vec![story.late(first.event)]).await;
        let record = story.record(events[2]).await;
        assert_eq!(
            record.whole.as_deref(),
            Some(&b"[1]"[..]),
            "what it went with is known"
        );
        assert!(
            ok(place.store.digest_events(story.place(first.event)))
                .await
                .is_empty()
        );
        story.write(vec![story.late(fourth.event)]).await;
        assert_eq!(rows(&place).await, 1, "the key alone, until it expires");
        ok(place
            .store
            .forget_flow_keys(story.start.plus_ms(864_000_000), 10))
        .await;
        assert_eq!(rows(&place).await, 0);
    })
    .await;
}

#[tokio::test]
async fn what_a_limit_delays_waits_for_its_window() {
    on_both(async |engine| {
        let place = TestStore::open(engine).await;
        let story = Story::begin(&place.store).await;
        let limit = then(Then::Rate {
            key: String::new(),
            events_max: 2,
            window_ms: 100,
            over: Over::Delay,
        });
        let mut plans = Vec::new();
        for _ in 0..5 {
            plans.push(story.planned(&limit, 0).await);
        }
        let gated = story.write(plans).await;
        let due: Vec<_> = gated
            .iter()
            .map(|one| one.due_at.map(|at| at.ms_since(story.start)))
            .collect();
        assert_eq!(due, [None, None, Some(100), Some(100), Some(200)]);
        assert_eq!(story.claimed(100).await, [gated[2].event, gated[3].event]);
        let due = ok(place.store.due_waits(None, 10)).await;
        assert_eq!((due.len(), due[0].account), (1, story.account));
        assert_eq!(due[0].due_at, story.start.plus_ms(200));
        assert!(
            ok(place.store.due_waits(Some(story.account), 10))
                .await
                .is_empty()
        );
    })
    .await;
}

#[tokio::test]
async fn what_a_dead_life_has_claimed_waits_again() {
    on_both(async |engine| {
        let place = TestStore::open(engine).await;
        let story = Story::begin(&place.store).await;
        let gone = story.take(&dedupe(1_000), 0).await;
        assert!(gone.goes_on, "claimed with its plan");
        let heir = somebody();
        assert_eq!(ok(place.store.find_ownerless()).await, [story.holder]);
        let released = ok(place.store.release_waits(story.holder, heir, 10)).await;
        assert_eq!(released, [story.account]);
        assert!(
            ok(place.store.release_waits(story.holder, heir, 10))
                .await
                .is_empty()
        );
        let claim = ok(place.store.claim_waits(heir, story.account, now(), 10)).await;
        assert_eq!(claim.waits.len(), 1);
        assert_eq!(
            (claim.waits[0].place.event, claim.waits[0].takeovers),
            (gone.event, 1)
        );
    })
    .await;
}

#[tokio::test]
async fn what_waits_is_held_while_its_automation_is_off() {
    on_both(async |engine| {
        let place = TestStore::open(engine).await;
        let (story, db) = (Story::begin(&place.store).await, &place.store);
        let event = story.take(&debounce(), 0).await.event;
        assert_eq!(story.claimed(100).await, [event]);
        let hold = async || ok(db.hold_wait(story.holder, story.place(event), now())).await;
        assert!(!hold().await, "it works: it waits again");
        assert_eq!(story.claimed(100).await, [event]);

        ok(making::switch(
            db,
            story.account,
            story.automation,
            Publication::Off,
        ))
        .await;
        let found = some(db.waiting_version(story.account, story.automation, 1)).await;
        assert_eq!((found.fate, found.version.version), (Fate::Off, 1));
        assert!(hold().await);
        assert!(
            story
                .record(event)
                .await
                .note
                .is_some_and(|note| note.contains("is held"))
        );
        assert_eq!(story.claimed(10_000).await, []);
        ok(making::switch(
            db,
            story.account,
            story.automation,
            Publication::Live,
        ))
        .await;
        assert_eq!(story.claimed(100).await, [event], "switched on, it goes");

        ok(making::switch(
            db,
            story.account,
            story.automation,
            Publication::Off,
        ))
        .await;
        assert!(hold().await);
        let long_after = story.start.plus_ms(101);
        assert_eq!(ok(db.give_up_held(long_after, 10)).await, 1);
        assert_eq!(story.claimed(100).await, [event], "to be given up");
        assert!(hold().await);
        ok(db.delete_automation(story.account, story.automation, now())).await;
        let found = some(db.waiting_version(story.account, story.automation, 1)).await;
        assert_eq!(found.fate, Fate::Removed);
        assert_eq!(story.claimed(100).await, [event]);
    })
    .await;
}

fn at(ms: i64, story: &Story<'_>) -> throwbar::automation::flow::Ask {
    then(Then::At {
        at: story.start.plus_ms(ms),
        source: None,
    })
}

#[tokio::test]
async fn what_is_due_at_one_time_is_claimed_as_it_came() {
    on_both(async |engine| {
        let place = TestStore::open(engine).await;
        let story = Story::begin(&place.store).await;
        let mut plans = Vec::new();
        for _ in 0..4 {
            plans.push(story.planned(&at(100, &story), 0).await);
        }
        let events: Vec<_> = plans.iter().map(|plan| plan.event).collect();
        // However they were written.
        for plan in plans.into_iter().rev() {
            story.write(vec![plan]).await;
        }
        let mut claimed = Vec::new();
        for _ in 0..2 {
            let due = story.start.plus_ms(100);
            let claim = ok(place.store.claim_waits(story.holder, story.account, due, 2)).await;
            claimed.extend(claim.waits.iter().map(|wait| wait.place.event));
        }
        assert_eq!(claimed, events);
    })
    .await;
}

#[tokio::test]
async fn what_keeps_an_order_goes_on_in_one_life_at_a_time() {
    on_both(async |engine| {
        let place = TestStore::open(engine).await;
        for in_order in [false, true] {
            let mut story = Story::begin(&place.store).await;
            story.in_order = in_order;
            let mut events = Vec::new();
            for _ in 0..4 {
                events.push(story.take(&at(100, &story), 0).await.event);
            }
            let due = story.start.plus_ms(100);
            let claim = async |holder| {
                let claim = place.store.claim_waits(holder, story.account, due, 2);
                let claim = ok(claim).await;
                let events: Vec<_> = claim.waits.iter().map(|wait| wait.place.event).collect();
                (claim.is_elsewhere, events)
            };
            let other = somebody();
            assert_eq!(claim(story.holder).await, (false, events[..2].to_vec()));
            // Nobody else is there in a file.
            if in_order && place.store.is_shared() {
                assert_eq!(claim(other).await, (true, Vec::new()));
                let late = events[..2].iter().map(|event| story.late(*event));
                story.write(late.collect()).await;
            }
            assert_eq!(claim(other).await, (false, events[2..].to_vec()));
        }
    })
    .await;
}

#[tokio::test]
async fn two_lives_that_claim_at_the_same_moment_do_not_both_have_what_keeps_an_order() {
    on_both(async |engine| {
        let place = TestStore::open(engine).await;
        let mut story = Story::begin(&place.store).await;
        story.in_order = true;
        let other = somebody();
        for _ in 0..20 {
            let first = story.take(&at(0, &story), -1).await.event;
            let second = story.take(&at(0, &story), -1).await.event;
            let claim = |holder| {
                ok(place
                    .store
                    .claim_waits(holder, story.account, story.start, 1))
            };
            let (one, two) = tokio::join!(claim(story.holder), claim(other));
            let mut claimed = one.waits;
            claimed.extend(two.waits);
            if place.store.is_shared() {
                assert_eq!(claimed.len(), 1, "the second waits for the first");
                assert_eq!(claimed[0].place.event, first);
            }
            story
                .write(vec![story.late(first), story.late(second)])
                .await;
        }
    })
    .await;
}
