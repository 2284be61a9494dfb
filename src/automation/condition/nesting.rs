//! Refuses text that would make the parser recurse deeply or search long, before it sees it.
//!
//! The parser recurses for every bracket, prefix and choice, and its stack is the caller's; a
//! stack that overflows can't be caught. So nesting is counted here by a scan that knows only
//! brackets, strings and comments, and may only err on the strict side.

use super::error::{ConditionError, Position};

/// Deepest nesting of brackets.
const BRACKETS_MAX: usize = 16;
/// Most `!` and `-` in a row.
const PREFIXES_MAX: usize = 4;
/// Most `? :` in one condition: they nest without brackets.
const CHOICES_MAX: usize = 8;
/// Longest chain of fields, indices and calculations between two other operators, brackets or
/// commas: the tree gets as deep as it is long.
const CHAIN_MAX: usize = 48;

/// Refuses what is nested too deeply.
pub(super) fn check(source: &str) -> Result<(), ConditionError> {
    let mut scan = Scan { brackets: 0, prefixes: 0, choices: 0, chains: vec![0] };
    let mut at = 0;
    // What the word just before makes of a string.
    let mut escapes = Escapes::Read;
    while let Some(character) = source[at..].chars().next() {
        let rest = &source[at..];
        let word = word_length(rest);
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if word > 0 {
            scan.prefixes = 0;
            escapes = Escapes::after(&rest[..word]);
            if &rest[..word] == "in" {
                scan.grow();
            }
            at += word;
            continue;
        } else if matches!(character, '"' | '\'') {
            scan.prefixes = 0;
            string_length(rest, character, escapes)
        } else {
            if !scan.take(character) {
                return Err(ConditionError::TooDeep { at: Position::of(source, at) });
            }
            character.len_utf8()
        };
        escapes = Escapes::Read;
        at += length;
    }
    Ok(())
}

struct Scan {
    brackets: usize,
    prefixes: usize,
    choices: usize,
    /// The length of the chain at each level of brackets.
    chains: Vec<usize>,
}

impl Scan {
    /// Whether it is still not too deep after `character`.
    fn take(&mut self, character: char) -> bool {
        match character {
            '(' | '[' | '{' => {
                self.brackets += 1;
                self.grow();
                self.chains.push(0);
            }
            ')' | ']' | '}' => {
                self.brackets = self.brackets.saturating_sub(1);
                if self.chains.len() > 1 {
                    self.chains.pop();
                }
            }
            '.' | '+' | '*' | '/' | '%' | '<' | '>' | '=' => self.grow(),
            '!' | '-' => {
                self.prefixes += 1;
                self.grow();
            }
            ',' | '&' | '|' => self.start(),
            '?' => {
                self.choices += 1;
                self.start();
            }
            _ => {}
        }
        if !matches!(character, '!' | '-') && !character.is_whitespace() {
            self.prefixes = 0;
        }
        self.brackets <= BRACKETS_MAX
            && self.prefixes <= PREFIXES_MAX
            && self.choices <= CHOICES_MAX
            && self.chains.last().is_none_or(|chain| *chain <= CHAIN_MAX)
    }

    fn grow(&mut self) {
        if let Some(chain) = self.chains.last_mut() {
            *chain += 1;
        }
    }

    fn start(&mut self) {
        if let Some(chain) = self.chains.last_mut() {
            *chain = 0;
        }
    }
}

/// The length of the name or number at the start of `text`.
fn word_length(text: &str) -> usize {
    text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len())
}

/// Whether a backslash in a string takes the next character with it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Escapes {
    Read,
    Raw,
}

impl Escapes {
    fn after(word: &str) -> Self {
        if ["r", "br"].iter().any(|prefix| word.eq_ignore_ascii_case(prefix)) {
            Self::Raw
        } else {
            Self::Read
        }
    }
}

/// The length of the string at the start of `text`, quotes included; all of it if it has no end.
fn string_length(text: &str, quote: char, escapes: Escapes) -> usize {
    let triple: String = std::iter::repeat_n(quote, 3).collect();
    let close = if text.starts_with(&triple) { triple.as_str() } else { &triple[..1] };
    let content = &text[close.len()..];
    let mut characters = content.char_indices();
    while let Some((offset, character)) = characters.next() {
        if content[offset..].starts_with(close) {
            return offset + 2 * close.len();
        }
        if character == '\\' && escapes == Escapes::Read {
            characters.next();
        }
    }
    text.len()
}
