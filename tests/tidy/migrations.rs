//! Both engines get the same migrations: the same files, and after each of them the same tables
//! with the same columns. Types, indexes and partitions are each engine's own affair.
//!
//! A small parser, not SQL: it knows `CREATE TABLE`, `DROP TABLE` and the `ALTER TABLE` actions that
//! change a name, and passes over the rest.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::Fault;

type Tables = BTreeMap<String, BTreeSet<String>>;

/// File names with their SQL, in order. An absent folder is an empty one.
pub fn read(folder: &Path) -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .map(|entry| entry.expect("a readable folder entry").path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "sql"))
        .map(|path| {
            let name = path
                .file_name()
                .expect("it has an extension")
                .to_string_lossy()
                .into_owned();
            (
                name,
                std::fs::read_to_string(&path).expect("a migration is readable UTF-8"),
            )
        })
        .collect();
    files.sort();
    files
}

pub fn compare(sqlite: &[(String, String)], postgres: &[(String, String)]) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (folder, own, other) in [("sqlite", sqlite, postgres), ("postgres", postgres, sqlite)] {
        for (name, _) in own
            .iter()
            .filter(|(name, _)| !other.iter().any(|(twin, _)| twin == name))
        {
            let path = format!("migrations/{folder}/{name}");
            faults.push(Fault::new(
                &path,
                1,
                "the other engine has no migration of this number and name: write it",
            ));
        }
    }
    let (mut left, mut right) = (Tables::new(), Tables::new());
    for ((name, left_sql), (_, right_sql)) in sqlite.iter().zip(postgres) {
        if !faults.is_empty() {
            break;
        }
        apply(&mut left, left_sql);
        apply(&mut right, right_sql);
        faults.extend(differences(
            &left,
            &right,
            &format!("migrations/sqlite/{name}"),
        ));
        faults.extend(differences(
            &right,
            &left,
            &format!("migrations/postgres/{name}"),
        ));
    }
    faults
}

/// The tables that there are after these migrations.
pub fn tables(files: &[(String, String)]) -> BTreeSet<String> {
    let mut tables = Tables::new();
    for (_, sql) in files {
        apply(&mut tables, sql);
    }
    tables.into_keys().collect()
}

/// What `own` has and `other` lacks.
fn differences(own: &Tables, other: &Tables, path: &str) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (table, columns) in own {
        let Some(twin) = other.get(table) else {
            faults.push(Fault::new(
                path,
                1,
                format!("the other engine has no table `{table}` after this migration"),
            ));
            continue;
        };
        for column in columns.difference(twin) {
            faults.push(Fault::new(
                path,
                1,
                format!("the other engine has no column `{table}.{column}` after this migration"),
            ));
        }
    }
    faults
}

fn apply(tables: &mut Tables, sql: &str) {
    for statement in statements(sql) {
        let words: Vec<String> = head_words(&statement);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match without_if(&words).as_slice() {
            ["create", "table", table, rest @ ..] if rest.first() != Some(&"partition") => {
                tables.insert((*table).to_owned(), columns(&statement));
            }
            ["create", "unlogged", "table", table, ..] => {
                tables.insert((*table).to_owned(), columns(&statement));
            }
            ["drop", "table", table, ..] => {
                tables.remove(*table);
            }
            ["alter", "table", table, "rename", "to", name, ..] => {
                if let Some(columns) = tables.remove(*table) {
                    tables.insert((*name).to_owned(), columns);
                }
            }
            ["alter", "table", table, ..] => {
                alter(tables.entry((*table).to_owned()).or_default(), &statement);
            }
            _ => {}
        }
    }
}

/// One `ALTER TABLE` may have several actions, parted by commas.
fn alter(columns: &mut BTreeSet<String>, statement: &str) {
    for (no, action) in top_level_parts(statement).iter().enumerate() {
        let words = head_words(action);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let words = without_if(&words);
        match words
            .get(if no == 0 { 3.. } else { 0.. })
            .unwrap_or_default()
        {
            ["add", "column", column, ..] => {
                columns.insert((*column).to_owned());
            }
            ["add", column, ..] if !CONSTRAINTS.contains(column) => {
                columns.insert((*column).to_owned());
            }
            ["drop", "column", column, ..] => {
                columns.remove(*column);
            }
            ["rename", "column", old, "to", new, ..] | ["rename", old, "to", new, ..] => {
                columns.remove(*old);
                columns.insert((*new).to_owned());
            }
            _ => {}
        }
    }
}

const CONSTRAINTS: [&str; 7] = [
    "constraint",
    "primary",
    "unique",
    "check",
    "foreign",
    "exclude",
    "like",
];

/// The first word of each entry in the statement's first parentheses that is not a constraint.
fn columns(statement: &str) -> BTreeSet<String> {
    let Some(open) = statement.find('(') else {
        return BTreeSet::new();
    };
    let mut depth = 0_usize;
    let body: String = statement[open..]
        .chars()
        .take_while(|letter| {
            depth = match letter {
                '(' => depth + 1,
                ')' => depth - 1,
                _ => depth,
            };
            depth > 0
        })
        .skip(1)
        .collect();
    let firsts = top_level_parts(&body)
        .into_iter()
        .filter_map(|part| head_words(&part).into_iter().next());
    firsts
        .filter(|word| !CONSTRAINTS.contains(&word.as_str()))
        .collect()
}

/// Lower-case words up to the first parenthesis, quotes taken off.
fn head_words(statement: &str) -> Vec<String> {
    let head = statement.split('(').next().unwrap_or_default();
    head.split_whitespace()
        .map(|word| word.trim_matches(['"', '`']).to_lowercase())
        .collect()
}

fn without_if<'a>(words: &[&'a str]) -> Vec<&'a str> {
    words
        .iter()
        .copied()
        .filter(|word| !["if", "not", "exists", "only"].contains(word))
        .collect()
}

/// Parted at commas outside parentheses.
fn top_level_parts(text: &str) -> Vec<String> {
    let mut depth = 0_usize;
    let mut parts = vec![String::new()];
    for letter in text.chars() {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        parts.last_mut().expect("never empty").push(letter);
    }
    parts
}

/// Statements without comments; text in single quotes and in `$$` is left out, for it may hold
/// anything.
fn statements(sql: &str) -> Vec<String> {
    let mut found = vec![String::new()];
    let mut rest = sql;
    while let Some(letter) = rest.chars().next() {
        let end = match letter {
            '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |at| at + 2),
            '\'' => rest[1..].find('\'').map_or(rest.len(), |at| at + 2),
            '$' if rest.starts_with("$$") => rest[2..].find("$$").map_or(rest.len(), |at| at + 4),
            ';' => {
                found.push(String::new());
                1
            }
            _ => {
                found.last_mut().expect("never empty").push(letter);
                letter.len_utf8()
            }
        };
        rest = &rest[end..];
    }
    found
}

#[test]
fn the_same_tables_in_two_dialects_are_equal_and_a_missing_column_is_told() {
    let first = |sql: &str| vec![("0001_events.sql".to_owned(), sql.to_owned())];
    let sqlite = "-- events; all of them\nCREATE TABLE events (account_id BLOB NOT NULL, id BLOB,
        kind TEXT CHECK (kind IN ('a,b', 'c')), PRIMARY KEY (account_id, id)) WITHOUT ROWID;";
    let postgres = "CREATE TABLE IF NOT EXISTS events (account_id UUID NOT NULL, id UUID,
        kind TEXT, CONSTRAINT one UNIQUE (id)) PARTITION BY RANGE (id);
        CREATE TABLE events_first PARTITION OF events DEFAULT;
        CREATE FUNCTION f() RETURNS trigger AS $$ BEGIN; CREATE TABLE no (x INT); END $$ LANGUAGE plpgsql;";
    assert_eq!(compare(&first(sqlite), &first(postgres)), []);

    let grown =
        format!("{postgres} ALTER TABLE events ADD COLUMN size_bytes BIGINT, DROP COLUMN kind;");
    let faults: Vec<String> = compare(&first(sqlite), &first(&grown))
        .iter()
        .map(Fault::to_string)
        .collect();
    assert_eq!(faults.len(), 2, "{faults:?}");
    assert!(faults[0].contains("sqlite/0001_events.sql") && faults[0].contains("`events.kind`"));
    assert!(faults[1].contains("`events.size_bytes`"));

    let renamed = vec![("0001_event.sql".to_owned(), sqlite.to_owned())];
    assert_eq!(compare(&first(sqlite), &renamed).len(), 2);
}
