//! The program as a user runs it: what it prints, and its exit codes.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

/// The example of Standard Webhooks' own documents: a message of long ago.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const BODY: &str = r#"{"test": 2432232314}"#;
const HEADERS: [&str; 3] = [
    "webhook-id: msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp: 1614265330",
    "webhook-signature: v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
];
/// Long enough for a message of long ago.
const TOLERANCE: &str = "4000000000";

fn throwbar(arguments: &[&str], input: &str) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_throwbar"));
    program.env_clear().args(arguments);
    program
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut running = program.spawn().expect("it starts");
    let mut stdin = running.stdin.take().expect("it was asked for");
    // A program that needs no input may have ended before it is written.
    let _not_read = stdin.write_all(input.as_bytes());
    drop(stdin);
    running.wait_with_output().expect("it ends")
}

fn printed(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[test]
fn the_demo_proves_that_everything_arrived_once_and_nothing_else() {
    let output = throwbar(&["demo", "--once", "--events", "30"], "");
    let printed = printed(&output);
    assert_eq!(output.status.code(), Some(0), "{printed}");
    for wanted in [
        "✓ every expected delivery arrived exactly once and verified, and nothing else did",
        "30 events in",
        "500 in",
        r#"`event.data.stage` is "Qualified", needs to be "Won""#,
        "no automation listens to it",
    ] {
        assert!(printed.contains(wanted), "{wanted}: {printed}");
    }
    assert!(
        !printed.contains('\u{1b}'),
        "no colours where there is no terminal"
    );
}

#[test]
fn verify_tells_a_genuine_delivery_from_one_that_is_not() {
    let [id, timestamp, signature] = HEADERS;
    let headers = ["--header", id, "--header", timestamp, "--header", signature];
    for (more, body, code, wanted) in [
        (
            &["--tolerance", TOLERANCE][..],
            BODY,
            0,
            "genuine: a receiver may trust it",
        ),
        (&[], BODY, 3, "A recorded message is old"),
        (
            &["--tolerance", TOLERANCE],
            "{\"test\": 2432232314}\n",
            3,
            "without the newline at the end",
        ),
    ] {
        let before = ["verify", "--secret", SECRET, "--body", "-"];
        let output = throwbar(&[&before, &headers[..], more].concat(), body);
        assert_eq!(output.status.code(), Some(code), "{}", printed(&output));
        assert!(
            printed(&output).contains(wanted),
            "{wanted}: {}",
            printed(&output)
        );
    }
}

#[test]
fn what_fails_says_why_and_what_to_do() {
    let send = ["event", "send", "--url", "http://127.0.0.1:1"];
    for (arguments, input, code, wanted) in [
        (
            &["--key", "tb_k", "--type", "a", "--data", "{x}"][..],
            "",
            1,
            "--data is not JSON",
        ),
        (&["--type", "a", "--data", "{}"], "", 1, "a key is needed"),
        (
            &["--key", "tb_k", "--type", "a", "--data", "{}"],
            "",
            1,
            "no answer from http://127.0.0.1:1/",
        ),
        (
            &["--key", "tb_k"],
            "{\"type\":\"a\",\"data\":1}\n",
            1,
            "nothing was sent",
        ),
        (
            &["--key", "tb_k"],
            "no event\n",
            1,
            "line 1: it is not JSON: expected ident",
        ),
        (
            &["--key", "tb_k", "--account", "a\nb"],
            "",
            1,
            "--account 'a\\nb' is not the id or uid of an account",
        ),
        (&["--key", "tb_k", "--data", "{}"], "", 2, "--type"),
    ] {
        let output = throwbar(&[&send, arguments].concat(), input);
        assert_eq!(output.status.code(), Some(code), "{}", printed(&output));
        assert!(
            printed(&output).contains(wanted),
            "{wanted}: {}",
            printed(&output)
        );
    }
}
