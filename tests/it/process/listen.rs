//! Deliveries reach a developer's own machine: a real server on loopback that may reach no private address, the real
//! command line, and a real server beside it.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use super::attempts_of;
use crate::support::answers::Answer;
use crate::support::before_hanging;
use crate::support::caller::{Caller, text};
use crate::support::node::{Home, KEY};
use crate::support::receiver::Receiver;
use crate::support::store::{Engine, on_both};

/// One that listens.
struct Listening {
    program: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Listening {
    async fn begin(caller: &Caller, to: &str) -> (Self, Value) {
        let mut program = Command::new(env!("CARGO_BIN_EXE_throwbar"))
            .env_clear()
            .args(["listen", "--json", "--url", caller.url(), "--key", KEY])
            .args(["--forward", to])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("it starts");
        let out = program.stdout.take().expect("its output");
        let mut listening = Self {
            program,
            lines: BufReader::new(out).lines(),
        };
        let made = listening.next().await;
        assert_eq!(listening.next().await, json!({"listening": true}));
        (listening, made)
    }

    async fn next(&mut self) -> Value {
        let line = before_hanging("a line", self.lines.next_line()).await;
        let line = line.expect("text").expect("it goes on");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    /// Ctrl-C.
    async fn interrupt(mut self) {
        let pid = self.program.id().expect("it runs").to_string();
        let told = Command::new("kill").args(["-INT", &pid]).status().await;
        assert!(told.expect("kill").success());
        let ended = before_hanging("its end", self.program.wait()).await;
        assert!(ended.expect("it ends").success());
    }
}

#[tokio::test]
async fn deliveries_are_forwarded_as_they_come_and_answered_from_here() {
    on_both(async |engine| {
        let home = Home::on(engine).await;
        let node = home.start_with(&[("THROWBAR_EGRESS_ALLOW", "")]).await;
        let caller = node.caller();
        let local = Receiver::start().await;
        local.next("/hook", Answer::status(201).body("made here"));
        let (mut listening, made) = Listening::begin(caller, &local.url("/hook")).await;
        let payload = "{\"name\":  \"Zoë\\u0000\",\"n\":1.50}";
        let event = caller.send_event("deal.won", payload).await;
        let line = listening.next().await;
        assert_eq!(
            (&line["type"], &line["status"], &line["webhook_id"]),
            (&json!("deal.won"), &json!(201), &json!(event))
        );
        let arrived = local.wait_for(1).await.remove(0);
        assert_eq!(arrived.body, payload, "byte for byte");
        let secret = text(&made["secret"]);
        let signed = crate::support::clients::Signed::new(&secret, &arrived);
        for library in [
            crate::support::clients::Library::Npm,
            crate::support::clients::Library::PyPi,
        ] {
            let verified =
                crate::support::clients::verify(library, std::slice::from_ref(&signed)).await;
            assert_eq!(verified, [Ok(())]);
        }
        home.until_settled().await;
        let (delivery, classes) = attempts_of(caller, &event).await.remove(0);
        assert_eq!(
            (&delivery["state"], &classes[..]),
            (&json!("delivered"), &["201".to_owned()][..])
        );

        // It does not answer any more.
        drop(local);
        let event = caller.send_event("deal.won", "{}").await;
        let line = listening.next().await;
        assert_eq!(line["status"], Value::Null);
        assert!(
            line["error"]
                .as_str()
                .is_some_and(|why| why.contains("nobody listens")),
            "{line}"
        );
        home.until(
            "SELECT COUNT(*) FROM attempts WHERE error_class = 'connect'",
            1,
        )
        .await;
        let (delivery, _) = attempts_of(caller, &event).await.remove(0);
        assert_eq!(delivery["state"], "pending", "it is tried again");

        listening.interrupt().await;
        assert!(
            caller.list("/v1/endpoints").await.is_empty(),
            "nothing is left of it"
        );
        assert!(caller.list("/v1/receivers").await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn it_listens_on_one_node_to_what_leaves_from_another() {
    let home = Home::on(Engine::Postgres).await;
    let beside = Home::at(home.postgres_url());
    // Both are one server for whoever sends to it.
    let public = [("THROWBAR_PUBLIC_URL", "http://throwbar.invalid")];
    let (one, other) = (
        home.start_with(&public).await,
        beside.start_with(&public).await,
    );
    let local = Receiver::start().await;
    let (mut listening, _) = Listening::begin(one.caller(), &local.url("/hook")).await;
    for _ in 0..5 {
        let event = other.caller().send_event("deal.won", "{}").await;
        let line = listening.next().await;
        assert_eq!(
            (&line["webhook_id"], &line["status"]),
            (&json!(event), &json!(204))
        );
    }
    home.until_settled().await;
    assert_eq!(local.count(), 5, "each of them once");
    assert_eq!(
        home.number("SELECT COUNT(*) FROM deliveries WHERE state = 'delivered'")
            .await,
        5
    );
    listening.interrupt().await;
}

#[tokio::test]
async fn a_test_is_sent_from_the_command_line_and_told() {
    let home = Home::on(Engine::Sqlite).await;
    let node = home.start().await;
    let receiver = node
        .caller()
        .post("/v1/receivers", &json!({}))
        .await
        .expect(201);
    let new = json!({"url": receiver["url"]});
    let endpoint = node.caller().post("/v1/endpoints", &new).await.id();
    let program = async |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_throwbar"))
            .env_clear()
            .args(["endpoint", "test", &endpoint, "--type", "deal.won"])
            .args(["--url", node.caller().url(), "--key", KEY])
            .args(arguments)
            .kill_on_drop(true)
            .output()
            .await
            .expect("it ends")
    };
    let output = program(&[]).await;
    let told = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(told.contains("deal.won") && told.contains("✓ 1"), "{told}");
    let path = format!("/v1/receivers/{}", text(&receiver["id"]));
    let gone = json!({"answer": {"status": 410}});
    node.caller().patch(&path, &gone).await.expect(200);
    let output = program(&["--json"]).await;
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(told["attempts"][0]["status_code"], 410);
}
