//! The catalogue: schemas in versions, examples that fit them, what is put away, and what hides what.

use serde_json::{Value, json};
use throwbar::model::{Clock, Timestamp};
use throwbar::service::make_operator_key;

use super::Doors;
use crate::support::store::on_both;

/// An operator's key that acts for no account.
pub(super) async fn operator(doors: &Doors) -> String {
    let now: Timestamp = Clock::Manual(doors.clock.clone()).now();
    let made = make_operator_key(&doors.place.store, "of nobody", now);
    made.await.expect("made").to_string()
}

#[tokio::test]
async fn a_schema_has_versions_and_examples_fit_it() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let first = json!({"type": "object", "required": ["amount"]});
        let new = json!({"name": "deal.won", "schema": first, "example": {"amount": 1}, "examples": [{"amount": 2}]});
        let made = doors.post("/v1/event-types", new).await.is(201);
        assert_eq!(made.body["schema_version"], 1);
        assert_eq!(made.body["schema"], first);

        let path = "/v1/event-types/deal.won";
        let spelled = json!({"required": ["amount"], "type": "object"});
        let same = doors.patch(path, json!({"schema": spelled})).await.is(200);
        assert_eq!(same.body["schema_version"], 1);
        let second = json!({"type": "object", "properties": {"amount": {"type": "integer"}}});
        let refused = json!({"schema": second, "example": {"amount": "x"}});
        doors
            .patch(path, refused)
            .await
            .is(422)
            .refuses("example_mismatch", "/example/amount");
        let changed = doors.patch(path, json!({"schema": second})).await.is(200);
        assert_eq!(changed.body["schema_version"], 2);
        assert_eq!(changed.body["examples"], json!([{"amount": 2}]));
        for (schema, at) in [
            (json!({"type": "thing"}), "/schema/type"),
            (json!({"$ref": "https://example.org/a.json"}), "/schema/$ref"),
            (json!({"$ref": "#"}), "/schema"),
        ] {
            doors
                .patch(path, json!({"schema": schema}))
                .await
                .is(422)
                .refuses("invalid_schema", at);
        }

        let versions = doors.get(&format!("{path}/versions?limit=1")).await.is(200);
        assert_eq!(versions.body["data"][0]["version"], 2);
        assert_eq!(versions.body["data"][0]["in_force"], true);
        assert_eq!(versions.body["data"][0]["author"]["name"], "bootstrap");
        assert!(versions.body["data"][0].get("schema").is_none());
        let cursor = versions.text("/next_cursor");
        let rest = doors.get(&format!("{path}/versions?cursor={cursor}")).await;
        assert_eq!(rest.is(200).body["data"][0]["version"], 1);
        let one = doors.get(&format!("{path}/versions/1")).await.is(200);
        assert_eq!((&one.body["schema"], &one.body["in_force"]), (&first, &json!(false)));
        let missing = doors.get(&format!("{path}/versions/3")).await.is(404);
        missing.refuses("not_found", "nowhere");
        let told = missing.text("/detail");
        assert!(told.contains("no version of this number"), "{told}");
        doors.get(&format!("{path}/versions/x")).await.is(404);

        let none = doors.patch(path, json!({"schema": null})).await.is(200);
        assert_eq!(none.body["schema_version"], Value::Null);
        assert!(none.body.get("schema").is_none());
        let third = doors.patch(path, json!({"schema": first})).await.is(200);
        assert_eq!(third.body["schema_version"], 3, "versions never change");
    })
    .await;
}

#[tokio::test]
async fn what_is_put_away_is_not_offered_but_known() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        for name in ["a", "b"] {
            doors
                .post("/v1/event-types", json!({"name": name}))
                .await
                .is(201);
        }
        let names = async |query: &str| {
            let listed = doors.get(&format!("/v1/event-types{query}")).await.is(200);
            let rows = listed.body["data"].as_array().expect("a list").clone();
            let names = rows
                .iter()
                .filter_map(|row| row["name"].as_str().map(str::to_owned));
            names.collect::<Vec<_>>()
        };
        let path = "/v1/event-types/a";
        let away = doors.patch(path, json!({"archived": true})).await.is(200);
        assert_eq!(away.body["archived"], true);
        assert_eq!(names("").await, ["b"]);
        assert_eq!(names("?archived=true").await, ["a", "b"]);
        assert_eq!(doors.get(path).await.is(200).body["archived"], true);
        doors
            .patch("/v1/account", json!({"unknown_types": "refuse"}))
            .await
            .is(200);
        doors
            .post("/v1/events", json!({"type": "a", "data": 1}))
            .await
            .is(202);
        doors.patch(path, json!({"archived": false})).await.is(200);
        assert_eq!(names("").await, ["a", "b"]);
    })
    .await;
}

#[tokio::test]
async fn names_of_routes_are_no_event_types() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        for name in ["import", "catalogues"] {
            doors
                .post("/v1/event-types", json!({"name": name}))
                .await
                .is(422)
                .refuses("invalid_field", "/name");
        }
        doors
            .post("/v1/event-types", json!({"name": "import.done"}))
            .await
            .is(201);
    })
    .await;
}

#[tokio::test]
async fn an_account_s_own_hides_the_installation_s() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let key = operator(&doors).await;
        let schema = |kind: &str| json!({"type": kind});
        let new = json!({"name": "a", "schema": schema("object")});
        doors
            .call(&key, "POST", "/v1/event-types", Some(new))
            .await
            .is(201);
        let seen = doors.get("/v1/event-types/a").await.is(200);
        assert_eq!(seen.body["owner"], "installation");
        assert_eq!(seen.body["schema"], schema("object"));
        let versions = doors.get("/v1/event-types/a/versions").await.is(200);
        assert_eq!(versions.body["data"][0]["version"], 1);
        let account = doors.get("/v1/account").await.id().parse().expect("an id");
        let newest = async |name: &str| {
            let newest = doors.service.newest_schema(account, name).await;
            newest.expect("read").as_deref().cloned()
        };
        assert_eq!(newest("a").await, Some(schema("object")));
        assert_eq!(newest("b").await, None);
        doors
            .patch("/v1/event-types/a", json!({"group": "g"}))
            .await
            .is(404);

        doors
            .patch("/v1/account", json!({"validation": "refuse"}))
            .await
            .is(200);
        let text = json!({"type": "a", "data": "text"});
        doors.post("/v1/events", text.clone()).await.is(422);
        let own = json!({"name": "a", "schema": schema("string")});
        doors.post("/v1/event-types", own).await.is(201);
        doors.post("/v1/events", text.clone()).await.is(202);
        let listed = doors.get("/v1/event-types").await.is(200);
        assert_eq!(listed.body["data"].as_array().map(Vec::len), Some(1));
        assert_eq!(listed.body["data"][0]["owner"], "account");
        // One's own without a schema hides the installation's, too.
        doors
            .patch("/v1/event-types/a", json!({"schema": null}))
            .await
            .is(200);
        doors
            .post("/v1/events", json!({"type": "a", "data": 7}))
            .await
            .is(202);
        assert_eq!(newest("a").await, None);
        doors.delete("/v1/event-types/a").await.is(204);
        doors.post("/v1/events", text).await.is(422);
        let patch = Some(json!({"schema": null}));
        doors
            .call(&key, "PATCH", "/v1/event-types/a", patch)
            .await
            .is(200);
        doors
            .post("/v1/events", json!({"type": "a", "data": 7}))
            .await
            .is(202);
    })
    .await;
}
