//! Variables: kept by name, removed only when nothing asks for them.

use throwbar::model::Timestamp;
use throwbar::store::{Error, NewEndpoint, Removal, Store, Variable, VariableUser};

use crate::support::making::{self, now};
use crate::support::store::{TestStore, ok, on_both, some};

const LATER: Timestamp = Timestamp::from_ms(1_800_000_000_000);

fn variable(name: &str, value: Option<&str>) -> Variable {
    Variable {
        name: name.to_owned(),
        value: value.map(str::to_owned),
        sealed: value.is_none().then(|| b"sealed".to_vec()),
        created_at: now(),
        updated_at: now(),
    }
}

async fn names(store: &Store, account: throwbar::model::AccountId) -> Vec<String> {
    let rows = ok(store.variables(account, None, 9)).await;
    rows.into_iter().map(|row| row.name).collect()
}

#[tokio::test]
async fn a_variable_is_one_account_s_and_raises_its_revision() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let (own, other) = (making::account(store).await, making::account(store).await);
        for (name, value) in [("b", Some("1")), ("a", None)] {
            ok(store.create_variable(own, &variable(name, value))).await;
        }
        let taken = store.create_variable(own, &variable("a", Some("2"))).await;
        assert!(taken.is_err_and(|error| error.is_taken()));
        ok(store.create_variable(other, &variable("a", Some("2")))).await;
        assert_eq!(names(store, own).await, ["a", "b"]);
        assert_eq!(ok(store.variables(own, Some("a"), 9)).await[0].name, "b");
        assert_eq!(
            some(store.variable(own, "a")).await.sealed.as_deref(),
            Some(&b"sealed"[..])
        );
        assert_eq!(some(store.account(own)).await.revision, 3);

        let to = Variable {
            updated_at: LATER,
            ..variable("a", Some("\"x\""))
        };
        let refused = some(store.change_variable(own, &to, |_| true)).await;
        assert_eq!(refused, []);
        let changed = some(store.variable(own, "a")).await;
        assert_eq!(
            (changed.value.as_deref(), changed.sealed),
            (Some("\"x\""), None)
        );
        assert_eq!(changed.updated_at, LATER);
        assert_eq!(some(store.account(own)).await.revision, 4);
        assert_eq!(
            ok(store.change_variable(own, &variable("c", None), |_| true)).await,
            None
        );
        assert_eq!(ok(store.delete_variable(own, "c")).await, Removal::Missing);
        assert_eq!(ok(store.delete_variable(own, "a")).await, Removal::Removed);
        assert_eq!(names(store, own).await, ["b"]);
        assert_eq!(names(store, other).await, ["a"]);
        assert_eq!(
            some(store.account(own)).await.revision,
            5,
            "what changes nothing raises nothing"
        );
    })
    .await;
}

#[tokio::test]
async fn whoever_asks_for_a_variable_is_known() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let own = making::account(store).await;
        for name in ["least", "token", "least_of_all"] {
            ok(store.create_variable(own, &variable(name, None))).await;
        }
        let definition = |condition: &str, config: &str| {
            format!(
                r#"{{"trigger":{{"events":["a"]}},"condition":"{condition}","transforms":[{{"plugin":"p","digest":"d","config":{config}}}],"actions":[]}}"#
            )
        };
        let asking = making::automation(&definition("event.data > vars.least", r#"["{{vars.token}}"]"#));
        ok(store.create_automation(own, &asking)).await;
        // What only looks like it: in a text, escaped, as a name, or of another variable.
        let quoting = making::automation(&definition("event.data == 'vars.token'", r#"{"{{vars.token}}":"\\{{vars.token}}"}"#));
        ok(store.create_automation(own, &quoting)).await;
        let headed = NewEndpoint {
            settings: r#"{"headers":{"a":"Bearer {{vars.token}}"}}"#.to_owned(),
            ..making::endpoint()
        };
        ok(store.create_endpoint(own, &headed)).await;

        let name = || asking.name.clone();
        let condition = VariableUser::Condition { id: asking.id, name: name() };
        let config = VariableUser::Config { id: asking.id, name: name() };
        let in_header = VariableUser::Header { id: headed.id, name: headed.name.clone() };
        assert_eq!(
            ok(store.delete_variable(own, "least")).await,
            Removal::InUse(vec![condition.clone()])
        );
        assert_eq!(
            ok(store.delete_variable(own, "token")).await,
            Removal::InUse(vec![config, in_header.clone()])
        );
        let to = variable("token", Some("1"));
        let only_headers = |user: &VariableUser| matches!(user, VariableUser::Header { .. });
        assert_eq!(some(store.change_variable(own, &to, only_headers)).await, [in_header]);
        assert!(some(store.variable(own, "token")).await.value.is_none(), "nothing is changed");
        assert_eq!(ok(store.delete_variable(own, "least_of_all")).await, Removal::Removed);
        some(store.delete_automation(own, asking.id, now())).await;
        assert_eq!(ok(store.delete_variable(own, "least")).await, Removal::Removed);
    })
    .await;
}

#[tokio::test]
async fn a_snapshot_has_variables_where_something_may_ask_for_them() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let own = making::account(store).await;
        ok(store.create_variable(own, &variable("least", Some("1")))).await;
        ok(store.create_automation(own, &making::automation("{}"))).await;
        let revision = some(store.account(own)).await.revision;
        assert!(
            some(store.snapshot(own, revision))
                .await
                .variables
                .is_empty()
        );
        let asking = making::automation(r#"{"condition":"vars.least"}"#);
        let revision = ok(store.create_automation(own, &asking)).await;
        assert_eq!(some(store.snapshot(own, revision)).await.variables.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_variable_is_plain_or_sealed_and_an_account_has_so_many() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let own = making::account(store).await;
        let both = Variable {
            sealed: Some(b"x".to_vec()),
            ..variable("a", Some("1"))
        };
        let neither = Variable {
            sealed: None,
            ..variable("a", None)
        };
        for wrong in [both, neither] {
            let refused = store.create_variable(own, &wrong).await;
            assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
        }
        assert!(names(store, own).await.is_empty());
    })
    .await;
}
