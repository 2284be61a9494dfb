//! Deliveries as CloudEvents 1.0, read by the SDKs of others.

use std::time::Duration;

use serde_json::{Value, json};

use super::Doors;
use crate::support::answers::Answer as Says;
use crate::support::clients::{self, Library};
use crate::support::receiver::{Receiver, Request};
use crate::support::store::on_both;

const LIBRARIES: [Library; 2] = [Library::Npm, Library::PyPi];
const MODES: [(&str, &str, &str); 2] = [
    (
        "/structured",
        "cloudevents",
        "application/cloudevents+json; charset=utf-8",
    ),
    ("/binary", "cloudevents-binary", "application/json"),
];

/// An endpoint for each mode, which fails at first.
async fn endpoints(doors: &Doors, receiver: &Receiver, more: &Value) -> Vec<String> {
    let mut made = Vec::new();
    for (path, envelope, _) in MODES {
        receiver.next(path, Says::status(500));
        let mut new = json!({
            "url": receiver.url(path), "envelope": envelope, "retry_policy": {"delays_ms": [1000]},
        });
        for (name, value) in more.as_object().expect("fields") {
            new[name] = value.clone();
        }
        made.push(doors.post("/v1/endpoints", new).await.is(201).id());
    }
    made
}

/// What came at a path, after the attempt that failed has been repeated: the same as that.
async fn delivered(doors: &Doors, receiver: &Receiver) -> Vec<Request> {
    doors.pipeline.settle().await;
    doors.clock.advance(Duration::from_secs(1));
    doors.pipeline.settle().await;
    let of_each = MODES.iter().map(|(path, _, content_type)| {
        let mut requests = receiver.requests();
        requests.retain(|request| request.target == *path);
        assert_eq!(requests.len(), 2, "{path}: one failed, one not");
        let last = requests.pop().expect("two");
        assert_eq!(requests[0].body, last.body, "{path}: the same bytes");
        let told = |request: &Request| {
            let mut headers = request.headers.clone();
            for name in ["webhook", "svix"] {
                for changing in ["timestamp", "signature"] {
                    headers.remove(format!("{name}-{changing}"));
                }
            }
            headers
        };
        assert_eq!(told(&requests[0]), told(&last), "{path}: the same headers");
        assert_eq!(last.header("content-type"), Some(*content_type));
        last
    });
    of_each.collect()
}

#[tokio::test]
async fn an_event_goes_on_as_a_cloudevent_that_the_sdks_read() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let receiver = Receiver::start().await;
        endpoints(&doors, &receiver, &json!({})).await;
        let account = doors.get("/v1/account").await.is(200).id();
        let data = json!({"amount": 1200, "name": "Zoë"});
        let sent = json!({"type": "deal.won", "data": data, "timestamp": "2026-05-04T10:30:00Z"});
        let event = doors.post("/v1/events", sent).await.is(202).id();
        for request in delivered(&doors, &receiver).await {
            for library in LIBRARIES {
                let read = clients::read_cloudevent(library, &request).await;
                let name = format!("{library:?} {}: {read}", request.target);
                let attributes = &read["attributes"];
                assert_eq!(attributes["id"], event, "{name}");
                assert_eq!(attributes["id"], request.webhook_id(), "{name}");
                assert_eq!(attributes["type"], "deal.won", "{name}");
                assert_eq!(
                    attributes["source"],
                    format!("urn:throwbar:{account}"),
                    "{name}"
                );
                let time = attributes["time"].as_str().unwrap_or_default();
                assert!(
                    time.replace(' ', "T").starts_with("2026-05-04T10:30:00"),
                    "{name}"
                );
                assert_eq!(read["data"], data, "{name}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_cloudevent_keeps_what_it_told_and_a_split_is_no_repeat() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let receiver = Receiver::start().await;
        let made = endpoints(&doors, &receiver, &json!({"subscribe": "none"})).await;
        let actions: Vec<_> = made
            .iter()
            .map(|endpoint| json!({"webhook": {"endpoint": endpoint}}))
            .collect();
        let automation = json!({"name": "a", "trigger": {"events": ["deal.*"]}, "actions": actions});
        doors.post("/v1/automations", automation).await.is(201);
        let sent = json!({
            "specversion": "1.0", "id": "A234", "source": "https://crm.example/deals", "type": "deal.won",
            "subject": "grün 100%", "time": "2026-05-04T10:30:00.123456Z", "partof": "x", "data": {"amount": 1200},
        });
        let request = axum::http::Request::post("/v1/events")
            .header("content-type", "application/cloudevents+json")
            .header("authorization", format!("Bearer {}", super::OPERATOR))
            .body(axum::body::Body::from(sent.to_string()));
        let event = doors.request(request.expect("a request")).await.is(202).id();
        let mut ids = Vec::new();
        for request in delivered(&doors, &receiver).await {
            for library in LIBRARIES {
                let read = clients::read_cloudevent(library, &request).await;
                let name = format!("{library:?} {}: {read}", request.target);
                let attributes = &read["attributes"];
                assert_eq!(attributes["id"], request.webhook_id(), "{name}");
                for field in ["source", "type", "partof"] {
                    assert_eq!(attributes[field], sent[field], "{field} of {name}");
                }
                // That of npm leaves a header as it is encoded.
                let is_encoded = matches!(library, Library::Npm) && request.target == "/binary";
                let subject = if is_encoded {
                    "gr%C3%BCn%20100%25"
                } else {
                    "grün 100%"
                };
                assert_eq!(attributes["subject"], subject, "{name}");
                assert_eq!(read["data"], sent["data"], "{name}");
            }
            ids.push(request.webhook_id().to_owned());
        }
        assert_ne!(ids[0], ids[1], "each delivery of an automation has an id of its own");
        assert!(!ids.contains(&event));
    })
    .await;
}
