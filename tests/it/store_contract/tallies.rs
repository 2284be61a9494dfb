//! Tallies: what was recorded is counted once, whoever has recorded it and whoever counts it up.

use throwbar::failure::{FailurePolicy, Outcome};
use throwbar::model::{AccountId, AttemptResult, DeliveryState, EndpointId, Refusal, Timestamp};
use throwbar::store::{EndpointMark, NewRecord, Store};
use throwbar::tally::{Span, Tally};

use super::planning::record;
use super::{planned, somebody};
use crate::support::batch;
use crate::support::making::{self, now};
use crate::support::store::{TestStore, ok, on_both};

type Which = (AccountId, EndpointId);

/// An attempt that came to this, ended then, and took 12 ms.
async fn attempted(store: &Store, to: Which, result: AttemptResult, ended: Timestamp) -> NewRecord {
    let delivery = planned(store, somebody(), to, None).await;
    let mut made = record(to, delivery, DeliveryState::Delivered { at: ended });
    let attempt = made.attempt.as_mut().expect("one was made");
    attempt.result = result;
    attempt.started_at = ended.plus_ms(-attempt.duration_ms);
    // One of a test says nothing of its endpoint, and is not counted.
    made.mark = Some(EndpointMark {
        outcome: Outcome::Taken,
        at: ended,
        policy: FailurePolicy::Never,
        asked: ended,
    });
    made
}

fn http(status: u16) -> AttemptResult {
    AttemptResult::Http { status }
}

async fn folded(store: &Store) {
    while ok(store.fold_tallies(now())).await {}
}

/// All that is kept of an endpoint, by the minute and by the hour, which must agree.
async fn total(store: &Store, to: Which) -> Tally {
    let mut sums = [Tally::default(), Tally::default()];
    for (span, sum) in Span::ALL.into_iter().zip(&mut sums) {
        for row in ok(store.tallies(to.0, to.1, (span, Timestamp::from_ms(0)))).await {
            sum.add(&row.tally);
        }
    }
    let [minutes, hours] = sums;
    assert_eq!(minutes, hours);
    minutes
}

#[tokio::test]
async fn what_was_recorded_is_counted_by_the_minute_and_by_the_hour() {
    on_both(async |engine| {
        let place = TestStore::open(engine).await;
        let store = &place.store;
        let own = making::account(store).await;
        let to = (own, making::stored_endpoint(store, own).await);
        let other = (own, making::stored_endpoint(store, own).await);
        let hour = Timestamp::from_ms(1_790_002_800_000);
        let mut records = Vec::new();
        for (to, result, minute) in [
            (to, http(200), 0),
            (to, http(500), 0),
            (to, AttemptResult::Refused(Refusal::Tls), 1),
            (to, AttemptResult::Interrupted, 1),
            (to, http(204), 60),
            (other, http(200), 0),
        ] {
            let ended = hour.plus_ms(minute * 60_000 + 30_000);
            records.push(attempted(store, to, result, ended).await);
        }
        let (first, rest) = records.split_at(1);
        for some in [first, rest] {
            ok(store.write(somebody(), &batch::records(some.to_vec()))).await;
        }
        assert_eq!(
            total(store, to).await,
            Tally::default(),
            "noted, not counted up"
        );
        assert_eq!(place.number("SELECT COUNT(*) FROM tally_notes").await, 2);
        folded(store).await;
        assert_eq!(place.number("SELECT COUNT(*) FROM tally_notes").await, 0);

        let minutes = ok(store.tallies(own, to.1, (Span::Minute, hour))).await;
        let counted: Vec<_> = minutes
            .iter()
            .map(|row| {
                (
                    row.from.ms_since(hour) / 60_000,
                    row.tally.succeeded,
                    row.tally.failed(),
                )
            })
            .collect();
        assert_eq!(counted, [(0, 1, 1), (1, 0, 1), (60, 1, 0)]);
        let late = ok(store.tallies(own, to.1, (Span::Hour, hour.plus_ms(1)))).await;
        assert_eq!(late.len(), 1, "from then on");
        let all = total(store, to).await;
        assert_eq!(
            (all.attempts(), all.answered.len(), all.answered_ms),
            (4, 3, 36)
        );
        assert_eq!(all.failures["tls"], 1);
        assert_eq!(total(store, other).await.attempts(), 1);
        let hours = ok(store.hours(own, &[to.1, other.1], hour)).await;
        assert_eq!(hours.len(), 3);
        let stranger = making::account(store).await;
        assert!(ok(store.hours(stranger, &[to.1], hour)).await.is_empty());

        // Minutes go after three hours, hours after 35 days.
        let day_ms = 86_400_000;
        for (after_ms, left) in [(0, 7), (6 * 3_600_000, 3), (37 * day_ms, 0)] {
            ok(store.forget_tallies(hour.plus_ms(after_ms), 100)).await;
            assert_eq!(
                place.number("SELECT COUNT(*) FROM tallies").await,
                left,
                "{after_ms}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn nodes_that_record_and_count_up_at_once_lose_and_double_nothing() {
    on_both(async |engine| {
        let place = TestStore::open(engine).await;
        let store = &place.store;
        let own = making::account(store).await;
        let to = (own, making::stored_endpoint(store, own).await);
        let mut records = Vec::new();
        for no in 0..240 {
            let result = if no % 3 == 0 { http(503) } else { http(200) };
            records.push(attempted(store, to, result, now()).await);
        }
        let other = match engine {
            crate::support::store::Engine::Sqlite => store.clone(),
            crate::support::store::Engine::Postgres => place.another().await,
        };
        let writes = async |store: &Store, records: &[NewRecord]| {
            for some in records.chunks(2) {
                ok(store.write(somebody(), &batch::records(some.to_vec()))).await;
            }
        };
        let folds = async |store: &Store| {
            for _ in 0..30 {
                ok(store.fold_tallies(now())).await;
                tokio::task::yield_now().await;
            }
        };
        let (one, two) = records.split_at(120);
        tokio::join!(
            writes(store, one),
            writes(&other, two),
            folds(store),
            folds(&other)
        );
        folded(&other).await;
        let all = total(store, to).await;
        assert_eq!((all.succeeded, all.failed()), (160, 80));
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_read_stops_nobody_else() {
    on_both(async |engine| {
        let place = TestStore::open(engine).await;
        let store = &place.store;
        let own = making::account(store).await;
        let to = (own, making::stored_endpoint(store, own).await);
        let at = now();
        let made = attempted(store, to, http(200), at).await;
        ok(store.write(somebody(), &batch::records(vec![made]))).await;
        folded(store).await;
        place.execute("UPDATE tallies SET tally = '?'").await;
        place.execute("UPDATE endpoints SET settings = '?'").await;
        let again = attempted(store, to, http(200), at).await;
        let unread = attempted(store, to, http(200), at).await;
        ok(store.write(somebody(), &batch::records(vec![unread]))).await;
        place.execute("UPDATE tally_notes SET tallies = '?'").await;
        ok(store.write(somebody(), &batch::records(vec![again]))).await;
        folded(store).await;
        assert_eq!(place.number("SELECT COUNT(*) FROM tally_notes").await, 0);
        assert!(total(store, to).await.attempts() >= 1, "counted anew");
    })
    .await;
}
