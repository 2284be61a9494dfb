//! What attempts say about their endpoint, and when it is disabled for it.

use throwbar::model::{AccountId, DeliveryState, EndpointId, Timestamp};
use throwbar::store::{EndpointMark, NewRecord, Store};

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
        });
    }
    write(store, &batch::records(records)).await.disabled
}

/// A failure under the policy of five days.
fn failed(at: Timestamp) -> EndpointMark {
    EndpointMark::Failed {
        at,
        disable_if_since: Some(at.plus_ms(-FIVE_DAYS_MS)),
    }
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
        let gone = [
            EndpointMark::Gone,
            EndpointMark::Succeeded,
            EndpointMark::Gone,
        ];
        assert_eq!(mark(store, to, &gone).await, [(own, to.1, "gone")]);
        assert_eq!(
            endpoint(store, to).await,
            ("disabled".to_owned(), Some("gone".to_owned()), None)
        );
        assert_eq!(endpoint(store, beside).await.0, "enabled");
        assert_eq!(revision(store, own).await, before + 1);
        assert!(mark(store, to, &[EndpointMark::Gone]).await.is_empty());
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
        let both = [
            failed(start.plus_ms(2)),
            EndpointMark::Succeeded,
            failed(start),
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
