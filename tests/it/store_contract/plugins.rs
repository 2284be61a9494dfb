//! Plugins: versions under a name, components by digest, each account's alone.

use bytes::Bytes;
use throwbar::model::PluginId;
use throwbar::store::NewPluginVersion;

use crate::support::making::{self, now};
use crate::support::store::{TestStore, ok, on_both, some};

/// A version whose bytes and digest are one byte repeated.
pub(super) fn plugin_version(name: &str, version: &str, byte: u8) -> NewPluginVersion {
    NewPluginVersion {
        id: PluginId::mint(now()),
        name: name.to_owned(),
        version: version.to_owned(),
        digest: [byte; 32],
        description: "{}".to_owned(),
        wasm: Bytes::from(vec![byte; 100_000]),
        created_at: now().plus_ms(i64::from(byte)),
    }
}

#[tokio::test]
async fn versions_of_one_name_are_one_plugin() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let (own, other) = (making::account(store).await, making::account(store).await);
        let (first, second) = (
            plugin_version("redact", "1.0.0", 1),
            plugin_version("redact", "1.1.0", 2),
        );
        let id = ok(store.add_plugin_version(own, &first)).await;
        assert_eq!(id, first.id);
        assert_eq!(ok(store.add_plugin_version(own, &second)).await, id);
        let again = plugin_version("redact", "1.1.0", 3);
        assert!(
            store
                .add_plugin_version(own, &again)
                .await
                .expect_err("it has 1.1.0")
                .is_taken()
        );

        let found = some(store.plugin_by_name(own, "redact")).await;
        assert_eq!((found.id, found.name.as_str()), (id, "redact"));
        assert!(ok(store.plugin(own, id)).await.is_some());
        let versions = ok(store.plugin_versions(own, id)).await;
        let told: Vec<_> = versions
            .iter()
            .map(|row| (row.version.as_str(), row.digest[0]))
            .collect();
        assert_eq!(told, [("1.1.0", 2), ("1.0.0", 1)]);

        let component = some(store.component(own, [2; 32])).await;
        assert_eq!(component, second.wasm);
        assert!(
            ok(store.component(own, [3; 32])).await.is_none(),
            "it was refused"
        );
        assert!(ok(store.component(other, [2; 32])).await.is_none());
        assert!(ok(store.plugin(other, id)).await.is_none());
        assert!(ok(store.plugin_by_name(other, "redact")).await.is_none());
        assert!(ok(store.plugin_versions(other, id)).await.is_empty());
        assert_eq!(some(store.account(own)).await.revision, 3);
    })
    .await;
}

#[tokio::test]
async fn plugins_come_newest_first_page_by_page() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let own = making::account(store).await;
        for (name, byte) in [("a", 1), ("b", 2), ("c", 3)] {
            ok(store.add_plugin_version(own, &plugin_version(name, "1.0.0", byte))).await;
        }
        let first = ok(store.plugins(own, None, 2)).await;
        assert_eq!(
            first
                .rows
                .iter()
                .map(|row| row.name.as_str())
                .collect::<Vec<_>>(),
            ["c", "b"]
        );
        let second = ok(store.plugins(own, first.next, 2)).await;
        assert_eq!(
            second
                .rows
                .iter()
                .map(|row| row.name.as_str())
                .collect::<Vec<_>>(),
            ["a"]
        );
        assert_eq!(second.next, None);
    })
    .await;
}
