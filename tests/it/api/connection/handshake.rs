//! Receivers that are asked before whether they want deliveries: the handshake of CloudEvents' web hooks.

use serde_json::{Value, json};

use super::{Doors, ENDPOINTS};
use crate::support::answers::Answer;
use crate::support::receiver::Receiver;
use crate::support::store::on_both;

#[tokio::test]
async fn only_who_names_this_server_has_agreed() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let receiver = Receiver::start().await;
        let asked = json!({"url": receiver.url("/hook"), "validation": "options"});
        let welcome = |origin: &str| Answer::status(200).header("webhook-allowed-origin", origin);
        for (answer, reached, rate) in [
            (
                welcome("*").header("webhook-allowed-rate", "120"),
                true,
                json!("120"),
            ),
            (
                welcome("Throwbar").header("webhook-allowed-rate", "*"),
                true,
                json!("*"),
            ),
            (welcome("other.example, throwbar"), true, Value::Null),
            (welcome("other.example"), false, Value::Null),
            (Answer::status(204), false, Value::Null),
            (
                Answer::status(405).header("webhook-allowed-origin", "*"),
                false,
                Value::Null,
            ),
        ] {
            receiver.next("/hook", answer);
            let found = doors.post("/v1/endpoints/validate", asked.clone()).await;
            let found = found.is(200).body;
            assert_eq!(
                (&found["reached"], &found["allowed_rate"]),
                (&json!(reached), &rate)
            );
            assert_eq!(found["steps"].as_array().map(Vec::len), Some(1));
            if reached {
                assert_eq!(found["method"], "OPTIONS");
            } else {
                assert_eq!(found["problem"]["error_class"], "status", "{found}");
            }
        }
        for request in receiver.requests() {
            assert_eq!(request.method, "OPTIONS");
            assert_eq!(request.header("webhook-request-origin"), Some("throwbar"));
            assert!(request.body.is_empty());
        }
        receiver.next("/hook", Answer::reset());
        let found = doors.post("/v1/endpoints/validate", asked).await.is(200);
        assert_eq!(found.body["problem"]["error_class"], "connect");

        let new = json!({"url": receiver.url("/hook"), "validate": true, "validation": "options"});
        let refused = doors.post(ENDPOINTS, new.clone()).await.is(422);
        refused.refuses("endpoint_unreachable", "/url");
        assert!(refused.text("/detail").contains("has not agreed"));
        doors.has_none(ENDPOINTS).await;
        receiver.next("/hook", welcome("*"));
        doors.post(ENDPOINTS, new).await.is(201);
    })
    .await;
}
