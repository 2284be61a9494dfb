//! An automation in a file, tried from the command line.

use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::caller::Caller;
use crate::support::node::{Home, KEY};
use crate::support::receiver::Receiver;
use crate::support::store::Engine;

/// Tries what is in a folder's two files.
async fn test(caller: &Caller, folder: &Path, more: &[&str]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_throwbar"));
    program
        .env_clear()
        .current_dir(folder)
        .args(["automation", "test", "--url", caller.url(), "--key", KEY])
        .args(["--file", "automation.json", "--event", "event.json"])
        .args(more)
        .kill_on_drop(true);
    program.output().await.expect("it ends")
}

fn write(folder: &Path, name: &str, content: &Value) {
    std::fs::write(folder.join(name), content.to_string()).expect("written");
}

#[tokio::test]
async fn an_automation_in_a_file_is_tried_before_it_is_made() {
    let home = Home::on(Engine::Sqlite).await;
    let node = home.start().await;
    let receiver = Receiver::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let automation = json!({
        "name": "won", "trigger": {"events": ["deal.*"]}, "condition": "event.data.amount > 1000",
        "actions": [{"webhook": {"url": receiver.url("/crm")}}],
    });
    write(folder.path(), "automation.json", &automation);
    for (amount, code, wanted) in [
        (
            1200,
            0,
            vec![
                "✓ fired",
                "→ POST http://127.0.0.1",
                "x-signature: ",
                r#"{"amount":1200}"#,
            ],
        ),
        (900, 3, vec!["– filtered", "900"]),
    ] {
        let event = json!({"type": "deal.won", "data": {"amount": amount}});
        write(folder.path(), "event.json", &event);
        let output = test(node.caller(), folder.path(), &[]).await;
        let told = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(code), "{told}{output:?}");
        for wanted in wanted {
            assert!(told.contains(wanted), "{wanted}: {told}");
        }
        let output = test(node.caller(), folder.path(), &["--json"]).await;
        let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(
            told["requests"].as_array().map(Vec::len),
            Some(usize::from(code == 0))
        );
    }
    write(folder.path(), "automation.json", &json!({"name": "won"}));
    let output = test(node.caller(), folder.path(), &[]).await;
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("/automation/trigger"), "{told}");
    std::fs::remove_file(folder.path().join("event.json")).expect("it is there");
    let output = test(node.caller(), folder.path(), &[]).await;
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("event.json can't be read"), "{told}");
    assert_eq!(receiver.count(), 0, "nothing is sent");
    assert_eq!(home.number("SELECT COUNT(*) FROM automations").await, 0);
    node.stop().await;
}
