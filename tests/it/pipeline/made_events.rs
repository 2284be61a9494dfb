//! Events that automations make are events of their own: with their own time, in the order in which they were
//! made, and with all that led to them, also where a digest is on the way.

use std::time::Duration;

use serde_json::Value;
use throwbar::automation::Definition;
use throwbar::model::{AutomationId, EventId};
use throwbar::pipeline::Verdict;
use throwbar::store::DeadLetterFilter;

use super::emissions::{emitting, events};
use crate::support::app::TestApp;
use crate::support::publishing::{automation, settings, transform};
use crate::support::store::{ok, some};

const SECOND: Duration = Duration::from_secs(1);

fn flowing(definition: Definition, flow: &str) -> Definition {
    Definition {
        flow: Some(serde_json::from_str(flow).expect(flow)),
        ..definition
    }
}

/// What has arrived at this path, in order.
fn arrived(app: &TestApp, path: &str) -> Vec<String> {
    let requests = app.receiver.requests().into_iter();
    let own = requests.filter(|request| request.target == path);
    own.map(|request| String::from_utf8(request.body.to_vec()).expect("text"))
        .collect()
}

async fn verdict(app: &TestApp, event: EventId, of: AutomationId) -> (Verdict, String) {
    let found = app.verdicts(event).await;
    let own = found.into_iter().find(|it| it.automation == of);
    let own = own.expect("it was a candidate");
    (own.verdict, own.summary)
}

#[tokio::test]
async fn its_time_is_when_it_was_made() {
    TestApp::on_both(async |app| {
        let [hook, list] = [
            app.endpoint("/hook", settings()).await,
            app.endpoint("/list", settings()).await,
        ];
        let slow = flowing(
            emitting(&["begun"], &["mid"]),
            r#"{"delay":{"for_ms":3000}}"#,
        );
        app.publish(&slow).await;
        let late = flowing(
            automation(&["mid"], &[hook]),
            r#"{"delay":{"for_ms":2000}}"#,
        );
        app.publish(&late).await;
        let listed = r#"{"digest":{"period_ms":60000,"count":1}}"#;
        app.publish(&flowing(automation(&["mid"], &[list]), listed))
            .await;
        let mut fails = automation(&["mid"], &[hook]);
        fails.condition = Some("event.data.missing > 1".to_owned());
        app.publish(&fails).await;

        app.send_and_settle("begun", "{}").await;
        app.advance(3 * SECOND).await;
        let made_at = app.clock.now();
        assert!(arrived(app, "/hook").is_empty(), "it has just been made");
        app.advance(Duration::from_millis(1_999)).await;
        assert!(arrived(app, "/hook").is_empty(), "a moment too early");
        app.advance(Duration::from_millis(1)).await;
        assert_eq!(arrived(app, "/hook"), ["{}"]);

        let body: Value = serde_json::from_str(&arrived(app, "/list")[0]).expect("JSON");
        let wanted = Value::from(made_at.to_string());
        assert_eq!(
            (&body["digest"]["from"], &body["digest"]["to"]),
            (&wanted, &wanted)
        );

        for (since, until, count) in [
            (Some(made_at), None, 1),
            (Some(made_at.plus_ms(1)), None, 0),
            (None, Some(made_at), 0),
            (None, Some(made_at.plus_ms(1)), 1),
        ] {
            let filter = DeadLetterFilter {
                since,
                until,
                ..DeadLetterFilter::default()
            };
            let page = ok(app.store.dead_letters(app.account, &filter, None, 10)).await;
            assert_eq!(page.rows.len(), count, "{since:?} {until:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_split_is_decided_on_in_the_order_in_which_it_was_made() {
    TestApp::on_both(async |app| {
        let digest = app.upload("hostile", "tests/fixtures/hostile.wasm").await;
        for (path, flow) in [
            ("/all", r#"{"digest":{"period_ms":60000,"count":16}}"#),
            ("/last", r#"{"debounce":{"period_ms":60000}}"#),
            ("/order", r#"{"order":{"key":"event.type"}}"#),
        ] {
            let endpoint = app.endpoint(path, settings()).await;
            app.publish(&flowing(automation(&["part"], &[endpoint]), flow))
                .await;
        }
        let config = r#"{"do":"outputs","count":16}"#;
        app.publish(&Definition {
            transforms: vec![transform("hostile@1.0.0", digest, config)],
            ..emitting(&["whole"], &["part"])
        })
        .await;
        app.send_and_settle("whole", "{}").await;
        app.advance(60 * SECOND).await;
        let wanted: Vec<_> = (0..16).map(|no| no.to_string()).collect();
        let all: Value = serde_json::from_str(&arrived(app, "/all")[0]).expect("JSON");
        let entries = all["events"].as_array().expect("a list").iter();
        let entries: Vec<_> = entries.map(|entry| entry["data"].to_string()).collect();
        assert_eq!(entries, wanted);
        assert_eq!(arrived(app, "/last"), ["15"], "the last one wins");
        assert_eq!(arrived(app, "/order"), wanted);
    })
    .await;
}

#[tokio::test]
async fn a_digest_descends_from_all_of_its_events() {
    TestApp::on_both(async |app| {
        let pairs = r#"{"digest":{"period_ms":60000,"count":2}}"#;
        let one = flowing(emitting(&["in.one", "out"], &["mid"]), pairs);
        let one = app.publish(&one).await;
        let other = flowing(emitting(&["in.other", "mid"], &["out"]), pairs);
        let other = app.publish(&other).await;
        // Each digest begins with an event from outside.
        app.send_and_settle("in.other", "1").await;
        let first = app.send_and_settle("in.one", "1").await;
        app.send_and_settle("in.one", "2").await;
        let (mid, out) = (events(app, "mid").await, events(app, "out").await);
        assert_eq!((mid.len(), out.len()), (1, 1));
        let cause = some(app.store.cause(app.account, out[0])).await;
        let chain: Vec<_> = cause.chain().iter().map(|link| link.automation).collect();
        assert_eq!(chain, [one, other], "the longest way counts");
        let (refused, why) = verdict(app, out[0], one).await;
        assert_eq!(refused, Verdict::LoopRefused);
        assert!(why.contains(&format!("{first} → {one} → ")), "{why}");
        assert_eq!(verdict(app, mid[0], other).await.0, Verdict::Fired);
    })
    .await;
}
