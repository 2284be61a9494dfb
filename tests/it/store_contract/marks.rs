//! What attempts say about their endpoint, and when it is disabled for it.

use throwbar::model::{AccountId, DeliveryState, EndpointId, Timestamp};
use throwbar::store::{EndpointChange, EndpointMark, NewRecord, Store, Tells};

use super::{planned, somebody, write};
use crate::support::batch;
use crate::support::making::{self, now};
use crate::support::store::{TestStore, on_both, some};

const FIVE_DAYS_MS: i64 = 5 * 24 * 60 * 60 * 1000;

type To = (AccountId, EndpointId);

/// Records one attempt a mark, all in one batch; which endpoints were disabled, and why.
async fn mark(
    store: &Store,
    to: To,
    marks: &[EndpointMark],
) -> Vec<(AccountId, EndpointId, &'static str)> {
    let mut records = Vec::new();
    for mark in marks {
        records.push(NewRecord {
            account: to.0,
            delivery: planned(store, somebody(), to, None).await,
            endpoint: to.1,
            attempt: None,
            attempts_made: 0,
            next: DeliveryState::Held,
            mark: *mark,
            tells: Tells::OfEndpoint,
            order: None,
        });
    }
    write(store, &batch::records(records)).await.disabled
}

/// A failure under the policy of five days, of the endpoint as it was when it had last changed.
fn failed(at: Timestamp, asked: Timestamp) -> EndpointMark {
    EndpointMark::Failed {
        at,
        disable_if_since: Some(at.plus_ms(-FIVE_DAYS_MS)),
        asked,
    }
}

/// A 410 of the endpoint as it was when it had last changed.
fn gone(asked: Timestamp) -> EndpointMark {
    EndpointMark::Gone { at: now(), asked }
}

/// When the endpoint last changed.
async fn updated_at(store: &Store, to: To) -> Timestamp {
    some(store.endpoint(to.0, to.1)).await.updated_at
}

async fn endpoint(store: &Store, to: To) -> (String, Option<String>, Option<Timestamp>) {
    let found = some(store.endpoint(to.0, to.1)).await;
    (found.state, found.disabled_why, found.failing_since)
}

async fn revision(store: &Store, account: AccountId) -> i64 {
    some(store.account(account)).await.revision
}

#[tokio::test]
async fn five_days_of_failing_disable_and_one_success_begins_anew() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let own = making::account(store).await;
        let to = (own, making::stored_endpoint(store, own).await);
        let start = now();
        let asked = updated_at(store, to).await;
        let failed = |at| failed(at, asked);
        assert!(mark(store, to, &[failed(start)]).await.is_empty());
        assert!(
            mark(store, to, &[failed(start.plus_ms(FIVE_DAYS_MS - 1))])
                .await
                .is_empty()
        );
        assert_eq!(
            endpoint(store, to).await,
            ("enabled".to_owned(), None, Some(start))
        );

        assert!(mark(store, to, &[EndpointMark::Succeeded]).await.is_empty());
        assert_eq!(endpoint(store, to).await.2, None);
        let again = start.plus_ms(FIVE_DAYS_MS);
        assert!(
            mark(store, to, &[failed(again)]).await.is_empty(),
            "the first since the success"
        );
        let never = EndpointMark::Failed {
            at: again.plus_ms(10 * FIVE_DAYS_MS),
            disable_if_since: None,
            asked,
        };
        assert!(
            mark(store, to, &[never]).await.is_empty(),
            "a policy without end"
        );

        let before = revision(store, own).await;
        let last = again.plus_ms(FIVE_DAYS_MS);
        assert_eq!(
            mark(store, to, &[failed(last)]).await,
            [(own, to.1, "failing")]
        );
        assert_eq!(endpoint(store, to).await.0, "disabled");
        assert_eq!(endpoint(store, to).await.1.as_deref(), Some("failing"));
        assert_eq!(revision(store, own).await, before + 1);
        assert!(
            mark(store, to, &[failed(last.plus_ms(1))]).await.is_empty(),
            "it is disabled already"
        );
        assert_eq!(revision(store, own).await, before + 1);
    })
    .await;
}

#[tokio::test]
async fn a_410_disables_at_once_and_once() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let own = making::account(store).await;
        let (to, beside) = (
            (own, making::stored_endpoint(store, own).await),
            (own, making::stored_endpoint(store, own).await),
        );
        let before = revision(store, own).await;
        let asked = updated_at(store, to).await;
        let both = [gone(asked), EndpointMark::Succeeded, gone(asked)];
        assert_eq!(mark(store, to, &both).await, [(own, to.1, "gone")]);
        assert_eq!(
            endpoint(store, to).await,
            ("disabled".to_owned(), Some("gone".to_owned()), None)
        );
        assert_eq!(endpoint(store, beside).await.0, "enabled");
        assert_eq!(revision(store, own).await, before + 1);
        let again = gone(updated_at(store, to).await);
        assert!(mark(store, to, &[again]).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_failure_beside_a_success_stays_on_the_record() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let own = making::account(store).await;
        let to = (own, making::stored_endpoint(store, own).await);
        let start = now();
        let asked = updated_at(store, to).await;
        let both = [
            failed(start.plus_ms(2), asked),
            EndpointMark::Succeeded,
            failed(start, asked),
            EndpointMark::Untouched,
        ];
        assert!(mark(store, to, &both).await.is_empty());
        assert_eq!(
            endpoint(store, to).await.2,
            Some(start),
            "the earlier of the two"
        );
    })
    .await;
}

#[tokio::test]
async fn a_late_failure_says_nothing_of_an_endpoint_that_has_changed_since() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let own = making::account(store).await;
        let to = (own, making::stored_endpoint(store, own).await);
        let asked = updated_at(store, to).await;
        let start = now();
        assert!(mark(store, to, &[failed(start, asked)]).await.is_empty());
        let moved = EndpointChange {
            url: Some("https://example.test/moved".to_owned()),
            ..EndpointChange::default()
        };
        some(store.change_endpoint(own, to.1, &moved, asked.plus_ms(1))).await;
        assert_eq!(endpoint(store, to).await.2, None, "a new URL begins anew");

        let late = start.plus_ms(FIVE_DAYS_MS);
        let stale = [failed(start, asked), failed(late, asked), gone(asked)];
        assert!(mark(store, to, &stale).await.is_empty());
        assert_eq!(
            endpoint(store, to).await,
            ("enabled".to_owned(), None, None)
        );
        let current = gone(asked.plus_ms(1));
        assert_eq!(mark(store, to, &[current]).await, [(own, to.1, "gone")]);
    })
    .await;
}
