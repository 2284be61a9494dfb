//! Plugins: uploaded, pinned, configured, run.

use serde_json::json;

use super::{Doors, component, nobody};
use crate::support::store::on_both;

#[tokio::test]
async fn a_plugin_is_kept_once_and_pinned_when_an_automation_is_saved() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let made = doors.upload(component("redact"), "").await.is(201);
        assert!(made.text("/digest").starts_with("sha256:"));
        assert!(!made.body["vectors"].as_array().expect("vectors").is_empty());
        let again = doors.upload(component("redact"), "").await.is(201);
        assert_eq!(again.body, made.body);
        let renamed = doors.upload(component("redact"), "?name=cut").await.is(201);
        assert_eq!(renamed.text("/name"), "cut");
        assert_ne!(renamed.id(), made.id());
        doors
            .upload(component("chat-message"), "?name=redact")
            .await;
        let versions = doors
            .get(&format!("/v1/plugins/{}/versions", made.id()))
            .await
            .is(200);
        assert!(
            !versions.body["data"]
                .as_array()
                .expect("versions")
                .is_empty()
        );

        let reference = format!("redact@{}", made.text("/version"));
        let new = |plugin: &str, config: serde_json::Value, url: &str| {
            json!({
                "name": "a", "trigger": {"events": ["a"]}, "actions": [{"webhook": {"url": url}}],
                "transforms": [{"plugin": plugin, "config": config}],
            })
        };
        let url = nobody().await;
        let wrong = doors
            .post(
                "/v1/automations",
                new(&reference, json!({"paths": 7}), &url),
            )
            .await
            .is(422);
        assert!(
            wrong.text("/pointer").starts_with("/transforms/0/config"),
            "{}",
            wrong.body
        );
        assert_eq!(wrong.body["code"], "invalid_config");
        doors
            .post("/v1/automations", new("redact@9", json!({}), &url))
            .await
            .is(422)
            .refuses("invalid_field", "/transforms/0/plugin");
    })
    .await;
}

#[tokio::test]
async fn what_is_no_plugin_is_refused_with_the_reason() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let broken = doors.upload(b"\0asm".to_vec(), "").await.is(422);
        assert_eq!(broken.body["code"], "plugin_refused");
        doors
            .upload(component("redact"), "?name=Redact")
            .await
            .is(422)
            .refuses("invalid_parameter", "name");
        doors
            .upload(component("redact"), "?nam=x")
            .await
            .is(422)
            .refuses("unknown_parameter", "nam");
        doors.post("/v1/plugins", json!({})).await.is(415);
        assert_eq!(doors.get("/v1/plugins").await.body["data"], json!([]));
    })
    .await;
}
