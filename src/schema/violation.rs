//! What of a payload does not fit its schema: where, what is wrong, and what was expected. No value
//! of the payload is repeated, as it may be a secret; names of fields are.

use std::fmt;

use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Most violations that are told of one payload.
pub const VIOLATIONS_MAX: usize = 20;
/// Longest text of one.
const TEXT_CHARS_MAX: usize = 300;

/// One place at which a payload does not fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// JSON pointer into the payload; empty: the whole.
    pub pointer: String,
    /// Which keyword of the schema it does not fit; `readable` or `cost`, if it was not checked.
    pub keyword: String,
    /// What is wrong.
    pub wrong: String,
    /// What was expected.
    pub expected: String,
}

/// All that does not fit, as far as it is told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Violations {
    /// At most [`VIOLATIONS_MAX`].
    pub list: Vec<Violation>,
    /// Whether there may be more.
    pub more: bool,
}

impl Violations {
    /// Whether everything fits.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(super) fn one(only: Violation) -> Self {
        Self {
            list: vec![only],
            more: false,
        }
    }

    pub(super) fn first(first: Violation) -> Self {
        Self {
            list: vec![first],
            more: true,
        }
    }

    pub(super) fn of<'e>(errors: impl Iterator<Item = ValidationError<'e>>) -> Self {
        let mut list: Vec<Violation> = errors
            .take(VIOLATIONS_MAX + 1)
            .map(|error| Violation::of(&error))
            .collect();
        let more = list.len() > VIOLATIONS_MAX;
        list.truncate(VIOLATIONS_MAX);
        Self { list, more }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "/data{} {}, expected {}",
            self.pointer, self.wrong, self.expected
        )
    }
}

impl Violation {
    fn new(pointer: &str, keyword: &str, wrong: &str, expected: &str) -> Self {
        Self {
            pointer: pointer.to_owned(),
            keyword: keyword.to_owned(),
            wrong: cut(wrong),
            expected: cut(expected),
        }
    }

    /// A payload that is not checked, because that would take too long.
    pub(super) fn too_costly() -> Self {
        Self::new(
            "",
            "cost",
            "has too many values for a schema with so many alternatives",
            "a smaller payload, or a simpler schema",
        )
    }

    /// JSON whose numbers or texts nobody can hold.
    pub(super) fn unreadable(error: &serde_path_to_error::Error<serde_json::Error>) -> Self {
        let mut pointer = String::new();
        for segment in error.path() {
            match segment {
                serde_path_to_error::Segment::Seq { index } => {
                    pointer.extend(["/", &index.to_string()]);
                }
                serde_path_to_error::Segment::Map { key } => {
                    pointer.push('/');
                    pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
                }
                _ => {}
            }
        }
        let why = error.inner().to_string();
        let why = why
            .rsplit_once(" at line ")
            .map_or(why.as_str(), |(words, _)| words);
        Self::new(
            &pointer,
            "readable",
            &format!("can't be compared with a schema: {why}"),
            "numbers within the range of a double, and text that is Unicode",
        )
    }

    pub(super) fn of(error: &ValidationError<'_>) -> Self {
        let (wrong, expected) = told(error);
        Self::new(
            error.instance_path().as_str(),
            error.kind().keyword(),
            &wrong,
            &expected,
        )
    }
}

/// What is wrong, and what was expected.
fn told(error: &ValidationError<'_>) -> (String, String) {
    let found = error.instance();
    match error.kind() {
        Kind::Type { kind } => (format!("is {}", noun(found)), kinds(kind)),
        Kind::Required { property } => (
            format!("has no field {property}"),
            format!("an object with the field {property}"),
        ),
        Kind::Enum { options } => ("has another value".to_owned(), format!("one of {options}")),
        Kind::Constant { expected_value } => {
            ("has another value".to_owned(), expected_value.to_string())
        }
        Kind::Format { format } => (
            "is text of another form".to_owned(),
            format!("text of the format {format}"),
        ),
        Kind::Pattern { pattern } => (
            "is text of another form".to_owned(),
            format!("text that matches {pattern}"),
        ),
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => (
            format!(
                "has fields that the schema does not name: {}",
                unexpected.join(", ")
            ),
            "only the fields that the schema names".to_owned(),
        ),
        Kind::PropertyNames { .. } => (
            "has a field with a name that the schema does not allow".to_owned(),
            "names as the schema's propertyNames says".to_owned(),
        ),
        kind => bounds(kind, error),
    }
}

/// The same, of what is counted and compared, and of alternatives.
fn bounds(kind: &Kind, error: &ValidationError<'_>) -> (String, String) {
    let (wrong, expected) = match kind {
        Kind::Minimum { limit } => ("is too small a number", format!("at least {limit}")),
        Kind::Maximum { limit } => ("is too large a number", format!("at most {limit}")),
        Kind::ExclusiveMinimum { limit } => ("is too small a number", format!("more than {limit}")),
        Kind::ExclusiveMaximum { limit } => ("is too large a number", format!("less than {limit}")),
        Kind::MultipleOf { multiple_of } => {
            ("is another number", format!("a multiple of {multiple_of}"))
        }
        Kind::MinLength { limit } => ("is too short", format!("at least {limit} characters")),
        Kind::MaxLength { limit } => ("is too long", format!("at most {limit} characters")),
        Kind::MinItems { limit } => ("has too few elements", format!("at least {limit}")),
        Kind::MaxItems { limit } => ("has too many elements", format!("at most {limit}")),
        Kind::MinProperties { limit } => ("has too few fields", format!("at least {limit}")),
        Kind::MaxProperties { limit } => ("has too many fields", format!("at most {limit}")),
        Kind::AdditionalItems { .. } | Kind::UnevaluatedItems { .. } => (
            "has elements that the schema does not name",
            "fewer elements".to_owned(),
        ),
        Kind::UniqueItems => (
            "has an element twice",
            "elements of which no two are the same".to_owned(),
        ),
        Kind::Contains => (
            "has no element, or too few or many, of the kind that it must contain",
            "elements as the schema's contains says".to_owned(),
        ),
        Kind::AnyOf { context } | Kind::OneOfNotValid { context } => (
            "fits none of the alternatives",
            format!("one of the {} that the schema gives", context.len()),
        ),
        Kind::OneOfMultipleValid { .. } => (
            "fits several alternatives",
            "exactly one of those that the schema gives".to_owned(),
        ),
        Kind::Not { .. } => (
            "is what the schema excludes",
            "anything that its not does not describe".to_owned(),
        ),
        Kind::FalseSchema => ("may not be here", "nothing".to_owned()),
        other => {
            let keyword = other.keyword().to_owned();
            let wrong = format!("does not fit: {}", error.masked());
            return (wrong, format!("what the schema's {keyword} says"));
        }
    };
    (wrong.to_owned(), expected)
}

fn noun(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn kinds(kind: &TypeKind) -> String {
    match kind {
        TypeKind::Single(one) => one.to_string(),
        TypeKind::Multiple(several) => {
            let several: Vec<String> = several.iter().map(|one| one.to_string()).collect();
            several.join(" or ")
        }
    }
}

/// The beginning of a text that may be long.
pub(super) fn cut(text: &str) -> String {
    match text.char_indices().nth(TEXT_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
