//! Mail addresses, as accounts, keys and endpoints have them, and the list of mails.

use serde_json::{Value, json};

use super::{Doors, OPERATOR, nobody};
use crate::support::store::on_both;

#[tokio::test]
async fn an_account_has_an_owner_who_can_be_changed_and_taken_away() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let owner = doors.get("/v1/account").await.is(200);
        assert_eq!(owner.body["owner_mail"], Value::Null);
        for (given, kept) in [
            (json!({"owner_mail": "owner@a.test"}), json!("owner@a.test")),
            (json!({"enabled": true}), json!("owner@a.test")),
            (json!({"owner_mail": null}), Value::Null),
        ] {
            let changed = doors
                .call(OPERATOR, "PATCH", "/v1/account", Some(given))
                .await;
            assert_eq!(changed.is(200).body["owner_mail"], kept);
        }
        let wrong = json!({"owner_mail": "Owner <owner@a.test>", "enabled": false});
        let refused = doors
            .call(OPERATOR, "PATCH", "/v1/account", Some(wrong))
            .await;
        refused.is(422).refuses("invalid_field", "/owner_mail");
        assert_eq!(
            doors.get("/v1/account").await.body["enabled"],
            true,
            "nothing by halves"
        );

        let new = json!({"name": "b", "uid": "b", "owner_mail": "b@b.test"});
        let made = doors.post("/v1/accounts", new).await.is(201);
        assert_eq!(made.body["owner_mail"], "b@b.test");
        let new = json!({"name": "c", "owner_mail": "c"});
        doors
            .post("/v1/accounts", new)
            .await
            .is(422)
            .refuses("invalid_field", "/owner_mail");
    })
    .await;
}

#[tokio::test]
async fn keys_have_owners_and_endpoints_name_whom_to_tell() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let key = json!({"name": "dev", "scopes": ["author"], "owner_mail": "dev@a.test"});
        let made = doors.post("/v1/api-keys", key).await.is(201);
        assert_eq!(made.body["owner_mail"], "dev@a.test");
        let listed = doors.get("/v1/api-keys").await.is(200);
        assert_eq!(listed.body["data"][0]["owner_mail"], "dev@a.test");
        let key = json!({"name": "dev", "scopes": ["author"], "owner_mail": "@"});
        doors
            .post("/v1/api-keys", key)
            .await
            .is(422)
            .refuses("invalid_field", "/owner_mail");

        let url = nobody().await;
        let new = json!({"url": url, "notify": ["ops@a.test", "no"]});
        doors
            .post("/v1/endpoints", new)
            .await
            .is(422)
            .refuses("invalid_field", "/notify/1");
        let many: Vec<String> = (0..11).map(|no| format!("{no}@a.test")).collect();
        let new = json!({"url": url, "notify": many});
        doors
            .post("/v1/endpoints", new)
            .await
            .is(422)
            .refuses("invalid_field", "/notify");
        let new = json!({"url": url, "notify": ["ops@a.test"]});
        let own = doors.post("/v1/endpoints", new).await.is(201);
        let path = format!("/v1/endpoints/{}", own.id());
        for (given, kept) in [
            (json!({"profile": "account-signed"}), json!(["ops@a.test"])),
            (json!({"notify": []}), json!([])),
            (json!({"notify": null}), Value::Null),
        ] {
            let changed = doors.call(OPERATOR, "PATCH", &path, Some(given)).await;
            assert_eq!(changed.is(200).body["notify"], kept);
        }
    })
    .await;
}

#[tokio::test]
async fn the_list_of_mails_says_what_is_wrong_with_a_query() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        assert_eq!(doors.get("/v1/mails").await.is(200).body["data"], json!([]));
        for (query, place) in [("state=lost", "state"), ("endpoint=evt_1", "endpoint")] {
            let refused = doors.get(&format!("/v1/mails?{query}")).await;
            let status = refused.status;
            refused.is(status).refuses("invalid_parameter", place);
            assert!((400..500).contains(&status));
        }
    })
    .await;
}
