//! Events that automations make: delivered like any, bounded, and never in a circle.

use bytes::Bytes;
use throwbar::automation::{Action, Definition};
use throwbar::model::limits::{DESCENDANTS_MAX, HOPS_MAX};
use throwbar::model::{AutomationId, EventId};
use throwbar::pipeline::{Limits, PermitLimits, Verdict};
use throwbar::store::EventFilter;

use crate::support::app::TestApp;
use crate::support::publishing::{automation, settings, transform};
use crate::support::store::{ok, on_both};

/// An automation that makes an event of each of these types of whatever `trigger` names.
pub fn emitting(trigger: &[&str], types: &[&str]) -> Definition {
    let emit = |name: &&str| Action::Emit {
        event_type: name.parse().expect("a name"),
    };
    Definition {
        actions: types.iter().map(emit).collect(),
        ..automation(trigger, &[])
    }
}

/// The account's events of a type, oldest first.
pub async fn events(app: &TestApp, event_type: &str) -> Vec<EventId> {
    let filter = EventFilter {
        event_type: Some(event_type.to_owned()),
        ..EventFilter::default()
    };
    let page = ok(app.store.events(app.account, &filter, None, 1000)).await;
    let mut found: Vec<_> = page.rows.into_iter().map(|event| event.id).collect();
    found.reverse();
    found
}

async fn verdict(app: &TestApp, event: EventId, of: AutomationId) -> (Verdict, String) {
    let found = app.verdicts(event).await;
    let own = found.into_iter().find(|it| it.automation == of);
    let own = own.expect("it was a candidate");
    (own.verdict, own.summary)
}

#[tokio::test]
async fn an_output_becomes_an_event_that_is_delivered_and_says_where_it_is_from() {
    TestApp::on_both(async |app| {
        let digest = app.upload("hostile", "tests/fixtures/hostile.wasm").await;
        app.subscriber("/flagged", &["deal.flagged"], settings())
            .await;
        app.subscriber("/split", &["deal.part"], settings()).await;
        let flag = app
            .publish(&emitting(&["deal.won"], &["deal.flagged"]))
            .await;
        let split = app
            .publish(&Definition {
                transforms: vec![transform(
                    "hostile@1.0.0",
                    digest,
                    r#"{"do":"outputs","count":3}"#,
                )],
                ..emitting(&["deal.won"], &["deal.part"])
            })
            .await;
        let odd = "{ \"a\" : 1e999, \"a\":\"\\u0000\" }";
        let event = app.send_and_settle("deal.won", odd).await;

        let flagged = events(app, "deal.flagged").await;
        assert_eq!(flagged.len(), 1);
        let stored = ok(app.store.event(app.account, flagged[0])).await;
        assert_eq!(stored.expect("kept").payload, odd.as_bytes());
        let cause = ok(app.store.cause(app.account, flagged[0])).await;
        let cause = cause.expect("it has one");
        assert_eq!((cause.last().event, cause.last().automation), (event, flag));
        assert_eq!(cause.chain().len(), 1);
        assert!(ok(app.store.cause(app.account, event)).await.is_none());

        let mut bodies: Vec<_> = app
            .receiver
            .requests()
            .into_iter()
            .map(|request| (request.target, request.body))
            .collect();
        bodies.sort();
        let wanted = [
            ("/flagged", odd),
            ("/split", "0"),
            ("/split", "1"),
            ("/split", "2"),
        ];
        assert_eq!(
            bodies,
            wanted.map(|(path, body)| (path.to_owned(), Bytes::from(body)))
        );
        let mine = app.verdicts(event).await;
        let step = mine.iter().find(|it| it.automation == split);
        let step = step.expect("it fired").steps.last().expect("a step");
        assert_eq!(
            (step.kind.as_str(), step.what.as_str()),
            ("emit", "deal.part")
        );
        assert_eq!(step.detail["events"].as_array().map(Vec::len), Some(3));
    })
    .await;
}

#[tokio::test]
async fn an_automation_never_goes_on_with_what_descends_from_its_own_output() {
    TestApp::on_both(async |app| {
        // One that meets its own event.
        let own = app.publish(&emitting(&["one.*"], &["one.more"])).await;
        let first = app.send_and_settle("one.begun", "{}").await;
        let more = events(app, "one.more").await;
        assert_eq!(more.len(), 1, "once, and not again");
        assert_eq!(verdict(app, first, own).await.0, Verdict::Fired);
        let (refused, why) = verdict(app, more[0], own).await;
        assert_eq!(refused, Verdict::LoopRefused);
        assert!(
            why.contains(&format!("{first} → {own} → {}", more[0])),
            "{why}"
        );

        // Two that feed each other.
        let caller = app.publish(&emitting(&["ping"], &["pong"])).await;
        let answerer = app.publish(&emitting(&["pong"], &["ping"])).await;
        let begun = app.send_and_settle("ping", "{}").await;
        let (calls, answers) = (events(app, "ping").await, events(app, "pong").await);
        assert_eq!((calls.len(), answers.len()), (2, 1));
        let back = calls
            .into_iter()
            .find(|id| *id != begun)
            .expect("the second");
        assert_eq!(verdict(app, answers[0], answerer).await.0, Verdict::Fired);
        let (refused, why) = verdict(app, back, caller).await;
        assert_eq!(refused, Verdict::LoopRefused);
        let chain = format!(
            "{begun} → {caller} → {} → {answerer} → {back} → {caller}",
            answers[0]
        );
        assert!(why.contains(&chain), "{why}");
        let letters = app.place.number("SELECT COUNT(*) FROM dead_letters").await;
        assert_eq!(letters, 0, "a loop is no failure");
    })
    .await;
}

#[tokio::test]
async fn what_an_automation_does_not_want_anyhow_is_no_loop() {
    TestApp::on_both(async |app| {
        let mut asks = emitting(&["deal.*"], &["deal.flagged"]);
        asks.condition = Some("event.type == \"deal.won\"".to_owned());
        let own = app.publish(&asks).await;
        app.send_and_settle("deal.won", "{}").await;
        let flagged = events(app, "deal.flagged").await;
        assert_eq!(verdict(app, flagged[0], own).await.0, Verdict::Filtered);
    })
    .await;
}

#[tokio::test]
async fn a_chain_has_an_end_and_what_is_beyond_it_is_kept() {
    TestApp::on_both(async |app| {
        let mut last = None;
        for hop in 0..=HOPS_MAX {
            let (from, to) = (format!("hop.{hop}"), format!("hop.{}", hop + 1));
            last = Some(app.publish(&emitting(&[&from], &[&to])).await);
        }
        app.send_and_settle("hop.0", "{}").await;
        let end = events(app, &format!("hop.{HOPS_MAX}")).await;
        assert_eq!(end.len(), 1);
        let beyond = events(app, &format!("hop.{}", HOPS_MAX + 1)).await;
        assert!(beyond.is_empty());
        let (refused, why) = verdict(app, end[0], last.expect("made")).await;
        assert_eq!(refused, Verdict::LimitExceeded);
        assert!(why.contains("8 automations led to this event"), "{why}");
        let letters = app.place.number("SELECT COUNT(*) FROM dead_letters").await;
        assert_eq!(letters, 1);
    })
    .await;
}

#[tokio::test]
async fn what_descends_from_one_event_is_bounded_and_never_waits_for_ever() {
    on_both(async |engine| {
        // Room for four events: what is made counts, and nothing waits for room with something in hand.
        let permits = PermitLimits {
            events_max: 4,
            bytes_max: 256,
            account_pct: 100,
        };
        let limits = Limits {
            permits,
            ..Limits::default()
        };
        let app = TestApp::start_with(engine, limits).await;
        let digest = app.upload("hostile", "tests/fixtures/hostile.wasm").await;
        for generation in 0..3 {
            let (from, to) = (format!("g.{generation}"), format!("g.{}", generation + 1));
            let config = r#"{"do":"outputs","count":16}"#;
            let wide = Definition {
                transforms: vec![transform("hostile@1.0.0", digest, config)],
                ..emitting(&[&from], &[&to])
            };
            app.publish(&wide).await;
        }
        app.send_and_settle("g.0", "{}").await;
        let all = "SELECT COUNT(*) FROM events WHERE type LIKE 'g.%'";
        let all = app.place.number(all).await;
        // 16, of each of which (1024 - 16) / 16 = 63 may descend; 16 of each, of which (63 - 16) / 16 = 2 may: they
        // would make 16, and make none.
        assert_eq!(all, 1 + 16 + 256);
        assert!(all <= i64::from(DESCENDANTS_MAX));
        let refused = app
            .place
            .number("SELECT COUNT(*) FROM dead_letters WHERE verdict = 'limit_exceeded'")
            .await;
        assert_eq!(refused, 256);
        app.finish().await;
    })
    .await;
}
