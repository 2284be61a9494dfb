//! Proxies in the way, real ones: an endpoint's, an account's, the operator's; and what the guard says to them.

use serde_json::{Value, json};
use throwbar::outbound::{EgressGuard, Proxy, Resolver, ScriptedResolver, Settings};

use super::super::nobody;
use super::{CONNECTION, Doors, ENDPOINTS, OPERATOR};
use crate::support::authority::{Authority, Proof};
use crate::support::receiver::Receiver;
use crate::support::store::on_both;
use crate::support::way_out::{PASSWORD, Speaks, Takes, USER, WayOut};

/// How requests go out where loopback is allowed and a few names are known.
fn loopback() -> Settings {
    let script = ScriptedResolver::default();
    for (name, address) in [
        ("receiver.test", [127, 0, 0, 1]),
        ("proxy.test", [127, 0, 0, 1]),
        ("inside.test", [10, 0, 0, 1]),
    ] {
        script.answer(name, &[address.into()]);
    }
    Settings {
        guard: EgressGuard::new(vec!["127.0.0.0/8".parse().expect("a network")]),
        resolver: Resolver::Scripted(script),
        ..Settings::default()
    }
}

#[tokio::test]
async fn a_proxy_is_asked_for_the_address_and_knows_who_asks() {
    on_both(async |engine| {
        for speaks in [Speaks::Http, Speaks::Socks5] {
            let doors = Doors::open_dialling(engine, loopback()).await;
            let receiver = Receiver::start().await;
            let port = receiver.address().port();
            let open = WayOut::start(speaks, Takes::Everybody).await;
            let proxy = json!({"url": open.url_at("proxy.test")});
            let url = format!("http://receiver.test:{port}/hook");
            let path = doors.subscriber(json!({"url": url, "proxy": proxy})).await;
            doors.delivers().await;
            assert!(open.was_asked_for("127.0.0.1", port), "{speaks:?}");
            assert!(!open.was_asked_for("receiver.test", port), "{speaks:?}");
            let host = format!("receiver.test:{port}");
            assert_eq!(receiver.requests()[0].header("host"), Some(&*host));

            let shut = WayOut::start(speaks, Takes::User).await;
            doors.secret_variable("right", PASSWORD).await;
            doors.secret_variable("wrong", "another password").await;
            let through = async |proxy: Value| {
                doors.patch(&path, json!({"proxy": proxy})).await.is(200);
            };
            through(json!({"url": shut.url()})).await;
            doors.fails("proxy", "user and password").await;
            let known = |variable: &str| {
                let password = format!("{{{{vars.{variable}}}}}");
                json!({"url": shut.url(), "username": USER, "password": password})
            };
            through(known("wrong")).await;
            doors.fails("proxy", "user and password").await;
            assert_eq!(receiver.count(), 1);
            through(known("right")).await;
            doors.delivers().await;
            assert!(shut.was_asked_for("127.0.0.1", port), "{speaks:?}");
            // A validation goes the same way.
            doors.patch(&path, json!({"validate": true})).await.is(200);
            through(Value::Null).await;
            drop((open, shut));
            doors.delivers().await;
        }
    })
    .await;
}

#[tokio::test]
async fn tls_is_spoken_with_the_receiver_through_whatever_proxy() {
    on_both(async |engine| {
        let authority = Authority::new("Of the house");
        let settings = Settings {
            extra_roots_pem: authority.pem(),
            ..loopback()
        };
        let doors = Doors::open_dialling(engine, settings).await;
        let good = Receiver::start_proving(authority.acceptor(Proof::Good)).await;
        let bad = Receiver::start_proving(authority.acceptor(Proof::OfAnotherHost)).await;
        for speaks in [Speaks::Http, Speaks::Socks5] {
            let proxy = WayOut::start(speaks, Takes::Everybody).await;
            let proxied = json!({"url": proxy.url()});
            let found = async |url: String| {
                let asked = json!({"url": url, "proxy": proxied});
                let found = doors.post("/v1/endpoints/validate", asked).await;
                found.is(200).body
            };
            let reached = found(good.url("/")).await;
            assert_eq!(reached["reached"], true, "{reached}");
            assert!(proxy.was_asked_for("127.0.0.1", good.address().port()));
            let refused = found(bad.url("/")).await;
            assert_eq!(refused["problem"]["tls"], "wrong_host", "{refused}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_endpoints_proxy_comes_before_the_accounts_and_that_before_the_operators() {
    on_both(async |engine| {
        let [operators, accounts, own] = [
            WayOut::start_at("127.0.0.2", Speaks::Http, Takes::Everybody).await,
            WayOut::start(Speaks::Socks5, Takes::Everybody).await,
            WayOut::start(Speaks::Http, Takes::Everybody).await,
        ];
        let settings = Settings {
            guard: EgressGuard::new(vec!["127.0.0.1/32".parse().expect("a network")]),
            proxy: Some(Proxy::parse(&operators.url()).expect("a proxy")),
            ..loopback()
        };
        let doors = Doors::open_dialling(engine, settings).await;
        let mut asked = Vec::new();
        for step in ["nothing", "account", "endpoint"] {
            let receiver = Receiver::start().await;
            let port = receiver.address().port();
            if step != "nothing" {
                let to = json!({"proxy": {"url": accounts.url()}});
                doors
                    .call(OPERATOR, "PUT", CONNECTION, Some(to))
                    .await
                    .is(200);
            }
            let mut new = json!({"url": receiver.url("/hook")});
            if step == "endpoint" {
                new["proxy"] = json!({"url": own.url()});
            }
            let path = doors.subscriber(new).await;
            doors.delivers().await;
            doors.delete(&path).await.is(204);
            asked.push([&operators, &accounts, &own].map(|it| it.was_asked_for("127.0.0.1", port)));
        }
        let [no, yes] = [false, true];
        assert_eq!(asked, [[yes, no, no], [no, yes, no], [no, no, yes]]);
        // The guard does not judge what the operator has chosen, but anybody else's proxy at the same address.
        let same = json!({"url": nobody().await, "proxy": {"url": operators.url()}});
        doors.subscriber(same).await;
        doors.fails("egress", "the proxy is at an address").await;
    })
    .await;
}

#[tokio::test]
async fn no_proxy_leads_where_deliveries_must_not_go() {
    on_both(async |engine| {
        let doors = Doors::open_dialling(engine, loopback()).await;
        let receiver = Receiver::start().await;
        for (proxy, place) in [
            (json!({"url": "http://10.0.0.1:3128"}), "/proxy/url"),
            (
                json!({"url": "socks5://169.254.169.254:1080"}),
                "/proxy/url",
            ),
            (json!({"url": "https://proxy.test:3128"}), "/proxy/url"),
            (json!({"url": "http://proxy.test"}), "/proxy/url"),
            (json!({"url": "http://u:p@proxy.test:1"}), "/proxy/url"),
            (
                json!({"url": "http://proxy.test:1", "username": "u"}),
                "/proxy/password",
            ),
            (
                json!({"url": "http://proxy.test:1", "username": "u", "password": "literal"}),
                "/proxy/password",
            ),
        ] {
            let to = json!({"proxy": proxy});
            let refused = doors
                .call(OPERATOR, "PUT", CONNECTION, Some(to.clone()))
                .await;
            refused.is(422).refuses("invalid_field", place);
            let mut new = to;
            new["url"] = json!(receiver.url("/"));
            let refused = doors.post(ENDPOINTS, new).await.is(422);
            refused.refuses("invalid_field", place);
        }
        let proxy = WayOut::start(Speaks::Http, Takes::Everybody).await;
        let path = doors
            .subscriber(json!({"url": "http://inside.test/hook", "proxy": {"url": proxy.url()}}))
            .await;
        doors
            .fails("egress", "'inside.test' resolves to an address")
            .await;
        assert!(!proxy.was_asked_for("10.0.0.1", 80));
        for (url, class, words) in [
            (
                "http://inside.test:3128".to_owned(),
                "egress",
                "the proxy is at an address",
            ),
            (
                "http://nowhere.test:3128".to_owned(),
                "proxy",
                "could not be resolved",
            ),
            (
                nobody().await.replace("/hook", ""),
                "proxy",
                "it refused the connection",
            ),
        ] {
            let to = json!({"url": receiver.url("/hook"), "proxy": {"url": url}});
            doors.patch(&path, to).await.is(200);
            doors.fails(class, words).await;
        }
        let through = json!({"url": nobody().await, "proxy": {"url": proxy.url()}});
        doors.patch(&path, through).await.is(200);
        doors
            .fails(
                "proxy",
                "when it was asked for a connection to the receiver",
            )
            .await;
    })
    .await;
}
