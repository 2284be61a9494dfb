//! What conditions cost: one event against an account's automations, and the worst that a condition which
//! passes its check can do to an event.
//!
//! `cargo bench --locked --bench conditions`. Figures, not tests: nothing here passes or fails.

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Duration;

use throwbar::automation::{Answer, Condition, EventType, EventView, Pattern, PatternIndex};
use throwbar::model::limits::{CONDITION_BYTES_MAX, PAYLOAD_BYTES_MAX};
use throwbar::model::{AutomationId, EndpointId, EventId, Stopwatch, Timestamp};
use throwbar::pipeline::{AcceptedEvent, Rehearsal};
use throwbar::store::PublishedAutomation;

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const AUTOMATIONS: usize = 10_000;
const EVENT_TYPES: usize = 200;
const AT: Timestamp = Timestamp::from_ms(0);
/// How often each figure is taken; the median is shown.
const ROUNDS: usize = 201;

fn main() {
    candidates();
    worst();
}

fn median(mut round: impl FnMut()) -> Duration {
    let mut taken: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let watch = Stopwatch::start();
            round();
            watch.elapsed()
        })
        .collect();
    taken.sort_unstable();
    taken[ROUNDS / 2]
}

#[expect(
    clippy::print_stdout,
    reason = "figures are for whoever asked for them"
)]
fn tell(what: &str, taken: Duration) {
    println!("{what:<66} {:>10.2} µs", taken.as_secs_f64() * 1e6);
}

fn condition(source: &str) -> Condition {
    Condition::parse(source).expect("a condition")
}

/// What the automation of this number asks.
fn asked(no: usize) -> String {
    match no / EVENT_TYPES % 5 {
        0 => format!("event.data.amount >= {}", no * 7),
        1 => format!("event.data.stage == \"Won\" && event.data.amount > {no}"),
        2 => format!("has(event.data.owner.team) && event.data.owner.team == \"team-{no}\""),
        3 => format!("event.data.currency in [\"CHF\", \"USD\", \"X{no}\"]"),
        _ => format!(
            "event.data.title.startsWith(\"Deal {no}\") || event.data.amount < {}",
            no % 90
        ),
    }
}

fn event_type(no: usize) -> EventType {
    format!("area.type_{}", no % EVENT_TYPES)
        .parse()
        .expect("valid")
}

fn automation(no: usize) -> PublishedAutomation {
    PublishedAutomation {
        id: AutomationId::mint(AT),
        name: format!("automation {no}"),
        owner_endpoint: None,
        version: 1,
        definition: serde_json::json!({
            "trigger": {"events": [event_type(no)]},
            "condition": asked(no),
            "actions": [{"webhook": {"endpoint": EndpointId::mint(AT)}}],
        })
        .to_string(),
    }
}

/// 10,000 automations over 200 event types, 50 of them for each type, and one event of 500 bytes.
fn candidates() {
    let mut index = PatternIndex::new();
    for no in 0..AUTOMATIONS {
        index.insert(&Pattern::Exact(event_type(no)), condition(&asked(no)));
    }
    let automations: Vec<_> = (0..AUTOMATIONS).map(automation).collect();
    let rehearsal = Rehearsal::of(&automations).expect("an account");
    let event_type = event_type(7);
    let payload = format!(
        r#"{{"id":"D-1042","title":"Windmill","stage":"Won","amount":1200.5,"currency":"EUR","owner":{{"name":"Ada","team":"north"}},"tags":["new","eu"],"note":"{}"}}"#,
        "x".repeat(330)
    );
    let event = AcceptedEvent {
        id: EventId::mint(AT),
        event_type: event_type.clone(),
        occurred_at: AT,
        payload: payload.into(),
        cause: None,
        origin: None,
    };
    let met = index.candidates(&event_type).count();
    tell(
        "index: the candidates of one event among 10,000 automations",
        median(|| {
            black_box(index.candidates(&event_type).count());
        }),
    );
    tell(
        "reading a payload of 500 bytes",
        median(|| {
            black_box(condition_free(&event.view()));
        }),
    );
    tell(
        &format!("{met} candidates: the answers of their conditions"),
        median(|| {
            let view = event.view();
            for condition in index.candidates(&event_type) {
                black_box(condition.evaluate(&view));
            }
        }),
    );
    tell(
        &format!("{met} candidates: from the accepted event to its record, as a node does it"),
        median(|| {
            black_box(rehearsal.record(event.clone()));
        }),
    );
    tell(
        &format!("{met} candidates: what is told when somebody asks, all of it"),
        median(|| {
            let view = event.view();
            for condition in index.candidates(&event_type) {
                black_box(condition.explain(&view));
            }
        }),
    );
}

/// The cheapest question that reads the payload.
fn condition_free(view: &EventView<'_>) -> Answer {
    thread_local! {
        static READS: Condition = condition("has(event.data.id)");
    }
    READS.with(|reads| reads.evaluate(view))
}

fn numbers(count: usize) -> String {
    format!("{{\"list\":[{}1]}}", "1,".repeat(count - 1))
}

/// As large a payload as there is: lists of short values, and long texts.
fn large(entries: &str) -> String {
    let mut payload = String::with_capacity(PAYLOAD_BYTES_MAX);
    let _ = write!(payload, r#"{{"list":[{entries}],"text":""#);
    let rest = PAYLOAD_BYTES_MAX - payload.len() - 2;
    payload.push_str(&"ab".repeat(rest / 2));
    payload.push_str("\"}");
    payload
}

/// The dearest parts there are, as many as a condition holds.
#[expect(clippy::too_many_lines, reason = "a table of cases is one story")]
fn worst() {
    let entries = |entry: &str| vec![entry; 1000].join(",");
    let long = format!("\"{}\"", "ab".repeat(60));
    let payloads = [
        ("1000 numbers and a long text", large(&entries("1"))),
        (
            "1000 texts of 120 bytes and a long text",
            large(&entries(&long)),
        ),
        ("as many values as are looked into", numbers(29_998)),
        (
            "130,000 numbers, which are too many",
            numbers(PAYLOAD_BYTES_MAX / 2 - 10),
        ),
    ];
    let repeated = |part: &str, between: &str| {
        let count = (CONDITION_BYTES_MAX - 8) / (part.len() + between.len());
        vec![part; count].join(between)
    };
    let conditions = [
        (
            "a long text searched again and again",
            repeated("event.data.text.contains('bb')", " || "),
        ),
        (
            "long texts put together and compared",
            repeated("event.data.text + 'x' == event.data.text", " || "),
        ),
        (
            "long texts in lower case",
            repeated("event.data.text.lowerAscii() == 'x'", " || "),
        ),
        (
            "the payload compared with itself",
            repeated("event.data != event.data", " || "),
        ),
        (
            "a loop that looks into the payload",
            "event.data.list.all(x, event.data == event.data)".to_owned(),
        ),
        (
            "a loop that searches a long text",
            "event.data.list.all(x, !event.data.text.contains('bb'))".to_owned(),
        ),
        (
            "a loop with many parts",
            format!("event.data.list.all(x, {})", ["x != 'a'"; 8].join(" && ")),
        ),
        (
            "loops, one after the other",
            repeated("event.data.list.exists(x, x == 2)", " || "),
        ),
        (
            "a list that is searched",
            repeated("2 in event.data.list", " || "),
        ),
        (
            "lists that loops make",
            repeated("size(event.data.list.map(x, [x, x])) == 0", " || "),
        ),
        (
            "a field that is missing, in a loop",
            "event.data.list.exists(x, x.a.b == 1)".to_owned(),
        ),
        (
            "texts made of numbers, in a loop",
            "event.data.list.exists(x, size(string(x)) == 999)".to_owned(),
        ),
        (
            "hours in a time zone, in a loop",
            "event.data.list.exists(x, event.timestamp.getHours(\"Europe/Berlin\") == 99)"
                .to_owned(),
        ),
        (
            "small questions, as many as there is room for",
            repeated("event.data.a == 1", " || "),
        ),
    ];
    let event_type: EventType = "area.large".parse().expect("valid");
    let mut dearest = Duration::ZERO;
    for (about, payload) in &payloads {
        for (what, source) in &conditions {
            let Ok(condition) = Condition::parse(source) else {
                continue;
            };
            let view = || EventView::new(EventId::mint(AT), &event_type, AT, payload.as_bytes());
            let taken = median(|| {
                black_box(condition.evaluate(&view()));
            });
            tell(&format!("{what}: {about}"), taken);
            let taken = median(|| {
                black_box(condition.explain(&view()));
            });
            dearest = dearest.max(taken);
        }
    }
    tell(
        "the dearest explanation of them all, when somebody asks",
        dearest,
    );
}
