//! The walk over the router: every route, with another account's ids, without a key, and with too
//! small a scope. A new route is walked without being named here.

use serde_json::{Value, json};

use throwbar::api::routes;

use super::{Doors, OPERATOR, component, nobody};
use crate::support::store::on_both;

/// The account as a file, which is no list.
const EXPORT: &str = "/v1/automations/export";
/// What every client may know: the same for all.
const EGRESS: &str = "/v1/egress";
/// One thing of each account, which is no list either.
const CONNECTION: &str = "/v1/account/connection";
/// What belongs to nobody: every account finds it.
const READY_MADE: &str = "/v1/event-types/catalogues";

/// What the first account has: the text that stands for each `{…}` of a path, by the noun before it.
struct Things {
    account: String,
    key: String,
    event: String,
    event_type: String,
    automation: String,
    schedule: String,
    source: String,
    plugin: String,
    endpoint: String,
    secret: String,
    key_pair: String,
    delivery: String,
    attempt: String,
    job: String,
    letter: String,
    variable: String,
    receiver: String,
    request: String,
    retry_policy: String,
    failure_policy: String,
    profile: String,
}

/// The id of what is made.
async fn made(doors: &Doors, path: &str, new: Value) -> String {
    doors.post(path, new).await.is(201).id()
}

impl Things {
    #[expect(clippy::too_many_lines, reason = "one of each thing")]
    async fn of(doors: &Doors) -> Self {
        let endpoint = doors
            .post("/v1/endpoints", json!({"url": nobody().await}))
            .await
            .is(201)
            .id();
        let trigger = json!({"events": ["deal.*"]});
        let automation = json!({
            "name": "a", "trigger": trigger, "actions": [{"webhook": {"endpoint": endpoint}}]
        });
        let automation = made(doors, "/v1/automations", automation).await;
        let broken = json!({
            "name": "b", "trigger": {"events": ["deal.*"]}, "condition": "event.data.missing > 1",
            "actions": [{"emit": {"type": "made"}}],
        });
        made(doors, "/v1/automations", broken).await;
        let sent = json!({"type": "deal.won", "data": {"amount": 1}});
        let event = doors.post("/v1/events", sent).await.is(202).id();
        doors.pipeline.settle().await;
        let deliveries = doors
            .get(&format!("/v1/deliveries?event={event}"))
            .await
            .is(200);
        let secrets = doors
            .get(&format!("/v1/endpoints/{endpoint}/secrets"))
            .await
            .is(200);
        let typed = json!({"name": "deal.won", "schema": {"type": "object"}});
        doors.post("/v1/event-types", typed).await.is(201);
        let receiver = doors.post("/v1/receivers", json!({})).await.is(201);
        let backtest = format!("/v1/automations/{automation}/backtest");
        Self {
            account: doors.get("/v1/account").await.is(200).id(),
            key: {
                let new = json!({"name": "k", "scopes": ["read"]});
                made(doors, "/v1/api-keys", new).await
            },
            event,
            event_type: "deal.won".to_owned(),
            job: doors.post(&backtest, json!({})).await.is(202).text("/job"),
            automation,
            letter: doors
                .get("/v1/dead-letters")
                .await
                .is(200)
                .text("/data/0/id"),
            schedule: {
                let new = json!({"name": "s", "cron": "0 9 * * *"});
                made(doors, "/v1/schedules", new).await
            },
            source: {
                let new = json!({"name": "s", "verification": {"scheme": "github"}});
                made(doors, "/v1/sources", new).await
            },
            plugin: doors.upload(component("redact"), "").await.is(201).id(),
            delivery: deliveries.text("/data/0/id"),
            attempt: doors.get("/v1/attempts").await.is(200).text("/data/0/id"),
            secret: secrets.text("/data/0/id"),
            key_pair: key_pair(doors, &endpoint).await,
            variable: doors
                .post("/v1/variables", json!({"name": "least", "value": 5}))
                .await
                .is(201)
                .text("/name"),
            request: doors.received(&receiver).await,
            receiver: receiver.id(),
            retry_policy: {
                let new = json!({"name": "nightly", "policy": {"delays_ms": [1]}});
                named(doors, "/v1/retry-policies", new).await
            },
            failure_policy: {
                let new = json!({"name": "patient", "policy": {"consecutive": 50}});
                named(doors, "/v1/failure-policies", new).await
            },
            profile: named(doors, "/v1/profiles", json!({"name": "partners"})).await,
            endpoint,
        }
    }

    /// The path of a template with these things in it.
    fn path(&self, template: &str) -> String {
        let mut path = String::new();
        let mut noun = "";
        for segment in template.split('/').skip(1) {
            path.push('/');
            let known = match noun {
                _ if !segment.starts_with('{') => segment,
                "accounts" => &self.account,
                "api-keys" => &self.key,
                "events" => &self.event,
                "event-types" => &self.event_type,
                "automations" => &self.automation,
                "schedules" => &self.schedule,
                "sources" => &self.source,
                "plugins" => &self.plugin,
                "endpoints" => &self.endpoint,
                "secrets" => &self.secret,
                "keys" => &self.key_pair,
                "versions" => "1",
                "variables" => &self.variable,
                "retry-policies" => &self.retry_policy,
                "failure-policies" => &self.failure_policy,
                "profiles" => &self.profile,
                "catalogues" => "crm",
                "deliveries" => &self.delivery,
                "attempts" => &self.attempt,
                "jobs" => &self.job,
                "dead-letters" => &self.letter,
                "receivers" => &self.receiver,
                "requests" => &self.request,
                other => panic!("{template}: what stands for the id of {other}?"),
            };
            path.push_str(known);
            noun = segment;
        }
        if template.ends_with("/explain") {
            path = format!("{path}?event={}", self.event);
        }
        path
    }
}

impl Doors {
    /// Sends something to a receiver: the id of that.
    async fn received(&self, receiver: &super::Answer) -> String {
        let url = receiver.text("/url");
        let at = url.find("/r/").expect("its path");
        self.knock("POST", &url[at..], "x").await.is(200);
        self.came(&receiver.id()).await.text("/data/0/id")
    }
}
/// The name of what is made.
async fn named(doors: &Doors, path: &str, new: Value) -> String {
    doors.post(path, new).await.is(201).text("/name")
}

async fn key_pair(doors: &Doors, endpoint: &str) -> String {
    let path = format!("/v1/endpoints/{endpoint}/keys");
    made(doors, &path, json!({"kind": "ed25519"})).await
}

fn walked() -> impl Iterator<Item = (&'static str, String)> {
    let open = ["/healthz", "/readyz", "/jwks/{file}"];
    routes()
        .into_iter()
        .filter(move |(_, path)| !open.contains(&path.as_str()))
}

/// A body that each route can read, so that only the id can be wrong.
fn body(method: &str, template: &str) -> Option<serde_json::Value> {
    if template.ends_with("/keys") {
        return Some(json!({"kind": "ed25519"}));
    }
    if template.ends_with("/answer") {
        return Some(json!({"status": 200}));
    }
    (method == "PATCH" || template.ends_with("/rotate") || template == "/v1/sources/{id}/test")
        .then(|| json!({}))
}

#[tokio::test]
async fn what_belongs_to_another_account_is_not_there() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let things = Things::of(&doors).await;
        let stranger = doors.other_account("stranger").await;
        let mut seen = 0;
        let owned = |template: &str| template.contains('{') && !template.contains(READY_MADE);
        for (method, template) in walked().filter(|(_, template)| owned(template)) {
            let path = things.path(&template);
            let answer = doors
                .call(&stranger, method, &path, body(method, &template))
                .await;
            let expected = if template.starts_with("/v1/accounts") {
                403
            } else {
                404
            };
            assert_eq!(
                answer.status, expected,
                "{method} {template}: {}",
                answer.body
            );
            seen += 1;
        }
        assert!(seen >= 20, "only {seen} routes have ids");
        // And the walk did not harm: the owner finds everything.
        let is_read = |(method, template): &(&str, String)| {
            // What never comes to an end is not read to its end.
            *method == "GET" && !template.ends_with("/stream")
        };
        for (method, template) in walked().filter(is_read) {
            let answer = doors
                .call(OPERATOR, method, &things.path(&template), None)
                .await;
            assert_eq!(answer.status, 200, "{method} {template}: {}", answer.body);
        }
    })
    .await;
}

#[tokio::test]
async fn lists_show_ones_own_only() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        Things::of(&doors).await;
        let stranger = doors.other_account("stranger").await;
        let lists = walked().filter(|(method, template)| {
            *method == "GET"
                && !template.contains('{')
                && !template.ends_with("-policies")
                && !template.ends_with("/export")
                && ![
                    "/v1/account",
                    CONNECTION,
                    "/v1/accounts",
                    READY_MADE,
                    EXPORT,
                    EGRESS,
                ]
                .contains(&&**template)
                && !["/v1/account", "/v1/accounts", READY_MADE, EXPORT, EGRESS]
                    .contains(&&**template)
        });
        let theirs = doors.export(&stranger, "").await;
        assert_eq!(theirs, "throwbar: 1\n", "nothing of another's");
        for what in ["events", "deliveries", "attempts"] {
            let theirs = doors
                .export_log(&stranger, &format!("/v1/{what}/export"))
                .await;
            assert_eq!(theirs, [json!({"next_cursor": null})], "{what}");
        }
        for (method, template) in lists {
            let theirs = doors.call(&stranger, method, &template, None).await.is(200);
            let own_keys = usize::from(template == "/v1/api-keys");
            let rows = theirs.body["data"].as_array().into_iter().flatten();
            let own = rows.filter(|row| row["ready_made"] != true).count();
            assert_eq!(own, own_keys, "{template}: {}", theirs.body);
        }
    })
    .await;
}

#[tokio::test]
async fn nothing_is_done_without_a_key_or_the_right_scope() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let things = Things::of(&doors).await;
        let [sender, reader, author] = [
            doors.key(&["send"]).await,
            doors.key(&["read"]).await,
            doors.key(&["author"]).await,
        ];
        for (method, template) in walked() {
            let path = things.path(&template);
            for wrong in ["", "tb_wrong", "schlüssel"] {
                let answer = doors.call(wrong, method, &path, None).await;
                assert_eq!(answer.status, 401, "{method} {template}: {}", answer.body);
            }
            let sends = method == "POST" && template.starts_with("/v1/events");
            let administers = template.contains("/api-keys")
                || template.contains("/secrets")
                || (template.starts_with("/v1/account")
                    && (method != "GET" || template.starts_with("/v1/accounts")))
                || template.starts_with("/v1/accounts");
            for (key, may) in [
                (&sender, sends || template == EGRESS),
                (&reader, method == "GET" && !administers),
                (&author, !administers),
            ] {
                if !may {
                    let answer = doors.call(key, method, &path, None).await;
                    assert_eq!(answer.status, 403, "{method} {template}: {}", answer.body);
                }
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_revoked_key_stops_at_once_and_an_account_s_key_acts_for_no_other() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let made = doors
            .post("/v1/api-keys", json!({"name": "k", "scopes": ["read"]}))
            .await
            .is(201);
        let key = made.text("/key");
        doors.call(&key, "GET", "/v1/account", None).await.is(200);
        doors
            .delete(&format!("/v1/api-keys/{}", made.id()))
            .await
            .is(204);
        doors.call(&key, "GET", "/v1/account", None).await.is(401);
        doors
            .delete(&format!("/v1/api-keys/{}", made.id()))
            .await
            .is(404);

        let stranger = doors.other_account("stranger").await;
        for (key, account) in [(stranger.as_str(), "default"), (OPERATOR, "défaut")] {
            let as_another = axum::http::Request::get("/v1/account")
                .header("authorization", format!("Bearer {key}"))
                .header("throwbar-account", account)
                .body(axum::body::Body::empty());
            doors.request(as_another.expect("a request")).await.is(404);
        }
    })
    .await;
}
