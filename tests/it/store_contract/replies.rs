//! What was answered to a request with an idempotency key, and who may answer it.

use throwbar::model::{AccountId, Timestamp};
use throwbar::store::{Store, StoredReply};

use crate::support::making::{self, now};
use crate::support::store::{TestStore, ok, on_both};

const ONE: [u8; 16] = [1; 16];
const OTHER: [u8; 16] = [2; 16];

/// Begins a request; what is known already.
async fn begin(
    store: &Store,
    hold: (AccountId, &str, [u8; 16]),
    hash: u8,
    at: Timestamp,
) -> Option<StoredReply> {
    let lives = (at, at.plus_ms(1_000));
    ok(store.begin_reply(hold, [hash; 32], lives)).await
}

#[tokio::test]
async fn a_repeated_request_gets_the_first_ones_reply_until_it_expires() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let own = (making::account(store).await, "once", ONE);
        let other = (making::account(store).await, "once", ONE);
        let at = now();
        assert!(begin(store, own, 1, at).await.is_none());
        let at_work = begin(store, own, 2, at).await.expect("known");
        assert_eq!((at_work.request_hash, at_work.status), (vec![1; 32], None));
        assert!(begin(store, other, 3, at).await.is_none());

        let answer = (201, &b"{\"id\":1}"[..]);
        let tomorrow = at.plus_ms(86_400_000);
        assert!(ok(store.finish_reply(own, answer, tomorrow)).await);
        ok(store.abandon_reply(own)).await;
        assert!(!ok(store.extend_reply(own, at)).await, "it is answered");
        let later = tomorrow.plus_ms(-1);
        let known = begin(store, own, 1, later).await.expect("known");
        assert_eq!(
            (known.status, known.body.as_deref()),
            (Some(201), Some(answer.1))
        );
        assert!(begin(store, own, 5, tomorrow).await.is_none(), "it expired");

        ok(store.abandon_reply(other)).await;
        assert!(begin(store, other, 4, at).await.is_none(), "given back");
    })
    .await;
}

#[tokio::test]
async fn who_let_a_key_expire_neither_answers_nor_gives_it_back() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let account = making::account(store).await;
        let (first, repeat) = ((account, "k", ONE), (account, "k", OTHER));
        let at = now();
        assert!(begin(store, first, 1, at).await.is_none());
        assert!(ok(store.extend_reply(first, at.plus_ms(2_000))).await);
        let too_early = at.plus_ms(1_500);
        assert!(begin(store, repeat, 1, too_early).await.is_some(), "held");
        let late = at.plus_ms(2_000);
        assert!(begin(store, repeat, 1, late).await.is_none(), "let go");

        let day = at.plus_ms(86_400_000);
        assert!(!ok(store.extend_reply(first, day)).await);
        assert!(!ok(store.finish_reply(first, (201, b"first"), day)).await);
        ok(store.abandon_reply(first)).await;
        assert!(ok(store.finish_reply(repeat, (201, b"repeat"), day)).await);
        assert!(!ok(store.finish_reply(first, (201, b"first"), day)).await);
        let known = begin(store, first, 1, late).await.expect("known");
        assert_eq!(known.body.as_deref(), Some(&b"repeat"[..]));
    })
    .await;
}
