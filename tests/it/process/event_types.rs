//! Event types from the command line: a ready-made catalogue, a document, and what is catalogued then.

use std::path::Path;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::caller::Caller;
use crate::support::node::{Home, KEY};
use crate::support::store::Engine;

/// What `event-type` says, and its exit code.
async fn event_type(caller: &Caller, folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_throwbar"));
    program
        .env_clear()
        .current_dir(folder)
        .arg("event-type")
        .args(arguments)
        .args(["--url", caller.url(), "--key", KEY])
        .kill_on_drop(true);
    let output = program.output().await.expect("it ends");
    let told = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(told).expect("text"))
}

#[tokio::test]
async fn event_types_are_installed_imported_and_listed() {
    let home = Home::on(Engine::Sqlite).await;
    let node = home.start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let document = json!([
        {"name": "order.paid", "group": "Orders", "schema": {"type": "object"}, "examples": [{}]},
        {"name": "order.lost", "schema": {"type": "thing"}},
    ]);
    std::fs::write(folder.path().join("types.json"), document.to_string()).expect("written");
    for (arguments, code, wanted) in [
        (
            &["list", "--catalogues"][..],
            0,
            &["crm", "17 event types"][..],
        ),
        (
            &["install", "proposals"],
            0,
            &["created      proposal.accepted", "5 created"],
        ),
        (&["install", "proposals"], 0, &["! kept", "5 kept"]),
        (
            &["install", "no/thing"],
            1,
            &["no ready-made catalogue of this name"],
        ),
        (
            &["import", "types.json", "--dry-run"],
            3,
            &["1 created, 1 refused; nothing was written", "/schema/type"],
        ),
        (&["import", "types.json"], 3, &["✓ created", "✗ refused"]),
        (
            &["import", "nothing.json"],
            1,
            &["nothing.json can't be read"],
        ),
        (
            &["list"],
            0,
            &["order.paid", "Orders", "v1", "proposal.viewed"],
        ),
    ] {
        let (ended, told) = event_type(node.caller(), folder.path(), arguments).await;
        assert_eq!(ended, Some(code), "{arguments:?}: {told}");
        for wanted in wanted {
            assert!(told.contains(wanted), "{arguments:?}: {wanted}: {told}");
        }
    }
    let (_, told) = event_type(node.caller(), folder.path(), &["list", "--json"]).await;
    let rows: Result<Vec<Value>, _> = told.lines().map(serde_json::from_str).collect();
    assert_eq!(rows.expect("a line of JSON each").len(), 6);
    node.stop().await;
}
