//! YAML to values. The parser of YAML is a library's; what its events mean is said here, because a
//! number keeps its digits, everything has its place, and what is refused is refused before it is large.

use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span, StrInput};

use super::{DEPTH_MAX, Error, Node};

/// Where each value of a document stands: line and column, from 1, by JSON pointer.
#[derive(Debug, Clone, Default)]
pub struct Places(HashMap<String, (usize, usize)>);

impl Places {
    /// The place of what this JSON pointer names, or of the nearest that is around it.
    pub fn of(&self, pointer: &str) -> Option<(usize, usize)> {
        let mut around = pointer;
        loop {
            if let Some(place) = self.0.get(around) {
                return Some(*place);
            }
            around = &around[..around.rfind('/')?];
        }
    }
}

/// Reads one document.
pub fn read(yaml: &str) -> Result<(Node, Places), Error> {
    let mut reader = Reader {
        parser: Parser::new_from_str(yaml),
        pointer: String::new(),
        places: Places::default(),
    };
    let node = reader.document()?;
    Ok((node, reader.places))
}

struct Reader<'y> {
    parser: Parser<'y, StrInput<'y>>,
    /// Of what is being read.
    pointer: String,
    places: Places,
}

type Next<'y> = (Event<'y>, Span);

fn at(marker: Marker) -> (usize, usize) {
    (marker.line(), marker.col() + 1)
}

fn refused(marker: Marker, why: impl Into<String>) -> Error {
    let (line, column) = at(marker);
    Error::Yaml {
        line,
        column,
        why: why.into(),
    }
}

fn unreadable(error: &ScanError) -> Error {
    refused(
        *error.marker(),
        format!("this is not YAML: {}", error.info()),
    )
}

impl<'y> Reader<'y> {
    fn next(&mut self) -> Result<Next<'y>, Error> {
        match self.parser.next_event() {
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => Err(unreadable(&error)),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    /// From here on what is read is within this.
    fn step_into(&mut self, escaped: &str) {
        self.pointer.push('/');
        self.pointer.push_str(escaped);
    }

    fn document(&mut self) -> Result<Node, Error> {
        loop {
            match self.next()?.0 {
                Event::DocumentStart(_) => break,
                Event::StreamEnd => return Ok(Node::Null),
                _ => {}
            }
        }
        let first = self.next()?;
        let node = self.value(first, 0)?;
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => return Ok(node),
                (Event::DocumentStart(_), span) => {
                    let why = "a second document begins here: put everything into one, and each into a file of its own otherwise";
                    return Err(refused(span.start, why));
                }
                _ => {}
            }
        }
    }

    fn value(&mut self, (event, span): Next<'y>, depth: usize) -> Result<Node, Error> {
        if depth > DEPTH_MAX {
            let why = format!("this nests deeper than {DEPTH_MAX}: make it flatter");
            return Err(refused(span.start, why));
        }
        let place = at(span.start);
        self.places.0.entry(self.pointer.clone()).or_insert(place);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                plain(span, anchor, tag.is_some())?;
                scalar(&text, style).map_err(|why| refused(span.start, why))
            }
            Event::SequenceStart(anchor, tag) => {
                plain(span, anchor, tag.is_some())?;
                self.list(depth)
            }
            Event::MappingStart(anchor, tag) => {
                plain(span, anchor, tag.is_some())?;
                self.map(depth)
            }
            Event::Alias(_) => Err(refused(span.start, NO_ALIAS)),
            _ => Err(refused(span.start, "a value is missing here")),
        }
    }

    fn list(&mut self, depth: usize) -> Result<Node, Error> {
        let mut entries = Vec::new();
        loop {
            let next = self.next()?;
            if matches!(next.0, Event::SequenceEnd) {
                return Ok(Node::List(entries));
            }
            let before = self.pointer.len();
            self.step_into(&entries.len().to_string());
            entries.push(self.value(next, depth + 1)?);
            self.pointer.truncate(before);
        }
    }

    fn map(&mut self, depth: usize) -> Result<Node, Error> {
        let mut members = Vec::new();
        let mut names = HashSet::new();
        loop {
            let (event, span) = self.next()?;
            let name = match event {
                Event::MappingEnd => return Ok(Node::Map(members)),
                Event::Scalar(text, style, anchor, tag) => {
                    plain(span, anchor, tag.is_some())?;
                    if text == "<<" && style == ScalarStyle::Plain {
                        return Err(refused(span.start, NO_ALIAS));
                    }
                    text.into_owned()
                }
                Event::Alias(_) => return Err(refused(span.start, NO_ALIAS)),
                _ => {
                    return Err(refused(
                        span.start,
                        "a name is a text: this is a list or an object",
                    ));
                }
            };
            if !names.insert(name.clone()) {
                let why = format!("'{}' stands there twice: remove one", name.escape_debug());
                return Err(refused(span.start, why));
            }
            let before = self.pointer.len();
            self.step_into(&name.replace('~', "~0").replace('/', "~1"));
            self.places.0.insert(self.pointer.clone(), at(span.start));
            let next = self.next()?;
            let value = self.value(next, depth + 1)?;
            members.push((name, value));
            self.pointer.truncate(before);
        }
    }
}

const NO_ALIAS: &str = "anchors, aliases and merge keys are not read, because with them a small file may stand for \
     a huge one: write it out";

/// Refuses what makes a value mean something else than it says.
fn plain(span: Span, anchor: usize, tagged: impl Into<Tagged>) -> Result<(), Error> {
    if anchor != 0 {
        return Err(refused(span.start, NO_ALIAS));
    }
    match tagged.into() {
        Tagged::Not => Ok(()),
        Tagged::So => {
            let why =
                "tags such as !!str are not read: write the value as JSON has it, a text in quotes";
            Err(refused(span.start, why))
        }
    }
}

/// Whether a value has a tag.
enum Tagged {
    So,
    Not,
}

impl From<bool> for Tagged {
    fn from(tagged: bool) -> Self {
        if tagged { Self::So } else { Self::Not }
    }
}

/// What a scalar means, in the core schema of YAML 1.2.
fn scalar(text: &str, style: ScalarStyle) -> Result<Node, String> {
    if style != ScalarStyle::Plain {
        return Ok(Node::text(text));
    }
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Node::Null,
        "true" | "True" | "TRUE" => Node::Bool(true),
        "false" | "False" | "FALSE" => Node::Bool(false),
        _ if is_json_number(text) => Node::Number(text.to_owned()),
        _ if is_other_number(text) => {
            let shown: String = text.chars().take(40).collect();
            return Err(format!(
                "'{shown}' is a number that JSON does not know: write it as JSON does, or in quotes if it is a text"
            ));
        }
        _ => Node::text(text),
    })
}

fn is_json_number(text: &str) -> bool {
    text.starts_with(|letter: char| letter.is_ascii_digit() || letter == '-')
        && serde_json::from_str::<&serde_json::value::RawValue>(text)
            .is_ok_and(|raw| raw.get() == text)
}

/// What YAML takes for a number, and JSON does not.
fn is_other_number(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(
        unsigned,
        ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN"
    ) {
        return true;
    }
    let of = |prefix: &str, fits: fn(char) -> bool| {
        let digits = unsigned.strip_prefix(prefix);
        digits.is_some_and(|digits| !digits.is_empty() && digits.chars().all(fits))
    };
    if of("0x", |letter| letter.is_ascii_hexdigit()) || of("0o", |letter| letter.is_digit(8)) {
        return true;
    }
    let (digits, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((digits, exponent)) => (digits, Some(exponent)),
        None => (unsigned, None),
    };
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let exponent_fits = exponent.is_none_or(|exponent| {
        let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !digits.is_empty() && is_digits(digits)
    });
    exponent_fits && is_digits(whole) && is_digits(part) && !(whole.is_empty() && part.is_empty())
}
