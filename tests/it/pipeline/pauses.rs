//! Automations that are switched off because a plugin refuses its configuration.

use throwbar::automation::{Definition, OnError};
use throwbar::model::{DeadLetterId, EventId};
use throwbar::pipeline::Verdict;
use throwbar::store::Pause;

use super::emissions::emitting;
use super::failures::{FAILS, HOSTILE, count, told};
use crate::support::app::TestApp;
use crate::support::publishing::transform;
use crate::support::store::{ok, some};

const REFUSES: &str = r#"{"do":"invalid-config","text":"no such mode"}"#;

#[tokio::test]
async fn an_automation_whose_plugin_refuses_its_configuration_is_paused() {
    TestApp::on_both(async |app| {
        let digest = app.upload("hostile", HOSTILE).await;
        let runs = |config: &str, on_error| {
            let mut one = transform("hostile@1.0.0", digest, config);
            one.on_error = on_error;
            Definition {
                transforms: vec![one],
                ..emitting(&["a.b"], &["made"])
            }
        };
        // One that says otherwise goes on.
        app.publish(&runs(REFUSES, OnError::Drop)).await;
        let own = app.publish(&runs(REFUSES, OnError::Fail)).await;
        let enabled = async || some(app.store.automation(app.account, own)).await.enabled;
        let event = app.send_and_settle("a.b", "{}").await;
        let found = app.verdicts(event).await;
        assert!(found.iter().any(|it| it.verdict == Verdict::PluginError));
        let letter = DeadLetterId::derive(event, event.minted_at(), own);
        let letter = some(app.store.dead_letter(app.account, letter)).await;
        assert!(
            letter.summary.contains("no such mode"),
            "{}",
            letter.summary
        );
        assert!(!enabled().await);
        let says = told(app, "throwbar.automation.paused").await;
        assert_eq!(
            (&says["automation"], &says["event"], &says["version"]),
            (
                &own.to_string().into(),
                &event.to_string().into(),
                &1.into()
            )
        );
        assert_eq!(says["why"], letter.summary);

        let next = app.send_and_settle("a.b", "{}").await;
        let found = app.verdicts(next).await;
        assert_eq!(found.len(), 1, "it does not look at events any more");
        assert_eq!(found[0].verdict, Verdict::PluginDropped);

        app.publish_again(own, &runs(r#"{"do":"emit"}"#, OnError::Fail))
            .await;
        assert!(enabled().await);
        app.send_and_settle("a.b", "{}").await;
        assert_eq!(count(app, "made").await, 1);
        // Of a failure that is the event's nobody is switched off.
        app.publish_again(own, &runs(FAILS, OnError::Fail)).await;
        app.send_and_settle("a.b", "{}").await;
        assert!(enabled().await);
        assert_eq!(count(app, "throwbar.automation.paused").await, 1);
    })
    .await;
}

#[tokio::test]
async fn only_the_version_that_can_t_work_is_paused() {
    TestApp::on_both(async |app| {
        let own = app.publish(&emitting(&["a.b"], &["made"])).await;
        app.publish_again(own, &emitting(&["a.b"], &["other"]))
            .await;
        let holder = app.pipeline().incarnation();
        let pause = |version| Pause {
            account: app.account,
            automation: own,
            version,
            event: EventId::mint(app.clock.now()),
            why: "a plugin refuses its configuration".to_owned(),
            at: app.clock.now(),
        };
        for (version, done) in [(1, false), (2, true), (2, false)] {
            let paused = ok(app.store.pause_automation(holder, &pause(version))).await;
            assert_eq!(paused, done, "version {version}");
        }
        app.settle().await;
        assert_eq!(count(app, "throwbar.automation.paused").await, 1);
    })
    .await;
}
