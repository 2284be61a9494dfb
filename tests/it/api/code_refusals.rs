//! What of a file is refused, with its place, and that nothing of it was written then.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::code::{done, example};
use super::{Doors, OPERATOR};
use crate::support::store::on_both;

/// A file with this automation after another one that is fine, and what that one needs.
fn with(automation: &str) -> String {
    format!(
        "throwbar: 1\nendpoints:\n  - name: e\n    url: https://e.example\nautomations:\n  - name: fine\n    \
         trigger: {{events: [a]}}\n    actions:\n      - webhook: {{endpoint: e}}\n{automation}"
    )
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one table of cases")]
async fn an_error_in_the_last_entry_leaves_everything_as_it_was() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let last = |trigger: &str, condition: &str, actions: &str| {
            with(&format!(
                "  - name: last\n    trigger: {trigger}\n    condition: {condition}\n    actions:\n      - {actions}\n"
            ))
        };
        for (file, code, place, words) in [
            (
                last("{events: [a]}", "\"event.data.x >\"", "emit: {type: b}"),
                "invalid_condition",
                "/automations/1/condition",
                "line 12, column 5: ",
            ),
            (
                last("{events: [a]}", "\"true\"", "webhook: {endpoint: nobody}"),
                "invalid_field",
                "/automations/1/actions/0/webhook/endpoint",
                "line 14, column 19: ",
            ),
            (
                last("{events: [a b]}", "\"true\"", "emit: {type: b}"),
                "invalid_field",
                "/automations/1/trigger/events/0",
                "line 11, ",
            ),
            (
                last("{schedule: {cron: 0 0 31 2 *}}", "\"true\"", "emit: {type: b}"),
                "invalid_field",
                "/automations/1/trigger/schedule/cron",
                "five years",
            ),
            (
                with("  - name: last\n    trigger: {events: [a]}\n    actoins: []\n"),
                "unknown_field",
                "/automations/1/actoins",
                "line 12, column 5: ",
            ),
            (
                with("variables:\n  - name: v\n    value: [1]\n"),
                "invalid_field",
                "/variables/0/value",
                "line 12",
            ),
            (
                with("schedules:\n  - name: n\n    cron: 60 * * * *\n"),
                "invalid_field",
                "/schedules/0/cron",
                "line 12",
            ),
            (
                with("event_types:\n  - name: a\n    schema: {type: objekt}\n"),
                "invalid_schema",
                "/event_types/0/schema/type",
                "line 12",
            ),
        ] {
            for path in ["plan", "apply"] {
                let refused = doors.file(OPERATOR, path, &file).await.is(422);
                refused.refuses(code, place);
                let told = refused.text("/detail");
                assert!(told.contains(words), "{words}: {told}");
            }
        }
        let tested = "  - name: last\n    trigger: {events: [a]}\n    condition: \"true\"\n    actions:\n      - emit: {type: b}\n\
            \x20   tests:\n      - name: never\n        event: {type: a, data: {}}\n        expect: {verdict: filtered}\n";
        let refused = doors.apply(&with(tested)).await.is(422);
        refused.refuses("tests_failed", "nowhere");
        let told = refused.text("/detail");
        assert!(told.contains("the automation 'last'") && told.contains("'never'"), "{told}");
        for path in ["/v1/endpoints", "/v1/automations", "/v1/variables", "/v1/schedules", "/v1/event-types"] {
            doors.has_none(path).await;
        }
        let path = "apply?override=mended%20tomorrow";
        doors.file(OPERATOR, path, &with(tested)).await.is(200);
    })
    .await;
}

#[tokio::test]
async fn what_fails_while_it_is_written_leaves_everything_as_it_was() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        doors
            .post("/v1/variables", json!({"name": "other", "value": 1}))
            .await
            .is(201);
        let all = (0..1000).map(|no| format!("  - {{name: v{no}, value: {no}}}\n"));
        let file = format!(
            "throwbar: 1\nevent_types:\n  - name: a\nvariables:\n{}endpoints:\n  - url: https://e.example\n",
            all.collect::<Vec<_>>().concat()
        );
        assert_eq!(doors.plan(&file).await.is(200).body["changes"], 1002);
        let refused = doors.apply(&file).await.is(409);
        refused.refuses("too_many", "nowhere");
        doors.has_none("/v1/event-types").await;
        doors.has_none("/v1/endpoints").await;
        let place = &doors.place;
        assert_eq!(place.number("SELECT COUNT(*) FROM variables").await, 1);
        assert_eq!(place.number("SELECT COUNT(*) FROM applied").await, 0);
        doors.delete("/v1/variables/other").await.is(204);
        let applied = doors.apply(&file).await.is(200);
        assert_eq!(applied.body["summary"], "1002 created, 0 unchanged");
    })
    .await;
}

#[tokio::test]
async fn what_is_no_such_file_is_refused_with_its_place() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let bomb = "throwbar: 1\nvariables:\n  - &a {name: a, value: 1}\n  - *a\n";
        let nine: Vec<String> = (1..10)
            .map(|no| format!("x{no}: &x{no} [*x{0},*x{0},*x{0},*x{0},*x{0}]\n", no - 1))
            .collect();
        let laughs = format!("x0: &x0 [lol]\n{}", nine.concat());
        let large = format!("throwbar: 1\n# {}\n", "x".repeat(1024 * 1024));
        for (file, status, words) in [
            (bomb, 400, "line 3, column 5: anchors"),
            (&laughs, 400, "line 1, column 5: anchors"),
            ("throwbar: 1\nthrowbar: 1\n", 400, "line 2, column 1: 'throwbar' stands there twice"),
            ("throwbar: 1\nvariables:\n  - name: a\n    value: 1\n    name: b\n", 400, "line 5, column 5: 'name'"),
            ("throwbar: 1\nvariables: [\n", 400, "line 3"),
            ("throwbar: 2\n", 422, "write throwbar: 1"),
            ("variables: []\n", 422, "version of the format is missing"),
            ("throwbar: 1\nautomation: []\n", 422, "line 2, column 1: there is no such section"),
            ("throwbar: 1\nvariables: {}\n", 422, "a section is a list"),
            ("throwbar: 1\nvariables:\n  - name: 1\n", 422, "line 3, column 5: a name is a text"),
            ("throwbar: 1\nvariables:\n  - value: 1\n", 422, "the name is missing"),
            ("throwbar: 1\nvariables:\n  - id: var_1\n    name: a\n    value: 1\n", 422, "unknown"),
            ("throwbar: 1\nendpoints:\n  - name: a\n    url: https://a.example\n    signatures: [{scheme: standard, secret: whsec_x}]\n", 422, "no secrets"),
            ("throwbar: 1\nvariables:\n  - name: a\n    secret: true\n    value: s3cret-token\n", 422, "no secrets"),
            ("throwbar: 1\nendpoints:\n  - id: ep_0198c1f0a3b27c4d8e5f60718293a4b5\n    name: a\n    url: https://a.example\n", 422, "no endpoint with this id"),
            ("- a\n", 422, "sections by name"),
            (&large, 413, "longer than"),
        ] {
            let refused = doors.apply(file).await.is(status);
            let told = refused.text("/detail");
            assert!(told.contains(words), "{words}: {told}");
            assert!(!told.contains("s3cret"), "{told}");
        }
        doors.has_none("/v1/variables").await;
        let two = "throwbar: 1\nvariables:\n  - {name: a, value: 1}\n  - {name: b, value: 1}\n  - {name: a, value: 2}\n";
        doors.apply(two).await.is(422).refuses("invalid_field", "/variables/2/name");
        let secrets = "throwbar: 1\nvariables:\n  - {name: a, secret: true}\n  - {name: b, secret: true}\n";
        let refused = doors.plan(secrets).await.is(422);
        let told = refused.text("/detail");
        assert!(told.contains("variable set a ") && told.contains("variable set b "), "{told}");
        let plain = axum::http::Request::post("/v1/automations/plan")
            .header("authorization", format!("Bearer {OPERATOR}"))
            .header("content-type", "text/plain")
            .body(axum::body::Body::from("throwbar: 1"));
        doors.request(plain.expect("a request")).await.is(415);
    })
    .await;
}

#[tokio::test]
async fn a_name_that_two_have_is_told_with_both_ids() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let mut ids = Vec::new();
        for host in ["one", "two"] {
            let new = json!({"name": "twin", "url": format!("https://{host}.example"), "subscribe": "none"});
            ids.push(doors.post("/v1/endpoints", new).await.is(201).id());
        }
        let new = json!({
            "name": "a", "trigger": {"events": ["a"]}, "actions": [{"webhook": {"endpoint": ids[1]}}],
        });
        doors.post("/v1/automations", new).await.is(201);
        let exported = doors.export(OPERATOR, "").await;
        for id in &ids {
            assert!(exported.contains(&format!("    id: {id}\n")), "{exported}");
        }
        assert!(exported.contains(&format!("endpoint: {}", ids[1])), "{exported}");
        assert_eq!(doors.apply(&exported).await.is(200).body["changes"], 0);
        assert_eq!(doors.export(OPERATOR, "").await, exported);

        let unnamed = "throwbar: 1\nendpoints:\n  - name: twin\n    url: https://one.example\n";
        let named = "throwbar: 1\nautomations:\n  - name: b\n    trigger: {events: [a]}\n    actions: [{webhook: {endpoint: twin}}]\n";
        for (file, place) in [
            (unnamed, "/endpoints/0/name"),
            (named, "/automations/0/actions/0/webhook/endpoint"),
        ] {
            let refused = doors.plan(file).await.is(422);
            refused.refuses("invalid_field", place);
            let told = refused.text("/detail");
            assert!(ids.iter().all(|id| told.contains(id)), "{told}");
        }
        let renamed = exported.replacen("name: twin", "name: elder", 1);
        let plan = doors.apply(&renamed).await.is(200);
        assert_eq!(done(&plan), ["change endpoints elder"]);
        let again = doors.export(OPERATOR, "").await;
        assert!(!again.contains("id: ep_"), "names are enough again: {again}");
        assert_eq!(doors.plan(&again).await.is(200).body["changes"], 0);
    })
    .await;
}

#[tokio::test]
async fn who_applies_what_is_not_any_more_what_was_planned_does_nothing() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let file = "throwbar: 1\nvariables:\n  - name: a\n    value: 1\n";
        let plan = doors.plan(file).await.is(200).text("/plan");
        doors.post("/v1/variables", json!({"name": "a", "value": 5})).await.is(201);
        let path = format!("apply?plan={plan}");
        let refused = doors.file(OPERATOR, &path, file).await.is(409);
        refused.refuses("plan_outdated", "nowhere");
        assert!(refused.text("/detail").contains("1 to change"), "{}", refused.body);
        let kept = doors.get("/v1/variables/a").await.is(200);
        assert_eq!(kept.body["value"], 5);

        // All at once: each is whole, and the last word is one file's.
        let values = |value: i64| {
            let each = ["a", "b", "c"].map(|name| format!("  - name: {name}\n    value: {value}\n"));
            let timeout_ms = 1000 + value;
            format!(
                "throwbar: 1\nvariables:\n{}endpoints:\n  - name: e\n    url: https://e.example\n    timeout_ms: {timeout_ms}\n\
                 schedules:\n  - name: s\n    interval: {{every_s: {timeout_ms}}}\n",
                each.concat()
            )
        };
        let files: Vec<String> = (1..=6).map(values).collect();
        let applied = join_all(files.iter().map(|file| doors.apply(file))).await;
        let mut went = 0;
        for answer in applied {
            assert!([200, 409].contains(&answer.status), "{}", answer.body);
            went += usize::from(answer.status == 200);
        }
        assert!(went > 0);
        let list = doors.get("/v1/variables").await.is(200);
        let told: Vec<Value> = list.body["data"].as_array().expect("a list").iter().map(|it| it["value"].clone()).collect();
        assert_eq!(told.len(), 3);
        assert!(told.iter().all(|value| *value == told[0]), "{told:?}");
        let latest = values(told[0].as_i64().expect("a number"));
        assert_eq!(doors.plan(&latest).await.is(200).body["changes"], 0);
    })
    .await;
}

#[tokio::test]
async fn a_file_with_an_idempotency_key_is_applied_once() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let send = async |file: &str| {
            let request = axum::http::Request::post("/v1/automations/apply")
                .header("authorization", format!("Bearer {OPERATOR}"))
                .header("content-type", "application/yaml")
                .header("idempotency-key", "k")
                .body(axum::body::Body::from(file.to_owned()));
            doors.request(request.expect("a request")).await
        };
        let broken = format!("{}  - name: x\n", example());
        send(&broken).await.is(422);
        doors.has_none("/v1/endpoints").await;
        let new = json!({"name": "crm_token", "value": "s3cret-token", "secret": true});
        doors.post("/v1/variables", new).await.is(201);
        let first = send(example()).await.is(200);
        assert_eq!(first.body["summary"], "7 created, 1 unchanged");
        let again = send(example()).await.is(200);
        assert_eq!(again.body, first.body);
        assert_eq!(doors.plan(example()).await.is(200).body["changes"], 0);
    })
    .await;
}

#[tokio::test]
async fn a_changed_automation_is_compared_on_past_events() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let file = |least: i64| {
            format!(
                "throwbar: 1\nautomations:\n  - name: a\n    trigger: {{events: [a]}}\n    condition: event.data.n > {least}\n    \
                 actions: [{{emit: {{type: b}}}}]\n"
            )
        };
        doors.apply(&file(1)).await.is(200);
        for n in 0..5 {
            doors.post("/v1/events", json!({"type": "a", "data": {"n": n}})).await.is(202);
        }
        doors.pipeline.settle().await;
        let plan = doors.file(OPERATOR, "plan?backtest=100", &file(3)).await.is(200);
        let job = plan.text("/steps/0/backtest");
        loop {
            let shown = doors.get(&format!("/v1/jobs/{job}")).await.is(200);
            if shown.body["state"] == "running" {
                tokio::task::yield_now().await;
                continue;
            }
            assert_eq!(shown.body["state"], "done", "{}", shown.body);
            assert_eq!(shown.body["result"]["differing"], 2, "{}", shown.body);
            break;
        }
        let none = doors.file(OPERATOR, "plan?backtest=0", &file(3)).await;
        none.is(422).refuses("invalid_parameter", "backtest");
        let same = doors.file(OPERATOR, "plan?backtest=5", &file(1)).await.is(200);
        assert_eq!(same.body["steps"][0]["backtest"], Value::Null);
    })
    .await;
}
