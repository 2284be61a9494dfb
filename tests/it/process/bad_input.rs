//! What is wrong with an event is told with a status, a stable code, the field and a sentence, and
//! nothing of it is kept; what is odd but right passes byte for byte.

use serde_json::{Value, json};

use super::make_endpoint;
use crate::support::caller::{Caller, Reply, event_body};
use crate::support::node::Home;
use crate::support::receiver::Receiver;
use crate::support::store::Engine;

/// A request, and the problem that it must get.
pub struct Wrong {
    /// What is sent.
    pub body: Vec<u8>,
    /// The status.
    pub status: u16,
    /// The stable code.
    pub code: &'static str,
    /// The JSON pointer of the field; `None`: it is not about one field.
    pub pointer: Option<&'static str>,
    /// Words of the sentence.
    pub words: &'static str,
}

/// Shorter to write in a table.
pub fn wrong(
    body: impl Into<Vec<u8>>,
    status: u16,
    code: &'static str,
    pointer: impl Into<Option<&'static str>>,
    words: &'static str,
) -> Wrong {
    Wrong {
        body: body.into(),
        status,
        code,
        pointer: pointer.into(),
        words,
    }
}

/// Sees that `reply` is the problem that was to be expected.
pub fn assert_problem(reply: &Reply, expected: &Wrong) {
    let sent: String = String::from_utf8_lossy(&expected.body)
        .chars()
        .take(120)
        .collect();
    let said = String::from_utf8_lossy(&reply.body);
    assert_eq!(reply.status, expected.status, "{sent}: {said}");
    assert_eq!(
        reply.headers["content-type"], "application/problem+json",
        "{sent}"
    );
    let problem = reply.json();
    assert_eq!(problem["code"], expected.code, "{sent}: {said}");
    assert_eq!(problem["status"], expected.status, "{sent}: {said}");
    assert_eq!(
        problem["pointer"].as_str(),
        expected.pointer,
        "{sent}: {said}"
    );
    let detail = problem["detail"].as_str().expect("a sentence");
    assert!(detail.contains(expected.words), "{sent}: {said}");
}

/// The rows of all tables that requests write to.
pub async fn rows(home: &Home) -> i64 {
    let mut rows = 0;
    for table in [
        "events",
        "event_keys",
        "inbox",
        "endpoints",
        "endpoint_secrets",
        "automations",
        "automation_versions",
        "publications",
        "plugins",
        "plugin_versions",
        "event_types",
    ] {
        rows += home.number(&format!("SELECT COUNT(*) FROM {table}")).await;
    }
    rows
}

/// What is no JSON.
fn unreadable() -> Vec<Wrong> {
    let malformed = |body: &[u8], words| wrong(body, 400, "malformed", None, words);
    vec![
        malformed(b"", "not JSON"),
        malformed(b"{\"type\":\"a.b\",\"data\":{]}", "line 1 column 23"),
        malformed(b"{\"type\":\"a.b\",\"data\":1} and more", "trailing"),
        malformed(b"{\"type\":\"a.b\",\"data\":01}", "not JSON"),
        malformed(b"{\"type\":\"a.b\",\"data\":NaN}", "not JSON"),
        malformed(
            b"{\"type\":\"a.b\",\"data\":\"\xff\"}",
            "UTF-8 from byte 22",
        ),
        malformed(b"{\"type\":\"a.b\",\"data\":\"\xed\xa0\x80\"}", "UTF-8"),
        malformed(b"{\"type\":\"a.b\",\"data\":\"\0\"}", "control character"),
        malformed(b"{\"type\":\"a.b\",\0\"data\":1}", "not JSON"),
    ]
}

/// Envelopes whose fields are not what they should be.
fn wrong_fields() -> Vec<Wrong> {
    let missing = |body: &str, at| wrong(body, 422, "missing_field", at, "add it");
    let invalid = |body: &str, at, words| wrong(body, 422, "invalid_field", at, words);
    let twice = |body: &str, at| wrong(body, 422, "duplicate_field", at, "once");
    let unknown = |body: &str, at| wrong(body, 422, "unknown_field", at, "remove it");
    vec![
        missing("{\"data\":1}", "/type"),
        missing("{\"type\":\"a.b\"}", "/data"),
        invalid("[]", "", ""),
        invalid("{\"type\":7,\"data\":1}", "/type", "integer"),
        invalid("{\"type\":\"a.b\",\"data\":1,\"id\":[]}", "/id", "sequence"),
        invalid(
            "{\"type\":\"a\",\"data\":1,\"timestamp\":\"today\"}",
            "/timestamp",
            "",
        ),
        unknown("{\"type\":\"a.b\",\"data\":1,\"dada\":1}", "/dada"),
        twice("{\"type\":\"a\",\"data\":1,\"type\":\"a\"}", "/type"),
        twice("{\"type\":\"a\",\"data\":1,\"data\":1}", "/data"),
    ]
}

/// Envelopes whose values can't be.
fn wrong_values() -> Vec<Wrong> {
    let invalid = |body: String, at, words| wrong(body, 422, "invalid_field", at, words);
    let of_type =
        |event_type: &str, words| invalid(event_body(event_type, "1", None), "/type", words);
    let long_key = event_body("a.b", "1", Some(&"k".repeat(257)));
    let too_deep = event_body("a.b", &nested(65), None);
    let too_long = event_body("a.b", &format!("\"{}\"", "x".repeat(256 * 1024)), None);
    let far_too_long = event_body("a.b", &format!("\"{}\"", "x".repeat(1024 * 1024)), None);
    vec![
        of_type("", "deal.updated"),
        of_type("a..b", "one dot"),
        of_type("a b", "ASCII"),
        of_type("a.*", "'*'"),
        of_type(&format!("a.{}", "b".repeat(200)), "200 at most"),
        invalid(long_key, "/idempotency_key", "256 at most"),
        wrong(too_deep, 422, "too_deep", "/data", "flatten"),
        wrong(too_long, 413, "too_large", None, "262144 bytes"),
        wrong(far_too_long, 413, "too_large", None, "the body is longer"),
    ]
}

/// So many arrays in one another.
fn nested(depth: usize) -> String {
    format!("{}1{}", "[".repeat(depth), "]".repeat(depth))
}

#[tokio::test]
async fn an_event_that_is_wrong_is_refused_with_the_place_and_leaves_nothing() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let home = Home::on(engine).await;
        let node = home.start().await;
        let before = rows(&home).await;
        let cases = [unreadable(), wrong_fields(), wrong_values()];
        for case in cases.into_iter().flatten() {
            let reply = node
                .caller()
                .try_post("/v1/events", case.body.clone())
                .await;
            assert_problem(&reply.expect("an answer"), &case);
        }
        assert_eq!(rows(&home).await, before, "nothing was stored");
        node.caller().send_event("a.b", "1").await;
        node.stop().await;
    }
}

#[tokio::test]
async fn odd_payloads_pass_byte_for_byte() {
    let deep = nested(64);
    let long = format!("\"{}\"", "x".repeat(256 * 1024 - 2));
    let odd = [
        "null",
        "\"\"",
        "-0",
        "1e999",
        "1234567890123456789012345678901234567890.10",
        "{}",
        "{ \"a\" : 1 , \"a\" : 2 }",
        "{\"\":{\"\\u0000\":\"\\u0000\\ud800\\/\"}}",
        "\"\\u00fc ü \u{2028} \u{10ffff}\"",
        "[\t1,\n2,\r\n3 ]",
        "{\"__proto__\":{\"x\":1},\"constructor\":null}",
        &deep,
        &long,
    ];
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let receiver = Receiver::start().await;
        let home = Home::on(engine).await;
        let node = home.start().await;
        make_endpoint(node.caller(), &receiver.url("/"), json!("all")).await;
        for (count, payload) in odd.iter().enumerate() {
            let event = node.caller().send_event("a.b", payload).await;
            let requests = receiver.wait_for(count + 1).await;
            assert_eq!(requests[count].webhook_id(), event);
            assert_eq!(requests[count].body, *payload, "{engine:?}");
        }
        node.stop().await;
    }
}

#[tokio::test]
async fn one_wrong_event_of_a_batch_leaves_its_neighbours_alone() {
    let receiver = Receiver::start().await;
    let home = Home::on(Engine::Sqlite).await;
    let node = home.start().await;
    let caller = node.caller();
    make_endpoint(caller, &receiver.url("/"), json!("all")).await;
    let batch = format!(
        "[{}, {{\"type\":\"a.b\"}}, {}, 7]",
        event_body("a.b", "1", None),
        event_body("a.b", "2", None)
    );
    let reply = caller
        .try_post("/v1/events/batch", batch)
        .await
        .expect("an answer");
    let answers: Value = reply.json();
    let answers = answers["data"].as_array().expect("one for each").clone();
    assert_eq!(answers.len(), 4, "{answers:?}");
    let accepted: Vec<bool> = answers
        .iter()
        .map(|answer| answer["id"].is_string())
        .collect();
    assert_eq!(accepted, [true, false, true, false], "{answers:?}");
    let requests = receiver.wait_for(2).await;
    let mut bodies: Vec<_> = requests
        .iter()
        .map(|request| request.body.clone())
        .collect();
    bodies.sort();
    assert_eq!(bodies, ["1", "2"]);
    assert_malformed_batch(caller).await;
    assert_eq!(home.number("SELECT COUNT(*) FROM events").await, 2);
    node.stop().await;
}

async fn assert_malformed_batch(caller: &Caller) {
    let too_many = format!("[{}]", vec![event_body("a.b", "1", None); 1001].join(","));
    for case in [
        wrong("[", 400, "malformed", None, "not JSON"),
        wrong(too_many, 422, "invalid_field", "", "1000 at most"),
    ] {
        let reply = caller.try_post("/v1/events/batch", case.body.clone()).await;
        assert_problem(&reply.expect("an answer"), &case);
    }
}
