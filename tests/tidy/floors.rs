//! Floors: a room uses only the rooms below it, and the rooms of one floor don't know each other.

use crate::Fault;
use crate::source::{Source, Word};

/// Floor 0 first. Rooms that are not built yet have their floor already; `src/lib.rs` shows those that
/// are.
const FLOORS: [&[&str]; 10] = [
    &["model", "unbroken"],
    &[
        "automation",
        "signing",
        "retry",
        "failure",
        "tally",
        "cron",
        "vault",
        "envelope",
        "schema",
        "throttle",
        "search",
        "yaml",
    ],
    &["store", "plugin", "outbound"],
    &["pipeline", "alert"],
    &["service", "schedule"],
    &["api", "compat", "ui", "inbound"],
    &["telemetry"],
    &["config"],
    &["app"],
    &["cli"],
];

/// The floor of a room; `None` if the house has no such room.
pub fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

/// The room that a path is in: its first folder or file under `src/`. `main.rs` and `lib.rs` are the
/// walls of the house, not rooms.
pub fn room(path: &str) -> Option<&str> {
    let inside = path.strip_prefix("src/")?;
    let first = inside.split('/').next()?;
    let name = first.strip_suffix(".rs").unwrap_or(first);
    (!matches!(inside, "main.rs" | "lib.rs")).then_some(name)
}

/// Rooms that have no floor, or that `src/lib.rs` does not show.
pub fn on_the_map(source: &Source, map: &str) -> Vec<Fault> {
    let Some(room) = room(&source.path) else {
        return Vec::new();
    };
    if floor(room).is_none() {
        let remedy = format!(
            "the house has no room `{room}`: move it into a room of the map in src/lib.rs, or give it a floor there and in tests/tidy/floors.rs"
        );
        return vec![Fault::new(&source.path, 1, remedy)];
    }
    if !map.contains(&format!("[`{room}`]")) {
        return vec![Fault::new(
            "src/lib.rs",
            1,
            format!("put [`{room}`] on the map"),
        )];
    }
    Vec::new()
}

/// Uses of a room that is not on a lower floor. Files named `tests.rs` may look anywhere.
pub fn uses(source: &Source) -> Vec<Fault> {
    let Some(own) = room(&source.path) else {
        return Vec::new();
    };
    let Some(own_floor) = floor(own) else {
        return Vec::new();
    };
    if source.path.ends_with("/tests.rs") {
        return Vec::new();
    }
    let mut faults = Vec::new();
    for used in used_rooms(source) {
        let remedy = match floor(used.text) {
            _ if used.text == own => continue,
            Some(below) if below < own_floor => continue,
            Some(beside) if beside == own_floor => format!(
                "`{own}` and `{}` share floor {own_floor} and must not know each other: pass the value in from a higher floor, or move the shared noun down",
                used.text
            ),
            Some(above) => format!(
                "`{own}` (floor {own_floor}) uses `{}` (floor {above}): turn the dependency round",
                used.text
            ),
            None => format!(
                "name the room: `crate::{}` is not one, so its floor cannot be checked",
                used.text
            ),
        };
        faults.push(Fault::new(&source.path, source.line_no(used.at), remedy));
    }
    faults
}

/// What follows each `crate::`, and each `super::` chain that climbs out of its room.
fn used_rooms(source: &Source) -> Vec<Word<'_>> {
    let words = source.words();
    let mut found = Vec::new();
    let mut skip_to = 0;
    for (no, word) in words.iter().enumerate() {
        if word.at < skip_to {
            continue;
        }
        let end = match word.text {
            "crate" => word.at + word.text.len(),
            "super" => {
                let end = end_of_supers(source, &words[no..]);
                skip_to = end;
                if supers(&words[no..], end) < depth(source, word.at) {
                    continue;
                }
                end
            }
            _ => continue,
        };
        found.extend(first_segments(source, end));
    }
    found
}

/// How many modules lie between byte `at` of the file and the crate's root.
fn depth(source: &Source, at: usize) -> usize {
    let inside = source
        .path
        .trim_start_matches("src/")
        .trim_end_matches(".rs");
    let by_file = inside.split('/').filter(|part| *part != "mod").count();
    let words = source.words();
    let inline = words.windows(2).filter(|pair| {
        let body = pair[1].at + pair[1].text.len();
        pair[0].text == "mod"
            && source.after(body).starts_with('{')
            && body < at
            && at < end_of_block(source, body)
    });
    by_file + inline.count()
}

fn end_of_block(source: &Source, from: usize) -> usize {
    let mut open = 0_usize;
    for (at, byte) in source.code.bytes().enumerate().skip(from) {
        match byte {
            b'{' => open += 1,
            b'}' if open <= 1 => return at,
            b'}' => open -= 1,
            _ => {}
        }
    }
    source.code.len()
}

fn end_of_supers(source: &Source, words: &[Word<'_>]) -> usize {
    let mut end = words[0].at + words[0].text.len();
    for word in &words[1..] {
        let between = source.code[end..word.at].trim();
        if word.text != "super" || between != "::" {
            break;
        }
        end = word.at + word.text.len();
    }
    end
}

fn supers(words: &[Word<'_>], end: usize) -> usize {
    words.iter().take_while(|word| word.at < end).count()
}

/// The first path segment after `end`, or each one of a group in braces.
fn first_segments(source: &Source, end: usize) -> Vec<Word<'_>> {
    let code = &source.code;
    let Some(path) = source.after(end).strip_prefix("::") else {
        return Vec::new();
    };
    let path = path.trim_start();
    let start = code.len() - path.len();
    if !path.starts_with('{') {
        return vec![segment(code, start)];
    }
    let (mut open, mut expected, mut found) = (0_usize, false, Vec::new());
    for (at, byte) in code.bytes().enumerate().skip(start) {
        match byte {
            b'{' => (open, expected) = (open + 1, open == 0),
            b'}' if open == 1 => break,
            b'}' => open -= 1,
            b',' => expected = open == 1,
            _ if expected && !byte.is_ascii_whitespace() => {
                found.push(segment(code, at));
                expected = false;
            }
            _ => {}
        }
    }
    found
}

/// The identifier at `at`, or the single character there, such as `*`.
fn segment(code: &str, at: usize) -> Word<'_> {
    let rest = &code[at..];
    let length = rest
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(rest.len());
    Word {
        text: &rest[..length.max(1).min(rest.len())],
        at,
    }
}

#[test]
fn each_way_of_reaching_a_room_is_seen() {
    let cases: [(&str, &str, &[&str]); 14] = [
        ("src/store/mod.rs", "use crate::model::EventId;", &[]),
        (
            "src/store/mod.rs",
            "use crate::pipeline::Plan;",
            &["pipeline"],
        ),
        (
            "src/store/mod.rs",
            "use crate::{model::{EventId, Clock}, plugin, store::Backend};",
            &["plugin"],
        ),
        (
            "src/store/mod.rs",
            "fn f(x: crate :: outbound :: Client) {}",
            &["outbound"],
        ),
        (
            "src/store/mod.rs",
            "/// Like [`crate::pipeline`].\nfn f() {}",
            &[],
        ),
        ("src/store/mod.rs", "use crate::*;", &["*"]),
        ("src/store/event.rs", "use super::Backend;", &[]),
        (
            "src/store/event.rs",
            "use super::super::api::Problem;",
            &["api"],
        ),
        ("src/store/mod.rs", "use super::api::Problem;", &["api"]),
        ("src/store/mod.rs", "mod tests { use super::plugin; }", &[]),
        (
            "src/store/mod.rs",
            "mod tests { use super::super::plugin::Host; }",
            &["plugin"],
        ),
        ("src/store/tests.rs", "use crate::api::Problem;", &[]),
        (
            "src/app.rs",
            "use crate::api::Problem; use crate::cli::Arguments;",
            &["cli"],
        ),
        ("src/main.rs", "use throwbar::cli; use crate::cli;", &[]),
    ];
    for (path, text, refused) in cases {
        let source = Source::new(path, text.to_owned());
        let faults = uses(&source);
        assert_eq!(faults.len(), refused.len(), "{path}: {text}: {faults:?}");
        for (fault, room) in faults.iter().zip(refused) {
            assert!(fault.remedy.contains(room), "{fault}");
        }
    }
}

#[test]
fn an_unknown_room_and_a_room_off_the_map_are_refused() {
    let stranger = Source::new("src/utils/mod.rs", String::new());
    assert_eq!(on_the_map(&stranger, "").len(), 1);
    let unlisted = Source::new("src/store/mod.rs", String::new());
    assert_eq!(on_the_map(&unlisted, "").len(), 1);
    assert_eq!(on_the_map(&unlisted, "[`store`]"), []);
}
