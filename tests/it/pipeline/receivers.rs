//! Receivers that misbehave: each failure with its class on the attempt, and the next try by
//! policy.

use std::time::Duration;

use throwbar::pipeline::EndpointSettings;
use throwbar::retry::RetryPolicy;

use crate::support::answers::Answer;
use crate::support::app::TestApp;
use crate::support::publishing::{retrying, settings};
use crate::support::receiver::Receiver;
use crate::support::store::{Engine, on_both};

fn ten_seconds() -> RetryPolicy {
    RetryPolicy::own(vec![10_000], 0).expect("within bounds")
}

#[tokio::test]
async fn each_failure_has_its_class_and_is_tried_again() {
    on_both(async |engine| {
        for (answer, class, said) in [
            (Answer::status(500).body("no\u{fffd}"), "500", None),
            (Answer::status(404), "404", None),
            (
                Answer::redirect(302, "https://example.com/"),
                "302",
                Some("redirects are not followed"),
            ),
            (
                Answer::redirect(308, "/elsewhere"),
                "308",
                Some("redirects are not followed"),
            ),
            (Answer::reset(), "connect", None),
            (Answer::cut_short(), "connect", None),
            (
                Answer::endless(),
                "too_large",
                Some("longer than 65536 bytes"),
            ),
            (
                Answer::status(200).body(vec![b'x'; 64 * 1024 + 1]),
                "too_large",
                Some("longer than 65536 bytes"),
            ),
        ] {
            let app = TestApp::start(engine).await;
            app.receiver.next("/hook", answer);
            app.subscriber("/hook", &["*"], retrying(ten_seconds()))
                .await;
            let event = app.send_and_settle("a.b", "{}").await;
            assert_eq!(
                app.outcome(event).await,
                ("pending".to_owned(), vec![class.to_owned()])
            );
            let attempt = app.attempts(app.delivery(event).await.id).await.remove(0);
            let message = attempt.message.unwrap_or_default();
            assert!(
                message.contains(said.unwrap_or_default()),
                "{class}: {message}"
            );
            assert_eq!(
                message.is_empty(),
                said.is_none() && attempt.status_code.is_some(),
                "{class}: {message}"
            );
            app.advance(Duration::from_secs(10)).await;
            assert_eq!(app.outcome(event).await.0, "delivered", "{class}");
            assert!(
                app.receiver
                    .requests()
                    .iter()
                    .all(|request| request.target == "/hook"),
                "{class}"
            );
            app.finish().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_receiver_that_hangs_is_left_after_the_endpoints_time() {
    on_both(async |engine| {
        let app = TestApp::start(engine).await;
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
        app.finish().await;
    })
    .await;
}

#[tokio::test]
async fn what_can_not_be_reached_says_why() {
    let nobody = Receiver::start().await;
    let closed = nobody.url("/");
    drop(nobody);
    let tls = Receiver::start_tls("127.0.0.1").await;
    for engine in Engine::ALL {
        for (url, class) in [
            (closed.clone(), "connect"),
            (tls.url("/"), "tls"),
            ("http://10.0.0.1/".to_owned(), "egress"),
            ("http://[::1]/".to_owned(), "egress"),
            ("http://nowhere.invalid/".to_owned(), "dns"),
        ] {
            let app = TestApp::start(engine).await;
            let endpoint = app.endpoint_of(app.account, &url, settings()).await;
            app.publish(&crate::support::publishing::automation(&["*"], &[endpoint]))
                .await;
            let event = app.send_and_settle("a.b", "{}").await;
            assert_eq!(
                app.outcome(event).await,
                ("failed".to_owned(), vec![class.to_owned()]),
                "{url}"
            );
            app.finish().await;
        }
    }
}

#[tokio::test]
async fn the_beginning_of_an_answer_is_kept_whatever_bytes_it_has() {
    on_both(async |engine| {
        let app = TestApp::start(engine).await;
        let mut answer = vec![0, 255, 254, b'n', b'o'];
        answer.resize(10_000, b'!');
        app.receiver
            .next("/hook", Answer::status(500).body(answer.clone()));
        app.subscriber("/hook", &["*"], settings()).await;
        let event = app.send_and_settle("a.b", "{}").await;
        let attempt = app.attempts(app.delivery(event).await.id).await.remove(0);
        assert_eq!(attempt.response.as_deref(), Some(&answer[..4096]));
        app.finish().await;
    })
    .await;
}
