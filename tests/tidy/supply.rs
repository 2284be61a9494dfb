//! Where crates come from, and those that stay out: the part of `deny.toml` that a lock file alone
//! can show, for every lock file and on every run. The licences and the rest are cargo-deny's.

use crate::Fault;

const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Packages of a lock file that come from elsewhere than crates.io or that `deny_toml` bans.
pub fn check(path: &str, lock: &str, deny_toml: &str) -> Vec<Fault> {
    let banned: Vec<&str> = deny_toml.lines().filter_map(banned).collect();
    let mut faults = Vec::new();
    for (no, line) in lock.lines().enumerate() {
        let (key, value) = line.split_once(" = ").unwrap_or_default();
        let value = value.trim_matches('"');
        if key == "source" && value != REGISTRY {
            faults.push(Fault::new(
                path,
                no + 1,
                format!("{value}: take the crate from crates.io"),
            ));
        }
        if key == "name" && banned.contains(&value) {
            faults.push(Fault::new(
                path,
                no + 1,
                format!("`{value}` is banned: deny.toml says why"),
            ));
        }
    }
    faults
}

/// The crate of a line `{ crate = "…", reason = "…" },`.
fn banned(line: &str) -> Option<&str> {
    line.trim().strip_prefix("{ crate = \"")?.split('"').next()
}

#[test]
fn a_banned_crate_and_a_foreign_source_are_refused() {
    let deny = "deny = [\n    { crate = \"rsa\", reason = \"slow\" },\n]";
    let lock = |name: &str, source: &str| {
        format!("[[package]]\nname = \"{name}\"\nsource = \"{source}\"\n")
    };
    assert_eq!(check("Cargo.lock", &lock("sha2", REGISTRY), deny), []);
    assert_eq!(check("Cargo.lock", &lock("rsa", REGISTRY), deny).len(), 1);
    assert_eq!(
        check(
            "Cargo.lock",
            &lock("sha2", "git+https://example.com/sha2"),
            deny
        )
        .len(),
        1
    );
}
