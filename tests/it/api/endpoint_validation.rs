//! Endpoint validation: what is answered before anything is saved, what a save is refused for, and how often an account
//! may ask.

use std::time::Duration;

use serde_json::{Value, json};
use throwbar::outbound::{EgressGuard, Resolver, ScriptedResolver, Settings};

use super::{Doors, nobody};
use crate::support::answers::Answer;
use crate::support::authority::{Authority, Proof};
use crate::support::receiver::Receiver;
use crate::support::store::on_both;

const VALIDATE: &str = "/v1/endpoints/validate";

/// How requests go out where loopback is allowed.
fn loopback() -> Settings {
    Settings {
        guard: EgressGuard::new(vec!["127.0.0.0/8".parse().expect("a network")]),
        ..Settings::default()
    }
}

async fn validated(doors: &Doors, url: &str) -> Value {
    let answer = doors.post(VALIDATE, json!({"url": url})).await.is(200);
    doors.has_none("/v1/endpoints").await;
    answer.body
}

#[tokio::test]
async fn any_answer_to_a_post_means_that_it_is_reached() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let receiver = Receiver::start().await;
        for answer in [
            Answer::status(204),
            Answer::status(401),
            Answer::status(500),
            Answer::redirect(302, "/elsewhere"),
            Answer::endless(),
        ] {
            receiver.next("/hook", answer);
        }
        for status in [204, 401, 500, 302, 200] {
            let found = validated(&doors, &receiver.url("/hook")).await;
            assert_eq!(
                (&found["reached"], &found["method"], &found["status"]),
                (&json!(true), &json!("POST"), &json!(status)),
                "{found}"
            );
            assert_eq!(found["problem"], Value::Null);
            assert_eq!(found["steps"].as_array().map(Vec::len), Some(1));
            assert_eq!(found["warnings"][0]["code"], "http", "{found}");
        }
        let requests = receiver.requests();
        assert_eq!(requests.len(), 5, "nothing was followed");
        for request in requests {
            assert_eq!((&*request.method, &request.body[..]), ("POST", &b"{}"[..]));
            let mut names: Vec<_> = request
                .headers
                .keys()
                .map(http::HeaderName::as_str)
                .collect();
            names.sort_unstable();
            let expected = [
                "accept",
                "content-length",
                "content-type",
                "host",
                "user-agent",
            ];
            assert_eq!(names, expected, "nothing else is told");
        }
    })
    .await;
}

#[tokio::test]
async fn who_does_not_answer_a_post_may_answer_a_head_with_200() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let receiver = Receiver::start().await;
        for (status, reached) in [(200, true), (204, false), (405, false), (302, false)] {
            receiver.next("/hook", Answer::reset());
            receiver.next("/hook", Answer::status(status));
            let found = validated(&doors, &receiver.url("/hook")).await;
            assert_eq!(found["reached"], reached, "{found}");
            assert_eq!(found["steps"][0]["status"], Value::Null);
            assert_eq!(found["steps"][1]["status"], status);
            let says = found["steps"][1]["says"].as_str().unwrap_or_default();
            assert!(
                says.starts_with(&format!("HEAD was answered {status}")),
                "{says}"
            );
            if reached {
                assert_eq!(
                    (&found["method"], &found["status"], &found["problem"]),
                    (&json!("HEAD"), &json!(200), &Value::Null)
                );
            } else {
                assert_eq!(
                    (&found["method"], &found["status"]),
                    (&Value::Null, &Value::Null)
                );
                assert_eq!(found["problem"]["error_class"], "connect");
                let why = found["problem"]["why"].as_str().unwrap_or_default();
                assert!(why.contains("where only 200 counts"), "{why}");
            }
        }
        let methods: Vec<_> = receiver
            .requests()
            .into_iter()
            .map(|it| it.method)
            .collect();
        assert_eq!(methods, ["POST", "HEAD"].repeat(4));
    })
    .await;
}

#[tokio::test]
async fn what_is_in_the_way_is_named() {
    on_both(async |engine| {
        let authority = Authority::new("Trusted");
        let script = ScriptedResolver::default();
        script.answer("inside.test", &[[10, 0, 0, 1].into()]);
        let settings = Settings {
            resolver: Resolver::Scripted(script),
            extra_roots_pem: authority.pem(),
            ..loopback()
        };
        let doors = Doors::open_dialling(engine, settings).await;
        for (url, class) in [
            (&*nobody().await, "connect"),
            ("https://nowhere.test/", "dns"),
            ("https://inside.test/", "egress"),
        ] {
            let found = validated(&doors, url).await;
            assert_eq!(found["reached"], false, "{url}");
            assert_eq!(found["problem"]["error_class"], class, "{found}");
            assert_eq!(found["problem"]["tls"], Value::Null);
            assert!(!found.to_string().contains("10.0.0.1"), "{found}");
        }
        let receiver = Receiver::start_proving(authority.acceptor(Proof::Good)).await;
        let found = validated(&doors, &receiver.url("/")).await;
        assert_eq!(
            (&found["reached"], &found["warnings"]),
            (&json!(true), &json!([]))
        );
        for (proof, cause, says) in Proof::BAD {
            let receiver = Receiver::start_proving(authority.acceptor(proof)).await;
            let found = validated(&doors, &receiver.url("/")).await;
            assert_eq!(found["reached"], false, "{proof:?}");
            let problem = &found["problem"];
            assert_eq!(
                (&problem["error_class"], &problem["tls"]),
                (&json!("tls"), &json!(cause)),
                "{found}"
            );
            assert!(
                problem["why"]
                    .as_str()
                    .is_some_and(|why| why.contains(says)),
                "{found}"
            );
            assert_eq!(receiver.count(), 0);
        }
    })
    .await;
}

#[tokio::test]
async fn what_could_not_be_saved_is_not_pinged() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let receiver = Receiver::start().await;
        let url = receiver.url("/");
        for (asked, code, place) in [
            (json!({}), "missing_field", "/url"),
            (json!({"url": "ftp://a.example"}), "invalid_field", "/url"),
            (json!({"url": "http://10.0.0.1/"}), "invalid_field", "/url"),
            (
                json!({"url": "http://[::ffff:a9fe:a9fe]/"}),
                "invalid_field",
                "/url",
            ),
            (
                json!({"url": url, "http": "refused"}),
                "invalid_field",
                "/url",
            ),
            (
                json!({"url": url, "explicit_port": "refused"}),
                "invalid_field",
                "/url",
            ),
            (
                json!({"url": url, "http": "maybe"}),
                "invalid_field",
                "/http",
            ),
            (json!({"url": url, "color": 1}), "unknown_field", "/color"),
        ] {
            let answer = doors.post(VALIDATE, asked).await.is(422);
            answer.refuses(code, place);
        }
        assert_eq!(receiver.count(), 0);
        let quiet = json!({"url": url, "http": "allowed", "explicit_port": "warned"});
        let found = doors.post(VALIDATE, quiet).await.is(200);
        assert_eq!(found.body["warnings"].as_array().map(Vec::len), Some(1));
        assert_eq!(found.body["warnings"][0]["code"], "explicit_port");
    })
    .await;
}

#[tokio::test]
async fn a_save_is_refused_if_nobody_answers_unless_one_insists() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let dead = nobody().await;
        let new = json!({"url": dead, "validate": true});
        let refused = doors.post("/v1/endpoints", new).await.is(422);
        refused.refuses("endpoint_unreachable", "/url");
        assert!(refused.text("/detail").contains("refused the connection"));
        assert!(!refused.text("/detail").contains(&dead), "no URL is told");
        doors.has_none("/v1/endpoints").await;
        doors
            .post("/v1/endpoints", json!({"url": dead, "validate": false}))
            .await
            .is(201);

        let receiver = Receiver::start().await;
        let new = json!({"url": receiver.url("/a"), "validate": true});
        let made = doors.post("/v1/endpoints", new).await.is(201);
        assert_eq!(receiver.count(), 1);
        let path = format!("/v1/endpoints/{}", made.id());
        let refused = doors
            .patch(&path, json!({"url": dead, "name": "n", "validate": true}))
            .await
            .is(422);
        refused.refuses("endpoint_unreachable", "/url");
        let shown = doors.get(&path).await.is(200);
        assert_eq!(shown.body["url"], made.body["url"], "nothing was changed");
        assert_eq!(shown.body["name"], made.body["name"]);
        // Without a new URL, the one that there is.
        let same = json!({"name": "n", "validate": true});
        doors.patch(&path, same).await.is(200);
        assert_eq!(receiver.count(), 2);
        let moved = json!({"url": receiver.url("/b"), "validate": true});
        doors.patch(&path, moved).await.is(200);
        assert_eq!(receiver.requests()[2].target, "/b");
        doors.patch(&path, json!({"url": dead})).await.is(200);
        assert_eq!(receiver.count(), 3, "who does not ask is not pinged");
        doors
            .patch("/v1/endpoints/ep_nope", json!({"validate": true}))
            .await
            .is(404);
    })
    .await;
}

#[tokio::test]
async fn an_account_asks_so_many_times_a_minute_and_no_other_pays_for_it() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let receiver = Receiver::start().await;
        let asked = json!({"url": receiver.url("/")});
        for _ in 0..60 {
            doors.post(VALIDATE, asked.clone()).await.is(200);
        }
        let refused = doors.post(VALIDATE, asked.clone()).await.is(429);
        refused.refuses("account_validating", "nowhere");
        assert!(refused.headers.contains_key("retry-after"));
        let new = json!({"url": receiver.url("/"), "validate": true});
        doors.post("/v1/endpoints", new.clone()).await.is(429);
        doors.has_none("/v1/endpoints").await;
        assert_eq!(receiver.count(), 60);
        let other = doors.other_account("calm").await;
        let theirs = doors.call(&other, "POST", VALIDATE, Some(asked)).await;
        theirs.is(200);
        doors.clock.advance(Duration::from_mins(1));
        doors.post("/v1/endpoints", new).await.is(201);
    })
    .await;
}
