//! What a node does with its folder, its keys and its limits, and that it does nothing to another's.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Output, Stdio};

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use crate::support::caller::Caller;
use crate::support::node::{Home, KEY};
use crate::support::store::Engine;

/// Another bootstrap key than the one that nodes have here; all digits.
const OTHER_KEY: &str = "001234567890123456789012345678";
const KEYS: &str = "SELECT COUNT(*) FROM api_keys WHERE revoked_at_ms IS NULL";

/// Runs the program in a node's folder to its end.
async fn throwbar(home: &Home, arguments: &[&str]) -> Output {
    let folder = home.sqlite_path();
    let folder = folder.parent().expect("it is in a folder");
    let mut program = Command::new(env!("CARGO_BIN_EXE_throwbar"));
    program
        .env_clear()
        .env("THROWBAR_DATA", folder)
        .env("THROWBAR_LISTEN", "127.0.0.1:0")
        .env("THROWBAR_BOOTSTRAP_KEY", OTHER_KEY)
        .args(arguments)
        .kill_on_drop(true);
    program.output().await.expect("it ends")
}

fn printed(output: &Output) -> String {
    let (out, error) = (&output.stdout, &output.stderr);
    format!(
        "{}{}",
        String::from_utf8_lossy(out),
        String::from_utf8_lossy(error)
    )
}

async fn works(caller: &Caller, key: &str) -> bool {
    let status = caller.with_key(key).get("/v1/accounts").await.status;
    assert!(matches!(status, 200 | 401), "{status}");
    status == 200
}

#[tokio::test]
async fn a_folder_that_is_served_is_left_alone() {
    let home = Home::on(Engine::Sqlite).await;
    let node = home.start().await;
    let before = home.number(KEYS).await;
    let second = throwbar(&home, &["serve"]).await;
    let told = printed(&second);
    assert_eq!(second.status.code(), Some(1), "{told}");
    assert!(told.contains("another process is serving"), "{told}");
    assert_eq!(home.number(KEYS).await, before);
    let folder = home.sqlite_path();
    assert!(!folder.with_file_name("master.key").exists());
    assert!(works(node.caller(), KEY).await);
    node.stop().await;
}

#[tokio::test]
async fn only_the_owner_can_read_what_is_kept() {
    let home = Home::on(Engine::Sqlite).await;
    let node = home.start().await;
    let mode = |path: &Path| {
        let known = std::fs::metadata(path).expect("it is there");
        known.permissions().mode() & 0o777
    };
    let database = home.sqlite_path();
    let folder = database.parent().expect("it is in a folder");
    assert_eq!(mode(folder), 0o700);
    let kept = std::fs::read_dir(folder).expect("readable");
    let kept: Vec<_> = kept.map(|entry| entry.expect("readable").path()).collect();
    assert!(kept.len() >= 3, "{kept:?}");
    for file in kept {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    node.stop().await;
}

#[tokio::test]
async fn another_bootstrap_key_ends_the_one_before() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let home = Home::on(engine).await;
        let node = home.start().await;
        assert!(works(node.caller(), KEY).await);
        node.stop().await;
        for (own, other) in [(OTHER_KEY, KEY), (KEY, OTHER_KEY)] {
            let node = home.start_with(&[("THROWBAR_BOOTSTRAP_KEY", own)]).await;
            assert!(works(node.caller(), own).await, "{engine:?}");
            assert!(!works(node.caller(), other).await, "{engine:?}");
            node.stop().await;
        }
    }
}

#[tokio::test]
async fn operator_keys_are_made_listed_and_revoked_without_a_server() {
    let home = Home::on(Engine::Sqlite).await;
    home.start().await.stop().await;
    let reserved = throwbar(&home, &["key", "operator", "--name", "bootstrap"]).await;
    assert_eq!(reserved.status.code(), Some(1), "{}", printed(&reserved));
    assert_eq!(home.number(KEYS).await, 1);

    let made = throwbar(&home, &["key", "operator", "--name", "spare"]).await;
    let made = printed(&made).trim().to_owned();
    let node = home.start().await;
    assert!(works(node.caller(), &made).await);
    node.stop().await;

    let listed = printed(&throwbar(&home, &["key", "operator", "list"]).await);
    let spare = listed.lines().find(|line| line.ends_with("spare"));
    let id = spare.and_then(|line| line.split(' ').next());
    let id = id.unwrap_or_else(|| panic!("no spare key: {listed}"));
    for expected in [0, 1] {
        let revoked = throwbar(&home, &["key", "operator", "revoke", id]).await;
        let told = printed(&revoked);
        assert_eq!(revoked.status.code(), Some(expected), "{told}");
    }
    let node = home.start().await;
    assert!(!works(node.caller(), &made).await);
    node.stop().await;
}

#[tokio::test]
async fn a_node_takes_all_the_files_that_it_may_open() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut node = Command::new("sh")
        .args(["-c", "ulimit -Sn 256; exec \"$0\" serve"])
        .arg(env!("CARGO_BIN_EXE_throwbar"))
        .env("THROWBAR_DATA", folder.path())
        .env("THROWBAR_LISTEN", "127.0.0.1:0")
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("it runs");
    let mut printed = BufReader::new(node.stdout.take().expect("piped")).lines();
    while let Some(line) = printed.next_line().await.expect("text") {
        if line.starts_with("listening") {
            break;
        }
    }
    let path = format!("/proc/{}/limits", node.id().expect("it runs"));
    let limits = std::fs::read_to_string(path).expect("Linux says so");
    let files = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let numbers: Vec<&str> = files.expect("a limit").split_whitespace().collect();
    assert_eq!(numbers[3], numbers[4], "soft and hard: {numbers:?}");
    node.kill().await.expect("killed");
}
