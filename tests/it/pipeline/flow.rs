//! Flow control through a whole node: what goes on at once, later, together, or not at all, with the clock in
//! the test's hand; and what becomes of what waits when its automation changes meanwhile.

use std::time::Duration;

use serde_json::Value;
use throwbar::automation::Definition;
use throwbar::model::{AutomationId, EventId};
use throwbar::pipeline::{Limits, Verdict};
use throwbar::store::{AutomationChange, Publication, StateChange};

use crate::support::app::{TestApp, explained};
use crate::support::batch;
use crate::support::making;
use crate::support::publishing::{automation, settings, transform};
use crate::support::store::{ok, on_both};

const SECOND: Duration = Duration::from_secs(1);

/// An automation for everything with this flow control.
async fn flowing(app: &TestApp, flow: &str) -> (AutomationId, Definition) {
    let endpoint = app.endpoint("/hook", settings()).await;
    let mut definition = automation(&["*"], &[endpoint]);
    definition.flow = Some(serde_json::from_str(flow).expect(flow));
    (app.publish(&definition).await, definition)
}

/// What came of what has waited, if it has ended.
async fn late(app: &TestApp, event: EventId) -> Option<Verdict> {
    let records = ok(app.store.flow_records(app.account, event)).await;
    let packed = records[0].late.as_deref()?;
    Some(explained(packed)[0].verdict)
}

async fn said(app: &TestApp, event: EventId) -> (String, String) {
    let mut records = ok(app.store.flow_records(app.account, event)).await;
    let record = records.remove(0);
    (record.verdict, record.summary)
}

fn bodies(app: &TestApp) -> Vec<String> {
    let requests = app.receiver.requests().into_iter();
    let text = |body: bytes::Bytes| String::from_utf8(body.to_vec()).expect("text");
    requests.map(|request| text(request.body)).collect()
}

#[tokio::test]
async fn a_repeat_is_dropped_and_named() {
    TestApp::on_both(async |app| {
        flowing(
            app,
            r#"{"dedupe":{"key":"event.data.id","window_ms":10000}}"#,
        )
        .await;
        let first = app.send_and_settle("a.b", r#"{"id":1}"#).await;
        let second = app.send_and_settle("a.b", r#"{"id":1}"#).await;
        app.send_and_settle("a.b", r#"{"id":2}"#).await;
        app.advance(10 * SECOND).await;
        app.send_and_settle("a.b", r#"{"id":1}"#).await;
        assert_eq!(bodies(app), [r#"{"id":1}"#, r#"{"id":2}"#, r#"{"id":1}"#]);
        assert_eq!(app.outcome(first).await.0, "delivered");
        assert_eq!(late(app, first).await, Some(Verdict::Fired));
        let (verdict, summary) = said(app, second).await;
        assert_eq!(verdict, "deduped");
        assert!(
            summary.contains(&first.to_string()) && summary.contains("\"1\""),
            "{summary}"
        );
        assert!(app.deliveries(second).await.is_empty());
        let wrong = app.send_and_settle("a.b", "{}").await;
        let found = &app.verdicts(wrong).await[0];
        assert_eq!(found.verdict, Verdict::FlowError);
        assert!(
            found.summary.contains("`event.data.id` is missing"),
            "{}",
            found.summary
        );
    })
    .await;
}

#[tokio::test]
async fn a_delay_ends_at_its_time_and_not_before() {
    TestApp::on_both(async |app| {
        flowing(app, r#"{"delay":{"for_ms":60000}}"#).await;
        let event = app.send_and_settle("a.b", "{\"n\" : 1}").await;
        app.advance(59 * SECOND).await;
        assert_eq!((app.receiver.count(), late(app, event).await), (0, None));
        assert_eq!(said(app, event).await.0, "delayed");
        app.advance(SECOND).await;
        assert_eq!(bodies(app), ["{\"n\" : 1}"]);
        assert_eq!(app.outcome(event).await.0, "delivered");
        app.advance(3600 * SECOND).await;
        assert_eq!(app.receiver.count(), 1);
    })
    .await;
}

#[tokio::test]
async fn the_last_of_a_burst_goes_when_it_is_quiet() {
    TestApp::on_both(async |app| {
        let flow = r#"{"debounce":{"key":"event.data.deal","period_ms":30000}}"#;
        flowing(app, flow).await;
        let mut events = Vec::new();
        for no in 0..4 {
            events.push(
                app.send_and_settle("a.b", format!("{{\"deal\":1,\"no\":{no}}}"))
                    .await,
            );
            app.advance(20 * SECOND).await;
        }
        app.send_and_settle("a.b", "{\"deal\":2}").await;
        assert_eq!(app.receiver.count(), 0);
        app.advance(10 * SECOND).await;
        assert_eq!(bodies(app), ["{\"deal\":1,\"no\":3}"]);
        app.advance(20 * SECOND).await;
        assert_eq!(app.receiver.count(), 2);
        let records = ok(app.store.flow_records(app.account, events[0])).await;
        assert_eq!(records[0].went_with, Some(events[1]));
        assert_eq!(late(app, events[3]).await, Some(Verdict::Fired));
    })
    .await;
}

#[tokio::test]
async fn a_digest_has_all_of_them_in_order() {
    TestApp::on_both(async |app| {
        let flow = r#"{"digest":{"key":"event.data.owner","period_ms":60000,"count":3}}"#;
        flowing(app, flow).await;
        let mut events = Vec::new();
        for no in 0..4 {
            let payload = format!("{{\"owner\":\"zoë\",  \"no\":{no}}}");
            events.push(app.send_and_settle("deal.won", payload).await);
        }
        assert_eq!(app.receiver.count(), 1, "three are enough");
        app.advance(60 * SECOND).await;
        let bodies = bodies(app);
        assert_eq!(bodies.len(), 2);
        let body: Value = serde_json::from_str(&bodies[0]).expect("JSON");
        assert_eq!(
            (&body["digest"]["key"], &body["digest"]["count"]),
            (&"zoë".into(), &3.into())
        );
        for (no, entry) in body["events"]
            .as_array()
            .expect("a list")
            .iter()
            .enumerate()
        {
            assert_eq!(entry["id"], events[no].to_string());
            assert_eq!(
                (&entry["type"], &entry["data"]["no"]),
                (&"deal.won".into(), &no.into())
            );
        }
        assert!(
            bodies[0].contains("{\"owner\":\"zoë\",  \"no\":1}"),
            "byte for byte"
        );
        assert_eq!(app.delivery(events[0]).await.event, events[0]);
        assert!(app.deliveries(events[1]).await.is_empty());
        assert_eq!(said(app, events[1]).await.0, "digested");
    })
    .await;
}

#[tokio::test]
async fn a_limit_spreads_a_burst_over_its_windows() {
    TestApp::on_both(async |app| {
        let flow = r#"{"rate_limit":{"count":2,"window_ms":60000,"over":"delay"}}"#;
        flowing(app, flow).await;
        let events: Vec<_> = (0..5).map(|no| app.event("a.b", format!("{no}"))).collect();
        app.accept(events).await;
        app.settle().await;
        for count in [2, 4, 5] {
            assert_eq!(app.receiver.count(), count);
            app.advance(60 * SECOND).await;
        }
        let mut bodies = bodies(app);
        assert_eq!(bodies[4], "4");
        bodies.sort();
        assert_eq!(bodies, ["0", "1", "2", "3", "4"]);
    })
    .await;
}

#[tokio::test]
async fn what_was_kept_back_beyond_its_window_asks_for_a_new_place() {
    on_both(async |engine| {
        let mut app = TestApp::start_with(engine, Limits::default()).await;
        let flow = r#"{"rate_limit":{"count":1,"window_ms":60000,"over":"delay"}}"#;
        let (id, _) = flowing(&app, flow).await;
        let events: Vec<_> = (0..7).map(|no| app.event("a.b", format!("{no}"))).collect();
        let third = events[2].id;
        app.accept(events).await;
        app.settle().await;
        assert_eq!(app.receiver.count(), 1);

        // Switched off for longer than all of them would have taken.
        course(&app, id, StateChange::Publish(1, Publication::Off)).await;
        app.advance(600 * SECOND).await;
        course(&app, id, StateChange::Publish(1, Publication::Live)).await;
        app.pipeline().look().await;
        app.settle().await;
        assert_eq!(app.receiver.count(), 2, "one in a window");
        let note = ok(app.store.flow_records(app.account, third))
            .await
            .remove(0)
            .note;
        assert!(note.is_some_and(|note| note.contains("its window was over")));
        app.advance(60 * SECOND).await;
        assert_eq!(app.receiver.count(), 3);

        // No node lives for as long.
        app.stop().await;
        app.clock.advance(600 * SECOND);
        app.wake().await;
        app.settle().await;
        for count in 4..=7 {
            assert_eq!(app.receiver.count(), count);
            app.advance(60 * SECOND).await;
        }
        assert_eq!(bodies(&app), ["0", "1", "2", "3", "4", "5", "6"]);
        app.finish().await;
    })
    .await;
}

#[tokio::test]
async fn transforms_run_when_it_goes_and_by_the_version_that_accepted_it() {
    TestApp::on_both(async |app| {
        let digest = app.upload("redact", "plugins/components/redact.wasm").await;
        let (id, mut definition) = flowing(app, r#"{"delay":{"for_ms":60000}}"#).await;
        definition.transforms = vec![transform(
            "redact@1.0.0",
            digest,
            r#"{"remove":["/secret"]}"#,
        )];
        app.publish_again(id, &definition).await;
        let event = app.send_and_settle("a.b", r#"{"secret":1,"kept":2}"#).await;
        // Another version, which would send it as it is, goes live meanwhile.
        definition.transforms.clear();
        definition.flow = None;
        app.publish_again(id, &definition).await;
        app.advance(60 * SECOND).await;
        assert_eq!(bodies(app), [r#"{"kept":2}"#]);
        let records = ok(app.store.flow_records(app.account, event)).await;
        let late = records[0].late.clone().expect("it has ended");
        let late = explained(&late);
        assert_eq!((late[0].version, late[0].steps.len()), (2, 1));

        // What fires at once behind flow control runs them, too.
        definition.flow =
            serde_json::from_str(r#"{"dedupe":{"key":"event.id","window_ms":1}}"#).ok();
        definition.transforms = vec![transform("redact@1.0.0", digest, r#"{"remove":["/kept"]}"#)];
        app.publish_again(id, &definition).await;
        app.send_and_settle("a.b", r#"{"secret":1,"kept":2}"#).await;
        assert_eq!(bodies(app)[1], r#"{"secret":1}"#);
    })
    .await;
}

async fn course(app: &TestApp, id: AutomationId, course: StateChange) {
    let row = ok(app.store.automation(app.account, id))
        .await
        .expect("it is there");
    let change = AutomationChange {
        name: None,
        course: Some(course),
        by: making::authorship(),
    };
    ok(app
        .store
        .change_automation(app.account, id, &change, &row.standing()))
    .await;
}

#[tokio::test]
async fn what_waits_is_held_while_its_automation_is_off_and_given_up_when_it_is_removed() {
    TestApp::on_both(async |app| {
        let (id, _) = flowing(app, r#"{"delay":{"for_ms":60000}}"#).await;
        let held = app.send_and_settle("a.b", "1").await;
        course(app, id, StateChange::Publish(1, Publication::Off)).await;
        app.advance(61 * SECOND).await;
        assert_eq!(app.receiver.count(), 0);
        let note = ok(app.store.flow_records(app.account, held))
            .await
            .remove(0)
            .note;
        assert!(note.is_some_and(|note| note.contains("switched off")));
        course(app, id, StateChange::Publish(1, Publication::Live)).await;
        app.pipeline().look().await;
        app.settle().await;
        assert_eq!(bodies(app), ["1"]);

        course(app, id, StateChange::Archive).await;
        course(app, id, StateChange::Unarchive).await;
        course(app, id, StateChange::Publish(1, Publication::Live)).await;
        let lost = app.send_and_settle("a.b", "2").await;
        ok(app
            .store
            .delete_automation(app.account, id, app.clock.now()))
        .await;
        app.advance(61 * SECOND).await;
        assert_eq!(late(app, lost).await, Some(Verdict::Cancelled));
        assert_eq!(app.receiver.count(), 1);
    })
    .await;
}

#[tokio::test]
async fn what_waits_goes_on_after_a_restart() {
    on_both(async |engine| {
        let mut app = TestApp::start_with(engine, Limits::default()).await;
        flowing(&app, r#"{"delay":{"for_ms":60000}}"#).await;
        app.send_and_settle("a.b", "1").await;
        app.stop().await;
        app.clock.advance(120 * SECOND);
        app.wake().await;
        app.settle().await;
        assert_eq!(bodies(&app), ["1"]);
        app.finish().await;
    })
    .await;
}

#[tokio::test]
async fn what_a_dead_node_had_let_through_is_planned_once() {
    on_both(async |engine| {
        let mut app = TestApp::prepare(engine, Limits::default()).await;
        let flow = r#"{"dedupe":{"key":"event.data.id","window_ms":10000}}"#;
        let (id, _) = flowing(&app, flow).await;
        // A node that dies between the plan of the event and the plan of its output.
        let dead = ok(app.store.begin_life(app.clock.now())).await;
        let event = app.event("a.b", r#"{"id":1}"#);
        ok(app.store.write(dead.id(), &batch::accepts(vec![event.clone()]))).await;
        let mut plan = making::plan(app.account, event.id, Vec::new());
        plan.evaluated_at = app.clock.now();
        plan.verdicts = format!(
            r#"[{{"automation":"{id}","version":1,"verdict":"fired","summary":"","is_gated":true}}]"#
        )
        .into();
        plan.asks = vec![throwbar::store::NewAsk {
            automation: id,
            version: 1,
            ask: throwbar::automation::flow::Ask {
                dedupe: Some(("1".to_owned(), 10_000)),
                then: throwbar::automation::flow::Then::Go,
            },
            precedence: throwbar::model::Precedence::of(event.id, event.occurred_at, None),
            in_order: false,
            alert_after: Some(2),
        }];
        let outcome = ok(app.store.write(dead.id(), &batch::plans(vec![plan]))).await;
        assert!(outcome.gated[0].goes_on);
        ok(app.store.end_life(dead, app.clock.now())).await;
        app.wake().await;
        app.settle().await;
        assert_eq!(bodies(&app), [r#"{"id":1}"#]);
        app.send_and_settle("a.b", r#"{"id":1}"#).await;
        assert_eq!(app.receiver.count(), 1);
        assert_eq!(late(&app, event.id).await, Some(Verdict::Fired));
        app.finish().await;
    })
    .await;
}
