//! Receivers that misbehave: each failure with its class on the attempt, and the next try by
//! policy.

use std::time::Duration;

use throwbar::pipeline::EndpointSettings;
use throwbar::retry::RetryPolicy;

use crate::support::answers::Answer;
use crate::support::app::TestApp;
use crate::support::publishing::{automation, retrying, settings};
use crate::support::receiver::Receiver;
use crate::support::store::on_both;

fn ten_seconds() -> RetryPolicy {
    RetryPolicy::own(vec![10_000], 0).expect("within bounds")
}

/// What a receiver answers, its class on the attempt, and what the attempt says about it.
fn failures() -> Vec<(Answer, &'static str, &'static str)> {
    let longer = Answer::status(200).body(vec![b'x'; 64 * 1024 + 1]);
    vec![
        (Answer::status(500).body("no\u{fffd}"), "500", ""),
        (Answer::status(404), "404", ""),
        (
            Answer::redirect(302, "https://example.com/"),
            "302",
            "redirects are not followed",
        ),
        (
            Answer::redirect(308, "/elsewhere"),
            "308",
            "redirects are not followed",
        ),
        (Answer::reset(), "connect", "the connection"),
        (Answer::cut_short(), "connect", "the connection"),
        (Answer::endless(), "too_large", "longer than 65536 bytes"),
        (longer, "too_large", "longer than 65536 bytes"),
    ]
}

#[tokio::test]
async fn each_failure_has_its_class_and_is_tried_again() {
    TestApp::on_both(async |app| {
        for (no, (answer, class, says)) in failures().into_iter().enumerate() {
            let (path, event_type) = (format!("/{no}"), format!("a.no{no}"));
            app.receiver.next(&path, answer);
            app.subscriber(&path, &[&event_type], retrying(ten_seconds()))
                .await;
            let event = app.send_and_settle(&event_type, "{}").await;
            let (state, classes) = app.outcome(event).await;
            assert_eq!(
                (state.as_str(), classes),
                ("pending", vec![class.to_owned()])
            );
            let attempt = app.attempts(app.delivery(event).await.id).await.remove(0);
            let message = attempt.message.unwrap_or_default();
            assert!(message.contains(says), "{class}: {message}");
            assert_eq!(message.is_empty(), says.is_empty(), "{class}: {message}");
            app.advance(Duration::from_secs(10)).await;
            assert_eq!(app.outcome(event).await.0, "delivered", "{class}");
        }
        let requests = app.receiver.requests();
        assert_eq!(requests.len(), 2 * failures().len(), "nothing was followed");
    })
    .await;
}

#[tokio::test]
async fn a_receiver_that_hangs_is_left_after_the_endpoints_time() {
    TestApp::on_both(async |app| {
        app.receiver.next("/hook", Answer::hang());
        let settings = EndpointSettings {
            timeout_ms: 50,
            ..retrying(ten_seconds())
        };
        app.subscriber("/hook", &["*"], settings).await;
        let event = app.send_and_settle("a.b", "{}").await;
        assert_eq!(
            app.outcome(event).await,
            ("pending".to_owned(), vec!["timeout".to_owned()])
        );
    })
    .await;
}

#[tokio::test]
async fn what_can_not_be_reached_says_why() {
    on_both(async |engine| {
        let nobody = Receiver::start().await;
        let closed = nobody.url("/");
        drop(nobody);
        let tls = Receiver::start_tls("127.0.0.1").await;
        let app = TestApp::start(engine).await;
        for (no, (url, class)) in [
            (closed.as_str(), "connect"),
            (&tls.url("/"), "tls"),
            ("http://10.0.0.1/", "egress"),
            ("http://[::1]/", "egress"),
            ("http://nowhere.invalid/", "dns"),
        ]
        .into_iter()
        .enumerate()
        {
            let endpoint = app.endpoint_of(app.account, url, settings()).await;
            let event_type = format!("a.no{no}");
            app.publish(&automation(&[&event_type], &[endpoint])).await;
            let event = app.send_and_settle(&event_type, "{}").await;
            let (state, classes) = app.outcome(event).await;
            assert_eq!(
                (state.as_str(), classes),
                ("failed", vec![class.to_owned()]),
                "{url}"
            );
        }
        app.finish().await;
    })
    .await;
}

#[tokio::test]
async fn the_beginning_of_an_answer_is_kept_whatever_bytes_it_has() {
    TestApp::on_both(async |app| {
        let mut answer = vec![0, 255, 254, b'n', b'o'];
        answer.resize(10_000, b'!');
        app.receiver
            .next("/hook", Answer::status(500).body(answer.clone()));
        app.subscriber("/hook", &["*"], settings()).await;
        let event = app.send_and_settle("a.b", "{}").await;
        let attempt = app.attempts(app.delivery(event).await.id).await.remove(0);
        assert_eq!(attempt.response.as_deref(), Some(&answer[..4096]));
    })
    .await;
}
