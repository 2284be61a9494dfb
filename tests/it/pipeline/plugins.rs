//! Plugins in the path: what they make is what is sent, and what they break is a verdict.

use throwbar::automation::Definition;
use throwbar::model::EventId;
use throwbar::pipeline::Verdict;
use throwbar::plugin::Digest;
use throwbar::signing::Scheme;

use crate::support::app::TestApp;
use crate::support::publishing::{SECRET, automation, settings, transform};
use crate::support::store::{Engine, on_both};

const REDACT: &str = "plugins/components/redact.wasm";
const CHAT_MESSAGE: &str = "plugins/components/chat-message.wasm";
const HOSTILE: &str = "tests/fixtures/hostile.wasm";

/// An app with one automation that runs these plugins and sends to `/hook`.
async fn app_with(engine: Engine, chain: &[(&str, &str, &str)]) -> TestApp {
    let app = TestApp::start(engine).await;
    let endpoint = app.endpoint("/hook", settings()).await;
    let mut definition = automation(&["*"], &[endpoint]);
    for (name, path, config) in chain {
        let digest = app.upload(name, path).await;
        definition
            .transforms
            .push(transform(&format!("{name}@1.0.0"), digest, config));
    }
    app.publish(&definition).await;
    app
}

async fn verdict(app: &TestApp, event: EventId) -> (Verdict, String) {
    let mut verdicts = app.verdicts(event).await;
    assert_eq!(verdicts.len(), 1);
    let one = verdicts.remove(0);
    (one.verdict, one.summary)
}

#[tokio::test]
async fn a_chain_of_plugins_makes_the_body_that_is_signed_and_sent() {
    on_both(async |engine| {
        let chain = [
            ("redact", REDACT, r#"{"remove":["/secret"],"mask":["/owner/mail"]}"#),
            ("chat-message", CHAT_MESSAGE, r#"{"template":"{{event.data.owner.name}} <{{event.data.owner.mail}}>: {{event.data.amount}}"}"#),
        ];
        let app = app_with(engine, &chain).await;
        let payload = r#"{"owner": {"name":"Ada","mail":"ada@example.test"}, "amount": 1200.50, "secret":"x"}"#;
        let event = app.send_and_settle("deal.won", payload).await;
        let request = &app.receiver.requests()[0];
        assert_eq!(request.body, r#"{"text":"Ada <[redacted]>: 1200.50"}"#);
        app.assert_signed(request, &Scheme::Standard, SECRET);
        let evaluation = app.verdicts(event).await.remove(0);
        assert_eq!(evaluation.verdict, Verdict::Fired);
        let steps: Vec<_> = evaluation.steps.iter().map(|step| (step.what.as_str(), step.outcome.as_str())).collect();
        assert_eq!(steps, [("redact@1.0.0", "emitted"), ("chat-message@1.0.0", "emitted")]);
        assert!(evaluation.steps[0].detail["usage"]["fuel"].as_u64() > Some(0), "{:?}", evaluation.steps[0]);
        app.finish().await;
    })
    .await;
}

#[tokio::test]
async fn a_plugin_changes_what_it_is_told_to_and_not_a_byte_more() {
    on_both(async |engine| {
        let app = app_with(engine, &[("redact", REDACT, r#"{"mask":["/b"]}"#)]).await;
        let odd = "{ \"a\" : 1e999,\"a\":\"\\u0041\", \"b\":{\"x\":1}  ,\"big\":12345678901234567890123 }";
        app.send_and_settle("a.b", odd).await;
        let masked = "{ \"a\" : 1e999,\"a\":\"\\u0041\", \"b\":\"[redacted]\"  ,\"big\":12345678901234567890123 }";
        assert_eq!(app.receiver.requests()[0].body, masked);
        app.finish().await;
    })
    .await;
}

#[tokio::test]
async fn several_outputs_are_several_deliveries() {
    on_both(async |engine| {
        let app = app_with(
            engine,
            &[("hostile", HOSTILE, r#"{"do":"outputs","count":3}"#)],
        )
        .await;
        let event = app.send_and_settle("a.b", "{}").await;
        let mut bodies: Vec<_> = app
            .receiver
            .requests()
            .into_iter()
            .map(|request| request.body)
            .collect();
        bodies.sort();
        assert_eq!(bodies, ["0", "1", "2"]);
        assert_eq!(app.receiver.counts_by_webhook_id().len(), 3);
        assert!(
            app.deliveries(event)
                .await
                .iter()
                .all(|delivery| delivery.state == "delivered")
        );
        app.finish().await;
    })
    .await;
}

#[tokio::test]
async fn a_retry_sends_the_plugins_body_again_and_does_not_run_it_again() {
    on_both(async |engine| {
        use crate::support::answers::Answer;
        let app = TestApp::start(engine).await;
        app.receiver.next("/hook", Answer::status(500));
        let policy = throwbar::retry::RetryPolicy::own(vec![1_000], 0).expect("within bounds");
        let endpoint = app
            .endpoint("/hook", crate::support::publishing::retrying(policy))
            .await;
        let digest = app.upload("hostile", HOSTILE).await;
        let config = r#"{"do":"header","name":"x-made-by","text":"a plugin"}"#;
        let transforms = vec![transform("hostile@1.0.0", digest, config)];
        app.publish(&Definition {
            transforms,
            ..automation(&["*"], &[endpoint])
        })
        .await;
        let event = app.send_and_settle("a.b", "{}").await;
        app.advance(std::time::Duration::from_secs(1)).await;
        assert_eq!(
            app.outcome(event).await,
            (
                "delivered".to_owned(),
                vec!["500".to_owned(), "204".to_owned()]
            )
        );
        let requests = app.receiver.requests();
        for request in &requests {
            assert_eq!(
                (request.body.as_ref(), request.header("x-made-by")),
                (&b"1"[..], Some("a plugin"))
            );
            assert_eq!(request.webhook_id(), requests[0].webhook_id());
        }
        app.finish().await;
    })
    .await;
}

#[tokio::test]
async fn a_plugin_that_goes_too_far_is_a_verdict_that_names_the_limit() {
    TestApp::on_both(async |app| {
        let endpoint = app.endpoint("/hook", settings()).await;
        let digest = app.upload("hostile", HOSTILE).await;
        let calm = Definition {
            transforms: vec![transform("hostile@1.0.0", digest, r#"{"do":"emit"}"#)],
            ..automation(&["calm.*"], &[endpoint])
        };
        app.publish(&calm).await;
        for (no, (config, wanted, says)) in [
            (r#"{"do":"loop"}"#, Verdict::PluginError, "fuel"),
            (r#"{"do":"memory"}"#, Verdict::PluginError, "memory"),
            (
                r#"{"do":"log","text":"again and again"}"#,
                Verdict::PluginError,
                "log",
            ),
            (
                r#"{"do":"outputs","count":300}"#,
                Verdict::PluginError,
                "outputs",
            ),
            (r#"{"do":"recurse"}"#, Verdict::PluginError, "stack"),
            (
                r#"{"do":"panic","text":"now"}"#,
                Verdict::PluginError,
                "broke off",
            ),
            (
                r#"{"do":"fail","text":"not today"}"#,
                Verdict::PluginError,
                "not today",
            ),
            (
                r#"{"do":"drop","text":"not for us"}"#,
                Verdict::PluginDropped,
                "not for us",
            ),
        ]
        .into_iter()
        .enumerate()
        {
            let wild = Definition {
                transforms: vec![transform("hostile@1.0.0", digest, config)],
                ..automation(&[&format!("wild.no{no}")], &[endpoint])
            };
            app.publish(&wild).await;
            let before = app.receiver.requests().len();
            let event = app.send_and_settle(&format!("wild.no{no}"), "{}").await;
            let (verdict, summary) = verdict(app, event).await;
            assert_eq!(verdict, wanted, "{config}: {summary}");
            assert!(summary.to_lowercase().contains(says), "{config}: {summary}");
            assert!(app.deliveries(event).await.is_empty(), "{config}");
            assert_eq!(app.receiver.requests().len(), before, "{config}");
            let next = app.send_and_settle("calm.one", "{}").await;
            assert_eq!(app.outcome(next).await.0, "delivered", "after {config}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_plugin_that_the_account_does_not_have_is_a_verdict_too() {
    TestApp::on_both(async |app| {
        let endpoint = app.endpoint("/hook", settings()).await;
        let missing = Definition {
            transforms: vec![transform("nobodys@1.0.0", Digest::of(b"nothing"), "{}")],
            ..automation(&["*"], &[endpoint])
        };
        app.publish(&missing).await;
        let event = app.send_and_settle("a.b", "{}").await;
        let (verdict, summary) = verdict(app, event).await;
        assert_eq!(verdict, Verdict::PluginError);
        assert!(summary.contains("no plugin version"), "{summary}");
    })
    .await;
}
