//! Previews of schedules: what is told, and what is refused with its place. No store is asked.

use serde_json::{Value, json};

use super::Doors;
use crate::support::store::Engine;

const PREVIEW: &str = "/v1/schedules/preview";

/// `nominal` and `at` of each occurrence, as far as the minute.
fn times(body: &Value) -> Vec<String> {
    let rows = body["data"].as_array().expect("a list");
    rows.iter()
        .map(|row| {
            let [nominal, at] = ["nominal", "at"].map(|field| row[field].as_str().expect("text"));
            assert_eq!(nominal.len(), "2026-03-29T02:30:00".len(), "{nominal}");
            assert!(at.ends_with('Z'), "{at}");
            format!("{} {}", &nominal[5..16], &at[5..16])
        })
        .collect()
}

#[tokio::test]
async fn occurrences_words_and_changes_of_clocks() {
    let doors = Doors::open(Engine::Sqlite).await;
    let request = json!({
        "cron": "30 2 * * *", "timezone": "Europe/Berlin", "from": "2026-03-28T00:00:00Z", "count": 3,
    });
    let shown = doors.post(PREVIEW, request.clone()).await.is(200);
    assert_eq!(
        times(&shown.body),
        [
            "03-28T02:30 03-28T01:30",
            "03-29T02:30 03-29T01:00",
            "03-30T02:30 03-30T00:30"
        ]
    );
    assert_eq!(shown.body["words"], "at 02:30");
    assert_eq!(
        shown.body["dst_changes"][0],
        json!({
            "at": "2026-03-29T01:00:00.000Z", "kind": "gap",
            "from": "2026-03-29T02:00:00", "to": "2026-03-29T03:00:00",
            "words": "on 2026-03-29 at 02:00 the clocks go forward to 03:00: the run of 02:30 is made at 03:00",
        })
    );
    assert_eq!(shown.body["dst_changes"][1]["kind"], "fold");

    let mut other = request;
    other["dst"] = json!({"gap": "skip"});
    let shown = doors.post(PREVIEW, other.clone()).await.is(200);
    assert_eq!(times(&shown.body)[1], "03-30T02:30 03-30T00:30");
    other["dst"] = json!({"fold": "both"});
    other["from"] = json!("2026-10-24T12:00:00+02:00");
    let shown = doors.post(PREVIEW, other).await.is(200);
    assert_eq!(
        times(&shown.body)[..2],
        ["10-25T02:30 10-25T00:30", "10-25T02:30 10-25T01:30"]
    );
}

#[tokio::test]
async fn intervals_seconds_and_what_is_left_out() {
    let doors = Doors::open(Engine::Sqlite).await;
    let interval = json!({
        "interval": {"every_s": 46800, "from": "2026-10-24T20:00:00Z"},
        "from": "2026-10-24T19:00:00Z", "count": 3,
    });
    let shown = doors.post(PREVIEW, interval).await.is(200);
    assert_eq!(
        times(&shown.body),
        [
            "10-24T20:00 10-24T20:00",
            "10-25T09:00 10-25T09:00",
            "10-25T22:00 10-25T22:00"
        ]
    );
    assert_eq!(
        (&shown.body["words"], &shown.body["dst_changes"]),
        (&json!("every 13 hours"), &json!([]))
    );
    // From now on, in UTC, ten of them.
    let shown = doors
        .post(PREVIEW, json!({"cron": "*/10 * * * * *", "seconds": true}))
        .await
        .is(200);
    assert_eq!(shown.body["data"].as_array().map(Vec::len), Some(10));
    assert_eq!(shown.text("/words"), "every 10 seconds");
    assert_eq!(shown.text("/data/0/at"), "2026-09-21T14:13:30.000Z");
}

#[tokio::test]
async fn what_can_not_be_is_refused_with_its_place() {
    let doors = Doors::open(Engine::Sqlite).await;
    for (request, code, place) in [
        (json!({}), "invalid_field", ""),
        (
            json!({"cron": "0 9 * * *", "interval": {"every_s": 60}}),
            "invalid_field",
            "",
        ),
        (json!({"cron": "0 9 * *"}), "invalid_field", "/cron"),
        (json!({"cron": "0 0 9 * * *"}), "invalid_field", "/cron"),
        (json!({"cron": "0 0 30 2 *"}), "invalid_field", "/cron"),
        (json!({"cron": 5}), "invalid_field", "/cron"),
        (
            json!({"cron": "0 9 * * *", "timezone": "Mars/Base"}),
            "invalid_field",
            "/timezone",
        ),
        (
            json!({"cron": "0 9 * * *", "dst": {"gap": "jump"}}),
            "invalid_field",
            "/dst/gap",
        ),
        (
            json!({"cron": "0 9 * * *", "dst": {"summer": "skip"}}),
            "unknown_field",
            "/dst/summer",
        ),
        (
            json!({"cron": "0 9 * * *", "from": "tomorrow"}),
            "invalid_field",
            "/from",
        ),
        (
            json!({"cron": "0 9 * * *", "count": 0}),
            "invalid_field",
            "/count",
        ),
        (
            json!({"cron": "0 9 * * *", "count": 1001}),
            "invalid_field",
            "/count",
        ),
        (
            json!({"cron": "0 9 * * *", "zone": "UTC"}),
            "unknown_field",
            "/zone",
        ),
        (
            json!({"interval": {"every_s": 0}}),
            "invalid_field",
            "/interval/every_s",
        ),
        (
            json!({"interval": {"every_s": 60}, "timezone": "UTC"}),
            "invalid_field",
            "/timezone",
        ),
    ] {
        let shown = request.to_string();
        let answer = doors.post(PREVIEW, request).await;
        assert_eq!(answer.status, 422, "{shown}: {}", answer.body);
        answer.refuses(code, place);
    }
}

#[tokio::test]
async fn a_mistake_is_told_by_field_part_and_remedy() {
    let doors = Doors::open(Engine::Sqlite).await;
    let told = doors
        .post(PREVIEW, json!({"cron": "0 9 * * MON-FUN"}))
        .await
        .is(422);
    let detail = told.text("/detail");
    assert!(detail.contains("day of week: 'MON-FUN'"), "{detail}");
    assert!(detail.contains("write 0 to 6 or SUN to SAT"), "{detail}");
}

#[tokio::test]
async fn the_edges_of_time_are_no_trouble() {
    let doors = Doors::open(Engine::Sqlite).await;
    for from in [
        "-009999-01-02T01:59:59Z",
        "1800-01-01T00:00:00Z",
        "9990-01-01T00:00:00Z",
        "9999-12-30T22:00:00Z",
    ] {
        for cron in ["* * * * *", "0 9 29 2 *", "0 0 */31 * 1"] {
            let request = json!({
                "cron": cron, "timezone": "America/New_York", "from": from, "count": 1000,
            });
            let answer = doors.post(PREVIEW, request).await;
            assert!(
                [200, 422].contains(&answer.status),
                "{from} {cron}: {}",
                answer.body
            );
        }
    }
}
