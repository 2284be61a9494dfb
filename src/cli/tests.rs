//! Command lines, and which of them are one.

use clap::CommandFactory as _;

use super::*;

/// Command lines, and whether each is one.
const LINES: &[(&str, bool)] = &[
    (
        "serve --listen 127.0.0.1:0 --data x --shutdown-ms 250 --egress-addresses 203.0.113.7,2001:db8::/48",
        true,
    ),
    ("serve --shutdown-ms soon", false),
    (
        "serve --database-url sqlite:x --log debug --log-format json",
        true,
    ),
    ("migrate --data x --config y", true),
    ("migrate --listen 127.0.0.1:0", false),
    ("config --database-url sqlite:x", true),
    ("config --log debug", false),
    ("key operator --data x --name y", true),
    ("key operator --log-format json", false),
    ("demo --once --events 5", true),
    ("demo --events 5", false),
    ("demo --once --events 0", false),
    ("event send --type a --data {} --id x", true),
    ("event send --data {}", false),
    ("event send --type a --data {} --file x", false),
    ("event send --file x --id y", false),
    ("event-type list --archived", true),
    ("event-type list --archived --catalogues", false),
    ("event-type import - --dry-run", true),
    ("event-type import", false),
    ("event-type install crm --json", true),
    ("automation versions nonsense", false),
    (
        "automation versions aut_0198c1f0a3b27c4d8e5f60718293a4b5 --json",
        true,
    ),
    (
        "automation publish aut_0198c1f0a3b27c4d8e5f60718293a4b5",
        true,
    ),
    (
        "automation rollback aut_0198c1f0a3b27c4d8e5f60718293a4b5 3",
        true,
    ),
    (
        "automation rollback aut_0198c1f0a3b27c4d8e5f60718293a4b5 x",
        false,
    ),
    (
        "automation publish aut_0198c1f0a3b27c4d8e5f60718293a4b5 2 --override x",
        true,
    ),
    (
        "automation rollback aut_0198c1f0a3b27c4d8e5f60718293a4b5 2 --override x",
        false,
    ),
    (
        "automation run-tests aut_0198c1f0a3b27c4d8e5f60718293a4b5 2 --json",
        true,
    ),
    (
        "automation rerun aut_0198c1f0a3b27c4d8e5f60718293a4b5 --as current",
        false,
    ),
    (
        "automation rerun aut_0198c1f0a3b27c4d8e5f60718293a4b5 --as current --since 2026-01-01T00:00:00Z",
        true,
    ),
    (
        "automation rerun aut_0198c1f0a3b27c4d8e5f60718293a4b5 --as ran --since 2026-01-01T00:00:00Z",
        false,
    ),
    (
        "automation rerun aut_0198c1f0a3b27c4d8e5f60718293a4b5 --as it_ran --event evt_0198c1f0a3b27c4d8e5f60718293a4b5",
        true,
    ),
    ("job list --json", true),
    ("job show job_0198c1f0a3b27c4d8e5f60718293a4b5", true),
    ("job cancel nonsense", false),
    ("automation test --file x --event y --json", true),
    ("automation test --file x", false),
    (
        "automation backtest aut_0198c1f0a3b27c4d8e5f60718293a4b5 --file x --events 9",
        true,
    ),
    (
        "automation backtest aut_0198c1f0a3b27c4d8e5f60718293a4b5 --file x --draft 2",
        false,
    ),
    (
        "automation backtest aut_0198c1f0a3b27c4d8e5f60718293a4b5 --events 9 --since x",
        false,
    ),
    ("automation export --out x --automation y", true),
    ("automation export --out x --json --automation", false),
    (
        "automation plan x.yaml --prune --backtest 9 --exit-code",
        true,
    ),
    ("automation plan", false),
    ("automation plan x --backtest many", false),
    ("automation apply - --yes --override mended-tomorrow", true),
    ("automation apply x --exit-code", false),
    ("delivery list --state failed --json", true),
    ("delivery show nonsense", false),
    (
        "delivery resend dlv_0198c1f0a3b27c4d8e5f60718293a4b5 dlv_0198c1f0a3b27c4d8e5f60718293a4b6",
        true,
    ),
    ("delivery resend", false),
    ("recover ep_0198c1f0a3b27c4d8e5f60718293a4b5", false),
    ("recover --since 2026-01-01T00:00:00Z", false),
    (
        "recover ep_0198c1f0a3b27c4d8e5f60718293a4b5 --since 2026-01-01T00:00:00Z --state held --event-type deal.*",
        true,
    ),
    (
        "recover ep_0198c1f0a3b27c4d8e5f60718293a4b5 --since 2026-01-01T00:00:00Z --state pending",
        false,
    ),
    (
        "recover ep_0198c1f0a3b27c4d8e5f60718293a4b5 --from-event evt_0198c1f0a3b27c4d8e5f60718293a4b5 --per-second 9",
        true,
    ),
    (
        "recover ep_0198c1f0a3b27c4d8e5f60718293a4b5 --from-event evt_0198c1f0a3b27c4d8e5f60718293a4b5 --since \
         2026-01-01T00:00:00Z",
        false,
    ),
    ("schedule list --json", true),
    ("schedule preview --cron @x --timezone UTC --count 3", true),
    ("schedule preview --every 60 --json", true),
    ("schedule preview", false),
    ("schedule preview --every 60 --timezone UTC", false),
    ("schedule preview --every 60 --cron x", false),
    ("schedule run sch_0198c1f0a3b27c4d8e5f60718293a4b5", true),
    ("schedule pause nonsense", false),
    ("schedule resume", false),
    ("source list --json", true),
    ("source create --name a --scheme github", true),
    ("source create --name a --scheme md5", false),
    ("source create --scheme none", false),
    ("variable set least 5", true),
    ("variable set token @token.txt --secret", true),
    ("variable set token 5 --secret=false --text", true),
    ("variable set token 5 --secret=maybe", false),
    ("variable set least", false),
    ("variable list --json", true),
    ("variable delete least", true),
    ("verify --secret whsec_x --body -", false),
    ("verify --secret whsec_x --body - --header a:b", true),
    ("key create --name x", false),
    ("key create --name x --scope send --scope read", true),
    ("key create --name x --scope everything", false),
    ("key revoke nonsense", false),
    ("key operator --name x --data y", true),
    ("key operator list --data y", true),
    ("key operator --name x list", false),
    ("key operator revoke nonsense", false),
];

#[test]
fn the_command_line_is_well_formed() {
    Arguments::command().debug_assert();
}

#[test]
fn what_does_not_go_together_is_refused() {
    for (line, fine) in LINES {
        let parsed = Arguments::try_parse_from(std::iter::once("throwbar").chain(line.split(' ')));
        assert_eq!(parsed.is_ok(), *fine, "{line}");
    }
}

#[test]
fn a_value_may_be_in_a_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("secret");
    std::fs::write(&path, "whsec_x\r\n").expect("written");
    assert_eq!(
        text_or_file(&format!("@{}", path.display())).expect("read"),
        "whsec_x"
    );
    assert_eq!(text_or_file("whsec_x").expect("as it is"), "whsec_x");
    assert!(text_or_file("@/nowhere").is_err());
}
