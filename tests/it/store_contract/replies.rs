//! What was answered to a request with an idempotency key, who may answer it, and that what a request
//! writes is kept with its answer or not at all.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use throwbar::model::{AccountId, Timestamp};
use throwbar::store::{Error, KeyOf, NewKey, Store, StoredReply, Whole};

use super::accept;
use crate::support::making::{self, now};
use crate::support::store::{Engine, TestStore, ok, on_both};

const ONE: [u8; 16] = [1; 16];
const OTHER: [u8; 16] = [2; 16];

type Hold<'a> = (AccountId, &'a str, [u8; 16]);

/// Begins a request; what is known already.
async fn begin(store: &Store, hold: Hold<'_>, hash: u8, at: Timestamp) -> Option<StoredReply> {
    let lives = (at, at.plus_ms(1_000));
    ok(store.begin_reply(hold, [hash; 32], lives)).await
}

/// Answers a request that has written nothing. Whether it had its key still.
async fn finish(store: &Store, hold: Hold<'_>, body: &[u8], until: Timestamp) -> bool {
    let nothing = Whole::default();
    ok(store.finish_reply(hold, (201, body), until, &nothing)).await
}

async fn give_back(store: &Store, hold: Hold<'_>) {
    ok(store.abandon_reply(hold, &Whole::default())).await;
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
        assert!(finish(store, own, answer.1, tomorrow).await);
        give_back(store, own).await;
        assert!(!ok(store.extend_reply(own, at)).await, "it is answered");
        let later = tomorrow.plus_ms(-1);
        let known = begin(store, own, 1, later).await.expect("known");
        assert_eq!(
            (known.status, known.body.as_deref()),
            (Some(201), Some(answer.1))
        );
        assert!(begin(store, own, 5, tomorrow).await.is_none(), "it expired");

        give_back(store, other).await;
        assert!(begin(store, other, 4, at).await.is_none(), "given back");
    })
    .await;
}

/// Another node may be at work on it, where there are several; of one file nobody else is.
#[tokio::test]
async fn a_new_process_at_a_file_gives_back_what_the_last_one_held() {
    on_both(async |engine| {
        let place = TestStore::open(engine).await;
        let own = (making::account(&place.store).await, "once", ONE);
        assert!(begin(&place.store, own, 1, now()).await.is_none());
        let answered = (own.0, "answered", ONE);
        assert!(begin(&place.store, answered, 1, now()).await.is_none());
        assert!(finish(&place.store, answered, b"1", now().plus_ms(9_000)).await);
        let next = place.another().await;
        let _life = ok(next.begin_life(now())).await;
        let held = begin(&next, own, 1, now()).await;
        assert_eq!(held.is_none(), engine == Engine::Sqlite);
        assert!(begin(&next, answered, 1, now()).await.is_some());
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
        assert!(!finish(store, first, b"first", day).await);
        give_back(store, first).await;
        assert!(finish(store, repeat, b"repeat", day).await);
        assert!(!finish(store, first, b"first", day).await);
        let known = begin(store, first, 1, late).await.expect("known");
        assert_eq!(known.body.as_deref(), Some(&b"repeat"[..]));
    })
    .await;
}

/// Whether others see the event type, by its name.
async fn is_seen(store: &Store, account: AccountId, name: &str) -> bool {
    ok(store.event_type(account, name)).await.is_some()
}

/// Catalogues an event type.
async fn create(store: &Store, account: AccountId, name: &str) -> Result<(), Error> {
    let new = making::event_type(name, 0);
    making::write_event_type(store, account, None, &new).await
}

#[tokio::test]
async fn what_a_request_writes_is_durable_with_its_answer() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let account = making::account(store).await;
        let hold = (account, "k", ONE);
        assert!(begin(store, hold, 1, now()).await.is_none());
        let told = Arc::new(AtomicI64::new(0));
        let (hears, follows) = (told.clone(), told.clone());
        store.on_revision(move |_, revision| hears.store(revision, Ordering::SeqCst));
        let whole = Whole::default();
        whole
            .of(async {
                ok(create(store, account, "one")).await;
                ok(store.create_endpoint(account, &making::endpoint())).await;
                assert!(
                    is_seen(store, account, "one").await,
                    "it reads what it wrote"
                );
                let sequel = async move {
                    follows.fetch_add(1_000, Ordering::SeqCst);
                };
                store.once_durable(sequel).await;
            })
            .await;
        assert!(!is_seen(store, account, "one").await, "nobody else does");
        assert_eq!(told.load(Ordering::SeqCst), 0);
        let answer = (201, &b"done"[..]);
        assert!(ok(store.finish_reply(hold, answer, now().plus_ms(1_000), &whole)).await);
        assert!(is_seen(store, account, "one").await);
        assert_eq!(told.load(Ordering::SeqCst), 1_002);
        let known = begin(store, hold, 1, now()).await.expect("known");
        assert_eq!(known.body.as_deref(), Some(answer.1));
    })
    .await;
}

#[tokio::test]
async fn what_a_request_writes_without_its_answer_is_not_kept() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let account = making::account(store).await;
        let at = now();
        let write = async |whole: &Whole| {
            ok(whole.of(create(store, account, "one"))).await;
        };

        // It is given up.
        let hold = (account, "abandoned", ONE);
        assert!(begin(store, hold, 1, at).await.is_none());
        let whole = Whole::default();
        write(&whole).await;
        ok(store.abandon_reply(hold, &whole)).await;
        assert!(begin(store, hold, 1, at).await.is_none(), "the key is free");

        // It dies.
        let whole = Whole::default();
        write(&whole).await;
        drop(whole);

        // A repeat has its key.
        let (late, repeat) = ((account, "late", ONE), (account, "late", OTHER));
        assert!(begin(store, late, 1, at).await.is_none());
        assert!(begin(store, repeat, 1, at.plus_ms(1_000)).await.is_none());
        let whole = Whole::default();
        write(&whole).await;
        assert!(!ok(store.finish_reply(late, (201, b""), at.plus_ms(1_000), &whole)).await);
        assert!(!is_seen(store, account, "one").await);
    })
    .await;
}

#[tokio::test]
async fn a_whole_that_has_lost_a_part_is_lost() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let account = making::account(store).await;
        let hold = (account, "k", ONE);
        assert!(begin(store, hold, 1, now()).await.is_none());
        ok(create(store, account, "taken")).await;
        let create = async |name: &str| create(store, account, name).await;
        let whole = Whole::default();
        whole
            .of(async {
                // Before anything was written, nothing is lost.
                assert!(create("taken").await.is_err());
                create("one").await.expect("it is new");
                assert!(create("taken").await.is_err());
                let more = create("other").await;
                assert!(matches!(more, Err(Error::Raced)), "{more:?}");
            })
            .await;
        let finished = store.finish_reply(hold, (201, b""), now(), &whole).await;
        assert!(matches!(finished, Err(Error::Raced)), "{finished:?}");
        ok(store.abandon_reply(hold, &whole)).await;
        assert!(!is_seen(store, account, "one").await);
    })
    .await;
}

const KEPT: &str =
    "SELECT (SELECT COUNT(*) FROM replies) * 100 + (SELECT COUNT(*) FROM event_keys)";

#[tokio::test]
async fn what_has_expired_goes_in_chunks_whoever_else_is_at_it() {
    on_both(async |engine| {
        let place = TestStore::open(engine).await;
        let (store, other) = (&place.store, &place.another().await);
        let account = making::account(store).await;
        let at = now();
        for no in 0..7 {
            let until = if no < 5 { at } else { at.plus_ms(1) };
            let name = format!("key {no}");
            let (hold, lives) = ((account, name.as_str(), ONE), (at, until));
            assert!(ok(store.begin_reply(hold, [1; 32], lives)).await.is_none());
            let mut event = making::event(account, "1");
            for (kind, expires_at) in [(KeyOf::Idempotency, Some(until)), (KeyOf::Sender, None)] {
                let key = name.clone();
                event.keys.push(NewKey {
                    kind,
                    key,
                    expires_at,
                });
            }
            accept(store, &event).await;
        }
        assert_eq!(place.number(KEPT).await, 714);
        assert_eq!(ok(store.forget_replies(at, 2)).await, 2);
        assert_eq!(ok(store.forget_event_keys(at, 2)).await, 2);
        assert_eq!(place.number(KEPT).await, 512);
        let (one, two) = tokio::join!(
            ok(store.forget_replies(at, 100)),
            ok(other.forget_replies(at, 100))
        );
        assert_eq!(one + two, 3);
        let (one, two) = tokio::join!(
            ok(store.forget_event_keys(at, 100)),
            ok(other.forget_event_keys(at, 100))
        );
        assert_eq!(one + two, 3);
        assert_eq!(place.number(KEPT).await, 209, "the rest has not expired");
    })
    .await;
}
