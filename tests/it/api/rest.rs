//! `/rest/v1`: configurations and logs as tables, asked over HTTP as its documents tell it.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use throwbar::outbound::{EgressGuard, Settings};
use throwbar::signing::{Check, Scheme, TOLERANCE_S_DEFAULT, verify};

use super::{Answer, Doors, OPERATOR};
use crate::support::answers::Answer as Says;
use crate::support::authority::{Authority, Proof};
use crate::support::receiver::Receiver;
use crate::support::store::on_both;

const ROWS: &str = "/rest/v1/webhook_configurations";
const LOGS: &str = "/rest/v1/webhook_logs";

/// Headers of a request.
type Headers<'a> = &'a [(&'a str, &'a str)];

const NONE: Headers<'static> = &[];
const MERGE: Headers<'static> = &[("prefer", "resolution=merge-duplicates")];
const WRONG_KEY: Headers<'static> = &[("apikey", "tb_wrong")];
const NO_ROW: Headers<'static> = &[
    ("accept", "application/vnd.pgrst.object+json"),
    ("range", "5-"),
];

/// A request with these headers besides the key's.
async fn ask(
    doors: &Doors,
    (method, path): (&str, &str),
    headers: Headers<'_>,
    body: Value,
) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    if headers.iter().all(|(name, _)| *name != "apikey") {
        request = request.header("authorization", format!("Bearer {OPERATOR}"));
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = if body.is_null() {
        Body::empty()
    } else {
        Body::from(body.to_string())
    };
    doors.request(request.body(body).expect("a request")).await
}

async fn made(doors: &Doors, row: Value) -> Value {
    let wishes = [("prefer", "return=representation")];
    let answer = ask(doors, ("POST", ROWS), &wishes, row).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    answer.body[0].clone()
}

/// It is refused with this status and code, in the shape that clients read.
#[track_caller]
fn refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.status, status, "{}", answer.body);
    assert_eq!(answer.body["code"], code, "{}", answer.body);
    let fields = answer.body.as_object().expect("an object");
    let mut names: Vec<_> = fields.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["code", "details", "hint", "message"]);
    assert!(
        answer.body["message"]
            .as_str()
            .is_some_and(|text| text.len() > 10),
        "{}",
        answer.body
    );
}

async fn names(doors: &Doors, query: &str) -> Vec<String> {
    let answer = ask(doors, ("GET", &format!("{ROWS}{query}")), &[], Value::Null).await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.body);
    let rows = answer.body.as_array().expect("rows").iter();
    let mut names: Vec<_> = rows
        .map(|row| row["name"].as_str().expect("a name").to_owned())
        .collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn the_documented_calls_work_as_they_are_documented() {
    on_both(async |engine| {
        let authority = Authority::new("Trusted");
        let trusting = Settings {
            guard: EgressGuard::new(vec!["127.0.0.0/8".parse().expect("a network")]),
            extra_roots_pem: authority.pem(),
            ..Settings::default()
        };
        let doors = Doors::open_dialling(engine, trusting).await;
        let receiver = Receiver::start_proving(authority.acceptor(Proof::Good)).await;
        let row = made(
            &doors,
            json!({
                "organization_id": "default", "name": "CRM Sync", "url": receiver.url("/webhook"),
                "events": ["contact.created", "contact.updated"], "secret": "your-secret-key", "is_active": true,
            }),
        )
        .await;
        assert_eq!(row["organization_id"], "default");
        assert_eq!(row["events"], json!(["contact.created", "contact.updated"]));
        let id = row["id"].as_str().expect("an id");
        doors.send_all(&[json!({"type": "contact.created", "data": {"id": "uuid"}})]).await;
        let request = receiver.wait_for(1).await.remove(0);
        assert_eq!(request.header("x-webhook-event"), Some("contact.created"));
        let report = verify(&Check {
            scheme: &Scheme::from_words("event-header", None).expect("a scheme"),
            secret: "your-secret-key",
            headers: &request.headers,
            body: &request.body,
            now: doors.clock.now(),
            tolerance_s: TOLERANCE_S_DEFAULT,
            also_try: &[],
        });
        assert!(report.is_genuine());
        receiver.always("/webhook", Says::status(500));
        doors.send_all(&[json!({"type": "contact.updated", "data": {}})]).await;
        doors.send_all(&[json!({"type": "deal.won", "data": {}})]).await;

        let day = row["created_at"].as_str().expect("a time")[..10].to_owned();
        for (query, statuses) in [
            (String::new(), json!(["failed", "success"])),
            (format!("?webhook_id={id}&status=success"), json!(["success"])),
            (format!("?webhook_id=eq.{id}&status=eq.failed"), json!(["failed"])),
            (format!("?created_at={day}&order=created_at,event"), json!(["success", "failed"])),
            (format!("?created_at=gte.{day}&status=neq.failed"), json!(["success"])),
            (format!("?created_at=lt.{day}"), json!([])),
            ("?webhook_id=nobody".to_owned(), json!([])),
            ("?status_code=eq.500&select=status".to_owned(), json!(["failed"])),
        ] {
            let answer = ask(&doors, ("GET", &format!("{LOGS}{query}")), &[], Value::Null).await;
            assert_eq!(answer.status, 200, "{query}: {}", answer.body);
            let rows = answer.body.as_array().expect("rows").iter();
            let found: Vec<_> = rows.map(|row| row["status"].clone()).collect();
            assert_eq!(json!(found), statuses, "{query}");
        }
        let path = format!("{ROWS}?organization_id=default&is_active=true");
        let listed = ask(&doors, ("GET", &path), &[], Value::Null).await.body;
        assert_eq!(listed[0]["id"], json!(id));
        assert_eq!(listed[0]["secret"], Value::Null, "shown to who writes it");
        // The same endpoint, whichever door it is seen through.
        let shown = doors.get(&format!("/v1/endpoints/{id}")).await.is(200);
        assert_eq!(shown.body["profile"], "event-envelope");
        assert_eq!(shown.body["subscribe"], row["events"]);
    })
    .await;
}

#[tokio::test]
async fn rows_are_addressed_by_filters_and_by_path_and_written_all_or_none() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        for name in ["a", "b", "c"] {
            made(&doors, json!({"name": name, "url": format!("https://example.com/{name}")})).await;
        }
        assert_eq!(names(&doors, "?name=in.(a,c)&order=name.desc&limit=5").await, ["a", "c"]);
        assert_eq!(names(&doors, "?events=cs.{*}").await.len(), 3, "all, where nothing is said");
        let wishes = [("prefer", "return=representation, count=exact"), ("range", "0-1")];
        let page = ask(&doors, ("GET", &format!("{ROWS}?order=name")), &wishes, Value::Null).await;
        assert_eq!(page.status, 206);
        assert_eq!(page.headers["content-range"], "0-1/3");
        let id = page.body[0]["id"].as_str().expect("an id").to_owned();

        let one = format!("{ROWS}/{id}");
        let answer = ask(&doors, ("GET", &one), &[], Value::Null).await;
        assert_eq!((answer.status, &answer.body["name"]), (200, &json!("a")));
        let patch = json!({"name": "z", "is_active": false, "events": ["deal.*"], "secret": "another-secret"});
        let answer = ask(&doors, ("PATCH", &one), &wishes[..1], patch).await;
        assert_eq!((answer.status, &answer.body[0]["secret"]), (200, &json!("another-secret")), "{}", answer.body);
        assert_eq!(names(&doors, "?is_active=false").await, ["z"]);
        let answer = ask(&doors, ("PATCH", &format!("{ROWS}?name=neq.z")), &[], json!({"is_active": false})).await;
        assert_eq!((answer.status, &answer.body), (204, &Value::Null));
        assert_eq!(names(&doors, "?is_active=eq.true").await, Vec::<String>::new());

        // The last one can't be made: none of them is.
        let three = json!([
            {"name": "d", "url": "https://example.com/d"},
            {"name": "e", "url": "https://example.com/e", "is_active": false},
            {"name": "f", "url": "http://example.com/f"},
        ]);
        let answer = ask(&doors, ("POST", ROWS), &[], three).await;
        refused(&answer, 422, "invalid_field");
        assert_eq!(answer.body["details"], "field url");
        assert_eq!(names(&doors, "").await, ["b", "c", "z"]);

        let answer = ask(&doors, ("DELETE", &one), &[], Value::Null).await;
        assert_eq!(answer.status, 204);
        for method in ["GET", "PATCH", "DELETE"] {
            let answer = ask(&doors, (method, &one), &[], json!({})).await;
            refused(&answer, 404, "PGRST116");
        }
        let gone = ask(&doors, ("DELETE", &format!("{ROWS}?name=eq.b")), &wishes[..1], Value::Null).await;
        assert_eq!((gone.status, &gone.body[0]["name"]), (200, &json!("b")));
        assert_eq!(names(&doors, "").await, ["c"]);
    })
    .await;
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one table of cases")]
async fn what_is_wrong_is_told_in_the_shape_that_clients_read() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        made(&doors, json!({"name": "a", "url": "https://example.com/a"})).await;
        let good = json!({"url": "https://example.com/"});
        let with = |field: &str, value: Value| {
            let mut row = good.clone();
            row[field] = value;
            row
        };
        for (what, headers, body, status, code) in [
            (
                ("POST", ROWS),
                NONE,
                json!({"url": "http://example.com/"}),
                422,
                "invalid_field",
            ),
            (
                ("POST", ROWS),
                NONE,
                with("secret", json!("")),
                422,
                "invalid_field",
            ),
            (
                ("POST", ROWS),
                NONE,
                with("events", json!(["no pattern"])),
                422,
                "invalid_field",
            ),
            (
                ("POST", ROWS),
                NONE,
                with("organization_id", json!("nobody")),
                404,
                "not_found",
            ),
            (
                ("POST", ROWS),
                NONE,
                with("organisation", json!("default")),
                400,
                "PGRST204",
            ),
            (
                ("POST", ROWS),
                NONE,
                with("id", json!("ep_1")),
                400,
                "428C9",
            ),
            (("POST", ROWS), NONE, json!({"name": "a"}), 400, "PGRST102"),
            (("POST", ROWS), NONE, json!(5), 400, "PGRST102"),
            (("POST", ROWS), MERGE, good.clone(), 400, "PGRST122"),
            (
                ("PATCH", ROWS),
                NONE,
                json!({"is_active": false}),
                400,
                "21000",
            ),
            (("DELETE", ROWS), NONE, Value::Null, 400, "21000"),
            (
                ("GET", "/rest/v1/webhook_configurations?nmae=eq.a"),
                NONE,
                Value::Null,
                400,
                "42703",
            ),
            (
                (
                    "GET",
                    "/rest/v1/webhook_configurations?organization_id=other",
                ),
                NONE,
                Value::Null,
                404,
                "not_found",
            ),
            (
                ("GET", "/rest/v1/contacts"),
                NONE,
                Value::Null,
                404,
                "PGRST205",
            ),
            (("GET", ROWS), WRONG_KEY, Value::Null, 401, "unknown_key"),
            (("GET", ROWS), NO_ROW, Value::Null, 406, "PGRST116"),
        ] {
            let answer = ask(&doors, what, headers, body).await;
            refused(&answer, status, code);
        }
        assert_eq!(names(&doors, "").await, ["a"], "nothing was done");
    })
    .await;
}

#[tokio::test]
async fn each_key_reads_and_writes_what_it_may_of_its_own_account() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let row = made(&doors, json!({"name": "a", "url": "https://example.com/a"})).await;
        let id = row["id"].as_str().expect("an id");
        let stranger = doors.other_account("stranger").await;
        let author = doors.key(&["author"]).await;
        let reader = doors.key(&["read"]).await;
        let as_key = |key: &str| [("apikey", key.to_owned())];
        let path = format!("{ROWS}/{id}");
        let filtered = format!("{ROWS}?id=eq.{id}");
        for (key, method, path, body, status) in [
            (&stranger, "GET", &path, Value::Null, 404),
            (&stranger, "PATCH", &path, json!({"name": "x"}), 404),
            (&stranger, "DELETE", &path, Value::Null, 404),
            (&stranger, "DELETE", &filtered, Value::Null, 204),
            (&reader, "GET", &path, Value::Null, 200),
            (&reader, "PATCH", &path, json!({"name": "x"}), 403),
            (&reader, "DELETE", &filtered, Value::Null, 403),
            (
                &author,
                "PATCH",
                &path,
                json!({"secret": "another-secret"}),
                403,
            ),
            (
                &author,
                "PATCH",
                &path,
                json!({"name": "by its author"}),
                204,
            ),
        ] {
            let headers = as_key(key);
            let headers = headers
                .each_ref()
                .map(|(name, value)| (*name, value.as_str()));
            let answer = ask(&doors, (method, path.as_str()), &headers, body).await;
            assert_eq!(answer.status, status, "{method} {path}: {}", answer.body);
        }
        assert_eq!(names(&doors, "").await, ["by its author"]);
        let headers = as_key(&stranger);
        let headers = headers
            .each_ref()
            .map(|(name, value)| (*name, value.as_str()));
        let theirs = ask(&doors, ("GET", ROWS), &headers, Value::Null).await;
        assert_eq!(theirs.body, json!([]));
        let logs = ask(&doors, ("GET", LOGS), &headers, Value::Null).await;
        assert_eq!((logs.status, logs.body), (200, json!([])));
        // An operator's key acts for the organisation that is named.
        let theirs = made(
            &doors,
            json!({"organization_id": "stranger", "url": "https://example.com/s"}),
        )
        .await;
        assert_eq!(theirs["organization_id"], "stranger");
        assert_eq!(
            names(&doors, "?organization_id=eq.stranger").await,
            ["example.com"]
        );
        // Endpoints of other profiles are no rows.
        doors
            .post("/v1/endpoints", json!({"url": "https://example.com/"}))
            .await
            .is(201);
        assert_eq!(names(&doors, "").await, ["by its author"]);
    })
    .await;
}
