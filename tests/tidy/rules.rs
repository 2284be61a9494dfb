//! The rules about one file at a time: its length, its opening, its names, its leftovers, and what
//! its functions take.

use crate::Fault;
use crate::floors;
use crate::source::Source;

const FILE_LINES_MAX: usize = 400;

/// Words that say nothing about what a thing is. `items` counts the entries of a page and is fine.
const BANNED: [&str; 17] = [
    "task", "tasks", "item", "data", "manager", "managers", "handler", "handlers", "helper",
    "helpers", "util", "utils", "common", "core", "misc", "base", "utility",
];

/// Keywords that a new name follows.
const DEFINING: [&str; 9] = [
    "fn", "struct", "enum", "union", "trait", "type", "mod", "const", "static",
];

pub fn length(source: &Source) -> Vec<Fault> {
    let lines = source.text.lines().count();
    if lines <= FILE_LINES_MAX
        || source
            .text
            .lines()
            .any(|line| line.starts_with("//! Length: "))
    {
        return Vec::new();
    }
    let remedy = format!(
        "{lines} lines, at most {FILE_LINES_MAX}: split it by noun, or say why not in a line that begins `//! Length: `"
    );
    vec![Fault::new(&source.path, FILE_LINES_MAX + 1, remedy)]
}

pub fn opening(source: &Source) -> Vec<Fault> {
    if source.text.starts_with("//! ") {
        return Vec::new();
    }
    let remedy = "open the file with `//! `: what it is, what it guarantees, what it does not do";
    vec![Fault::new(&source.path, 1, remedy)]
}

pub fn names(source: &Source) -> Vec<Fault> {
    let mut faults = Vec::new();
    for part in source.path.trim_end_matches(".rs").split('/') {
        if let Some(word) = banned(part) {
            faults.push(Fault::new(
                &source.path,
                1,
                format!("the file name says `{word}`: use the word of docs/glossary.md"),
            ));
        }
    }
    for pair in source.words().windows(2) {
        let [keyword, name] = [pair[0], pair[1]];
        // The payload field is called `data`, and some traits of others demand `type Item` or `type Data`.
        let demanded = name.text == "data"
            || (keyword.text == "type" && ["Item", "Data"].contains(&name.text));
        if !DEFINING.contains(&keyword.text) || demanded {
            continue;
        }
        if let Some(word) = banned(name.text) {
            let remedy = format!(
                "`{}` says `{word}`: use the word of docs/glossary.md for what it is",
                name.text
            );
            faults.push(Fault::new(&source.path, source.line_no(name.at), remedy));
        }
    }
    faults
}

/// The first banned word in a name of any case.
fn banned(name: &str) -> Option<&'static str> {
    let mut spaced = String::new();
    let mut lower_before = false;
    for letter in name.chars() {
        if letter.is_uppercase() && lower_before {
            spaced.push('_');
        }
        lower_before = letter.is_lowercase();
        spaced.extend(letter.to_lowercase());
    }
    spaced
        .split(['_', '-'])
        .find_map(|word| BANNED.iter().find(|ban| **ban == word).copied())
}

pub fn leftovers(source: &Source) -> Vec<Fault> {
    let mut faults = Vec::new();
    for word in source.words() {
        let after = source.after(word.at + word.text.len());
        let before = source.code[..word.at].trim_end();
        let called = after.starts_with('(');
        let remedy = match word.text {
            "todo" | "unimplemented" | "dbg" if after.starts_with('!') => {
                "finish it or take it out"
            }
            "ignore" if before.ends_with("#[") || before.ends_with(',') && in_attribute(before) => {
                "a test that is switched off proves nothing: make it run or delete it"
            }
            "sleep" if called && source.path != "src/model/clock.rs" => {
                "nothing sleeps: wait for what shall happen (a `Notify`, a gate, a channel), or take a `Clock`"
            }
            _ => continue,
        };
        faults.push(Fault::new(&source.path, source.line_no(word.at), remedy));
    }
    faults
}

fn in_attribute(before: &str) -> bool {
    before
        .rfind("#[")
        .is_some_and(|open| !before[open..].contains(']'))
}

/// `StatusCode` is named by the doors and by the way out; between them a missing row is no 404.
pub fn statuses(source: &Source) -> Vec<Fault> {
    let Some(room) = floors::room(&source.path) else {
        return Vec::new();
    };
    if room == "outbound" || floors::floor(room).is_none_or(|floor| floor >= 5) {
        return Vec::new();
    }
    let words = source.words();
    let named = words.iter().filter(|word| word.text == "StatusCode");
    named
        .map(|word| {
            let remedy = format!("`{room}` must not know HTTP statuses: return its `Error`, src/api/problem.rs translates");
            Fault::new(&source.path, source.line_no(word.at), remedy)
        })
        .collect()
}

/// A call says nothing with `true`. One `bool` alone is a conversion into something that does, such
/// as `From`, and serde's visitors are told one.
pub fn flags(source: &Source) -> Vec<Fault> {
    if !source.path.starts_with("src/") {
        return Vec::new();
    }
    let mut faults = Vec::new();
    for pair in source.words().windows(2) {
        let [keyword, name] = [pair[0], pair[1]];
        if keyword.text != "fn" || name.text.starts_with("visit_") {
            continue;
        }
        let parameters = parameters(&source.code[name.at + name.text.len()..]);
        if parameters.len() > 1
            && let Some(parameter) = parameters.iter().find(|parameter| is_flag(parameter))
        {
            let remedy = format!(
                "`{}` takes `{}`: take an enum that says what is meant, or make two functions of it",
                name.text,
                parameter.trim()
            );
            faults.push(Fault::new(&source.path, source.line_no(name.at), remedy));
        }
    }
    faults
}

fn is_flag(parameter: &str) -> bool {
    let of_type = parameter.split_once(':').map(|(_, of_type)| of_type.trim());
    matches!(of_type, Some("bool" | "&bool" | "Option<bool>"))
}

/// The parameters of a function, from the code after its name.
fn parameters(code: &str) -> Vec<&str> {
    let (mut open, mut start) = (0_usize, None);
    let mut found = Vec::new();
    let mut before = ' ';
    for (at, letter) in code.char_indices() {
        // `->` closes nothing.
        let arrow = letter == '>' && before == '-';
        before = letter;
        match letter {
            '(' | '<' | '[' | '{' => {
                open += 1;
                if letter == '(' && open == 1 {
                    start = Some(at + 1);
                }
            }
            ')' | '>' | ']' | '}' if !arrow => {
                open = open.saturating_sub(1);
                if open == 0
                    && let Some(from) = start
                {
                    found.push(&code[from..at]);
                    break;
                }
            }
            ',' if open == 1 => {
                if let Some(from) = start.replace(at + 1) {
                    found.push(&code[from..at]);
                }
            }
            _ => {}
        }
    }
    found.retain(|parameter| !parameter.trim().is_empty());
    found
}

type Rule = fn(&Source) -> Vec<Fault>;

/// A rule, a file's path and text, and how many faults it finds there.
const CASES: [(Rule, &str, &str, usize); 27] = [
    (opening, "src/a.rs", "use std::fmt;\n", 1),
    (opening, "src/a.rs", "//! A file.\n", 0),
    (names, "src/store/helpers.rs", "", 1),
    (
        names,
        "src/a.rs",
        "struct EventHandler; fn run_task() {} const BASE_MS: u8 = 1;",
        3,
    ),
    (
        names,
        "src/a.rs",
        "struct Database; fn base64() {} fn data() {} // a task\n",
        0,
    ),
    (
        names,
        "src/a.rs",
        "impl Iterator for A { type Item = u8; }",
        0,
    ),
    (names, "src/a.rs", "type ItemList = u8;", 1),
    (leftovers, "src/a.rs", "fn f() { todo!() }", 1),
    (leftovers, "tests/a.rs", "#[test]\n#[ignore]\nfn f() {}", 1),
    (
        leftovers,
        "tests/a.rs",
        "#[ignore = \"slow\"]\nfn f() {}",
        1,
    ),
    (
        leftovers,
        "tests/a.rs",
        "#[cfg_attr(windows, ignore)]\nfn f() {}",
        1,
    ),
    (leftovers, "tests/a.rs", "fn f() { g(a, ignore) }", 0),
    (
        leftovers,
        "tests/a.rs",
        "tokio::time::sleep(wait).await;",
        1,
    ),
    (
        leftovers,
        "tests/a.rs",
        "clock.sleep_until(at).await; // sleep(1)",
        0,
    ),
    (
        leftovers,
        "src/model/clock.rs",
        "tokio::time::sleep(wait).await;",
        0,
    ),
    (statuses, "src/store/mod.rs", "use http::StatusCode;", 1),
    (statuses, "src/outbound/mod.rs", "use http::StatusCode;", 0),
    (statuses, "src/api/problem.rs", "use http::StatusCode;", 0),
    (statuses, "tests/it/main.rs", "use http::StatusCode;", 0),
    (flags, "src/a.rs", "fn f(&self, quiet: bool) {}", 1),
    (
        flags,
        "src/a.rs",
        "fn f<T: Fn(u8, bool) -> u8>(\n    a: T,\n    quiet: Option<bool>,\n) {}",
        1,
    ),
    (flags, "src/a.rs", "fn from(enabled: bool) -> Self {}", 0),
    (
        flags,
        "src/a.rs",
        "fn f(a: impl Fn(&str, bool) -> bool, b: u8) -> bool {}",
        0,
    ),
    (
        flags,
        "src/a.rs",
        "fn f(&self) { let (a, b): (u8, bool) = g(); }",
        0,
    ),
    (
        flags,
        "src/a.rs",
        "fn visit_bool<E>(self, value: bool) {}",
        0,
    ),
    (flags, "src/a.rs", "struct A { quiet: bool }", 0),
    (flags, "tests/a.rs", "fn f(a: u8, quiet: bool) {}", 0),
];

#[test]
fn each_rule_catches_what_it_is_there_for() {
    let long = "//! A file.\n".repeat(401);
    let reasoned = format!("//! Length: one table.\n{long}");
    let lengths: [(Rule, &str, &str, usize); 2] = [
        (length, "src/a.rs", &long, 1),
        (length, "src/a.rs", &reasoned, 0),
    ];
    for (rule, path, text, faults) in lengths.into_iter().chain(CASES) {
        let found = rule(&Source::new(path, text.to_owned()));
        assert_eq!(found.len(), faults, "{path}: {text:.60}: {found:?}");
    }
}
