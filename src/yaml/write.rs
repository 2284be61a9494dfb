//! Values to YAML, in one spelling.

use super::Node;
use super::node::{is_unprintable, quoted};

/// Words that some reader of YAML takes for something else than a text.
const WORDS: [&str; 9] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
/// How far what is within something is moved to the right.
const STEP: usize = 2;

/// What a value stands behind.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Behind {
    /// Nothing: it is the document.
    Nothing,
    /// A name and its colon.
    Name,
    /// The dash of a list's entry.
    Dash,
}

/// The value as a document. Between the members of the outermost object is an empty line.
pub fn write(node: &Node) -> String {
    let mut yaml = String::new();
    put(&mut yaml, node, 0, Behind::Nothing);
    yaml
}

fn put(yaml: &mut String, node: &Node, indent: usize, behind: Behind) {
    match node {
        Node::Map(members) if !members.is_empty() => {
            if behind == Behind::Name {
                yaml.push('\n');
            }
            for (place, (name, value)) in members.iter().enumerate() {
                if place > 0 && behind == Behind::Nothing {
                    yaml.push('\n');
                }
                if place > 0 || behind != Behind::Dash {
                    pad(yaml, indent);
                }
                yaml.push_str(&on_one_line(name));
                yaml.push(':');
                put(yaml, value, indent + STEP, Behind::Name);
            }
        }
        Node::List(entries) if !entries.is_empty() => {
            if behind == Behind::Name {
                yaml.push('\n');
            }
            for (place, entry) in entries.iter().enumerate() {
                if place > 0 || behind != Behind::Dash {
                    pad(yaml, indent);
                }
                yaml.push_str("- ");
                put(yaml, entry, indent + STEP, Behind::Dash);
            }
        }
        other => {
            if behind == Behind::Name {
                yaml.push(' ');
            }
            put_scalar(yaml, other, indent.max(STEP));
        }
    }
}

fn pad(yaml: &mut String, indent: usize) {
    yaml.extend(std::iter::repeat_n(' ', indent));
}

fn put_scalar(yaml: &mut String, node: &Node, indent: usize) {
    match node {
        Node::Text(text) => match block(text) {
            Some(head) => {
                yaml.push_str(head);
                for line in text.trim_end_matches('\n').split('\n') {
                    yaml.push('\n');
                    if !line.is_empty() {
                        pad(yaml, indent);
                        yaml.push_str(line);
                    }
                }
            }
            None => yaml.push_str(&on_one_line(text)),
        },
        // Empty ones, too, are written as JSON has them.
        other => yaml.push_str(&other.to_json()),
    }
    yaml.push('\n');
}

/// What a text's literal block begins with, if it may be one: several lines, of which none has anything that
/// gets lost or is not seen.
fn block(text: &str) -> Option<&'static str> {
    let lines = text.strip_suffix('\n').unwrap_or(text);
    let fits = |line: &str| !line.ends_with([' ', '\t']) && !line.chars().any(is_unprintable);
    let begins = !lines.starts_with(['\n', ' ', '\t']) && !lines.is_empty();
    if !text.contains('\n') || !begins || lines.ends_with('\n') || !lines.split('\n').all(fits) {
        return None;
    }
    Some(if text.ends_with('\n') { "|" } else { "|-" })
}

/// A text on one line: as it is, if every reader takes that for the same text, and in quotes otherwise.
fn on_one_line(text: &str) -> String {
    let begins = text.starts_with(|letter: char| letter.is_alphabetic() || "_/$".contains(letter));
    let ends = !text.ends_with([' ', ':']);
    let within = !text.contains(": ") && !text.contains(" #") && !text.contains(is_unprintable);
    let is_word = WORDS.iter().any(|word| text.eq_ignore_ascii_case(word));
    if begins && ends && within && !is_word {
        text.to_owned()
    } else {
        quoted(text)
    }
}
