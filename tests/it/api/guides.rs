//! The guides whose examples are requests, kept true: each is sent, and its answer has what the guide shows.

use std::collections::HashMap;

use axum::body::Body;
use axum::http::Request;
use serde_json::Value;

use super::{Answer, Doors, OPERATOR};
use crate::support::store::on_both;

/// Each guide, and how many requests it has at least.
const GUIDES: [(&str, usize); 21] = [
    (include_str!("../../../docs/schedules.md"), 6),
    (include_str!("../../../docs/explain.md"), 10),
    (include_str!("../../../docs/versions.md"), 11),
    (include_str!("../../../docs/backtests.md"), 9),
    (include_str!("../../../docs/event-types.md"), 5),
    (include_str!("../../../docs/endpoints.md"), 8),
    (include_str!("../../../docs/failures.md"), 8),
    (include_str!("../../../docs/limits.md"), 4),
    (include_str!("../../../docs/recovery.md"), 13),
    (include_str!("../../../docs/health.md"), 7),
    (include_str!("../../../docs/rest.md"), 6),
    (include_str!("../../../docs/log.md"), 8),
    (include_str!("../../../docs/testing.md"), 6),
    (include_str!("../../../docs/receivers.md"), 5),
    (include_str!("../../../docs/sources.md"), 3),
    (include_str!("../../../docs/cloudevents.md"), 3),
    (include_str!("../../../docs/flow.md"), 3),
    (include_str!("../../../docs/policies.md"), 12),
    (include_str!("../../../docs/alerts.md"), 4),
    (include_str!("../../../docs/retention.md"), 5),
    (include_str!("../../../docs/profiles.md"), 10),
];

/// What was made last of each kind, by what its id begins with.
#[derive(Default)]
struct Made(HashMap<String, String>);

impl Made {
    /// What is answered, and the first of what is listed.
    fn keep(&mut self, answer: &Answer) {
        for pointer in ["/id", "/job", "/data/0/id"] {
            let id = answer.body.pointer(pointer).and_then(Value::as_str);
            if let Some((kind, _)) = id.and_then(|id| id.split_once('_')) {
                let id = id.unwrap_or_default();
                self.0.insert(kind.to_owned(), id.to_owned());
            }
        }
    }

    /// The text with the ids that stand for `…`.
    fn with_ids(&self, shown: &str) -> String {
        let known = self.0.iter();
        let text = known.fold(shown.to_owned(), |text, (kind, id)| {
            text.replace(&format!("{kind}_…"), id)
        });
        assert!(
            !text.contains("_…"),
            "{text}: nothing was made that this stands for"
        );
        text
    }
}

/// A request as the guide heads it: `POST /v1/events`, then what its answer's status is if that is no success, or
/// what type its body is if that is no plain JSON.
struct Step<'g> {
    method: &'g str,
    path: &'g str,
    status: Option<u16>,
    content_type: &'g str,
}

impl<'g> Step<'g> {
    fn of(head: &'g str) -> Self {
        let words: Vec<_> = head.split(' ').collect();
        let [method, path] = words[..2] else {
            panic!("{head}: a method and a path");
        };
        let more = words.get(2).copied().unwrap_or_default();
        Self {
            method,
            path,
            status: more.parse().ok(),
            content_type: if more.contains('/') {
                more
            } else {
                "application/json"
            },
        }
    }
}

async fn ask(doors: &Doors, step: &Step<'_>, path: &str, body: String) -> Answer {
    let request = Request::builder()
        .method(step.method)
        .uri(path)
        .header("content-type", step.content_type)
        .header("authorization", format!("Bearer {OPERATOR}"))
        .body(Body::from(body));
    doors.request(request.expect("a request")).await
}

/// Whether all that is shown is there, at whatever else is there, too.
fn has(found: &Value, shown: &Value) -> bool {
    match (found, shown) {
        (Value::Object(found), Value::Object(shown)) => shown
            .iter()
            .all(|(name, shown)| found.get(name).is_some_and(|found| has(found, shown))),
        (Value::Array(found), Value::Array(shown)) => {
            found.len() == shown.len() && found.iter().zip(shown).all(|(a, b)| has(a, b))
        }
        (found, shown) => found == shown,
    }
}

async fn follow(doors: &Doors, guide: &str) -> usize {
    let mut made = Made::default();
    let mut last: Option<Answer> = None;
    let mut sent = 0;
    for part in guide.split("\n```") {
        let Some((head, json)) = part.split_once('\n') else {
            continue;
        };
        let Some(step) = head.trim_start_matches('`').strip_prefix("json ") else {
            continue;
        };
        let json = made.with_ids(json);
        let shown: Value = serde_json::from_str(&json).expect(head);
        if step == "answer" {
            let answer = last.as_ref().expect("a request before it");
            assert!(has(&answer.body, &shown), "{shown}: {}", answer.body);
            continue;
        }
        let asked = Step::of(step);
        let is_read = asked.method == "GET";
        let body = if is_read { String::new() } else { json };
        let answer = ask(doors, &asked, &made.with_ids(asked.path), body).await;
        match asked.status {
            Some(status) => assert_eq!(answer.status, status, "{step}: {}", answer.body),
            None => assert!(answer.status < 300, "{step}: {}", answer.body),
        }
        assert!(
            !is_read || has(&answer.body, &shown),
            "{step}: {shown}: {}",
            answer.body
        );
        doors.pipeline.settle().await;
        doors.count_up().await;
        made.keep(&answer);
        last = Some(answer);
        sent += 1;
    }
    sent
}

#[tokio::test]
async fn what_the_guides_show_is_what_is_answered() {
    on_both(async |engine| {
        for (guide, requests) in GUIDES {
            let doors = Doors::open(engine).await;
            let sent = follow(&doors, guide).await;
            assert!(sent >= requests, "{sent} requests: {guide:.40}");
        }
    })
    .await;
}
