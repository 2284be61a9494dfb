//! The guides whose examples are requests, kept true: each is sent, and its answer has what the guide shows.

use std::collections::HashMap;

use serde_json::Value;

use super::{Answer, Doors, OPERATOR};
use crate::support::store::on_both;

const GUIDES: [&str; 2] = [
    include_str!("../../../docs/schedules.md"),
    include_str!("../../../docs/explain.md"),
];

/// What was made last of each kind, by what its id begins with.
#[derive(Default)]
struct Made(HashMap<String, String>);

impl Made {
    fn keep(&mut self, answer: &Answer) {
        let id = answer.body["id"].as_str().unwrap_or_default();
        if let Some((kind, _)) = id.split_once('_') {
            self.0.insert(kind.to_owned(), id.to_owned());
        }
    }

    /// The path with the ids that stand for `…`.
    fn path(&self, shown: &str) -> String {
        let known = self.0.iter();
        known.fold(shown.to_owned(), |path, (kind, id)| {
            path.replace(&format!("{kind}_…"), id)
        })
    }
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
        let json: Value = serde_json::from_str(json).expect(head);
        if step == "answer" {
            let answer = last.as_ref().expect("a request before it");
            assert!(has(&answer.body, &json), "{json}: {}", answer.body);
            continue;
        }
        let (method, path) = step.split_once(' ').expect("a method and a path");
        let path = made.path(path);
        assert!(
            !path.contains('…'),
            "{path}: nothing was made that this stands for"
        );
        let body = (method != "GET").then(|| json.clone());
        let answer = doors.call(OPERATOR, method, &path, body).await;
        assert!(answer.status < 300, "{step}: {}", answer.body);
        assert!(
            method != "GET" || has(&answer.body, &json),
            "{step}: {json}: {}",
            answer.body
        );
        doors.pipeline.settle().await;
        made.keep(&answer);
        last = Some(answer);
        sent += 1;
    }
    sent
}

#[tokio::test]
async fn what_the_guides_show_is_what_is_answered() {
    on_both(async |engine| {
        for guide in GUIDES {
            let doors = Doors::open(engine).await;
            let sent = follow(&doors, guide).await;
            assert!(sent >= 6, "{sent} requests");
        }
    })
    .await;
}
