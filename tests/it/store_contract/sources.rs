//! Sources: found by their URL, changed by one at a time, and what they refuse bounded.

use throwbar::model::limits::REFUSALS_PER_SOURCE_MAX;
use throwbar::model::{AccountId, RefusalId, SecretId, SourceId, Timestamp};
use throwbar::store::{Error, NewRefusals, NewSource, Source, SourceRefusal, Store};

use crate::support::making::{self, now};
use crate::support::store::{TestStore, ok, on_both};

async fn make(store: &Store, account: AccountId, name: &str) -> Source {
    let id = SourceId::mint(now());
    let source = Source {
        account,
        id,
        name: name.to_owned(),
        path_sealed: vec![1],
        settings: "{}".to_owned(),
        enabled: true,
        refused: 0,
        created_at: now(),
        updated_at: now(),
    };
    let new = NewSource {
        path_hash: hash(&source),
        secret: Some((SecretId::mint(now()), vec![2].into())),
        source,
    };
    ok(store.create_source(&new)).await;
    new.source
}

/// What its URL is found by: of its own for each.
fn hash(source: &Source) -> [u8; 32] {
    let mut hash = [0; 32];
    hash[..16].copy_from_slice(source.id.uuid().as_bytes());
    hash
}

fn refusals(source: &Source, count: usize) -> NewRefusals {
    let refusal = |no: usize| SourceRefusal {
        id: RefusalId::mint(now().plus_ms(no as i64)),
        code: "not_genuine".to_owned(),
        why: format!("reason {no}"),
        excerpt: "é".to_owned(),
        requests: 2,
    };
    NewRefusals {
        account: source.account,
        source: source.id,
        requests: 2 * count as i64,
        refusals: (0..count).map(refusal).collect(),
    }
}

#[tokio::test]
async fn a_source_is_found_by_its_url_until_it_is_removed() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let (own, other) = (making::account(store).await, making::account(store).await);
        let source = make(store, own, "a").await;
        make(store, other, "a").await;
        assert_eq!(
            ok(store.source_at(hash(&source))).await,
            Some(source.clone())
        );
        assert_eq!(ok(store.source_at([9; 32])).await, None);
        assert_eq!(ok(store.source(other, source.id)).await, None);
        assert_eq!(ok(store.source_secrets(own, source.id)).await.len(), 1);
        assert!(!ok(store.delete_source(other, source.id)).await);
        assert!(ok(store.delete_source(own, source.id)).await);
        assert_eq!(ok(store.source_at(hash(&source))).await, None);
        assert!(ok(store.source_secrets(own, source.id)).await.is_empty());
        assert_eq!(ok(store.sources(other, None, 10)).await.rows.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_change_is_of_what_was_read_and_names_are_one_s_own() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let own = making::account(store).await;
        let (a, b) = (make(store, own, "a").await, make(store, own, "b").await);
        let renamed = Source {
            name: "c".to_owned(),
            ..a.clone()
        };
        assert!(ok(store.change_source(&a, &renamed)).await);
        let overtaken = store.change_source(&a, &renamed).await;
        assert!(matches!(overtaken, Err(Error::Raced)), "{overtaken:?}");
        let taken = Source {
            name: "b".to_owned(),
            ..renamed.clone()
        };
        let taken = store.change_source(&renamed, &taken).await;
        assert!(taken.expect_err("it is b's").is_taken());
        assert!(ok(store.delete_source(own, b.id)).await);
        assert!(!ok(store.change_source(&b, &b)).await);
    })
    .await;
}

#[tokio::test]
async fn an_old_secret_is_good_until_its_overlap_ends() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let own = making::account(store).await;
        let source = make(store, own, "a").await;
        let rotate = async |at: Timestamp, until: Timestamp| {
            let new = (SecretId::mint(at), vec![3].into(), at);
            ok(store.rotate_source_secret(own, source.id, new, until)).await;
            let secrets = ok(store.source_secrets(own, source.id)).await;
            secrets
                .iter()
                .map(|secret| secret.expires_at)
                .collect::<Vec<_>>()
        };
        let end = now().plus_ms(100);
        assert_eq!(rotate(now(), end).await, [Some(end), None]);
        // What has expired by then goes.
        let later = now().plus_ms(200);
        assert_eq!(rotate(later, later).await, [Some(later), None]);
    })
    .await;
}

#[tokio::test]
async fn of_refusals_the_last_are_kept_and_all_counted() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let own = making::account(store).await;
        let (source, other) = (make(store, own, "a").await, make(store, own, "b").await);
        let removed = make(store, own, "c").await;
        assert!(ok(store.delete_source(own, removed.id)).await);
        let many = REFUSALS_PER_SOURCE_MAX + 7;
        let new = [
            refusals(&source, many),
            refusals(&other, 1),
            refusals(&removed, 1),
        ];
        ok(store.add_refusals(&new)).await;
        let found = ok(store.refusals(own, source.id)).await;
        assert_eq!(found.len(), REFUSALS_PER_SOURCE_MAX);
        assert_eq!(
            found[0].why,
            format!("reason {}", many - 1),
            "the newest first"
        );
        ok(store.add_refusals(&[refusals(&source, 1)])).await;
        assert_eq!(
            ok(store.refusals(own, source.id)).await.len(),
            REFUSALS_PER_SOURCE_MAX
        );
        let counted = ok(store.source(own, source.id))
            .await
            .expect("it is there")
            .refused;
        assert_eq!(counted, 2 * many as i64 + 2);
        assert_eq!(ok(store.refusals(own, other.id)).await.len(), 1);
        assert!(ok(store.refusals(own, removed.id)).await.is_empty());
    })
    .await;
}
