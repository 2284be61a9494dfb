//! What one node tells the others, over a real PostgreSQL.

use throwbar::model::ApiKeyId;
use throwbar::store::Hint;

use crate::support::making::{self, now};
use crate::support::store::{Engine, TestStore, ok};

#[tokio::test]
async fn a_node_hears_of_revisions_of_revoked_keys_and_of_what_was_left() {
    let test = TestStore::open(Engine::Postgres).await;
    let mut heard = ok(test.store.listen()).await.expect("there can be others");
    let other = test.another().await;
    let account = making::account(&other).await;
    ok(other.switch_account(account, false)).await;
    assert_eq!(ok(heard.next()).await, Hint::Revision(account, 2));
    let key = ApiKeyId::mint(now());
    other.tell(Hint::Revoked(key));
    assert_eq!(ok(heard.next()).await, Hint::Revoked(key));
    let life = ok(other.begin_life(now())).await;
    ok(other.end_life(life, now())).await;
    assert_eq!(ok(heard.next()).await, Hint::Look);
}

#[tokio::test]
async fn an_embedded_database_has_no_other_nodes() {
    let test = TestStore::open(Engine::Sqlite).await;
    assert!(ok(test.store.listen()).await.is_none());
    test.store.tell(Hint::Look);
}
