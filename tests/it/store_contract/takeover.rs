//! Taking over what a life has left.

use std::collections::BTreeSet;

use throwbar::store::{SetAside, Switch};

use super::{accept, delivery, planned, somebody, write};
use crate::support::batch;
use crate::support::making::{self, now};
use crate::support::store::{TestStore, ok, on_both};

#[tokio::test]
async fn an_inbox_is_taken_over_in_pieces_with_its_revisions() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let own = making::account(store).await;
        let (dead, heir, next) = (somebody(), somebody(), somebody());
        let mut left = BTreeSet::new();
        for count in [3, 2] {
            let accepts: Vec<_> = (0..count).map(|_| making::event(own, "1")).collect();
            left.extend(accepts.iter().map(|event| event.id));
            ok(store.write(dead, &batch::accepts(accepts))).await;
            ok(store.switch_account(own, Switch::On)).await;
        }
        let (aside, other) = (making::event(own, "2"), making::event(own, "3"));
        let accepts = vec![aside.clone()];
        ok(store.write(dead, &batch::accepts(accepts))).await;
        let set_aside = SetAside {
            account: own,
            event: aside.id,
            why: "it kills".to_owned(),
        };
        write(store, &batch::aside(vec![set_aside])).await;
        accept(store, &other).await;

        let mut taken = BTreeSet::new();
        for wanted in [2, 2, 1, 0] {
            let rows = ok(store.take_over_inbox(dead, heir, 2)).await;
            assert_eq!(rows.len(), wanted);
            for row in rows {
                assert_eq!((row.account, row.deaths()), (own, None));
                assert!(
                    [1, 2].contains(&row.revision),
                    "stamped when it was accepted"
                );
                taken.insert(row.event);
            }
        }
        assert_eq!(taken, left);
        let (mut holder, mut heir) = (heir, next);
        for takeover in 2..6 {
            let again = ok(store.take_over_inbox(holder, heir, 10)).await;
            let deaths: Vec<_> = again
                .iter()
                .map(throwbar::store::InboxEvent::deaths)
                .collect();
            assert_eq!(
                deaths,
                [Some(0); 5],
                "suspect, and no more for {takeover} takeovers"
            );
            (holder, heir) = (heir, somebody());
        }
        let one = *left.first().expect("there are five");
        assert!(ok(store.begin_alone(own, one, holder)).await);
        assert!(!ok(store.begin_alone(own, one, heir)).await, "another's");
        assert!(
            !ok(store.begin_alone(own, aside.id, dead)).await,
            "set aside"
        );
        for row in ok(store.take_over_inbox(holder, heir, 10)).await {
            let deaths = i64::from(row.event == one);
            assert_eq!(row.deaths(), Some(deaths), "it alone was begun");
        }
    })
    .await;
}

#[tokio::test]
async fn claims_are_released_in_pieces_each_with_an_attempt_that_says_so() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let own = making::account(store).await;
        let to = (own, making::stored_endpoint(store, own).await);
        let (dead, living, at) = (somebody(), somebody(), now());
        let mut left = Vec::new();
        for _ in 0..5 {
            left.push(planned(store, dead, to, None).await);
        }
        let kept = planned(store, living, to, None).await;
        for wanted in [2, 2, 1, 0] {
            let released = ok(store.release_claims(dead, living, at, 2)).await;
            assert_eq!(released, vec![to; wanted]);
        }
        for id in left {
            let row = delivery(store, own, id).await;
            assert_eq!(
                (row.state.as_str(), row.due_at, row.holder),
                ("pending", Some(at), None)
            );
            assert_eq!(row.attempts_made, 0, "it is not counted");
            let attempts = ok(store.attempts(own, id)).await;
            assert_eq!(attempts.len(), 1);
            assert_eq!(attempts[0].error_class.as_deref(), Some("interrupted"));
            assert_eq!(attempts[0].no, 1);
        }
        assert_eq!(delivery(store, own, kept).await.holder, Some(living));
    })
    .await;
}

#[tokio::test]
async fn an_inbox_is_taken_over_as_its_events_came() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let own = making::account(store).await;
        let (dead, heir) = (somebody(), somebody());
        let events: Vec<_> = (0..20).map(|_| making::event(own, "1")).collect();
        let ids: Vec<_> = events.iter().map(|event| event.id).collect();
        // However they were written.
        for event in events.into_iter().rev() {
            ok(store.write(dead, &batch::accepts(vec![event]))).await;
        }
        let taken = ok(store.take_over_inbox(dead, heir, 100)).await;
        assert_eq!(taken.iter().map(|row| row.event).collect::<Vec<_>>(), ids);
    })
    .await;
}
