//! What sources refuse: told to their owners and counted; and requests that are only tried.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::Request;
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};

use super::source::{digits, github, ledger, make_of, send};
use super::{Doors, OPERATOR};
use crate::support::before_hanging;
use crate::support::store::on_both;

fn stripe(doors: &Doors, secret: &str, body: &str) -> Vec<(&'static str, String)> {
    let at = doors.clock.now().as_s().to_string();
    let signature = digits(secret, &[&at, ".", body]);
    vec![("stripe-signature", format!("t={at},v1={signature}"))]
}

#[tokio::test]
async fn what_is_refused_is_told_to_the_owner_and_counted() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let source = make_of(&doors, "s", "stripe").await;
        let body = r#"{"type":"invoice.paid","id":"evt_1"}"#;
        let headers = stripe(&doors, &source.secret, body);
        let forged = stripe(&doors, "another secret", body);
        for _ in 0..3 {
            let answer = send(&doors, &source.path, &forged, body).await.is(403);
            answer.refuses("not_genuine", "nowhere");
        }
        send(&doors, &source.path, &[], body).await.is(403);
        let no_type = stripe(&doors, &source.secret, "{}");
        send(&doors, &source.path, &no_type, "{}")
            .await
            .is(422)
            .refuses("mapping_failed", "");
        let no_json = stripe(&doors, &source.secret, "<xml/>");
        send(&doors, &source.path, &no_json, "<xml/>").await.is(422);
        let large = vec![b' '; 256 * 1024 + 1];
        send(&doors, &source.path, &headers, large).await.is(413);
        // What was genuine once is a replay when its time is over.
        doors.clock.advance(Duration::from_secs(301));
        let answer = send(&doors, &source.path, &headers, body).await.is(403);
        assert!(
            answer.text("/detail").contains("Signed 301 s ago"),
            "{}",
            answer.body
        );

        let wanted = [
            ("not_genuine", 1),
            ("too_large", 1),
            ("mapping_failed", 1),
            ("mapping_failed", 1),
            ("not_genuine", 1),
            ("not_genuine", 3),
        ];
        let wanted: Vec<_> = wanted
            .iter()
            .map(|(code, count)| ((*code).to_owned(), *count))
            .collect();
        assert_eq!(ledger(&doors, &source).await, wanted);
        let shown = doors
            .get(&format!("/v1/sources/{}", source.id))
            .await
            .is(200);
        assert_eq!(shown.body["refused"], 8);
        let listed = doors
            .get(&format!("/v1/sources/{}/refusals", source.id))
            .await
            .is(200);
        assert_eq!(listed.text("/data/2/excerpt"), "<xml/>");
        let told = listed.body.to_string();
        assert!(!told.contains(&source.secret) && !told.contains(&digits(&source.secret, &[body])));
        doors.has_none("/v1/events").await;
    })
    .await;
}

#[tokio::test]
async fn a_trial_tells_every_step_and_stores_nothing() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let source = make_of(&doors, "github", "github").await;
        let path = format!("/v1/sources/{}/test", source.id);
        let body = "{}";
        let headers = |secret: &str| -> Value {
            let pairs = github(secret, "d-1", body).into_iter();
            pairs
                .map(|(name, value)| (name.to_owned(), Value::from(value)))
                .collect()
        };
        let right = json!({"headers": headers(&source.secret), "body": body});
        let tried = doors.post(&path, right).await.is(200).body;
        assert_eq!(
            (&tried["taken"], &tried["genuine"]),
            (&json!(true), &json!(true)),
            "{tried}"
        );
        assert_eq!(tried["event"]["type"], "github.issues");
        assert_eq!(tried["event"]["client_id"], format!("{} d-1", source.id));
        let steps: Vec<_> = tried["steps"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|it| &it["step"])
            .collect();
        assert_eq!(
            steps,
            ["source", "headers", "signature", "body", "type", "id"]
        );

        let forged = json!({"headers": headers("another"), "body_base64": "e30="});
        let tried = doors.post(&path, forged).await.is(200).body;
        assert_eq!(
            (&tried["taken"], &tried["genuine"]),
            (&json!(false), &json!(false))
        );
        assert!(
            tried["summary"]
                .as_str()
                .is_some_and(|it| it.contains("does not match")),
            "{tried}"
        );
        assert_eq!(
            tried["event"]["type"], "github.issues",
            "what it would be is told all the same"
        );
        assert!(!tried.to_string().contains(&digits(&source.secret, &[body])));

        let tried = doors.post(&path, json!({"body": "x"})).await.is(200).body;
        assert_eq!(tried["event"], Value::Null);
        let both = doors
            .post(&path, json!({"body": "x", "body_base64": "eA=="}))
            .await
            .is(422);
        both.refuses("invalid_field", "/body_base64");
        let header = doors
            .post(&path, json!({"headers": {"a b": "c"}}))
            .await
            .is(422);
        header.refuses("invalid_field", "/headers/a b");
        doors.has_none("/v1/events").await;
        assert!(ledger(&doors, &source).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn what_can_t_be_a_source_is_refused_by_its_field() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        for (new, code, at) in [
            (json!({"name": "s"}), "missing_field", "/verification"),
            (json!({"name": "", "verification": {"scheme": "none"}}), "invalid_field", "/name"),
            (json!({"name": "s", "verification": {"scheme": "md5"}}), "invalid_field", "/verification"),
            (
                json!({"name": "s", "verification": {"scheme": "standard"}, "secret": "hunter2"}),
                "invalid_field",
                "/secret",
            ),
            (
                json!({"name": "s", "verification": {"scheme": "none"}, "secret": "hunter2"}),
                "invalid_field",
                "/secret",
            ),
            (
                json!({"name": "s", "verification": {"scheme": "none"}, "mapping": {"type": "event.type"}}),
                "invalid_field",
                "/mapping/type",
            ),
            (
                json!({"name": "s", "verification": {"scheme": "none"}, "mapping": {"plugin": "p@1"}}),
                "unknown_plugin",
                "/mapping/plugin",
            ),
            (
                json!({"name": "s", "verification": {"scheme": "none"}, "url": "x"}),
                "unknown_field",
                "/url",
            ),
        ] {
            doors.post("/v1/sources", new).await.is(422).refuses(code, at);
        }
        let source = make_of(&doors, "s", "github").await;
        let own = format!("/v1/sources/{}", source.id);
        let other = json!({"verification": {"scheme": "none"}});
        doors.patch(&own, other).await.is(422).refuses("invalid_field", "/verification/scheme");
        let bad = json!({"mapping": {"id": "nothing.there"}});
        doors.patch(&own, bad).await.is(422).refuses("invalid_field", "/mapping/id");
    })
    .await;
}

#[tokio::test]
async fn a_sender_that_never_ends_is_given_up_and_keeps_nobody_out() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let source = make_of(&doors, "s", "none").await;
        let begin = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"{"))]);
        let endless = Body::from_stream(begin.chain(stream::pending()));
        let asked = send(&doors, &source.path, &[], endless);
        let pass = async {
            loop {
                doors.clock.advance(Duration::from_secs(1));
                tokio::task::yield_now().await;
            }
        };
        let answer = before_hanging("an answer in time", async {
            tokio::select! {
                answer = asked => answer,
                () = pass => unreachable!("time never ends"),
            }
        });
        answer.await.is(408);
        send(&doors, &source.path, &[], "{}").await.is(202);
        assert_eq!(
            ledger(&doors, &source).await,
            [("body_overdue".to_owned(), 1)]
        );
    })
    .await;
}

#[tokio::test]
async fn what_the_account_does_not_want_comes_in_by_no_door() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let schema = json!({"type": "object", "required": ["amount"]});
        let new = json!({"name": "deal.won", "schema": schema});
        doors.post("/v1/event-types", new).await.is(201);
        let asked = json!({"validation": "refuse"});
        doors.patch("/v1/account", asked).await.is(200);

        let source = make_of(&doors, "s", "none").await;
        let misfit = r#"{"type":"deal.won"}"#;
        let answer = send(&doors, &source.path, &[], misfit).await.is(422);
        assert_eq!(answer.text("/code"), "schema_violation");
        let wanted = [("schema_violation".to_owned(), 1)];
        assert_eq!(ledger(&doors, &source).await, wanted);
        let path = format!("/v1/sources/{}/test", source.id);
        let tried = doors.post(&path, json!({"body": misfit})).await.is(200);
        assert_eq!(tried.body["taken"], false, "{}", tried.body);
        assert_eq!(tried.text("/steps/5/step"), "event", "{}", tried.body);

        let attributes = r#""specversion":"1.0","id":"1","source":"/a","type":"deal.won""#;
        let body = format!("{{{attributes},\"data\":{{}}}}");
        let request = Request::post("/v1/events")
            .header("authorization", format!("Bearer {OPERATOR}"))
            .header("content-type", "application/cloudevents+json")
            .body(Body::from(body));
        let answer = doors.request(request.expect("a request")).await.is(422);
        answer.refuses("schema_violation", "/data");
        let fits = r#"{"type":"deal.won","amount":1}"#;
        send(&doors, &source.path, &[], fits).await.is(202);
    })
    .await;
}
