//! Plans as they grow: what does not fit into the plan of one event is said and not followed, and no
//! verdict is lost.

use serde_json::{Value, json};

use super::super::evaluation::{Output, Outputs};
use super::super::plan::{Draft, Plan};
use super::super::snapshot::Compiled;
use super::super::standing::Standing;
use super::super::variables::AccountVariables;
use super::*;
use crate::model::limits::{
    BODY_BYTES_PER_EVENT_MAX, DELIVERIES_PER_EVENT_MAX, SUMMARY_BYTES_MAX,
    TRACE_BYTES_PER_EVENT_MAX,
};
use crate::store::PublishedAutomation;

/// A plan under way.
struct Story {
    event: AcceptedEvent,
    draft: Draft,
}

impl Story {
    fn begin() -> Self {
        let id = EventId::mint(NOW);
        Self {
            event: AcceptedEvent {
                id,
                event_type: "a.b".parse().expect("a name"),
                occurred_at: NOW,
                payload: Bytes::from_static(b"{}"),
                cause: None,
                origin: None,
            },
            draft: Draft::new(id),
        }
    }

    /// An automation with so many endpoints puts this out, with these steps.
    fn add(&mut self, endpoints: usize, outputs: Outputs, steps: Vec<Step>) -> Verdict {
        let endpoints = (0..endpoints).map(|_| EndpointId::mint(NOW)).collect();
        let automation = automation(endpoints);
        let mut evaluation = Evaluation::begin(&automation);
        evaluation.outputs = outputs;
        for step in steps {
            evaluation.step(step);
        }
        let current = Standing::default().last_loaded();
        self.draft
            .add(&automation, &self.event, &current, evaluation)
    }

    fn finish(self) -> (Plan, Vec<Value>) {
        let plan = self.draft.finish(AccountId::mint(NOW), 1, NOW);
        let verdicts = serde_json::from_slice(&plan.rows.verdicts).expect("JSON");
        (plan, verdicts)
    }
}

fn automation(endpoints: Vec<EndpointId>) -> Compiled {
    let row = PublishedAutomation {
        id: AutomationId::mint(NOW),
        name: "an automation".to_owned(),
        owner_endpoint: None,
        version: 1,
        definition: String::new(),
    };
    let webhook = |endpoint| Action::Webhook {
        endpoint,
        url: None,
    };
    let definition = Definition {
        trigger: Trigger {
            events: Vec::new(),
            schedule: None,
        },
        condition: None,
        flow: None,
        transforms: Vec::new(),
        actions: endpoints.into_iter().map(webhook).collect(),
        alert_after: None,
        tests: Vec::new(),
    };
    Compiled::of(&row, definition, Vec::new(), &AccountVariables::default())
}

fn outputs(count: usize, bytes: usize) -> Outputs {
    let output = Output {
        content: vec![b'1'; bytes].into(),
        event_type: None,
        headers: Vec::new(),
    };
    Outputs::Transformed(vec![output; count])
}

/// A step that says so much, and has so much of detail.
fn step(why_bytes: usize, detail_bytes: usize) -> Step {
    Step {
        kind: "transform".to_owned(),
        what: "p@1.0.0".to_owned(),
        digest: None,
        outcome: "emitted".to_owned(),
        why: "é".repeat(why_bytes / 2),
        detail: json!({ "log": "x".repeat(detail_bytes) }),
    }
}

#[test]
fn deliveries_beyond_those_of_one_event_are_a_verdict_and_later_ones_may_fit() {
    let mut story = Story::begin();
    let each = 1_000;
    for _ in 0..DELIVERIES_PER_EVENT_MAX / each - 1 {
        assert_eq!(story.add(each, Outputs::Payload, vec![]), Verdict::Fired);
    }
    let left = each;
    let refused = story.add(left + 1, Outputs::Payload, vec![]);
    assert_eq!(refused, Verdict::LimitExceeded);
    assert_eq!(story.add(left / 2, outputs(2, 1), vec![]), Verdict::Fired);
    assert_eq!(story.add(0, Outputs::None, vec![]), Verdict::Fired);
    let (plan, verdicts) = story.finish();
    assert_eq!(plan.rows.deliveries.len(), DELIVERIES_PER_EVENT_MAX);
    assert_eq!(plan.contents.len(), DELIVERIES_PER_EVENT_MAX);
    assert_eq!(plan.rows.bodies.len(), 2);
    let said = &verdicts[verdicts.len() - 3]["summary"];
    let said = said.as_str().expect("a sentence");
    assert!(
        said.contains("1001 deliveries, after 19000 of other automations"),
        "{said}"
    );
    assert!(plan.bytes > 100 * DELIVERIES_PER_EVENT_MAX, "rows count");
}

#[test]
fn outputs_beyond_those_of_one_event_are_a_verdict() {
    let mut story = Story::begin();
    let each = BODY_BYTES_PER_EVENT_MAX / 16;
    assert_eq!(story.add(1, outputs(15, each), vec![]), Verdict::Fired);
    let refused = story.add(1, outputs(2, each), vec![step(2, 2)]);
    assert_eq!(refused, Verdict::LimitExceeded);
    assert_eq!(story.add(1, outputs(1, each), vec![]), Verdict::Fired);
    assert_eq!(story.add(1, Outputs::Payload, vec![]), Verdict::Fired);
    let (plan, verdicts) = story.finish();
    assert_eq!(
        (plan.rows.bodies.len(), plan.rows.deliveries.len()),
        (16, 17)
    );
    assert!(plan.bytes >= BODY_BYTES_PER_EVENT_MAX);
    assert_eq!(verdicts[1]["verdict"], "limit_exceeded");
    let said = verdicts[1]["summary"].as_str().expect("a sentence");
    assert!(said.contains("16777216 at most"), "{said}");
    assert_eq!(verdicts[1]["steps"][0]["outcome"], "emitted", "and how");
}

#[test]
fn what_steps_say_is_kept_as_far_as_it_fits_and_every_verdict_is() {
    let mut story = Story::begin();
    let automations = 100;
    for no in 0..automations {
        let detail_bytes = if no < 20 { 60_000 } else { 5_000 };
        let steps = vec![step(10, detail_bytes), step(10, detail_bytes)];
        assert_eq!(story.add(1, Outputs::Payload, steps), Verdict::Fired);
    }
    let (plan, verdicts) = story.finish();
    assert_eq!(verdicts.len(), automations);
    assert!(plan.rows.verdicts.len() < 2 * TRACE_BYTES_PER_EVENT_MAX);
    let whole = |verdict: &&Value| verdict["steps"][1]["detail"]["log"].is_string();
    let whole = verdicts.iter().filter(whole).count();
    assert!((8..20).contains(&whole), "those before it: {whole}");
    let said = |verdict: &&Value| verdict["steps"][1]["detail"]["left_out"].is_string();
    let said = verdicts.iter().filter(said).count();
    assert!(said > 12, "then no details: {said}");
    let last = &verdicts[automations - 1];
    assert_eq!(last["verdict"], "fired");
    assert!(last["steps"].is_null(), "then no steps");
    let last: Evaluation = serde_json::from_value(last.clone()).expect("a record");
    let summary = Explained::from(last).summary;
    assert!(summary.contains("its steps are left out"), "{summary}");
}

#[test]
fn one_chain_keeps_no_more_than_that_while_it_runs() {
    let mut evaluation = Evaluation::begin(&automation(Vec::new()));
    for _ in 0..240 {
        evaluation.step(step(600_000, 60_000));
    }
    let bytes = serde_json::to_vec(&evaluation).expect("JSON").len();
    assert!(bytes < 3 * TRACE_BYTES_PER_EVENT_MAX / 2, "{bytes}");
    let long = &evaluation.steps[239].why;
    assert!(long.len() < SUMMARY_BYTES_MAX + 8 && long.ends_with('…'));
    evaluation.ends(Verdict::PluginError, "x".repeat(1_000_000));
    assert!(evaluation.failure().len() < SUMMARY_BYTES_MAX + 8);
}
