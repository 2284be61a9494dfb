//! Policies and profiles by name: each account's own, and what becomes of endpoints that follow them.

use throwbar::model::Timestamp;
use throwbar::store::{NamedRule, Resettled, RuleKind};

use crate::support::making::{self, now};
use crate::support::store::{TestStore, ok, on_both};

fn rule(kind: RuleKind, name: &str, at: Timestamp) -> NamedRule {
    NamedRule {
        kind: kind.as_str().to_owned(),
        name: name.to_owned(),
        says: "{}".to_owned(),
        created_at: at,
        updated_at: at,
    }
}

#[tokio::test]
async fn a_name_is_an_account_s_own_and_one_of_its_kind() {
    on_both(async |engine| {
        let place = TestStore::open(engine).await;
        let store = &place.store;
        let (own, other) = (making::account(store).await, making::account(store).await);
        let at = now();
        for kind in RuleKind::ALL {
            ok(store.create_rule(own, &rule(*kind, "a", at))).await;
        }
        let again = store
            .create_rule(own, &rule(RuleKind::Profile, "a", at))
            .await;
        assert!(again.is_err_and(|error| error.is_taken()));
        ok(store.create_rule(other, &rule(RuleKind::Profile, "a", at))).await;

        let later = at.plus_ms(1);
        let mut to = rule(RuleKind::RetryPolicy, "a", later);
        to.says = "[]".to_owned();
        assert!(ok(store.change_rule(own, &to)).await);
        to.name = "b".to_owned();
        assert!(!ok(store.change_rule(own, &to)).await);
        assert!(ok(store.delete_rule(own, RuleKind::FailurePolicy, "a")).await);
        assert!(!ok(store.delete_rule(own, RuleKind::FailurePolicy, "a")).await);
        ok(store.set_default_profile(own, "a")).await;

        let book = ok(store.rulebook(own)).await.expect("an account");
        let told = book
            .rules
            .iter()
            .map(|it| (it.kind.as_str(), it.says.as_str()));
        assert_eq!(
            told.collect::<Vec<_>>(),
            [("profile", "{}"), ("retry_policy", "[]")]
        );
        assert_eq!(book.default_profile, "a");
        let account = ok(store.account(own)).await.expect("an account");
        assert_eq!(book.revision, account.revision);
        let book = ok(store.rulebook(other)).await.expect("an account");
        assert_eq!(
            (book.rules.len(), book.default_profile.as_str()),
            (1, "standard")
        );
    })
    .await;
}

#[tokio::test]
async fn followers_get_their_settings_and_keep_the_rest() {
    on_both(async |engine| {
        let place = TestStore::open(engine).await;
        let store = &place.store;
        let (own, other) = (making::account(store).await, making::account(store).await);
        let mut endpoints = Vec::new();
        for _ in 0..3 {
            endpoints.push(making::stored_endpoint(store, own).await);
        }
        let theirs = making::stored_endpoint(store, other).await;
        let before = ok(store.account(own)).await.expect("an account").revision;
        let at = now().plus_ms(5);
        let resettled = |id| Resettled {
            id,
            settings: "{\"new\":1}".to_owned(),
            succeeded_at: Some(at),
        };
        let some = [
            resettled(endpoints[0]),
            resettled(endpoints[1]),
            resettled(theirs),
        ];
        ok(store.resettle_endpoints(own, &some, at)).await;
        for (id, is_new) in endpoints.into_iter().zip([true, true, false]) {
            let row = ok(store.endpoint(own, id)).await.expect("it is there");
            assert_eq!(row.settings == "{\"new\":1}", is_new);
            assert_eq!(row.updated_at == at, is_new);
        }
        let row = ok(store.endpoint(other, theirs))
            .await
            .expect("it is there");
        assert_ne!(row.settings, "{\"new\":1}", "it is another account's");
        let after = ok(store.account(own)).await.expect("an account").revision;
        assert_eq!(after, before + 1);
    })
    .await;
}
