//! Plugins: versions under a name, components by digest, each account's alone.

use bytes::Bytes;
use throwbar::model::PluginId;
use throwbar::store::NewPluginVersion;

use crate::support::making::{self, now};
use crate::support::store::{TestStore, on_both};

fn plugin_version(name: &str, version: &str, byte: u8) -> NewPluginVersion {
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
        let (first, second) = (plugin_version("redact", "1.0.0", 1), plugin_version("redact", "1.1.0", 2));
        let id = store.add_plugin_version(own, &first).await.expect("new");
        assert_eq!(id, first.id);
        assert_eq!(store.add_plugin_version(own, &second).await.expect("new"), id);
        let again = plugin_version("redact", "1.1.0", 3);
        assert!(store.add_plugin_version(own, &again).await.expect_err("it has 1.1.0").is_taken());

        let found = store.plugin_by_name(own, "redact").await.expect("read").expect("it is there");
        assert_eq!((found.id, found.name.as_str()), (id, "redact"));
        assert!(store.plugin(own, id).await.expect("read").is_some());
        let versions = store.plugin_versions(own, id).await.expect("read");
        let told: Vec<_> = versions.iter().map(|row| (row.version.as_str(), row.digest[0])).collect();
        assert_eq!(told, [("1.1.0", 2), ("1.0.0", 1)]);

        let component = store.component(own, [2; 32]).await.expect("read").expect("it is there");
        assert_eq!(component, second.wasm);
        assert!(store.component(own, [3; 32]).await.expect("read").is_none(), "it was refused");
        assert!(store.component(other, [2; 32]).await.expect("read").is_none());
        assert!(store.plugin(other, id).await.expect("read").is_none());
        assert!(store.plugin_by_name(other, "redact").await.expect("read").is_none());
        assert!(store.plugin_versions(other, id).await.expect("read").is_empty());
        assert_eq!(store.account(own).await.expect("read").expect("there").revision, 3);
    })
    .await;
}

#[tokio::test]
async fn plugins_come_newest_first_page_by_page() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let own = making::account(store).await;
        for (name, byte) in [("a", 1), ("b", 2), ("c", 3)] {
            store.add_plugin_version(own, &plugin_version(name, "1.0.0", byte)).await.expect("new");
        }
        let first = store.plugins(own, None, 2).await.expect("read");
        assert_eq!(first.rows.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["c", "b"]);
        let second = store.plugins(own, first.next, 2).await.expect("read");
        assert_eq!(second.rows.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["a"]);
        assert_eq!(second.next, None);
    })
    .await;
}
