//! Variables that something refers to, in whatever spelling, stay.

use serde_json::json;

use super::{Doors, component, nobody};
use crate::support::store::on_both;

#[tokio::test]
async fn however_it_is_spelled_what_is_referred_to_stays() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        doors.upload(component("redact"), "").await.is(201);
        let set = async |name: &str| {
            let new = json!({"name": name, "value": "/mail"});
            doors.post("/v1/variables", new).await.is(201);
        };
        for name in ["asked", "spaced", "configured", "headed"] {
            set(name).await;
        }
        let config = json!({"remove": ["{{ vars . configured }}"]});
        let new = json!({
            "name": "a", "trigger": {"events": ["deal.*"]},
            "condition": "vars.\nasked != vars . spaced || event.data.mail != null",
            "transforms": [{"plugin": "redact", "config": config}],
            "actions": [{"webhook": {"url": nobody().await}}],
        });
        let trial =
            json!({"automation": new, "event": {"type": "deal.won", "data": {"mail": 1, "b": 2}}});
        let tried = doors.post("/v1/automations/test", trial).await.is(200);
        assert_eq!(
            tried.text("/requests/0/body"),
            r#"{"b":2}"#,
            "{}",
            tried.body
        );
        let made = doors.post("/v1/automations", new).await.is(201);
        let headers = json!({"X-A": "{{vars .headed}}"});
        let endpoint = json!({"url": nobody().await, "headers": headers});
        let endpoint = doors.post("/v1/endpoints", endpoint).await.is(201);
        for name in ["asked", "spaced", "configured", "headed"] {
            let used = doors.delete(&format!("/v1/variables/{name}")).await.is(409);
            used.refuses("variable_in_use", "nowhere");
        }
        // What only looks like it keeps nothing.
        set("free").await;
        let like = json!({"condition": "event.data.vars.free == 'vars.free'"});
        doors
            .patch(&format!("/v1/automations/{}", made.id()), like)
            .await
            .is(200);
        doors.delete("/v1/variables/free").await.is(204);
        doors
            .delete(&format!("/v1/endpoints/{}", endpoint.id()))
            .await
            .is(204);
        doors.delete("/v1/variables/headed").await.is(204);
    })
    .await;
}
