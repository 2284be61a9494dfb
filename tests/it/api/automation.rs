//! Automations: saved whole or not at all, changed by versions.

use serde_json::{Value, json};

use super::{Doors, nobody};
use crate::support::store::on_both;

fn webhook(url: &str) -> Value {
    json!([{"webhook": {"url": url}}])
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one table of cases")]
async fn what_an_automation_can_not_be_is_told_with_its_place() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let good = json!({
            "name": "a", "trigger": {"events": ["deal.*"]},
            "actions": webhook("https://example.com/"),
        });
        let cases = [
            (
                "/trigger",
                json!({"schedule": {"cron": "61 * * * *"}}),
                "invalid_field",
                "/trigger/schedule/cron",
            ),
            (
                "/trigger",
                json!({"events": []}),
                "invalid_field",
                "/trigger/events",
            ),
            (
                "/trigger",
                json!({"event": ["a"]}),
                "unknown_field",
                "/trigger/event",
            ),
            (
                "/condition",
                json!("event.data.amount >"),
                "invalid_condition",
                "/condition",
            ),
            (
                "/condition",
                json!("amount > 3"),
                "invalid_condition",
                "/condition",
            ),
            (
                "/transforms",
                json!([{"javascript": "x"}]),
                "not_built",
                "/transforms/0/javascript",
            ),
            (
                "/transforms",
                json!([{"plugin": "none@1.0.0"}]),
                "unknown_plugin",
                "/transforms/0/plugin",
            ),
            (
                "/transforms",
                json!([{"plugin": format!("sha256:{}", "0".repeat(64))}]),
                "unknown_plugin",
                "/transforms/0/plugin",
            ),
            ("/transforms", json!([{}]), "invalid_field", "/transforms/0"),
            ("/actions", json!([]), "invalid_field", "/actions"),
            (
                "/actions",
                json!([{"emit": {"type": "throwbar.a"}}]),
                "reserved_type",
                "/actions/0/emit/type",
            ),
            (
                "/actions",
                json!([{"webhook": {}}]),
                "invalid_field",
                "/actions/0/webhook",
            ),
            (
                "/actions",
                json!([{"webhook": {"url": "http://169.254.169.254/"}}]),
                "invalid_field",
                "/actions/0/webhook/url",
            ),
            (
                "/actions",
                json!([{"webhook": {"endpoint": "ep_0"}}]),
                "invalid_field",
                "/actions/0/webhook/endpoint",
            ),
            ("/name", json!(""), "invalid_field", "/name"),
        ];
        for (field, value, code, place) in cases {
            let mut wrong = good.clone();
            wrong[&field[1..]] = value;
            let answer = doors.post("/v1/automations", wrong).await.is(422);
            answer.refuses(code, place);
        }
        assert_eq!(doors.get("/v1/automations").await.body["data"], json!([]));
        assert_eq!(
            doors.get("/v1/endpoints").await.body["data"],
            json!([]),
            "nothing is stored half"
        );
    })
    .await;
}

#[tokio::test]
async fn a_bare_url_is_one_endpoint_for_all_versions() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let [first, second] = [nobody().await, nobody().await];
        let trigger = json!({"events": ["a"]});
        let new = json!({"name": "a", "trigger": trigger, "actions": webhook(&first)});
        let made = doors.post("/v1/automations", new).await.is(201);
        let path = format!("/v1/automations/{}", made.id());
        let endpoint = made.text("/actions/0/webhook/endpoint");
        let shown = doors
            .get(&format!("/v1/endpoints/{endpoint}"))
            .await
            .is(200);
        assert_eq!(
            (&shown.body["profile"], &shown.body["automation"]),
            (&json!("account-signed"), &made.body["id"])
        );
        doors
            .delete(&format!("/v1/endpoints/{endpoint}"))
            .await
            .is(409)
            .refuses("owned_by_automation", "nowhere");
        let foreign = json!({
            "name": "b", "trigger": {"events": ["a"]},
            "actions": [{"webhook": {"endpoint": endpoint}}],
        });
        doors
            .post("/v1/automations", foreign)
            .await
            .is(422)
            .refuses("invalid_field", "/actions/0/webhook/endpoint");

        let other = doors
            .patch(&path, json!({"actions": webhook(&second)}))
            .await
            .is(200);
        assert_ne!(other.text("/actions/0/webhook/endpoint"), endpoint);
        let back = doors
            .patch(&path, json!({"actions": webhook(&first)}))
            .await
            .is(200);
        assert_eq!(back.text("/actions/0/webhook/endpoint"), endpoint);
        assert_eq!(
            (&back.body["version"], &back.body["published_version"]),
            (&json!(3), &json!(3))
        );

        doors.delete(&path).await.is(204);
        doors.get(&path).await.is(404);
        doors
            .get(&format!("/v1/endpoints/{endpoint}"))
            .await
            .is(404);
    })
    .await;
}

#[tokio::test]
async fn drafts_wait_and_switches_make_no_version() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let new = json!({
            "name": "a", "draft": true,
            "trigger": {"events": ["a"]}, "actions": webhook(&nobody().await),
        });
        let made = doors.post("/v1/automations", new).await.is(201);
        assert_eq!(
            (&made.body["published_version"], &made.body["enabled"]),
            (&Value::Null, &json!(false))
        );
        let path = format!("/v1/automations/{}", made.id());
        doors
            .patch(&path, json!({"enabled": true}))
            .await
            .is(409)
            .refuses("not_published", "nowhere");
        let live = doors.patch(&path, json!({"draft": false})).await.is(200);
        assert_eq!(
            (&live.body["published_version"], &live.body["enabled"]),
            (&json!(1), &json!(true))
        );

        let draft = doors
            .patch(&path, json!({"condition": "event.data > 1", "draft": true}))
            .await
            .is(200);
        assert_eq!(
            (&draft.body["version"], &draft.body["published_version"]),
            (&json!(2), &json!(1))
        );
        let renamed = doors.patch(&path, json!({"name": "b"})).await.is(200);
        assert_eq!(
            renamed.body["published_version"], 1,
            "a new name publishes no draft"
        );
        let off = doors.patch(&path, json!({"enabled": false})).await.is(200);
        assert_eq!(
            (&off.body["enabled"], &off.body["version"]),
            (&json!(false), &renamed.body["version"])
        );
        let edited = doors.patch(&path, json!({"condition": null})).await.is(200);
        assert_eq!(
            (&edited.body["enabled"], &edited.body["condition"]),
            (&json!(false), &Value::Null)
        );
        doors.patch(&path, json!({"enabled": true})).await.is(200);

        let event = doors
            .post("/v1/events", json!({"type": "a", "data": 1}))
            .await
            .is(202)
            .id();
        doors.pipeline.settle().await;
        let said = doors
            .get(&format!("/v1/events/{event}/evaluations"))
            .await
            .is(200);
        assert_eq!(said.body["data"][0]["verdict"], "fired");
    })
    .await;
}
