//! Which field a leaf of a form asks about: `data.owner.team`, `data.lines[0].sku`, `data["a.b"]`, `type`.

use std::fmt;

use super::super::expression::{Expression, Root};
use super::super::value::Value;
use super::Error;

/// Most parts of a path: one condition has no longer chain.
const PARTS_MAX: usize = 32;

/// Words that CEL keeps for itself: a field of that name is asked for in brackets.
const RESERVED: [&str; 21] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "false",
    "for",
    "function",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "namespace",
    "null",
    "package",
    "return",
    "true",
    "var",
    "void",
    "while",
];

/// The way to a field.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldPath {
    root: Root,
    parts: Vec<Part>,
}

/// One step on the way.
#[derive(Debug, Clone, PartialEq)]
enum Part {
    /// Into an object.
    Name(String),
    /// Into a list, from 0.
    Place(u32),
}

/// Whether a name can stand in CEL as it is.
pub(in super::super) fn is_plain(name: &str) -> bool {
    let starts = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    starts
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !RESERVED.contains(&name)
}

impl FieldPath {
    /// Reads a path; `event.` may stand before it.
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        let wrong = || Error::Field(text.chars().take(120).collect());
        let path = text.strip_prefix("event.").unwrap_or(text);
        let end = path.find(['.', '[']).unwrap_or(path.len());
        let root = Root::from_word(&path[..end])
            .filter(|root| root.is_of_event())
            .ok_or_else(wrong)?;
        let mut parts = Vec::new();
        let mut rest = &path[end..];
        while !rest.is_empty() {
            let (part, after) = part(rest).ok_or_else(wrong)?;
            parts.push(part);
            rest = after;
        }
        let fits = parts.is_empty() || has_fields(root);
        if !fits || parts.len() > PARTS_MAX {
            return Err(wrong());
        }
        Ok(Self { root, parts })
    }

    /// Whether it may be missing.
    pub(super) fn may_be_missing(&self) -> bool {
        !self.parts.is_empty() || matches!(self.root, Root::Source | Root::CloudEvent)
    }

    /// Whether it is within the payload.
    pub(super) fn is_in_payload(&self) -> bool {
        self.root == Root::Payload && !self.parts.is_empty()
    }

    /// Whether it is the event's own time.
    pub(super) fn is_time(&self) -> bool {
        self.root == Root::Timestamp
    }

    /// Where a payload has what the field was before: the same below `data.previous`.
    pub(super) fn previous(&self) -> Self {
        let mut parts = self.parts.clone();
        parts.insert(0, Part::Name("previous".to_owned()));
        Self { parts, ..*self }
    }

    pub(super) fn expression(&self) -> Expression {
        let mut path = Expression::Root(self.root);
        for part in &self.parts {
            let of = Box::new(path);
            path = match part {
                Part::Name(name) if is_plain(name) => Expression::Field(of, name.clone()),
                Part::Name(name) => index(of, Value::Text(name.clone().into())),
                Part::Place(place) => index(of, Value::Int(i64::from(*place))),
            };
        }
        path
    }

    /// The path that an expression is, if it is one.
    pub(super) fn of(expression: &Expression) -> Option<Self> {
        match expression {
            Expression::Root(root) => root.is_of_event().then_some(Self {
                root: *root,
                parts: Vec::new(),
            }),
            Expression::Field(of, name) => Self::of(of)?.with(Part::Name(name.clone())),
            Expression::Index(of, index) => {
                let part = match &**index {
                    Expression::Literal(Value::Text(name)) => Part::Name(name.as_ref().to_owned()),
                    Expression::Literal(Value::Int(place)) => {
                        Part::Place(u32::try_from(*place).ok()?)
                    }
                    _ => return None,
                };
                Self::of(of)?.with(part)
            }
            _ => None,
        }
    }

    fn with(mut self, part: Part) -> Option<Self> {
        self.parts.push(part);
        (has_fields(self.root) && self.parts.len() <= PARTS_MAX).then_some(self)
    }
}

/// Whether there are fields below it.
fn has_fields(root: Root) -> bool {
    matches!(root, Root::Payload | Root::CloudEvent)
}

fn index(of: Box<Expression>, value: Value<'static>) -> Expression {
    Expression::Index(of, Box::new(Expression::Literal(value)))
}

/// The part that `rest` begins with, and what comes after it.
fn part(rest: &str) -> Option<(Part, &str)> {
    if let Some(rest) = rest.strip_prefix('.') {
        let end = rest.find(['.', '[', ']', '"']).unwrap_or(rest.len());
        return (end > 0).then(|| (Part::Name(rest[..end].to_owned()), &rest[end..]));
    }
    let inside = rest.strip_prefix('[')?;
    if !inside.starts_with('"') {
        let (digits, after) = inside.split_once(']')?;
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        return Some((Part::Place(is_number.then(|| digits.parse().ok())??), after));
    }
    let mut texts = serde_json::Deserializer::from_str(inside).into_iter::<String>();
    let name = texts.next()?.ok()?;
    let after = inside[texts.byte_offset()..].strip_prefix(']')?;
    Some((Part::Name(name), after))
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.root.as_str())?;
        for part in &self.parts {
            match part {
                Part::Name(name) if name.is_empty() || name.contains(['.', '[', ']', '"']) => {
                    write!(f, "[{}]", serde_json::Value::from(name.as_str()))?;
                }
                Part::Name(name) => write!(f, ".{name}")?,
                Part::Place(place) => write!(f, "[{place}]")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_read_written_and_spelled() {
        for (text, written, cel) in [
            ("data", "data", "event.data"),
            ("type", "type", "event.type"),
            (
                "cloudevent.subject",
                "cloudevent.subject",
                "event.cloudevent.subject",
            ),
            ("event.data.a", "data.a", "event.data.a"),
            ("data.a-b.in", "data.a-b.in", r#"event.data["a-b"]["in"]"#),
            (
                r#"data["a.b"][0].sku"#,
                r#"data["a.b"][0].sku"#,
                r#"event.data["a.b"][0].sku"#,
            ),
            (
                r#"data["x\"]"].größe"#,
                r#"data["x\"]"].größe"#,
                r#"event.data["x\"]"]["größe"]"#,
            ),
            (r#"data[""]"#, r#"data[""]"#, r#"event.data[""]"#),
        ] {
            let path = FieldPath::parse(text).expect(text);
            assert_eq!(path.to_string(), written);
            assert_eq!(path.expression().to_string(), cel);
            assert_eq!(FieldPath::of(&path.expression()), Some(path.clone()));
            assert_eq!(FieldPath::parse(written).expect(written), path);
        }
        assert_eq!(
            FieldPath::parse("data.deal.stage")
                .expect("a path")
                .previous()
                .to_string(),
            "data.previous.deal.stage"
        );
    }

    #[test]
    fn what_is_no_path_is_refused() {
        let long = format!("data{}", ".a".repeat(PARTS_MAX + 1));
        for text in [
            "",
            ".",
            "amount",
            "data.",
            "data..a",
            "data[",
            "data[]",
            "data[-1]",
            "data[1",
            "data[\"a]",
            "data[\"a\"",
            "data[9999999999]",
            "data a",
            "type.a",
            "body",
            "headers.a",
            "data.a]",
            "data.a\"b",
            "event",
            &long,
        ] {
            assert!(FieldPath::parse(text).is_err(), "{text}");
        }
    }
}
