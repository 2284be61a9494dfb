//! Endpoints, automations and plugins that can't be: refused with the place and the remedy, and
//! nothing of them is kept.

use serde_json::{Value, json};

use super::bad_input::{Wrong, assert_problem, rows, wrong};
use crate::support::node::Home;
use crate::support::store::Engine;

fn endpoint(url: &str) -> Value {
    json!({"name": "receiver", "url": url})
}

/// `document` with `field` set to something else.
fn with(mut document: Value, field: &str, value: Value) -> Value {
    document[field] = value;
    document
}

fn invalid(document: &Value, pointer: &'static str, words: &'static str) -> Wrong {
    wrong(document.to_string(), 422, "invalid_field", pointer, words)
}

fn wrong_endpoints() -> Vec<Wrong> {
    let good = || endpoint("https://example.com/hook");
    vec![
        wrong("{", 400, "malformed", None, "not JSON"),
        wrong("{\"name\":\"r\"}", 422, "missing_field", "/url", "add it"),
        wrong(
            with(good(), "ulr", json!(1)).to_string(),
            422,
            "unknown_field",
            "/ulr",
            "remove it",
        ),
        invalid(&with(good(), "name", json!(7)), "/name", "integer"),
        invalid(
            &with(good(), "name", json!("n".repeat(201))),
            "/name",
            "200 at most",
        ),
        invalid(&endpoint("ftp://example.com/"), "/url", "https://"),
        invalid(
            &endpoint("https://user:secret@example.com/"),
            "/url",
            "credentials",
        ),
        invalid(
            &endpoint("https://exa mple.com/"),
            "/url",
            "not a valid URL",
        ),
        invalid(
            &endpoint("https://example.com/ho\tok"),
            "/url",
            "white space",
        ),
        invalid(&endpoint("https://example.com/#here"), "/url", "fragment"),
        invalid(
            &endpoint(&format!("https://example.com/{}", "x".repeat(2048))),
            "/url",
            "2048",
        ),
        invalid(
            &with(good(), "retry_policy", json!("nine-step")),
            "/retry_policy",
            "eight-step",
        ),
        invalid(
            &with(good(), "subscribe", json!(["deal.**"])),
            "/subscribe/0",
            "'*'",
        ),
    ]
}

/// 10.0.0.1, the cloud's own address, and the networks of others, as nobody would guess.
const PRIVATE: [&str; 20] = [
    "http://10.0.0.1/",
    "http://167772161/",
    "http://0x0a000001/",
    "http://012.0.0.1/",
    "http://0xa.1/",
    "http://１０.0.0.1/",
    "http://10.0.0.1./",
    "http://169.254.169.254/latest/meta-data/",
    "http://0/",
    "http://[::]/",
    "http://[::ffff:10.0.0.1]/",
    "http://[::ffff:a00:1]/",
    "http://[64:ff9b::a00:1]/",
    "http://[2002:a00:1::]/",
    "http://[fd00::1]/",
    "http://[fe80::1]/",
    "http://100.64.0.1/",
    "http://192.168.0.1/",
    "http://224.0.0.1/",
    "http://255.255.255.255/",
];

fn private_endpoints() -> Vec<Wrong> {
    let refused = |url: &&str| invalid(&endpoint(url), "/url", "address");
    PRIVATE.iter().map(refused).collect()
}

fn automation(condition: &str) -> Value {
    json!({
        "name": "an automation",
        "trigger": {"events": ["deal.*"]},
        "condition": condition,
        "actions": [{"webhook": {"url": "https://example.com/hook"}}],
    })
}

fn unconditional(condition: &str, words: &'static str) -> Wrong {
    let body = automation(condition).to_string();
    wrong(body, 422, "invalid_condition", "/condition", words)
}

fn wrong_automations() -> Vec<Wrong> {
    let good = || automation("true == true");
    let unknown_plugin = json!([{"plugin": "nobody@1.0.0", "config": {}}]);
    let unknown_endpoint = json!([{"webhook": {"endpoint": "ep_00000000000000000000000000"}}]);
    let costly = format!("event.data.a.all(x, {})", vec!["x.a == 1"; 20].join(" && "));
    let long = format!("event.data.a == '{}'", "x".repeat(4096));
    vec![
        wrong("{\"name\": x", 400, "malformed", None, "not JSON"),
        wrong(
            with(good(), "when", json!(1)).to_string(),
            422,
            "unknown_field",
            "/when",
            "remove",
        ),
        unconditional("event.data.a = 1", "write =="),
        unconditional("event.data.a + 1", "true or false"),
        unconditional("foo == 1", "there is no `foo`"),
        unconditional("now() > event.timestamp", "no function now()"),
        unconditional("event.data.a.matches('(a+)+')", "matches()"),
        unconditional(&long, "4096 at most"),
        unconditional(&costly, "steps"),
        unconditional(
            "event.data.a.all(x, x.all(y, y > 1))",
            "a loop within a loop",
        ),
        wrong(
            with(good(), "transforms", unknown_plugin).to_string(),
            422,
            "unknown_plugin",
            "/transforms/0/plugin",
            "upload it",
        ),
        invalid(
            &with(good(), "actions", unknown_endpoint),
            "/actions/0/webhook/endpoint",
            "endpoint",
        ),
        invalid(
            &with(
                good(),
                "actions",
                json!([{"webhook": {"url": "http://[fd00::1]/"}}]),
            ),
            "/actions/0/webhook/url",
            "address",
        ),
        invalid(&with(good(), "actions", json!([])), "/actions", "action"),
        invalid(
            &with(good(), "trigger", json!({"events": ["a..b"]})),
            "/trigger/events/0",
            "one dot",
        ),
    ]
}

#[tokio::test]
async fn endpoints_and_automations_that_cannot_be_are_refused_and_leave_nothing() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let home = Home::on(engine).await;
        let node = home.start().await;
        let before = rows(&home).await;
        for (path, cases) in [
            ("/v1/endpoints", wrong_endpoints()),
            ("/v1/endpoints", private_endpoints()),
            ("/v1/automations", wrong_automations()),
        ] {
            for case in cases {
                let reply = node.caller().try_post(path, case.body.clone()).await;
                assert_problem(&reply.expect("an answer"), &case);
            }
        }
        assert_eq!(rows(&home).await, before, "nothing was stored");
        node.stop().await;
    }
}

/// Ten levels, each of which instantiates the one below ten times.
fn bomb() -> Vec<u8> {
    let mut text = "(component $c0)".to_owned();
    for level in 1..=10 {
        let below = level - 1;
        let instances = format!("(instance (instantiate $c{below}))").repeat(10);
        text = format!("(component $c{level} {text} {instances})");
    }
    wat::parse_str(&text).expect("valid text")
}

fn component(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("valid text")
}

fn wrong_components() -> Vec<Wrong> {
    let redact = include_bytes!("../../../plugins/components/redact.wasm");
    let wasi = component(
        r#"(component
            (import "wasi:cli/environment@0.2.0" (instance
                (export "get-environment" (func (result (list (tuple string string)))))))
            (import "wasi:clocks/wall-clock@0.2.0" (instance
                (export "seconds" (func (result u64))))))"#,
    );
    let core_module = component("(module (func (export \"run\")))");
    let memory = "(component (core module $m (memory 1025)) (core instance (instantiate $m)))";
    let refused = |wasm: Vec<u8>, words| wrong(wasm, 422, "plugin_refused", "", words);
    vec![
        refused(Vec::new(), "not a WebAssembly component"),
        refused(
            b"function transform(event) { return event }".to_vec(),
            "not a WebAssembly",
        ),
        refused(
            redact[..redact.len() / 2].to_vec(),
            "not a WebAssembly component",
        ),
        refused(core_module, "core module"),
        refused(component("(component)"), "does not export"),
        refused(
            wasi.clone(),
            "wasi:cli/environment@0.2.0, wasi:clocks/wall-clock@0.2.0",
        ),
        refused(wasi, "'throwbar:plugin/log' alone"),
        refused(component(memory), "memory"),
        refused(bomb(), "more than"),
        wrong(
            vec![0; 32 * 1024 * 1024 + 1],
            413,
            "too_large",
            None,
            "33554432 bytes",
        ),
    ]
}

#[tokio::test]
async fn components_that_are_no_plugins_are_refused_and_leave_nothing() {
    let home = Home::on(Engine::Sqlite).await;
    let node = home.start().await;
    let before = rows(&home).await;
    for case in wrong_components() {
        let reply = node.caller().upload("wrong", case.body.clone()).await;
        assert_problem(&reply, &case);
    }
    assert_eq!(rows(&home).await, before, "nothing was stored");
    node.stop().await;
}
