//! What explain says is what happened: for random triggers, conditions and payloads, by what is on record, by
//! the version of that time run now, and by an earlier one.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Doors, component, nobody};
use crate::support::dice::Dice;
use crate::support::store::{Engine, on_both};

const AUTOMATIONS: usize = 10;
const EVENTS: usize = 12;
const TYPES: [&str; 4] = ["deal.won", "deal.stage.changed", "call.started", "call"];
const PATTERNS: [&str; 7] = [
    "*",
    "deal.*",
    "deal.stage.*",
    "deal.won",
    "call.*",
    "call",
    "other.*",
];
const NUMBERS: [&str; 4] = ["event.data.a", "event.data.b", "size(event.data.list)", "5"];

fn pick<'a>(dice: &mut Dice, from: &[&'a str]) -> &'a str {
    from[dice.throw(from.len() as u64) as usize - 1]
}

/// A question that passes the check, and has an answer for some payloads only.
fn condition(dice: &mut Dice, depth: u32) -> String {
    if depth > 0 && dice.throw(2) == 1 {
        let (one, other) = (condition(dice, depth - 1), condition(dice, depth - 1));
        return match dice.throw(3) {
            1 => format!("({one}) && ({other})"),
            2 => format!("({one}) || ({other})"),
            _ => format!("!({one})"),
        };
    }
    let compare = pick(dice, &["<", "<=", "==", "!=", ">", ">="]);
    match dice.throw(7) {
        1 => format!(
            "has(event.data.{})",
            pick(dice, &["a", "b", "text", "list"])
        ),
        2 => format!(
            "event.data.text.startsWith({:?})",
            pick(dice, &["W", "Wo", "x"])
        ),
        3 => "event.data.text in [\"Won\", \"Lost\"]".to_owned(),
        4 => format!("event.data.list.exists(x, x {compare} 3)"),
        5 => format!("event.type == {:?}", pick(dice, &TYPES)),
        6 => format!("{} + 1 {compare} 4", pick(dice, &NUMBERS)),
        _ => format!("{} {compare} {}", pick(dice, &NUMBERS), dice.throw(6)),
    }
}

/// A payload that has each field or not, and of a kind that fits or not.
fn payload(dice: &mut Dice) -> Value {
    let mut fields = serde_json::Map::new();
    for name in ["a", "b", "text", "list"] {
        let value = match (name, dice.throw(6)) {
            (_, 1) => continue,
            (_, 2) => Value::Null,
            ("a" | "b", 3) => json!("3"),
            ("a" | "b", 4) => json!(f64::from(dice.throw(12) as u32) / 2.0),
            ("a" | "b", _) => json!(dice.throw(6)),
            ("text", _) => json!(pick(dice, &["Won", "Lost", "x", ""])),
            _ => json!(
                (0..dice.throw(4))
                    .map(|_| dice.throw(5))
                    .collect::<Vec<_>>()
            ),
        };
        fields.insert(name.to_owned(), value);
    }
    Value::Object(fields)
}

/// What changes from one version to the next.
fn definition(dice: &mut Dice, url: &str) -> Value {
    let patterns = [pick(dice, &PATTERNS), pick(dice, &PATTERNS)];
    let mut new = json!({
        "trigger": {"events": patterns}, "actions": [{"webhook": {"url": url}}],
        "condition": null, "transforms": [],
    });
    if dice.throw(5) > 1 {
        new["condition"] = json!(condition(dice, 2));
    }
    if dice.throw(4) == 1 {
        new["transforms"] = json!([{"plugin": "redact", "config": {"remove": ["/a"]}}]);
    }
    new
}

/// Verdict and sentence of each automation that has looked at an event, by the automation's id.
async fn live(doors: &Doors, event: &str) -> BTreeMap<String, [String; 2]> {
    let path = format!("/v1/events/{event}/evaluations");
    let listed = doors.get(&path).await.is(200);
    let text = |row: &Value, field: &str| row[field].as_str().expect("text").to_owned();
    let rows = listed.body["data"].as_array().expect("a list").iter();
    rows.map(|row| {
        let said = ["verdict", "summary"].map(|field| text(row, field));
        (text(row, "automation"), said)
    })
    .collect()
}

/// What one event came to with the first versions, and again with the second ones.
struct Twice {
    event_type: &'static str,
    events: [String; 2],
    said: [BTreeMap<String, [String; 2]>; 2],
}

/// Sends each payload to the versions that are live.
async fn send(doors: &Doors, sent: &[(&'static str, Value)]) -> Vec<String> {
    let mut ids = Vec::new();
    for (event_type, data) in sent {
        let event = json!({"type": event_type, "data": data});
        ids.push(doors.post("/v1/events", event).await.is(202).id());
    }
    doors.pipeline.settle().await;
    ids
}

async fn tell(engine: Engine, seed: u64) -> BTreeMap<String, usize> {
    let mut dice = Dice(seed);
    let doors = Doors::open(engine).await;
    doors.upload(component("redact"), "").await.is(201);
    let url = nobody().await;
    let mut automations = Vec::new();
    for _ in 0..AUTOMATIONS {
        let mut new = definition(&mut dice, &url);
        new["name"] = json!("a");
        automations.push(doors.post("/v1/automations", new).await.is(201).id());
    }
    let sent: Vec<(&str, Value)> = (0..EVENTS)
        .map(|_| (pick(&mut dice, &TYPES), payload(&mut dice)))
        .collect();
    let first = send(&doors, &sent).await;
    for id in &automations {
        let mut changed = definition(&mut dice, &url);
        changed["draft"] = json!(false);
        let path = format!("/v1/automations/{id}");
        doors.patch(&path, changed).await.is(200);
    }
    let second = send(&doors, &sent).await;
    let mut verdicts = BTreeMap::new();
    for (no, (event_type, _)) in sent.iter().enumerate() {
        let events = [first[no].clone(), second[no].clone()];
        let said = [
            live(&doors, &events[0]).await,
            live(&doors, &events[1]).await,
        ];
        let twice = Twice {
            event_type,
            events,
            said,
        };
        for id in &automations {
            compare(&doors, id, &twice, &mut verdicts).await;
        }
    }
    verdicts
}

/// Whether all that explain says of one automation and the event is what happened.
async fn compare(doors: &Doors, id: &str, twice: &Twice, verdicts: &mut BTreeMap<String, usize>) {
    for (place, event) in twice.events.iter().enumerate() {
        let path = format!("/v1/automations/{id}/explain?event={event}");
        let explained = doors.get(&path).await.is(200);
        let version = explained.body["version"].as_i64().expect("a version");
        let live = twice.said[place].get(id);
        let said = live.map_or("not_subscribed", |said| said[0].as_str());
        assert_eq!(explained.text("/verdict"), said, "{}", explained.body);
        *verdicts.entry(said.to_owned()).or_default() += 1;
        let basis = if live.is_some() {
            "recorded"
        } else {
            "history"
        };
        assert_eq!(explained.text("/basis"), basis);
        if let Some([_, summary]) = live {
            assert_eq!(explained.text("/summary"), *summary);
        } else {
            let summary = explained.text("/summary");
            assert!(summary.contains(twice.event_type), "{summary}");
        }
        // Both versions, asked of either event, say what the one that was live said.
        for asked in [1, version] {
            let was = twice.said[usize::from(asked != 1)].get(id);
            let now = doors.get(&format!("{path}&version={asked}")).await.is(200);
            let body = &now.body;
            assert_eq!(
                (&body["basis"], &body["version"]),
                (&json!("run_now"), &json!(asked))
            );
            let said = was.map_or("not_subscribed", |said| said[0].as_str());
            assert_eq!(now.text("/verdict"), said, "{body}");
            if let Some([_, summary]) = was {
                assert_eq!(now.text("/summary"), *summary);
            }
        }
    }
}

#[tokio::test]
async fn explain_says_what_happened_whatever_the_condition_and_the_event() {
    on_both(async |engine| {
        let verdicts = tell(engine, 20_260_504).await;
        for wanted in ["fired", "filtered", "condition_error", "not_subscribed"] {
            let seen = verdicts.get(wanted).copied().unwrap_or_default();
            assert!(seen >= 10, "{wanted} was seen {seen} times: {verdicts:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_explanation_has_the_values_of_then() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        for (name, value) in [("least", json!(1000)), ("stage", json!("won"))] {
            let new = json!({"name": name, "value": value});
            doors.post("/v1/variables", new).await.is(201);
        }
        for condition in [
            "event.data.amount > vars.least",
            "event.data.stage == vars.stage && event.data.amount > vars.least",
            "event.data.amount > vars.least || event.data.stage != vars.stage",
        ] {
            let new = json!({
                "name": "Large deals", "trigger": {"events": ["deal.*"]}, "condition": condition,
                "actions": [{"webhook": {"url": nobody().await}}],
            });
            doors.post("/v1/automations", new).await.is(201);
        }
        let sent = json!({"type": "deal.won", "data": {"amount": 900, "stage": "won"}});
        let event = doors.post("/v1/events", sent).await.is(202).id();
        doors.pipeline.settle().await;
        let path = format!("/v1/events/{event}/evaluations");
        let before = doors.get(&path).await.is(200).body["data"].clone();
        let summaries: Vec<&str> = (0..3)
            .map(|no| before[no]["summary"].as_str().expect("a sentence"))
            .collect();
        let needs = "`event.data.amount` is 900, needs more than `vars.least` (1000)";
        assert_eq!(summaries[..2], [needs, needs]);
        assert_eq!(
            summaries[2],
            format!(
                "neither of 2 alternatives holds: {needs}; `event.data.stage` is \"won\", must not be `vars.stage` (\"won\")"
            )
        );
        assert_eq!(before[1]["steps"][0]["detail"][0]["value"], "true");

        for (name, value) in [("least", json!(5)), ("stage", json!("lost"))] {
            let path = format!("/v1/variables/{name}");
            doors.patch(&path, json!({ "value": value })).await.is(200);
        }
        let after = doors.get(&path).await.is(200);
        assert_eq!(after.body["data"], before, "what was asked then");
    })
    .await;
}

#[tokio::test]
async fn where_variables_are_long_what_they_led_to_is_kept_instead() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let names: Vec<String> = (0..9).map(|no| format!("list_{no}")).collect();
        for name in &names {
            let new = json!({"name": name, "value": "x".repeat(8_000)});
            doors.post("/v1/variables", new).await.is(201);
        }
        let asks = |name: &String| format!("event.data.of == vars.{name}");
        let all: Vec<String> = names.iter().map(asks).collect();
        for condition in [&asks(&names[0]), &all.join(" || "), &asks(&names[0])] {
            let new = json!({
                "name": "Long lists", "trigger": {"events": ["deal.*"]}, "condition": condition,
                "actions": [{"webhook": {"url": nobody().await}}],
            });
            doors.post("/v1/automations", new).await.is(201);
        }
        let sent = json!({"type": "deal.won", "data": {"of": "us"}});
        let event = doors.post("/v1/events", sent).await.is(202).id();
        doors.pipeline.settle().await;
        let bytes = doors
            .place
            .number("SELECT CAST(LENGTH(verdicts) AS BIGINT) FROM evaluations")
            .await;
        assert!(
            (8_000..20_000).contains(&bytes),
            "one of them once: {bytes}"
        );

        let path = format!("/v1/events/{event}/evaluations");
        let before = doors.get(&path).await.is(200).body["data"].clone();
        for no in 0..3 {
            let summary = before[no]["summary"].as_str().expect("a sentence");
            assert!(summary.contains("(\"xxx"), "{no}: {summary}");
        }
        for name in &names {
            let path = format!("/v1/variables/{name}");
            doors.patch(&path, json!({"value": "us"})).await.is(200);
        }
        let after = doors.get(&path).await.is(200);
        assert_eq!(after.body["data"], before);
    })
    .await;
}
