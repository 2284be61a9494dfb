//! An account as code, from the command line.

use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::caller::Caller;
use crate::support::node::{Home, KEY};
use crate::support::store::Engine;

async fn run(caller: &Caller, folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_throwbar"));
    program
        .env_clear()
        .current_dir(folder)
        .arg("automation")
        .args(arguments)
        .args(["--url", caller.url(), "--key", KEY])
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true);
    let Output {
        status,
        stdout,
        stderr,
    } = program.output().await.expect("it ends");
    let told = [stdout, stderr].concat();
    (status.code(), String::from_utf8(told).expect("text"))
}

const FILE: &str = "throwbar: 1

endpoints:
  - name: CRM
    url: https://crm.example/in
    subscribe: none

automations:
  - name: Big deals
    trigger:
      events:
        - deal.*
    condition: event.data.amount > 1000
    actions:
      - webhook:
          endpoint: CRM
";

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one story")]
async fn a_file_is_planned_applied_and_kept_true() {
    let home = Home::on(Engine::Sqlite).await;
    let node = home.start().await;
    let caller = node.caller();
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let save = |text: &str| std::fs::write(folder.join("throwbar.yaml"), text).expect("written");
    save(FILE);
    let (code, told) = run(caller, folder, &["plan", "throwbar.yaml", "--exit-code"]).await;
    assert_eq!(code, Some(2), "{told}");
    for wanted in [
        "+ endpoint CRM\n    /subscribe + \"none\"\n    /url + \"https://crm.example/in\"\n",
        "+ automation Big deals\n",
        "/condition + \"event.data.amount > 1000\"",
        "Plan: 2 to create, 0 unchanged\n",
    ] {
        assert!(told.contains(wanted), "{wanted}: {told}");
    }
    let (code, told) = run(caller, folder, &["apply", "throwbar.yaml"]).await;
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("add --yes"), "{told}");
    let (code, told) = run(caller, folder, &["apply", "throwbar.yaml", "--yes"]).await;
    assert_eq!(code, Some(0), "{told}");
    assert!(told.ends_with("✓ 2 created, 0 unchanged\n"), "{told}");
    let (code, told) = run(caller, folder, &["plan", "throwbar.yaml", "--exit-code"]).await;
    assert_eq!(
        (code, told.as_str()),
        (Some(0), "Plan: nothing to do, 2 unchanged\n")
    );
    let (code, told) = run(caller, folder, &["export", "--out", "again.yaml"]).await;
    assert_eq!((code, told.as_str()), (Some(0), "✓ again.yaml\n"));
    let again = std::fs::read_to_string(folder.join("again.yaml")).expect("written");
    assert_eq!(again, FILE);
    let (code, told) = run(caller, folder, &["export", "--automation", "Big deals"]).await;
    assert_eq!((code, told.as_str()), (Some(0), FILE));

    let list = caller.list("/v1/automations").await;
    let id = list[0]["id"].as_str().expect("an id");
    let by_hand = json!({"condition": "event.data.amount > 5"});
    caller
        .patch(&format!("/v1/automations/{id}"), &by_hand)
        .await
        .expect(200);
    for amount in [1, 10, 2000] {
        let event = json!({"type": "deal.won", "data": {"amount": amount}});
        caller.post("/v1/events", &event).await.expect(202);
    }
    let (code, told) = run(
        caller,
        folder,
        &["plan", "throwbar.yaml", "--backtest", "100"],
    )
    .await;
    assert_eq!(code, Some(0), "{told}");
    for wanted in [
        "~ automation Big deals  aut_",
        "    /condition \"event.data.amount > 5\" → \"event.data.amount > 1000\"\n    ! bootstrap has changed it since it was applied at 2",
        "      /condition \"event.data.amount > 1000\" → \"event.data.amount > 5\"\n",
        "Plan: 1 to change, 1 unchanged\n",
        "Big deals on past events:\n",
        "fired → filtered 1\n! 1 differs\n",
    ] {
        assert!(told.contains(wanted), "{wanted}: {told}");
    }
    let (code, told) = run(caller, folder, &["plan", "throwbar.yaml", "--json"]).await;
    let plan: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!((code, &plan["changes"]), (Some(0), &json!(1)));
    assert!(
        !told.contains('\u{1b}'),
        "no colours where there is no terminal"
    );

    save(&FILE.replace("amount > 1000", "amount >"));
    let (code, told) = run(caller, folder, &["apply", "throwbar.yaml", "--yes"]).await;
    assert_eq!(code, Some(1), "{told}");
    assert!(
        told.contains("/automations/0/condition: line 13, column 5: "),
        "{told}"
    );
    save("throwbar: 1\n");
    let (code, told) = run(caller, folder, &["plan", "throwbar.yaml"]).await;
    assert_eq!(code, Some(0), "{told}");
    assert!(
        told.contains("! not in the file any more, and kept: endpoint CRM, automation Big deals\n"),
        "{told}"
    );
    let (code, told) = run(
        caller,
        folder,
        &["apply", "throwbar.yaml", "--prune", "--yes"],
    )
    .await;
    assert_eq!(code, Some(0), "{told}");
    assert!(
        told.contains("- endpoint CRM  ep_") && told.ends_with("✓ 2 removed, 0 unchanged\n"),
        "{told}"
    );
    assert!(caller.list("/v1/automations").await.is_empty());
    // What is counted from now is another now when it is applied.
    save("throwbar: 1\nschedules:\n  - name: often\n    interval:\n      every_s: 3600\n");
    let (code, told) = run(caller, folder, &["apply", "throwbar.yaml", "--yes"]).await;
    assert_eq!(code, Some(0), "{told}");
    let (code, told) = run(caller, folder, &["plan", "throwbar.yaml", "--exit-code"]).await;
    assert_eq!(code, Some(0), "{told}");
    let (code, told) = run(caller, folder, &["plan", "missing.yaml"]).await;
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("missing.yaml can't be read"), "{told}");
}
