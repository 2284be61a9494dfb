//! The house rules that no lint knows: floors, file length, module docs, names, flags, switched-off
//! or sleeping tests, and two migrations folders that say the same.
//!
//! Reads the source tree as text, with the standard library alone. It sees tokens, not types: a
//! path that reaches a room through a re-export of a lower floor is not seen.

#[path = "tidy/floors.rs"]
mod floors;
#[path = "tidy/migrations.rs"]
mod migrations;
#[path = "tidy/retention.rs"]
mod retention;
#[path = "tidy/rules.rs"]
mod rules;
#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/supply.rs"]
mod supply;

use std::fmt;
use std::path::{Path, PathBuf};

use source::Source;

/// One broken rule: where, and what to do.
#[derive(Debug, PartialEq, Eq)]
struct Fault {
    path: String,
    line_no: usize,
    remedy: String,
}

impl Fault {
    fn new(path: &str, line_no: usize, remedy: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line_no,
            remedy: remedy.into(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line_no, self.remedy)
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust source of the repository, without what was built or installed.
fn sources() -> Vec<Source> {
    let mut paths = Vec::new();
    for top in ["src", "tests", "benches", "plugins"] {
        walk(&root().join(top), &mut paths);
    }
    paths.sort();
    paths
        .iter()
        .map(|path| {
            let text = std::fs::read_to_string(path).expect("a source file is readable UTF-8");
            let short = path.strip_prefix(root()).expect("found under the root");
            Source::new(&short.to_string_lossy(), text)
        })
        .collect()
}

fn walk(folder: &Path, paths: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries {
        let path = entry.expect("a readable folder entry").path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if path.is_dir() {
            if !name.starts_with('.') && !["target", "node_modules"].contains(&name.as_str()) {
                walk(&path, paths);
            }
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            paths.push(path);
        }
    }
}

fn check(rule: impl Fn(&Source) -> Vec<Fault>) {
    refuse(&sources().iter().flat_map(rule).collect::<Vec<_>>());
}

fn refuse(faults: &[Fault]) {
    let lines: Vec<String> = faults.iter().map(Fault::to_string).collect();
    assert!(
        lines.is_empty(),
        "{} broken house rules:\n{}",
        lines.len(),
        lines.join("\n")
    );
}

#[test]
fn rooms_use_only_lower_floors() {
    check(floors::uses);
}

#[test]
fn every_room_has_a_floor_and_a_place_on_the_map() {
    let all = sources();
    let map = all
        .iter()
        .find(|source| source.path == "src/lib.rs")
        .expect("src/lib.rs is the map");
    let faults = all
        .iter()
        .flat_map(|source| floors::on_the_map(source, &map.text));
    refuse(&faults.collect::<Vec<_>>());
}

#[test]
fn files_are_short_or_say_why_not() {
    check(rules::length);
}

#[test]
fn files_open_with_what_they_are() {
    check(rules::opening);
}

#[test]
fn names_use_the_glossary() {
    check(rules::names);
}

#[test]
fn nothing_is_switched_off_unfinished_or_asleep() {
    check(rules::leftovers);
}

#[test]
fn no_function_takes_a_flag() {
    check(rules::flags);
}

#[test]
fn http_statuses_stay_at_the_doors() {
    check(rules::statuses);
}

#[test]
fn crates_come_from_the_registry_and_none_is_banned() {
    let banned = std::fs::read_to_string(root().join("deny.toml")).expect("deny.toml is there");
    let mut faults = Vec::new();
    for path in ["Cargo.lock", "plugins/Cargo.lock"] {
        let lock = std::fs::read_to_string(root().join(path)).unwrap_or_default();
        faults.extend(supply::check(path, &lock, &banned));
    }
    refuse(&faults);
}

#[test]
fn both_migrations_folders_say_the_same() {
    let sqlite = migrations::read(&root().join("migrations/sqlite"));
    let postgres = migrations::read(&root().join("migrations/postgres"));
    refuse(&migrations::compare(&sqlite, &postgres));
}

#[test]
fn every_table_has_a_time_after_which_its_rows_go() {
    let tables = migrations::tables(&migrations::read(&root().join("migrations/sqlite")));
    let guide = std::fs::read_to_string(root().join("docs/retention.md")).expect("the guide");
    refuse(&retention::undecided(&tables, &guide));
}
