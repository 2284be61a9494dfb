//! Receivers with certificates of the test's own: the good one is delivered to, and of each other the attempt says
//! what is wrong. And names that change their minds.

use std::time::Duration;

use throwbar::outbound::{EgressGuard, Resolver, ScriptedResolver, Settings};
use throwbar::pipeline::{DeliveryMethod, EndpointSettings};
use throwbar::retry::RetryPolicy;

use crate::support::answers::Answer;
use crate::support::app::TestApp;
use crate::support::authority::{Authority, Proof};
use crate::support::publishing::{automation, retrying, settings};
use crate::support::receiver::Receiver;
use crate::support::store::on_both;

#[tokio::test]
async fn a_certificate_that_is_not_right_is_named_on_the_attempt() {
    on_both(async |engine| {
        let authority = Authority::new("Trusted");
        let trusting = Settings {
            guard: EgressGuard::new(vec!["127.0.0.0/8".parse().expect("a network")]),
            extra_roots_pem: authority.pem(),
            ..Settings::default()
        };
        let app = TestApp::start_dialling(engine, trusting).await;
        let attempted = async |proof: Proof, event_type: &str| {
            let receiver = Receiver::start_proving(authority.acceptor(proof)).await;
            let url = receiver.url("/hook");
            let endpoint = app.endpoint_of(app.account, &url, settings()).await;
            app.publish(&automation(&[event_type], &[endpoint])).await;
            let event = app.send_and_settle(event_type, "{}").await;
            let attempt = app.attempts(app.delivery(event).await.id).await.remove(0);
            (attempt, receiver.count())
        };
        let (good, requests) = attempted(Proof::Good, "a.good").await;
        assert_eq!((good.status_code, requests), (Some(204), 1));
        assert_eq!(good.message, None);
        for (no, (proof, _, says)) in Proof::BAD.into_iter().enumerate() {
            let (attempt, requests) = attempted(proof, &format!("a.no{no}")).await;
            assert_eq!(attempt.error_class.as_deref(), Some("tls"), "{proof:?}");
            let message = attempt.message.unwrap_or_default();
            assert!(message.contains(says), "{proof:?}: {message}");
            assert_eq!(requests, 0, "{proof:?}: nothing was told to it");
        }
        app.finish().await;
    })
    .await;
}

#[tokio::test]
async fn a_name_that_leads_elsewhere_at_the_next_attempt_is_refused_there() {
    on_both(async |engine| {
        let script = ScriptedResolver::default();
        script.answer("receiver.test", &[[127, 0, 0, 1].into()]);
        script.answer(
            "receiver.test",
            &[[127, 0, 0, 2].into(), [10, 0, 0, 1].into()],
        );
        let rebinding = Settings {
            guard: EgressGuard::new(vec!["127.0.0.1/32".parse().expect("a network")]),
            resolver: Resolver::Scripted(script),
            ..Settings::default()
        };
        let app = TestApp::start_dialling(engine, rebinding).await;
        app.receiver.next("/hook", Answer::reset());
        let url = format!(
            "http://receiver.test:{}/hook",
            app.receiver.address().port()
        );
        let policy = RetryPolicy::own(vec![10_000], 0).expect("within bounds");
        let endpoint = app.endpoint_of(app.account, &url, retrying(policy)).await;
        app.publish(&automation(&["a.b"], &[endpoint])).await;
        let event = app.send_and_settle("a.b", "{}").await;
        app.advance(Duration::from_secs(10)).await;
        let (state, classes) = app.outcome(event).await;
        assert_eq!(
            (state.as_str(), classes),
            ("failed", vec!["connect".to_owned(), "egress".to_owned()])
        );
        assert_eq!(app.receiver.count(), 1);
        app.finish().await;
    })
    .await;
}

#[tokio::test]
async fn who_wants_put_gets_put() {
    TestApp::on_both(async |app| {
        let put = EndpointSettings {
            method: DeliveryMethod::Put,
            ..settings()
        };
        app.subscriber("/put", &["*"], put).await;
        app.subscriber("/post", &["*"], settings()).await;
        app.send_and_settle("a.b", "{\"n\":1}").await;
        let mut seen: Vec<_> = app.receiver.requests();
        seen.sort_by(|a, b| a.target.cmp(&b.target));
        let seen: Vec<_> = seen
            .iter()
            .map(|request| (&*request.method, &*request.target, &request.body[..]))
            .collect();
        let body: &[u8] = b"{\"n\":1}";
        assert_eq!(seen, [("POST", "/post", body), ("PUT", "/put", body)]);
    })
    .await;
}
