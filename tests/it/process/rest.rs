//! The tables, asked by the client of others, as its users have it.

use serde_json::{Value, json};

use crate::support::before_hanging;
use crate::support::clients::postgrest;
use crate::support::node::{Home, KEY};
use crate::support::store::on_both;

const CONFIGURATIONS: &str = "webhook_configurations";

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one story")]
async fn the_client_of_postgrest_makes_reads_changes_and_removes_rows() {
    on_both(async |engine| {
        let home = Home::on(engine).await;
        let node = home.start().await;
        let url = format!("{}/rest/v1", node.caller().url());
        let ask = async |calls: Value| postgrest(&url, KEY, calls).await;
        let new = json!({
            "organization_id": "default", "name": "CRM Sync", "url": "https://127.0.0.1:9/webhook",
            "events": ["contact.created", "contact.updated"], "secret": "your-secret-key", "is_active": true,
        });
        let made = ask(json!([["from", CONFIGURATIONS], ["insert", new], ["select"], ["single"]])).await;
        assert_eq!(made["status"], 201, "{made}");
        let id = made["data"]["id"].clone();
        assert_eq!(made["data"]["secret"], "your-secret-key");
        let two = json!([
            {"name": "one", "url": "https://127.0.0.1:9/1", "events": ["deal.created"]},
            {"name": "two", "url": "https://127.0.0.1:9/2", "events": ["deal.*"], "is_active": false},
        ]);
        let made = ask(json!([["from", CONFIGURATIONS], ["insert", two]])).await;
        assert_eq!((&made["status"], &made["data"]), (&json!(201), &Value::Null), "{made}");

        let read = ask(json!([
            ["from", CONFIGURATIONS], ["select", "name, is_active", {"count": "exact"}],
            ["eq", "organization_id", "default"], ["order", "name", {"ascending": true}], ["range", 0, 1],
        ]))
        .await;
        assert_eq!(read["count"], 3, "{read}");
        let expected = json!([{"name": "CRM Sync", "is_active": true}, {"name": "one", "is_active": true}]);
        assert_eq!(read["data"], expected);
        let nothing = ask(json!([
            ["from", CONFIGURATIONS], ["select"], ["eq", "name", "three"], ["maybeSingle"],
        ]))
        .await;
        assert_eq!((&nothing["data"], &nothing["error"]), (&Value::Null, &Value::Null), "{nothing}");
        let several = ask(json!([["from", CONFIGURATIONS], ["select"], ["single"]])).await;
        assert_eq!((&several["status"], &several["error"]["code"]), (&json!(406), &json!("PGRST116")));
        let head = ask(json!([["from", CONFIGURATIONS], ["select", "*", {"count": "exact", "head": true}]])).await;
        assert_eq!(head["count"], 3, "{head}");
        let filtered = ask(json!([
            ["from", CONFIGURATIONS], ["select", "name"], ["in", "name", ["two", "a,b"]],
            ["not", "is_active", "is", true], ["like", "url", "https://%"], ["contains", "events", ["deal.*"]],
        ]))
        .await;
        assert_eq!(filtered["data"], json!([{"name": "two"}]), "{filtered}");

        let changed = ask(json!([
            ["from", CONFIGURATIONS], ["update", {"is_active": true}], ["eq", "name", "two"], ["select", "is_active"],
        ]))
        .await;
        assert_eq!(changed["data"], json!([{"is_active": true}]), "{changed}");
        let all = ask(json!([["from", CONFIGURATIONS], ["delete"]])).await;
        assert_eq!(all["error"]["code"], "21000", "{all}");
        let gone = ask(json!([["from", CONFIGURATIONS], ["delete"], ["neq", "id", id]])).await;
        assert_eq!(gone["status"], 204, "{gone}");

        // Nobody answers there: each attempt is a row of the log.
        node.caller().send_event("contact.created", "{}").await;
        let logs = json!([
            ["from", "webhook_logs"], ["select"], ["eq", "webhook_id", id], ["eq", "status", "failed"],
            ["gte", "created_at", "2020-01-01"], ["order", "created_at", {"ascending": false}],
        ]);
        let logged = before_hanging("an attempt", async {
            loop {
                let logged = ask(logs.clone()).await;
                if logged["data"].as_array().is_some_and(|rows| !rows.is_empty()) {
                    break logged;
                }
            }
        })
        .await;
        assert_eq!(logged["data"][0]["event"], "contact.created", "{logged}");
        assert_eq!(logged["data"][0]["status_code"], Value::Null);
        let wrong = postgrest(&url, "tb_wrong", json!([["from", "webhook_logs"], ["select"]])).await;
        assert_eq!((&wrong["status"], &wrong["error"]["code"]), (&json!(401), &json!("unknown_key")));
        node.stop().await;
    })
    .await;
}
