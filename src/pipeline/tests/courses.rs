//! Evaluations turn by turn: nothing is done twice, nothing is left out, and what may take long is not done
//! where others wait.

use std::time::Duration;

use super::super::course::{Came, Course};
use super::super::permit::Permit;
use super::super::plan::Plan;
use super::super::queue::PlanEntry;
use super::super::snapshot::Snapshot;
use super::*;
use crate::automation::{OnError, Transform};
use crate::model::PluginId;
use crate::store::NewPluginVersion;

const HOSTILE: &[u8] = include_bytes!("../../../tests/fixtures/hostile.wasm");

/// An automation that asks this, runs the fixture with these configurations, and sends to nobody that is
/// there.
fn asking(condition: Option<&str>, configs: &[&str]) -> Definition {
    let transform = |config: &&str| Transform {
        plugin: "hostile@1.0.0".to_owned(),
        digest: plugin::Digest::of(HOSTILE).to_string(),
        config: serde_json::value::RawValue::from_string((*config).to_owned()).expect("JSON"),
        on_error: OnError::Fail,
    };
    Definition {
        trigger: Trigger {
            events: vec!["*".parse().expect("a pattern")],
            schedule: None,
        },
        condition: condition.map(str::to_owned),
        flow: None,
        transforms: configs.iter().map(transform).collect(),
        actions: vec![Action::Webhook {
            endpoint: EndpointId::mint(NOW),
            url: None,
        }],
        alert_after: None,
        tests: Vec::new(),
    }
}

impl House {
    async fn upload(&self) {
        let new = NewPluginVersion {
            id: PluginId::mint(NOW),
            name: "hostile".to_owned(),
            version: "1.0.0".to_owned(),
            digest: *plugin::Digest::of(HOSTILE).as_bytes(),
            description: "{}".to_owned(),
            wasm: HOSTILE.into(),
            created_at: NOW,
        };
        let added = self.parts.store.add_plugin_version(self.account, &new);
        added.await.expect("it is new");
    }

    /// The account's revision since then.
    async fn publish(&self, definition: &Definition) -> i64 {
        let new = NewAutomation {
            id: AutomationId::mint(NOW),
            name: "an automation".to_owned(),
            owner_endpoint: None,
            definition: serde_json::to_string(definition).expect("plain"),
            publication: Publication::Live,
            endpoints: Vec::new(),
            author: None,
            note: None,
            override_reason: None,
            created_at: NOW,
        };
        let store = &self.parts.store;
        let created = store.create_automation(self.account, &new).await;
        created.expect("it is new")
    }

    /// An event with this payload that is accepted, and the snapshot that it is evaluated on.
    async fn unplanned(&self, pipeline: &Pipeline, payload: String) -> (Unplanned, Arc<Snapshot>) {
        let node = &pipeline.node;
        let event = NewEvent {
            payload: payload.into(),
            ..self.event()
        };
        let (event, revision) = self.accepted_as(pipeline, event).await;
        let snapshot = node.snapshots.at(self.account, revision).await;
        (
            Unplanned {
                account: self.account,
                revision,
                permit: node.permits.take_over(self.account, event.payload.len()),
                event: AcceptedEvent {
                    id: event.id,
                    event_type: event.event_type,
                    occurred_at: NOW,
                    payload: event.payload,
                    cause: None,
                    origin: None,
                },
                alone: None,
            },
            snapshot.expect("it can be read"),
        )
    }

    async fn is_planned(&self, event: EventId) -> bool {
        let verdicts = self.parts.store.verdicts(self.account, event).await;
        verdicts.expect("read").is_some()
    }
}

/// What came of it, and in how many turns.
fn told(mut course: Course, engine: &Engine, patience: Duration) -> (Plan, Permit, usize) {
    let mut turns = 1;
    loop {
        match course.go_on(engine, patience) {
            Came::Through => {
                let (plan, unplanned, _) = course.finish(NOW);
                return (plan, unplanned.permit, turns);
            }
            Came::Midway => turns += 1,
            Came::NotNow(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn a_course_pauses_between_runs_and_comes_to_the_same() {
    let house = House::open().await;
    house.upload().await;
    let twice = [r#"{"do":"outputs","count":3}"#, r#"{"do":"emit"}"#];
    house.publish(&asking(None, &twice)).await;
    house
        .publish(&asking(Some("event.data.n == 2"), &twice))
        .await;
    house
        .publish(&asking(Some("event.data.n == 1"), &twice))
        .await;
    let pipeline = house.start().await;
    let engine = pipeline.node.components.engine();
    let (unplanned, snapshot) = house.unplanned(&pipeline, r#"{"n": 1}"#.to_owned()).await;
    let again = Unplanned {
        permit: pipeline.node.permits.take_over(house.account, 1),
        event: unplanned.event.clone(),
        alone: None,
        ..unplanned
    };
    let mut patient = Course::new(unplanned, snapshot.clone());
    assert_eq!(patient.steps_at_once(), None, "it runs plugins");
    let (at_once, _, turns) = told(patient, engine, Duration::MAX);
    assert_eq!(turns, 1);
    // Each beginning, and each of four runs; the one that is filtered has no run.
    let (in_turns, _, turns) = told(Course::new(again, snapshot), engine, Duration::ZERO);
    assert_eq!(turns, 5 + 1 + 5);

    let ids = |plan: &Plan| -> Vec<_> { plan.rows.deliveries.iter().map(|one| one.id).collect() };
    assert_eq!(ids(&at_once).len(), 6);
    assert_eq!(ids(&at_once), ids(&in_turns));
    let contents = |plan: &Plan| -> Vec<_> {
        let bodies = plan.rows.bodies.iter();
        bodies.map(|body| body.content.clone()).collect()
    };
    assert_eq!(contents(&at_once), contents(&in_turns));
    let verdicts: Vec<Evaluation> = serde_json::from_slice(&in_turns.rows.verdicts).expect("JSON");
    let mut said: Vec<_> = verdicts
        .iter()
        .map(|it| (it.steps.len(), it.verdict))
        .collect();
    said.sort_by_key(|(steps, _)| *steps);
    let (fired, filtered) = (Verdict::Fired, Verdict::Filtered);
    assert_eq!(said, [(0, filtered), (4, fired), (4, fired)]);
    pipeline.shut_down().await.expect("it stops");
}

#[tokio::test]
async fn what_may_take_long_is_the_workers_and_what_does_not_never_waits_for_them() {
    let house = House::open().await;
    let searching = "event.data.texts.exists(t, event.data.text.contains(t))";
    house
        .publish(&asking(Some("event.data.amount >= 1000"), &[]))
        .await;
    house.publish(&asking(Some(searching), &[])).await;
    let pipeline = house.start().await;
    let node = &pipeline.node;
    let light = r#"{"amount": 900, "text": "abc", "texts": ["b"]}"#.to_owned();
    let heavy = format!(
        r#"{{"amount": 900, "text": "{}", "texts": [{}]}}"#,
        "x".repeat(20_000),
        vec!["\"y\""; 1_000].join(",")
    );

    node.workers.pause();
    let (unplanned, snapshot) = house.unplanned(&pipeline, light).await;
    let event = unplanned.event.id;
    assert!(node.evaluate_one(unplanned, snapshot) > 0, "here and now");
    pipeline.settle().await;
    assert!(house.is_planned(event).await);

    node.workers.pause();
    let (unplanned, snapshot) = house.unplanned(&pipeline, heavy).await;
    let event = unplanned.event.id;
    assert_eq!(node.evaluate_one(unplanned, snapshot), 0, "not here");
    assert!(!house.is_planned(event).await);
    node.workers.go_on();
    pipeline.settle().await;
    assert!(house.is_planned(event).await);
    pipeline.shut_down().await.expect("it stops");
}

#[tokio::test]
async fn while_the_writer_can_not_keep_up_nothing_more_is_planned_and_then_all_is() {
    let house = House::open().await;
    house.publish(&asking(None, &[])).await;
    let pipeline = house.start().await;
    let node = &pipeline.node;
    let (large, snapshot) = house.unplanned(&pipeline, "1".to_owned()).await;
    let mut events = vec![large.event.id];
    let (plan, permit, _) = told(
        Course::new(large, snapshot.clone()),
        node.components.engine(),
        Duration::MAX,
    );
    let mut rows = plan.rows;
    for delivery in &mut rows.deliveries {
        delivery.due_at = Some(NOW);
    }
    let mut waiting = Vec::new();
    for no in 2..5 {
        let (unplanned, snapshot) = house.unplanned(&pipeline, format!("{no}")).await;
        events.push(unplanned.event.id);
        waiting.push((unplanned, snapshot));
    }
    // From here on the writer has no turn until something is awaited.
    node.queue.plan(PlanEntry {
        slots: rows.deliveries.iter().map(|_| None).collect(),
        rows: Arc::new(rows),
        contents: plan.contents,
        bytes: 1 << 30,
        standing: snapshot.standing(),
        permit,
        gate: None,
        turn: None,
    });
    assert!(node.queue.is_full());
    for (unplanned, snapshot) in waiting {
        assert_eq!(node.evaluate_one(unplanned, snapshot), 0, "it must wait");
    }
    pipeline.settle().await;
    assert!(!node.queue.is_full());
    for event in events {
        assert!(house.is_planned(event).await);
    }
    pipeline.shut_down().await.expect("it stops");
}

#[tokio::test]
async fn old_revisions_of_an_account_are_let_go() {
    let house = House::open().await;
    let pipeline = house.start().await;
    let snapshots = &pipeline.node.snapshots;
    let mut revisions = Vec::new();
    for _ in 0..10 {
        let revision = house.publish(&asking(None, &[])).await;
        snapshots.at(house.account, revision).await.expect("read");
        revisions.push(revision);
    }
    let mut kept = Vec::new();
    for revision in &revisions {
        kept.push(snapshots.get(house.account, *revision).await.is_some());
    }
    assert_eq!(kept, [vec![false; 6], vec![true; 4]].concat());
    let again = snapshots.at(house.account, revisions[0]).await;
    assert!(again.is_ok(), "it is loaded when it is needed");
    pipeline.shut_down().await.expect("it stops");
}
