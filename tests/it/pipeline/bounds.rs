//! Bounds: whoever floods is pushed back alone, and a dead endpoint's backlog waits in the store.

use throwbar::automation::Definition;
use throwbar::model::AccountId;
use throwbar::model::limits::TRACE_BYTES_PER_EVENT_MAX;
use throwbar::pipeline::{AcceptError, Explained, Full, Limits, PermitLimits, Verdict};
use throwbar::store::{DeliveryFilter, NewEvent};

use crate::support::answers::{Answer, Gate};
use crate::support::app::TestApp;
use crate::support::publishing::{automation, settings, transform};
use crate::support::store::{ok, on_both};

fn small() -> Limits {
    let permits = PermitLimits {
        events_max: 4,
        bytes_max: 1_000,
        account_pct: 50,
    };
    Limits {
        permits,
        ..Limits::default()
    }
}

fn of(account: AccountId, event: NewEvent) -> NewEvent {
    NewEvent { account, ..event }
}

#[tokio::test]
async fn an_account_is_pushed_back_before_the_server_is_full() {
    on_both(async |engine| {
        let app = TestApp::start_with(engine, small()).await;
        app.subscriber("/hook", &["*"], settings()).await;
        let [(calm, _), (late, _)] = [app.new_account().await, app.new_account().await];
        let one = || app.event("a.b", "{}");
        let answers = app
            .accept(vec![
                one(),
                one(),
                one(),
                of(calm, one()),
                of(calm, one()),
                of(calm, one()),
                of(late, one()),
            ])
            .await;
        let refused: Vec<_> = answers.iter().map(|answer| answer.err()).collect();
        let (account, server) = (
            Some(AcceptError::Busy(Full::Account)),
            Some(AcceptError::Busy(Full::Server)),
        );
        assert_eq!(refused, [None, None, account, None, None, account, server]);
        app.settle().await;
        assert_eq!(app.receiver.requests().len(), 2);

        let large = || app.event("a.b", format!("\"{}\"", "x".repeat(300)));
        let answers = app.accept(vec![large(), large()]).await;
        assert_eq!(
            answers[1].expect_err("no bytes left"),
            AcceptError::Busy(Full::Account)
        );
        app.settle().await;
        app.send_and_settle("a.b", format!("\"{}\"", "x".repeat(5_000)))
            .await;
        assert_eq!(app.receiver.requests().len(), 4, "alone, any size fits");
        app.finish().await;
    })
    .await;
}

#[tokio::test]
async fn a_dead_endpoint_with_a_backlog_stops_nobody_and_nobody_overtakes_it() {
    // More than have a place in memory at first.
    const EVENTS: usize = 200;
    TestApp::on_both(async |app| {
        let gate = Gate::shut();
        app.receiver
            .always("/dead", Answer::status(204).behind(&gate));
        let dead = app.subscriber("/dead", &["*"], settings()).await;
        app.subscriber("/well", &["*"], settings()).await;
        let events = (0..EVENTS)
            .map(|no| app.event("a.b", format!("{no}")))
            .collect();
        assert!(app.accept(events).await.iter().all(Result::is_ok));
        let arrived = |path: &str| {
            app.receiver
                .requests()
                .iter()
                .filter(|one| one.target == path)
                .count()
        };
        let mut seen = 0;
        while arrived("/well") < EVENTS {
            seen = app.receiver.wait_for(seen + 1).await.len();
        }
        let under_way = arrived("/dead");
        assert!(under_way < EVENTS, "what has no place waits in the store");

        // A fresh one joins the backlog behind the others.
        let fresh = app.send("a.b", "\"fresh\"").await;
        app.receiver.wait_for(EVENTS + under_way + 1).await;
        let state = |state: &str| DeliveryFilter {
            endpoint: Some(dead),
            state: Some(state.to_owned()),
            ..DeliveryFilter::default()
        };
        let pending = ok(app
            .store
            .deliveries(app.account, &state("pending"), None, 1_000))
        .await;
        let waits = pending.rows.iter().any(|delivery| delivery.event == fresh);
        assert!(waits && pending.rows.len() > 1, "and it waits with them");

        gate.open();
        app.settle().await;
        assert_eq!(
            (arrived("/dead"), arrived("/well")),
            (EVENTS + 1, EVENTS + 1)
        );
        let done = ok(app
            .store
            .deliveries(app.account, &state("delivered"), None, 1_000))
        .await;
        assert_eq!(done.rows.len(), EVENTS + 1);
        assert!(
            app.deliveries(fresh)
                .await
                .iter()
                .all(|delivery| delivery.state == "delivered")
        );
        assert!(
            app.receiver
                .counts_by_webhook_id()
                .values()
                .all(|count| *count == 2),
            "each once to each"
        );
    })
    .await;
}

#[tokio::test]
async fn what_plugins_log_for_one_event_is_kept_as_far_as_it_fits() {
    // 60 KB each: more than the record of one event has.
    const AUTOMATIONS: usize = 20;
    TestApp::on_both(async |app| {
        let endpoint = app.endpoint("/hook", settings()).await;
        let digest = app.upload("hostile", "tests/fixtures/hostile.wasm").await;
        let config = r#"{"do":"log-once","text":"0123456789","count":6000}"#;
        for _ in 0..AUTOMATIONS {
            let noisy = Definition {
                transforms: vec![transform("hostile@1.0.0", digest, config)],
                ..automation(&["*"], &[endpoint])
            };
            app.publish(&noisy).await;
        }
        let event = app.send_and_settle("a.b", "{}").await;
        let verdicts = app.verdicts(event).await;
        assert_eq!(verdicts.len(), AUTOMATIONS);
        assert!(verdicts.iter().all(|it| it.verdict == Verdict::Fired));
        assert_eq!(app.deliveries(event).await.len(), AUTOMATIONS);
        let kept = |it: &&Explained| it.steps[0].detail["log"].is_array();
        let whole = verdicts.iter().filter(kept).count();
        assert_eq!(whole, TRACE_BYTES_PER_EVENT_MAX / 60_000);
        let left_out = &verdicts[AUTOMATIONS - 1].steps[0].detail["left_out"];
        assert!(left_out.as_str().expect("a word").contains("at most"));
    })
    .await;
}
