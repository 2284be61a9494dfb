//! What is known of versions, and of what was live when.

use throwbar::automation::DefinitionDigest;
use throwbar::model::{AccountId, ApiKeyId, AutomationId, Timestamp};
use throwbar::store::{
    Author, Authorship, AutomationChange, Error, NewAutomation, Publication, Shelf, StateChange,
    Store,
};

use crate::support::making::{self, now};
use crate::support::store::{TestStore, ok, on_both, some};

const LATER: Timestamp = Timestamp::from_ms(1_800_000_000_000);

fn author(name: &str) -> Author {
    Author {
        key: ApiKeyId::mint(now()),
        name: name.to_owned(),
    }
}

/// An automation with three versions, of which the first is live: what each has for its author.
async fn three_versions(store: &Store, own: AccountId) -> (NewAutomation, [Option<Author>; 3]) {
    let authors = [Some(author("first")), None, Some(author("third"))];
    let mut new = NewAutomation {
        author: authors[0].clone(),
        note: Some("as ordered".to_owned()),
        override_reason: None,
        ..making::automation("one")
    };
    ok(store.create_automation(own, &new)).await;
    new.publication = Publication::Draft;
    for (definition, author) in [("two", &authors[1]), ("three", &authors[2])] {
        let next = NewAutomation {
            definition: definition.to_owned(),
            author: author.clone(),
            note: None,
            override_reason: None,
            ..new.clone()
        };
        let standing = some(store.automation(own, new.id)).await.standing();
        some(store.save_version(own, &next, &standing)).await;
    }
    (new, authors)
}

/// Changes it as it stands now, by somebody with a key of this name.
async fn change(
    store: &Store,
    own: AccountId,
    id: AutomationId,
    course: StateChange,
    by: &Author,
) -> i64 {
    let standing = some(store.automation(own, id)).await.standing();
    let change = AutomationChange {
        name: None,
        course: Some(course),
        by: Authorship {
            author: Some(by.clone()),
            at: LATER,
            override_reason: None,
        },
    };
    some(store.change_automation(own, id, &change, &standing)).await
}

#[tokio::test]
async fn definitions_are_read_many_at_a_time() {
    on_both(async |engine| {
        let place = TestStore::open(engine).await;
        let store = &place.store;
        let (own, other) = (making::account(store).await, making::account(store).await);
        let (one, _) = three_versions(store, own).await;
        let (two, _) = three_versions(store, own).await;
        let (foreign, _) = three_versions(store, other).await;
        let asked = [(one.id, 2), (two.id, 1), (foreign.id, 1), (two.id, 4)];
        let mut found = ok(store.definitions(own, &asked)).await;
        found.sort();
        let mut expected = vec![(one.id, "two".to_owned()), (two.id, "one".to_owned())];
        expected.sort();
        assert_eq!(found, expected);
        assert_eq!(ok(store.definitions(own, &[])).await, []);
    })
    .await;
}

#[tokio::test]
async fn a_version_says_who_saved_it_and_why_and_has_a_digest() {
    on_both(async |engine| {
        let place = TestStore::open(engine).await;
        let store = &place.store;
        let (own, other) = (making::account(store).await, making::account(store).await);
        let (new, authors) = three_versions(store, own).await;
        let first = some(store.automation_version(own, new.id, 1)).await;
        assert_eq!(first.note.as_deref(), Some("as ordered"));
        assert_eq!(
            first.digest.as_deref(),
            Some(&DefinitionDigest::of("one").as_bytes()[..])
        );

        place
            .execute("UPDATE automation_versions SET digest = NULL WHERE version = 2")
            .await;
        let page = ok(store.automation_versions(own, new.id, None, 2)).await;
        let rest = ok(store.automation_versions(own, new.id, Some(2), 2)).await;
        let all: Vec<_> = page.iter().chain(&rest).collect();
        assert_eq!(
            all.iter().map(|row| row.version).collect::<Vec<_>>(),
            [3, 2, 1]
        );
        for row in all {
            let author = &authors[row.version as usize - 1];
            assert_eq!(row.author_key, author.as_ref().map(|author| author.key));
            assert_eq!(
                row.author_name.as_deref(),
                author.as_ref().map(|author| author.name.as_str())
            );
            assert_eq!(row.digest.is_none(), row.version == 2);
            let only_there = (row.version == 2).then_some("two");
            assert_eq!(row.undigested.as_deref(), only_there);
        }
        assert!(
            ok(store.automation_versions(other, new.id, None, 9))
                .await
                .is_empty()
        );
    })
    .await;
}

#[tokio::test]
async fn what_was_live_stays_known_with_its_times_and_whose_doing_it_was() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let (own, other) = (making::account(store).await, making::account(store).await);
        let (new, authors) = three_versions(store, own).await;
        let (id, by) = (new.id, author("publisher"));
        let publish = |version| StateChange::Publish(version, Publication::Live);
        assert_eq!(ok(store.last_live_but(own, id, 1)).await, None);
        // Revisions 2 to 4 made the versions.
        assert_eq!(change(store, own, id, publish(3), &by).await, 5);
        assert_eq!(ok(store.last_live_but(own, id, 3)).await, Some(1));
        assert_eq!(
            change(store, own, id, publish(3), &by).await,
            6,
            "it is live"
        );
        assert_eq!(change(store, own, id, publish(1), &by).await, 7);
        let off = StateChange::Publish(1, Publication::Off);
        assert_eq!(change(store, own, id, off, &by).await, 8);

        let spans = ok(store.live_spans(own, id, None, 9)).await;
        let told: Vec<_> = spans
            .iter()
            .map(|span| (span.version, span.from_revision, span.to_revision))
            .collect();
        assert_eq!(told, [(1, 7, Some(8)), (3, 5, Some(7)), (1, 2, Some(5))]);
        let times: Vec<_> = spans
            .iter()
            .map(|span| (span.from_at, span.to_at))
            .collect();
        let later = Some(LATER);
        assert_eq!(
            times,
            [
                (later, later),
                (later, later),
                (Some(new.created_at), later)
            ]
        );
        let keys: Vec<_> = spans.iter().map(|span| span.author_key).collect();
        let first = authors[0].as_ref().map(|author| author.key);
        assert_eq!(keys, [Some(by.key), Some(by.key), first]);
        assert_eq!(spans[0].author_name.as_deref(), Some("publisher"));

        let older = ok(store.live_spans(own, id, Some(7), 1)).await;
        assert_eq!(older[0].from_revision, 5);
        for (version, was) in [(1, true), (2, false), (3, true), (4, false)] {
            assert_eq!(ok(store.was_live(own, id, version)).await, was, "{version}");
            assert!(!ok(store.was_live(other, id, version)).await);
        }
        assert!(ok(store.live_spans(other, id, None, 9)).await.is_empty());
        assert_eq!(ok(store.last_live_but(other, id, 9)).await, None);
    })
    .await;
}

#[tokio::test]
async fn an_automation_that_is_put_away_is_not_live_and_comes_back_switched_off() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let own = making::account(store).await;
        let (new, _) = three_versions(store, own).await;
        let (id, by) = (new.id, author("archivist"));
        let before = some(store.automation(own, id)).await.standing();
        let revision = change(store, own, id, StateChange::Archive, &by).await;
        let live = async |revision| some(store.snapshot(own, revision)).await.automations.len();
        assert_eq!((live(revision - 1).await, live(revision).await), (1, 0));
        let listed = async |shelf| ok(store.automations(own, shelf, None, 9)).await.rows.len();
        assert_eq!(
            (listed(Shelf::Open).await, listed(Shelf::All).await),
            (0, 1)
        );
        let row = some(store.automation(own, id)).await;
        assert_eq!((row.archived_at, row.enabled), (Some(LATER), false));
        assert_eq!(
            row.published_version,
            Some(1),
            "what was published is known"
        );

        // Whoever has decided before that knows nothing of it.
        let late = AutomationChange {
            name: Some("late".to_owned()),
            course: None,
            by: making::authorship(),
        };
        let refused = store.change_automation(own, id, &late, &before).await;
        assert!(matches!(refused, Err(Error::Raced)), "{refused:?}");
        let refused = store.save_version(own, &new, &before).await;
        assert!(matches!(refused, Err(Error::Raced)), "{refused:?}");

        let revision = change(store, own, id, StateChange::Unarchive, &by).await;
        let row = some(store.automation(own, id)).await;
        assert_eq!((row.archived_at, row.enabled), (None, false));
        assert_eq!((live(revision).await, listed(Shelf::Open).await), (0, 1));
        let stranger = making::account(store).await;
        let standing = row.standing();
        assert_eq!(
            ok(store.change_automation(stranger, id, &late, &standing)).await,
            None
        );
        some(store.change_automation(own, id, &late, &standing)).await;
        assert_eq!(some(store.automation(own, id)).await.name, "late");
    })
    .await;
}

#[tokio::test]
async fn what_was_live_before_anybody_wrote_down_by_whom_stays_live() {
    const FIRST_SCHEMA: &str = include_str!("../../../migrations/sqlite/0001_house.sql");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("throwbar.db");
    let old = rusqlite::Connection::open(&path).expect("it opens");
    old.execute_batch(FIRST_SCHEMA).expect("valid SQL");
    old.execute_batch(
        "PRAGMA user_version = 1;
         INSERT INTO accounts VALUES (x'00000000000000000000000000000001', NULL, 'a', 2, 1, x'00', 0);
         INSERT INTO automations VALUES (x'00000000000000000000000000000001',
           x'00000000000000000000000000000002', 'b', NULL, 1, 1, 1, 0, 0, NULL);
         INSERT INTO automation_versions VALUES (x'00000000000000000000000000000001',
           x'00000000000000000000000000000002', 1, '{}', 0);
         INSERT INTO publications VALUES (x'00000000000000000000000000000001',
           x'00000000000000000000000000000002', 2, NULL, 1);",
    )
    .expect("valid SQL");
    drop(old);
    let url = format!("sqlite:{}", path.display());
    let store = Store::open(&url).await.expect("it opens");
    let own = AccountId::from_uuid(uuid::Uuid::from_u128(1));
    let id = AutomationId::from_uuid(uuid::Uuid::from_u128(2));
    assert_eq!(some(store.snapshot(own, 2)).await.automations.len(), 1);
    let versions = ok(store.automation_versions(own, id, None, 9)).await;
    assert_eq!(versions[0].undigested.as_deref(), Some("{}"));
    let off = StateChange::Publish(1, Publication::Off);
    change(&store, own, id, off, &author("k")).await;
    let spans = ok(store.live_spans(own, id, None, 9)).await;
    assert_eq!((spans[0].from_at, spans[0].to_at), (None, Some(LATER)));
    assert!(spans[0].author_key.is_none());
}
