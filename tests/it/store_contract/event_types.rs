//! Event types with the versions of their schemas, and what does not fit.

use throwbar::model::{AccountId, Timestamp};
use throwbar::store::{Error, EventTypeEntry, EventTypeWrite, EventViolations, Shelf};

use super::{accept, write};
use crate::support::batch;
use crate::support::making::{self, account, authorship, event_type, write_event_type};
use crate::support::store::{TestStore, ok, on_both, some};

#[tokio::test]
async fn versions_stay_and_one_is_in_force() {
    on_both(async |engine| {
        let place = TestStore::open(engine).await;
        let store = &place.store;
        let owner = account(store).await;
        let (first, second) = (event_type("deal.won", 1), event_type("deal.won", 2));
        ok(write_event_type(store, owner, None, &first)).await;
        assert_eq!(some(store.event_type(owner, "deal.won")).await, first);
        ok(write_event_type(store, owner, Some(&first), &second)).await;
        assert_eq!(some(store.event_type(owner, "deal.won")).await, second);
        let none = EventTypeEntry {
            schema_version: None,
            schema: None,
            schema_digest: None,
            ..second.clone()
        };
        ok(write_event_type(store, owner, Some(&second), &none)).await;
        assert_eq!(some(store.event_type(owner, "deal.won")).await, none);

        let versions = ok(store.event_type_versions(owner, "deal.won", None, 10)).await;
        let numbers: Vec<_> = versions.iter().map(|row| row.version).collect();
        assert_eq!(numbers, [2, 1]);
        let older = ok(store.event_type_versions(owner, "deal.won", Some(2), 10)).await;
        assert_eq!(older.len(), 1);
        let one = some(store.event_type_version(owner, "deal.won", 1)).await;
        assert_eq!(
            (Some(one.schema), Some(one.digest)),
            (first.schema, first.schema_digest)
        );
        assert!(
            ok(store.event_type_version(owner, "deal.won", 3))
                .await
                .is_none()
        );

        assert!(ok(store.delete_event_type(owner, "deal.won")).await);
        assert!(!ok(store.delete_event_type(owner, "deal.won")).await);
        assert!(
            ok(store.event_type_version(owner, "deal.won", 1))
                .await
                .is_none()
        );
    })
    .await;
}

#[tokio::test]
async fn event_types_are_written_together_or_not_at_all() {
    on_both(async |engine| {
        let place = TestStore::open(engine).await;
        let store = &place.store;
        let owner = account(store).await;
        let known = event_type("b", 1);
        ok(write_event_type(store, owner, None, &known)).await;
        let create = |name: &str| EventTypeWrite {
            from: None,
            to: event_type(name, 1),
        };
        let both = [create("a"), create("b")];
        let taken = store.write_event_types(owner, &both, &authorship()).await;
        assert!(taken.expect_err("it is there").is_taken());
        assert!(ok(store.event_type(owner, "a")).await.is_none());

        let (one, other) = (event_type("b", 2), event_type("b", 2));
        ok(write_event_type(store, owner, Some(&known), &one)).await;
        let raced = write_event_type(store, owner, Some(&known), &other).await;
        assert!(matches!(raced, Err(Error::Raced)), "{raced:?}");
        let gone =
            write_event_type(store, owner, Some(&event_type("c", 1)), &event_type("c", 2)).await;
        assert!(matches!(gone, Err(Error::Raced)), "{gone:?}");
    })
    .await;
}

#[tokio::test]
async fn a_list_leaves_out_schemas_and_what_is_put_away() {
    on_both(async |engine| {
        let place = TestStore::open(engine).await;
        let store = &place.store;
        let owner = account(store).await;
        for name in ["a", "b", "c"] {
            ok(write_event_type(store, owner, None, &event_type(name, 1))).await;
        }
        let away = EventTypeEntry {
            archived_at: Some(Timestamp::from_ms(9)),
            ..event_type("b", 1)
        };
        ok(write_event_type(
            store,
            owner,
            Some(&event_type("b", 1)),
            &away,
        ))
        .await;
        let names = async |which: Shelf, after: Option<&str>| {
            let rows = ok(store.event_types(owner, which, after, 10)).await;
            assert!(
                rows.iter()
                    .all(|row| row.schema.is_none() && row.schema_version == Some(1))
            );
            rows.into_iter().map(|row| row.name).collect::<Vec<_>>()
        };
        assert_eq!(names(Shelf::Open, None).await, ["a", "c"]);
        assert_eq!(names(Shelf::All, None).await, ["a", "b", "c"]);
        assert_eq!(names(Shelf::All, Some("a")).await, ["b", "c"]);
    })
    .await;
}

#[tokio::test]
async fn one_s_own_schema_is_asked_before_the_installation_s() {
    on_both(async |engine| {
        let place = TestStore::open(engine).await;
        let store = &place.store;
        let (owner, other) = (account(store).await, account(store).await);
        let installation = AccountId::from_uuid(uuid::Uuid::nil());
        assert!(ok(store.schema_in_force(owner, "a")).await.is_none());
        ok(write_event_type(
            store,
            installation,
            None,
            &event_type("a", 3),
        ))
        .await;
        ok(write_event_type(store, owner, None, &event_type("a", 0))).await;
        let own = some(store.schema_in_force(owner, "a")).await;
        assert_eq!((own.owner, own.version, own.schema), (owner, None, None));
        let theirs = some(store.schema_in_force(other, "a")).await;
        assert_eq!(theirs.owner, installation);
        assert_eq!(
            (theirs.version, theirs.schema),
            (Some(3), event_type("a", 3).schema)
        );
    })
    .await;
}

#[tokio::test]
async fn what_does_not_fit_is_kept_with_its_event_and_only_once() {
    on_both(async |engine| {
        let place = TestStore::open(engine).await;
        let store = &place.store;
        let owner = account(store).await;
        let found = EventViolations {
            schema_version: 4,
            violations: "[]".to_owned(),
        };
        let mut marked = making::keyed(owner, "k", 1);
        marked.violations = Some(Box::new(found.clone()));
        let plain = making::event(owner, "{}");
        let batch = batch::accepts(vec![plain.clone(), marked.clone()]);
        write(store, &batch).await;
        assert_eq!(some(store.event_violations(owner, marked.id)).await, found);
        assert!(ok(store.event_violations(owner, plain.id)).await.is_none());
        assert!(ok(store.is_known_event(&marked)).await);
        assert!(!ok(store.is_known_event(&plain)).await);

        let mut repeat = making::keyed(owner, "k", 1);
        repeat.violations = marked.violations.clone();
        accept(store, &repeat).await;
        assert!(ok(store.event_violations(owner, repeat.id)).await.is_none());
        let stranger = account(store).await;
        assert!(
            ok(store.event_violations(stranger, marked.id))
                .await
                .is_none()
        );
    })
    .await;
}

#[tokio::test]
async fn an_account_s_intake_is_what_was_said_last() {
    on_both(async |engine| {
        let place = TestStore::open(engine).await;
        let store = &place.store;
        let owner = account(store).await;
        let words = |validation: &str, unknown: &str| (validation.to_owned(), unknown.to_owned());
        assert_eq!(
            some(store.intake_words(owner)).await,
            words("none", "accept")
        );
        assert!(ok(store.change_intake(owner, Some("mark"), None)).await);
        assert!(ok(store.change_intake(owner, None, Some("refuse"))).await);
        assert_eq!(
            some(store.intake_words(owner)).await,
            words("mark", "refuse")
        );
        let row = some(store.account(owner)).await;
        assert_eq!((row.validation, row.unknown_types), words("mark", "refuse"));
        let nobody = AccountId::from_uuid(uuid::Uuid::max());
        assert!(!ok(store.change_intake(nobody, Some("mark"), None)).await);
        assert!(ok(store.intake_words(nobody)).await.is_none());
        assert!(store.change_intake(owner, Some("odd"), None).await.is_err());
    })
    .await;
}

#[tokio::test]
async fn each_account_has_its_own_names() {
    on_both(async |engine| {
        let place = TestStore::open(engine).await;
        let store = &place.store;
        let (own, other) = (account(store).await, account(store).await);
        for owner in [own, other] {
            ok(write_event_type(
                store,
                owner,
                None,
                &event_type("deal.won", 1),
            ))
            .await;
        }
        let again = write_event_type(store, own, None, &event_type("deal.won", 1)).await;
        assert!(again.expect_err("taken").is_taken());
        let found = some(store.event_type(own, "deal.won")).await;
        assert_eq!(found.example.as_deref(), Some(r#"{"a":"\u0000"}"#));
        assert!(ok(store.delete_event_type(own, "deal.won")).await);
        assert!(ok(store.event_type(own, "deal.won")).await.is_none());
        assert!(ok(store.event_type(other, "deal.won")).await.is_some());
    })
    .await;
}
