//! What becomes of automations that fail, and of endpoints that do: dead letters, choices, and what is told once.

use std::time::Duration;

use throwbar::automation::{Definition, OnError};
use throwbar::model::{DeadLetterId, EventId};
use throwbar::pipeline::Verdict;
use throwbar::retry::RetryPolicy;

use super::emissions::{emitting, events};
use crate::support::answers::Answer;
use crate::support::app::TestApp;
use crate::support::publishing::{automation, retrying, settings, transform};
use crate::support::store::{ok, some};

pub(super) const HOSTILE: &str = "tests/fixtures/hostile.wasm";
pub(super) const FAILS: &str = r#"{"do":"fail","text":"no such deal"}"#;

/// The payload of the only event of a type.
pub(super) async fn told(app: &TestApp, event_type: &str) -> serde_json::Value {
    let found = events(app, event_type).await;
    assert_eq!(found.len(), 1, "{event_type}");
    let event = some(app.store.event(app.account, found[0])).await;
    serde_json::from_slice(&event.payload).expect("JSON")
}

pub(super) async fn count(app: &TestApp, event_type: &str) -> usize {
    events(app, event_type).await.len()
}

#[tokio::test]
async fn each_transform_says_what_becomes_of_what_it_fails_for() {
    TestApp::on_both(async |app| {
        let endpoint = app.endpoint("/hook", settings()).await;
        let digest = app.upload("hostile", HOSTILE).await;
        let say = r#"{"do":"say","text":"{\"said\":1}"}"#;
        let outputs = r#"{"do":"outputs","count":2}"#;
        for (chain, verdict, sent, words) in [
            // Left out: what went into it goes on.
            (
                vec![(say, OnError::Fail), (FAILS, OnError::Skip)],
                Verdict::Fired,
                vec!["{\"said\":1}"],
                "left out",
            ),
            (
                vec![(FAILS, OnError::Skip)],
                Verdict::Fired,
                vec!["{\"n\": 1}"],
                "left out",
            ),
            (
                vec![(FAILS, OnError::Drop)],
                Verdict::PluginDropped,
                vec![],
                "dropped",
            ),
            (
                vec![(outputs, OnError::Fail), (FAILS, OnError::Drop)],
                Verdict::PluginDropped,
                vec![],
                "dropped",
            ),
            (
                vec![(say, OnError::Fail), (FAILS, OnError::Fail)],
                Verdict::PluginError,
                vec![],
                "no such deal",
            ),
        ] {
            let transforms = chain.iter().map(|(config, on_error)| {
                let mut one = transform("hostile@1.0.0", digest, config);
                one.on_error = *on_error;
                one
            });
            let own = app
                .publish(&Definition {
                    transforms: transforms.collect(),
                    ..automation(&["a.b"], &[endpoint])
                })
                .await;
            let before = app.receiver.count();
            let event = app.send_and_settle("a.b", "{\"n\": 1}").await;
            let found = app.verdicts(event).await.remove(0);
            assert_eq!(found.verdict, verdict, "{}", found.summary);
            let last = found.steps.last().expect("a run");
            assert!(last.why.contains(words), "{}", last.why);
            assert_eq!(last.outcome, "failed");
            let bodies: Vec<_> = app.receiver.requests().drain(before..).collect();
            let bodies: Vec<_> = bodies.into_iter().map(|request| request.body).collect();
            assert_eq!(bodies, sent);
            let letter = DeadLetterId::derive(event, event.minted_at(), own);
            let letter = ok(app.store.dead_letter(app.account, letter)).await;
            assert_eq!(letter.is_some(), verdict == Verdict::PluginError);
            ok(app
                .store
                .delete_automation(app.account, own, app.clock.now()))
            .await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_dead_letter_has_exactly_what_went_into_what_failed() {
    TestApp::on_both(async |app| {
        let endpoint = app.endpoint("/hook", settings()).await;
        let digest = app.upload("hostile", HOSTILE).await;
        let say = r#"{"do":"say","text":"{ \"b\":1e999,\"b\":2 }"}"#;
        let late = [say, FAILS].map(|config| transform("hostile@1.0.0", digest, config));
        let early = [FAILS].map(|config| transform("hostile@1.0.0", digest, config));
        let mut asks = automation(&["a.b"], &[endpoint]);
        asks.condition = Some("event.data.missing > 1".to_owned());
        let of = |chain: Vec<_>| Definition {
            transforms: chain,
            ..automation(&["a.b"], &[endpoint])
        };
        for (definition, verdict, place, input) in [
            (
                of(late.to_vec()),
                "plugin_error",
                Some(1),
                Some("{ \"b\":1e999,\"b\":2 }"),
            ),
            (of(early.to_vec()), "plugin_error", Some(0), None),
            (asks, "condition_error", None, None),
        ] {
            let own = app.publish(&definition).await;
            let event = app.send_and_settle("a.b", "{ }").await;
            let id = DeadLetterId::derive(event, event.minted_at(), own);
            let letter = some(app.store.dead_letter(app.account, id)).await;
            assert_eq!((letter.event, letter.automation), (event, own));
            assert_eq!(
                (letter.verdict.as_str(), letter.place),
                (verdict, place),
                "{}",
                letter.summary
            );
            assert_eq!((letter.failures, letter.state.as_str()), (1, "open"));
            let kept = ok(app.store.letter_inputs(app.account, id)).await;
            assert_eq!(kept.transform.as_deref(), input.map(str::as_bytes));
            ok(app
                .store
                .delete_automation(app.account, own, app.clock.now()))
            .await;
        }
    })
    .await;
}

#[tokio::test]
async fn it_is_told_once_that_an_automation_fails_and_once_that_it_works_again() {
    TestApp::on_both(async |app| {
        let digest = app.upload("hostile", HOSTILE).await;
        let failing = Definition {
            transforms: vec![transform("hostile@1.0.0", digest, FAILS)],
            alert_after: Some(3),
            ..emitting(&["a.b"], &["made"])
        };
        let own = app.publish(&failing).await;
        // One that works meanwhile is nobody's business.
        app.publish(&emitting(&["a.b"], &["other"])).await;
        app.send_and_settle("a.b", "{}").await;
        app.send_and_settle("a.b", "{}").await;
        assert_eq!(count(app, "throwbar.automation.failing").await, 0);
        app.send_and_settle("a.b", "{}").await;
        app.send_and_settle("a.b", "{}").await;
        let says = told(app, "throwbar.automation.failing").await;
        assert_eq!(says["automation"], own.to_string());
        assert_eq!(
            (&says["errors"], &says["verdict"]),
            (&3.into(), &"plugin_error".into())
        );
        assert_eq!(count(app, "throwbar.automation.recovered").await, 0);

        let mended = Definition {
            transforms: Vec::new(),
            ..failing.clone()
        };
        app.publish_again(own, &mended).await;
        for _ in 0..3 {
            app.send_and_settle("a.b", "{}").await;
        }
        assert_eq!(
            told(app, "throwbar.automation.recovered").await["errors"],
            4
        );
        let rows = app.place.number("SELECT COUNT(*) FROM automation_failures");
        assert_eq!(rows.await, 0, "nothing is kept of what works");

        // Errors that are not one after the other are not told.
        for definition in [&failing, &mended, &failing, &mended] {
            app.publish_again(own, definition).await;
            app.send_and_settle("a.b", "{}").await;
            app.send_and_settle("a.b", "{}").await;
        }
        assert_eq!(count(app, "throwbar.automation.failing").await, 1);
    })
    .await;
}

#[tokio::test]
async fn what_automations_make_of_operational_events_makes_no_more_of_them() {
    TestApp::on_both(async |app| {
        let digest = app.upload("hostile", HOSTILE).await;
        let breaks = |trigger: &str| Definition {
            transforms: vec![transform("hostile@1.0.0", digest, FAILS)],
            alert_after: Some(1),
            ..emitting(&[trigger], &["made"])
        };
        app.publish(&breaks("a.b")).await;
        app.publish(&breaks("throwbar.*")).await;
        app.send_and_settle("a.b", "{}").await;
        assert_eq!(count(app, "throwbar.automation.failing").await, 1);
        let letters = app.place.number("SELECT COUNT(*) FROM dead_letters").await;
        assert_eq!(letters, 2, "both have failed, and one was told");
    })
    .await;
}

#[tokio::test]
async fn operational_events_go_to_who_names_them_and_to_nobody_else() {
    TestApp::on_both(async |app| {
        app.subscriber("/all", &["*"], settings()).await;
        app.subscriber("/ops", &["throwbar.*"], settings()).await;
        app.subscriber("/one", &["throwbar.endpoint.disabled"], settings())
            .await;
        app.receiver.always("/gone", Answer::status(410));
        let gone = app.subscriber("/gone", &["a.b"], settings()).await;
        app.send_and_settle("a.b", "{}").await;
        app.settle().await;

        let says = told(app, "throwbar.endpoint.disabled").await;
        assert_eq!(
            (&says["endpoint"], &says["why"]),
            (&gone.to_string().into(), &"gone".into())
        );
        let mut arrived: Vec<_> = app.receiver.requests();
        arrived.retain(|request| request.target != "/gone");
        let mut paths: Vec<_> = arrived.iter().map(|request| &*request.target).collect();
        paths.sort_unstable();
        // The delivery was given up, too: that is told where somebody wants to know.
        assert_eq!(paths, ["/all", "/one", "/ops", "/ops"]);
    })
    .await;
}

#[tokio::test]
async fn what_an_operational_event_itself_fails_at_is_not_told() {
    TestApp::on_both(async |app| {
        app.receiver.always("/deaf", Answer::status(500));
        app.subscriber("/deaf", &["throwbar.*", "a.b"], settings())
            .await;
        app.subscriber("/deaf", &["descendant"], settings()).await;
        app.publish(&emitting(&["throwbar.delivery.failed"], &["descendant"]))
            .await;
        let event = app.send_and_settle("a.b", "{}").await;
        let says = told(app, "throwbar.delivery.failed").await;
        assert_eq!(
            (&says["event"], &says["why"], &says["type"]),
            (
                &event.to_string().into(),
                &"exhausted".into(),
                &"a.b".into()
            )
        );
        assert_eq!(
            count(app, "descendant").await,
            1,
            "and it was not delivered"
        );
    })
    .await;
}

#[tokio::test]
async fn nobody_asks_and_deliveries_that_are_given_up_make_no_events() {
    TestApp::on_both(async |app| {
        app.receiver.always("/deaf", Answer::status(500));
        app.subscriber("/deaf", &["a.b"], settings()).await;
        app.send_and_settle("a.b", "{}").await;
        let all = app.place.number("SELECT COUNT(*) FROM events").await;
        assert_eq!(all, 1);
    })
    .await;
}

#[tokio::test]
async fn it_is_told_once_that_an_endpoint_fails_for_a_while_and_that_it_works_again() {
    TestApp::on_both(async |app| {
        let every_20_s = RetryPolicy::own(vec![20_000; 9], 0).expect("within bounds");
        app.receiver.always("/hook", Answer::status(500));
        let own = app
            .subscriber("/hook", &["a.b"], retrying(every_20_s))
            .await;
        let send = async || -> EventId { app.send_and_settle("a.b", "{}").await };
        send().await;
        for _ in 0..2 {
            app.advance(Duration::from_secs(20)).await;
        }
        assert_eq!(count(app, "throwbar.endpoint.failing").await, 0, "40 s");
        for _ in 0..3 {
            app.advance(Duration::from_secs(20)).await;
        }
        let says = told(app, "throwbar.endpoint.failing").await;
        assert_eq!(says["endpoint"], own.to_string());
        assert_eq!(count(app, "throwbar.endpoint.recovered").await, 0);
        app.receiver.always("/hook", Answer::status(204));
        app.advance(Duration::from_secs(20)).await;
        send().await;
        assert_eq!(
            told(app, "throwbar.endpoint.recovered").await["endpoint"],
            own.to_string()
        );
        send().await;
        assert_eq!(count(app, "throwbar.endpoint.failing").await, 1);
        assert_eq!(count(app, "throwbar.endpoint.recovered").await, 1);
    })
    .await;
}
