//! Whatever an account has, its file says it: what is made at random by the API is exported, planned, applied to
//! another account, and exported there as the same bytes.

use serde_json::{Value, json};

use super::{Doors, OPERATOR};
use crate::support::dice::Dice;
use crate::support::store::on_both;

const SEEDS: std::ops::Range<u64> = 1..7;

/// One of these.
fn one(dice: &mut Dice, of: &[Value]) -> Value {
    let sides = of.len() as u64;
    of[usize::try_from(dice.throw(sides) - 1).expect("few")].clone()
}

/// Puts fields that are chosen at random into an object.
fn add(dice: &mut Dice, object: &mut Value, fields: &[(&str, &[Value])]) {
    for (field, values) in fields {
        if dice.throw(2) == 1 {
            object[*field] = one(dice, values);
        }
    }
}

fn endpoint(dice: &mut Dice, no: usize) -> Value {
    let mut new = json!({"name": format!("endpoint {no}: \"{no}\""), "url": format!("https://e{no}.example/a?b=c#").trim_end_matches('#')});
    add(
        dice,
        &mut new,
        &[
            (
                "profile",
                &[
                    json!("account-signed"),
                    json!("standard"),
                    json!("partners"),
                ],
            ),
            (
                "subscribe",
                &[json!("none"), json!("all"), json!(["deal.*", "a"])],
            ),
            (
                "signatures",
                &[
                    json!([{"scheme": "standard"}]),
                    json!([{"scheme": "body-hmac", "header": "X-Own-Signature"}, {"scheme": "standard"}]),
                ],
            ),
            (
                "envelope",
                &[json!("raw"), json!("event"), json!("compact")],
            ),
            (
                "retry_policy",
                &[
                    json!("three-step"),
                    json!("nightly"),
                    json!({"delays_ms": [1, 20_000]}),
                    json!({"delays_ms": [5], "jitter_pct": 10}),
                    json!({"preset": "eight-step", "final_statuses": [404, 400]}),
                    json!({"exponential": {"first_ms": 5, "factor": 1.5, "cap_ms": 90, "attempts": 9}}),
                ],
            ),
            (
                "failure_policy",
                &[
                    json!("never"),
                    json!("five-days"),
                    json!("ladder"),
                    json!("strict"),
                    json!({"consecutive": 7}),
                ],
            ),
            (
                "headers",
                &[
                    json!({"X-A": "{{vars.plain}} # : -", "x-b": "Bearer {{vars.token}}"}),
                    json!({}),
                ],
            ),
        ],
    );
    add_limits(dice, &mut new);
    new
}

/// How it is asked, and how much it bears.
fn add_limits(dice: &mut Dice, endpoint: &mut Value) {
    add(
        dice,
        endpoint,
        &[
            ("method", &[json!("POST"), json!("PUT")]),
            ("http", &[json!("allowed"), json!("warned")]),
            (
                "explicit_port",
                &[json!("allowed"), json!("warned"), json!("refused")],
            ),
            (
                "limits",
                &[
                    json!({}),
                    json!({"concurrency": 1}),
                    json!({"rate": {"per_second": 10_000, "per_minute": 3}}),
                ],
            ),
            ("timeout_ms", &[json!(10), json!(15_000), json!(60_000)]),
        ],
    );
}

/// Makes a policy of each kind, and a profile that may name them.
async fn rules(doors: &Doors, dice: &mut Dice) {
    let policies = [json!({"delays_ms": [7]}), json!("eight-step")];
    let nightly = json!({"name": "nightly", "policy": one(dice, &policies)});
    doors.post("/v1/retry-policies", nightly).await.is(201);
    let strict = json!({"name": "strict", "policy": {"consecutive": dice.throw(9)}});
    doors.post("/v1/failure-policies", strict).await.is(201);
    let mut profile = endpoint(dice, 0);
    profile["name"] = json!("partners");
    let parts = profile.as_object_mut().expect("fields");
    for of_endpoints in ["url", "profile", "subscribe", "limits"] {
        parts.remove(of_endpoints);
    }
    let from = [json!("standard"), json!("event-envelope")];
    add(dice, &mut profile, &[("from", &from)]);
    doors.post("/v1/profiles", profile).await.is(201);
}

fn when(dice: &mut Dice) -> Value {
    let mut new = one(
        dice,
        &[
            json!({"cron": "0 9 * * MON-FRI", "timezone": "Europe/Berlin"}),
            json!({"cron": "*/10 * * * * *", "seconds": true}),
            json!({"interval": {"every_s": 3600}}),
            json!({"interval": {"every_s": 60, "from": "2026-01-01T00:00:00.000Z"}}),
            json!({"cron": "30 2 * * *", "timezone": "Europe/Berlin", "dst": {"gap": "skip", "fold": "both"}}),
        ],
    );
    add(
        dice,
        &mut new,
        &[
            (
                "overlap",
                &[json!("skip"), json!("queue_one"), json!("allow")],
            ),
            ("catch_up", &[json!("none"), json!("all"), json!("latest")]),
            ("catch_up_window_s", &[json!(0), json!(86_400)]),
            ("spread_s", &[json!(0), json!(60)]),
            ("end_at", &[json!("2099-01-01T00:00:00.000Z")]),
            (
                "data",
                &[
                    json!(null),
                    json!({"b": [1.5, "x\ny\n", {}], "a": "{{vars.plain}}"}),
                    json!("yes"),
                ],
            ),
        ],
    );
    new
}

fn automation(dice: &mut Dice, no: usize, endpoints: &[String]) -> Value {
    let ids: Vec<Value> = endpoints.iter().map(|id| id.as_str().into()).collect();
    let named = json!({"webhook": {"endpoint": one(dice, &ids)}});
    let trigger = if dice.throw(3) == 1 {
        json!({"schedule": when(dice)})
    } else {
        json!({"events": one(dice, &[json!(["a"]), json!(["*"]), json!(["deal.*", "schedule.schedule-0"])])})
    };
    let mut new = json!({
        "name": one(dice, &[json!(format!("- automation {no}")), json!(format!("automation {no} #1 'é'"))]),
        "trigger": trigger,
        "actions": one(dice, &[
            json!([named]),
            json!([named, {"webhook": {"url": format!("https://bare{no}.example/x")}}, {"emit": {"type": "made"}}]),
            json!([{"webhook": {"url": "https://bare.example"}}, {"webhook": {"url": "https://bare.example"}}]),
        ]),
    });
    add(
        dice,
        &mut new,
        &[
            (
                "condition",
                &[
                    json!("event.data.a > vars.minimum"),
                    json!("has(event.data.a) &&\n  event.data.a == \"x: # y\"\n"),
                    json!("\n  true"),
                    json!({"field": "data.a", "operator": "equals", "value": "yes"}),
                ],
            ),
            (
                "flow",
                &[
                    json!({"dedupe": {"key": "event.data.id", "window_ms": 1000}}),
                    json!({"digest": {"period_ms": 5, "count": 3}, "order": {"key": "event.data.deal"}}),
                ],
            ),
            ("alert_after", &[json!(1), json!(5), json!(1000)]),
            ("enabled", &[json!(false), json!(true)]),
            ("draft", &[json!(true), json!(false)]),
            ("note", &[json!("why"), json!("two\nlines")]),
            (
                "tests",
                &[
                    json!([{"name": "t", "event": {"type": "other", "data": {"z": 1, "a": [1e3, null]}}, "expect": {"verdict": "not_subscribed"}}]),
                ],
            ),
        ],
    );
    if new["trigger"]["events"] == json!(["*"]) {
        // Everything meets it.
        new["tests"] = json!([]);
    }
    new
}

/// Makes an account of things.
async fn furnish(doors: &Doors, dice: &mut Dice) {
    for (name, value) in [
        ("minimum", json!(10)),
        ("plain", json!("a: b")),
        ("token", json!("s3cret-token")),
    ] {
        let new = json!({"name": name, "value": value, "secret": name == "token"});
        doors.post("/v1/variables", new).await.is(201);
    }
    let mut new = json!({"name": "deal.won"});
    add(
        dice,
        &mut new,
        &[
            ("description", &[json!("- one\n- two\n"), json!("")]),
            ("group", &[json!("Deals")]),
            ("example", &[json!({"b": 1, "a": null}), json!(null)]),
            ("examples", &[json!([]), json!([{}, {"x": 1.50}])]),
            (
                "schema",
                &[json!({"type": "object", "properties": {"a": {"type": ["number", "null"]}}})],
            ),
        ],
    );
    doors.post("/v1/event-types", new).await.is(201);
    rules(doors, dice).await;
    let mut endpoints = Vec::new();
    for no in 0..3 {
        let new = endpoint(dice, no);
        endpoints.push(doors.post("/v1/endpoints", new).await.is(201).id());
    }
    for no in 0..3 {
        let mut new = when(dice);
        new["name"] = json!(format!("schedule-{no}"));
        add(dice, &mut new, &[("paused", &[json!(true), json!(false)])]);
        doors.post("/v1/schedules", new).await.is(201);
    }
    for no in 0..5 {
        let new = automation(dice, no, &endpoints);
        let made = doors.post("/v1/automations", new.clone()).await;
        assert_eq!(made.status, 201, "{new}: {}", made.body);
    }
}

#[tokio::test]
async fn what_is_exported_is_what_there_is() {
    on_both(async |engine| {
        for seed in SEEDS {
            let doors = Doors::open(engine).await;
            furnish(&doors, &mut Dice(seed)).await;
            let exported = doors.export(OPERATOR, "").await;
            let plan = doors.plan(&exported).await.is(200);
            assert_eq!(
                plan.body["changes"], 0,
                "seed {seed}: {}\n{exported}",
                plan.body
            );
            assert_eq!(
                doors.apply(&exported).await.is(200).body["changes"],
                0,
                "seed {seed}"
            );
            assert_eq!(doors.export(OPERATOR, "").await, exported, "seed {seed}");

            let other = doors.other_account("other").await;
            let secret = json!({"name": "token", "value": "another-token", "secret": true});
            doors
                .call(&other, "POST", "/v1/variables", Some(secret))
                .await
                .is(201);
            let applied = doors.file(&other, "apply", &exported).await;
            assert_eq!(
                applied.status, 200,
                "seed {seed}: {}\n{exported}",
                applied.body
            );
            assert_eq!(doors.export(&other, "").await, exported, "seed {seed}");
            let json = doors.export(&other, "?format=json").await;
            let plan = doors.file(&other, "plan", &json).await.is(200);
            assert_eq!(plan.body["changes"], 0, "seed {seed}: {}", plan.body);
        }
    })
    .await;
}
