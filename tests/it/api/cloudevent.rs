//! CloudEvents 1.0, as the SDKs of others write them: the same events as in the API's own form.

use axum::body::Body;
use axum::http::{HeaderValue, Request};
use serde_json::{Value, json};

use super::{Answer, Doors, OPERATOR};
use crate::support::clients::{self, CloudRequest, DescribedEvent, Library};
use crate::support::receiver::Receiver;
use crate::support::store::on_both;

const LIBRARIES: [Library; 2] = [Library::Npm, Library::PyPi];

/// A header's value as Node sends it: each letter is a byte, where it can be.
fn header(text: &str) -> HeaderValue {
    let latin: Result<Vec<u8>, _> = text.chars().map(|it| u8::try_from(u32::from(it))).collect();
    let bytes = latin.unwrap_or_else(|_| text.as_bytes().to_vec());
    HeaderValue::from_bytes(&bytes).expect("a value")
}

async fn send(doors: &Doors, path: &str, asked: CloudRequest) -> Answer {
    let mut request = Request::post(path).header("authorization", format!("Bearer {OPERATOR}"));
    for (name, value) in &asked.headers {
        request = request.header(name, header(value));
    }
    let body = Body::from(asked.body);
    doors.request(request.body(body).expect("a request")).await
}

async fn send_text(doors: &Doors, headers: &[(&str, &str)], body: &str) -> Answer {
    let headers = headers
        .iter()
        .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()));
    let asked = CloudRequest {
        headers: headers.collect(),
        body: body.as_bytes().to_vec(),
    };
    send(doors, "/v1/events", asked).await
}

fn event(id: &str, data: Value) -> DescribedEvent {
    DescribedEvent {
        attributes: json!({
            "specversion": "1.0", "id": id, "source": "https://crm.example/deals", "type": "deal.won",
            "subject": "grün 100%", "time": "2026-05-04T10:30:00+00:00", "partof": "x",
            "datacontenttype": "application/json",
        }),
        data: Some(data),
        data_base64: None,
    }
}

#[tokio::test]
async fn what_the_sdks_write_is_the_same_event_in_every_mode() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        for library in LIBRARIES {
            let data = json!({"by": format!("{library:?}"), "amount": 900});
            let events = [event(&format!("{library:?}-1"), data.clone())];
            let mut ids = Vec::new();
            for mode in ["structured", "binary"] {
                let asked = clients::cloudevents(library, mode, &events).await;
                ids.push(send(&doors, "/v1/events", asked).await.is(202).id());
            }
            for path in ["/v1/events", "/v1/events/batch"] {
                let asked = clients::cloudevents(library, "batch", &events).await;
                ids.push(send(&doors, path, asked).await.is(202).text("/data/0/id"));
            }
            assert!(ids.iter().all(|id| *id == ids[0]), "{library:?}: {ids:?}");

            let shown = doors
                .get(&format!("/v1/events/{}", ids[0]))
                .await
                .is(200)
                .body;
            assert_eq!(shown["type"], "deal.won");
            assert_eq!(shown["timestamp"], "2026-05-04T10:30:00.000Z");
            assert_eq!(shown["data"], data);
            assert_eq!(shown["source"], "api");
            let known_as = format!("https://crm.example/deals {library:?}-1");
            assert_eq!(shown["client_id"], known_as);
            let attributes = &shown["cloudevent"];
            assert_eq!(attributes["subject"], "grün 100%");
            assert_eq!(attributes["source"], "https://crm.example/deals");
            assert_eq!(attributes["partof"], "x");
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_no_json_is_kept_as_json_writes_it() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        for library in LIBRARIES {
            for (kind, base64, wanted) in [
                ("image/png", "//4=", json!("//4=")),
                ("application/json", "eyJhIjoxfQ==", json!({"a": 1})),
            ] {
                let name = format!("{library:?} {kind}");
                let mut event = event(&name, Value::Null);
                event.data = None;
                event.attributes["datacontenttype"] = json!(kind);
                event.data_base64 = Some(base64.to_owned());
                let asked =
                    clients::cloudevents(library, "structured", std::slice::from_ref(&event));
                let first = send(&doors, "/v1/events", asked.await).await.is(202).id();
                let asked = clients::cloudevents(library, "binary", &[event]).await;
                let again = send(&doors, "/v1/events", asked).await.is(202).id();
                assert_eq!(first, again, "{name}");
                let shown = doors.get(&format!("/v1/events/{first}")).await.is(200).body;
                assert_eq!(shown["data"], wanted, "{name}");
                let marked = shown["cloudevent"]["data_base64"] == true;
                assert_eq!(marked, wanted.is_string(), "{name}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn conditions_and_their_trials_see_the_attributes() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let receiver = Receiver::start().await;
        let automation = json!({
            "name": "a", "trigger": {"events": ["deal.*"]},
            "condition": "event.cloudevent.subject == 'D-1' && event.cloudevent.sampled",
            "actions": [{"webhook": {"url": receiver.url("/")}}],
        });
        doors.post("/v1/automations", automation.clone()).await.is(201);
        let headers = [("content-type", "application/cloudevents+json")];
        let mut events = Vec::new();
        for subject in ["D-1", "D-2"] {
            let body = format!(
                r#"{{"specversion":"1.0","id":"{subject}","source":"/a","type":"deal.won","subject":"{subject}",
                    "sampled":true,"data":1}}"#
            );
            events.push(send_text(&doors, &headers, &body).await.is(202).id());
        }
        events.push(doors.post("/v1/events", json!({"type": "deal.won", "data": 1})).await.is(202).id());
        doors.pipeline.settle().await;
        assert_eq!(receiver.count(), 1);
        for (event, verdict) in events.iter().zip(["fired", "filtered", "condition_error"]) {
            let found = doors.get(&format!("/v1/events/{event}/evaluations")).await.is(200);
            assert_eq!(found.text("/data/0/verdict"), verdict, "{}", found.body);
            let trial = json!({"automation": automation, "event": {"id": event}});
            let tried = doors.post("/v1/automations/test", trial).await.is(200);
            assert_eq!(tried.text("/verdict"), verdict, "{}", tried.body);
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_wrong_is_told_by_the_attribute() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let structured = [(
            "content-type",
            "application/cloudevents+json; charset=utf-8",
        )];
        for (body, code, place) in [
            (r#"{"specversion":"1.0"}"#, "missing_attribute", "/id"),
            (
                r#"{"specversion":"1.0","id":"1","source":"/a","type":"com.example/deal won"}"#,
                "invalid_field",
                "/type",
            ),
            (
                r#"{"specversion":"1.0","id":"1","source":"/a","type":"a","time":"soon"}"#,
                "invalid_field",
                "/time",
            ),
            (
                r#"{"specversion":"1.0","id":"1","source":"/a","type":"a","partOf":"x"}"#,
                "invalid_attribute",
                "/partOf",
            ),
            ("[]", "invalid_field", ""),
        ] {
            let answer = send_text(&doors, &structured, body).await.is(422);
            answer.refuses(code, place);
        }
        let binary = |pairs: &[(&'static str, &'static str)]| {
            let mut headers = vec![
                ("ce-specversion", "1.0"),
                ("ce-id", "1"),
                ("ce-source", "/a"),
            ];
            headers.extend(pairs);
            headers
        };
        for (headers, body, code, place) in [
            (binary(&[]), "{}", "missing_attribute", "ce-type"),
            (
                binary(&[("ce-type", "a b")]),
                "{}",
                "invalid_field",
                "ce-type",
            ),
            (
                binary(&[("ce-type", "a"), ("content-type", "application/json")]),
                "no JSON",
                "invalid_attribute",
                "",
            ),
        ] {
            send_text(&doors, &headers, body)
                .await
                .is(422)
                .refuses(code, place);
        }
        let told = send_text(&doors, &binary(&[("ce-type", "a b")]), "{}").await;
        assert!(
            told.text("/detail").contains("the attribute type"),
            "{}",
            told.body
        );
        let kind = [("content-type", "application/cloudevents+avro")];
        send_text(&doors, &kind, "x").await.is(415);
        doors.has_none("/v1/events").await;
    })
    .await;
}

#[tokio::test]
async fn the_pair_of_source_and_id_is_the_event() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let headers = |source: &'static str, id: &'static str| {
            [
                ("ce-specversion", "1.0"),
                ("ce-type", "a"),
                ("ce-source", source),
                ("ce-id", id),
            ]
        };
        let first = send_text(&doors, &headers("/a", "1"), "1")
            .await
            .is(202)
            .id();
        assert_eq!(
            send_text(&doors, &headers("/a", "1"), "1")
                .await
                .is(202)
                .id(),
            first
        );
        assert_ne!(
            send_text(&doors, &headers("/b", "1"), "1")
                .await
                .is(202)
                .id(),
            first
        );
        assert_ne!(
            send_text(&doors, &headers("/a", "2"), "1")
                .await
                .is(202)
                .id(),
            first
        );
        let other = send_text(&doors, &headers("/a", "1"), "2").await.is(409);
        other.refuses("event_conflict", "nowhere");
        let attributes = r#"{"specversion":"1.0","id":"1","source":"/c","type":"a"}"#;
        let body = format!("[{attributes},{attributes},{{}}]");
        let kind = [("content-type", "application/cloudevents-batch+json")];
        let answers = send_text(&doors, &kind, &body).await.is(202).body;
        assert_eq!(answers["data"][0]["id"], answers["data"][1]["id"]);
        assert_eq!(answers["data"][2]["error"]["pointer"], "/specversion");
    })
    .await;
}
