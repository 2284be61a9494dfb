//! The policies that endpoints name: listed, previewed, written and read back. No clock is turned.

use serde_json::{Value, json};

use super::{Doors, nobody};
use crate::support::store::{Engine, on_both};

const PREVIEW: &str = "/v1/retry-policies/preview";

#[tokio::test]
async fn the_ready_made_ones_are_listed_with_what_they_come_to() {
    let doors = Doors::open(Engine::Sqlite).await;
    let listed = doors.get("/v1/retry-policies").await.is(200);
    assert_eq!(
        listed.body["data"],
        json!([
            {
                "name": "eight-step", "ready_made": true, "policy": "eight-step",
                "words": "at once, then after 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 10 h",
                "delays_ms": [5_000, 300_000, 1_800_000, 7_200_000, 18_000_000, 36_000_000, 36_000_000],
                "created_at": null, "updated_at": null,
            },
            {
                "name": "three-step", "ready_made": true, "policy": "three-step",
                "words": "at once, then after 10 s, 100 s",
                "delays_ms": [10_000, 100_000],
                "created_at": null, "updated_at": null,
            },
        ])
    );
}

#[tokio::test]
async fn failure_policies_are_listed_and_each_can_be_had() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let listed = doors.get("/v1/failure-policies").await.is(200);
        let rows = listed.body["data"].as_array().expect("a list");
        let names: Vec<_> = rows.iter().map(|row| row["name"].clone()).collect();
        assert_eq!(names, ["five-days", "ladder", "consecutive", "never"]);
        for row in rows {
            let words = row["words"].as_str().expect("a text");
            assert!(words.ends_with("; at once by HTTP 410"), "{words}");
            let new = json!({"url": nobody().await, "failure_policy": row["policy"]});
            let made = doors.post("/v1/endpoints", new).await.is(201);
            let read = doors.get(&format!("/v1/endpoints/{}", made.id())).await;
            assert_eq!(read.is(200).body["failure_policy"], row["policy"]);
        }
        for (policy, code, place) in [
            (json!("six-days"), "invalid_field", "/failure_policy"),
            (
                json!({"consecutive": 0}),
                "invalid_field",
                "/failure_policy",
            ),
            (
                json!({"consecutive": 10_001}),
                "invalid_field",
                "/failure_policy",
            ),
            (
                json!({"consecutive": "3"}),
                "invalid_field",
                "/failure_policy/consecutive",
            ),
            (
                json!({"failures": 3}),
                "unknown_field",
                "/failure_policy/failures",
            ),
        ] {
            let new = json!({"url": nobody().await, "failure_policy": policy});
            doors.post("/v1/endpoints", new).await.refuses(code, place);
        }
    })
    .await;
}

#[tokio::test]
async fn a_preview_tells_each_attempt_from_its_earliest_to_its_latest() {
    let doors = Doors::open(Engine::Sqlite).await;
    let policy = json!({
        "exponential": {"first_ms": 1000, "factor": 2, "cap_ms": 3000, "attempts": 4},
        "jitter_pct": 50, "final_statuses": [400, 404],
    });
    let asked = json!({"policy": policy, "from": "2026-05-04T10:00:00+02:00"});
    let shown = doors.post(PREVIEW, asked).await.is(200);
    let at = |text: &str| format!("2026-05-04T08:00:{text}Z");
    let attempt = |no: u16, after_ms: i64, from: &str, latest: &str| json!({"no": no, "after_ms": after_ms, "at": at(from), "at_latest": at(latest)});
    assert_eq!(
        shown.body,
        json!({
            "words": "at once, then after 1 s, 2 s, 3 s; each up to 50 % later; 400 and 404 are final",
            "attempts": [
                attempt(1, 0, "00.000", "00.000"),
                attempt(2, 1000, "01.000", "01.500"),
                attempt(3, 2000, "03.000", "04.500"),
                attempt(4, 3000, "06.000", "09.000"),
            ],
        })
    );
    let now = doors.post(PREVIEW, json!({"policy": "three-step"})).await;
    let attempts = now.is(200).body["attempts"].as_array().map(Vec::len);
    assert_eq!(attempts, Some(3));
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one table of cases")]
async fn what_can_not_be_is_refused_with_its_place() {
    let doors = Doors::open(Engine::Sqlite).await;
    let exponential = |field: &str, value: Value| {
        let mut rule = json!({"first_ms": 1000, "factor": 2, "cap_ms": 60_000, "attempts": 5});
        rule[field] = value;
        json!({"exponential": rule})
    };
    for (policy, code, place, words) in [
        (
            json!("often"),
            "invalid_field",
            "",
            "no retry policy 'often'",
        ),
        (json!({}), "invalid_field", "", "exactly one of"),
        (
            json!({"delays_ms": [1], "preset": "eight-step"}),
            "invalid_field",
            "",
            "exactly one of",
        ),
        (
            json!({"preset": "often"}),
            "invalid_field",
            "",
            "no retry policy 'often'",
        ),
        (
            json!({"delays_ms": vec![0; 51]}),
            "invalid_field",
            "",
            "the most is 50",
        ),
        (
            json!({"delays_ms": [1], "factor": 2}),
            "unknown_field",
            "/factor",
            "",
        ),
        (
            exponential("first_ms", json!(0)),
            "invalid_field",
            "",
            "first_ms is 0",
        ),
        (
            exponential("cap_ms", json!(999)),
            "invalid_field",
            "",
            "cap_ms is 999",
        ),
        (
            exponential("attempts", json!(52)),
            "invalid_field",
            "",
            "attempts is 52",
        ),
        (
            exponential("factor", json!(0.9)),
            "invalid_field",
            "/exponential/factor",
            "factor is 0.9",
        ),
        (
            exponential("cap", json!(1)),
            "unknown_field",
            "/exponential/cap",
            "",
        ),
        (
            json!({"exponential": [1, 2, 3, 4]}),
            "invalid_field",
            "/exponential",
            "object",
        ),
        (
            json!({"delays_ms": [1], "final_statuses": [204]}),
            "invalid_field",
            "",
            "final_statuses[0] is 204",
        ),
        (
            json!({"delays_ms": [1], "final_statuses": [400, 429]}),
            "invalid_field",
            "",
            "tried again later",
        ),
        (
            json!({"delays_ms": [1], "final_statuses": [400, 400]}),
            "invalid_field",
            "",
            "remove one",
        ),
    ] {
        let shown = policy.to_string();
        let refused = doors.post(PREVIEW, json!({"policy": policy})).await;
        assert!(
            refused.body["detail"].to_string().contains(words),
            "{shown}: {}",
            refused.body
        );
        refused.refuses(code, &format!("/policy{place}"));
    }
    let late = json!({"policy": "eight-step", "from": "9999-12-29T00:00:00Z"});
    doors
        .post(PREVIEW, late)
        .await
        .refuses("invalid_field", "/from");
}

#[tokio::test]
async fn policies_come_back_as_they_were_written() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        for (policy, words) in [
            (json!({"preset": "eight-step", "final_statuses": [422, 400]}), "422 and 400 are final"),
            (
                json!({"exponential": {"first_ms": 200, "factor": 1.5, "cap_ms": 1000, "attempts": 4}, "jitter_pct": 7}),
                "200 ms, 300 ms, 450 ms; each up to 7 % later",
            ),
            (json!({"delays_ms": [200, 400], "final_statuses": [404]}), "404 is final"),
        ] {
            let new = json!({"url": nobody().await, "retry_policy": policy});
            let made = doors.post("/v1/endpoints", new).await.is(201);
            let path = format!("/v1/endpoints/{}", made.id());
            let read = doors.get(&path).await.is(200);
            assert_eq!(read.body["retry_policy"].to_string(), policy.to_string());
            let schedule = read.body["retry_schedule"].as_str().unwrap_or_default();
            assert!(schedule.ends_with(words), "{schedule}");
            doors.patch(&path, json!({"name": "other"})).await.is(200);
            let read = doors.get(&path).await.is(200);
            assert_eq!(read.body["retry_policy"], policy);
        }
    })
    .await;
}
