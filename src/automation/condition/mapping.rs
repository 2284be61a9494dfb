//! Mappings: what a request is called and by which id it is known, said in the language of conditions, about
//! `headers`, `body` and `query`. Checked when saved and bounded as conditions are.

use std::fmt;

use super::check::{self, Of};
use super::error::ConditionError;
use super::evaluation::Evaluation;
use super::expression::Expression;
use super::value::{Value, said_with_kind};
use super::variables::Variables;
use super::view::RequestView;

/// A checked mapping. Cheap to share between threads; holds no request.
#[derive(Debug, Clone)]
pub struct Mapping {
    source: Box<str>,
    expression: Expression,
}

/// What a mapping makes of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mapped {
    /// This text; of a whole number, its digits.
    Text(String),
    /// It is `null`.
    Nothing,
    /// It cannot be said, and why.
    Error(String),
}

impl Mapping {
    /// Checks `source` as it is saved: everything that can be known to be wrong without a request is refused
    /// here, with its place.
    pub fn parse(source: &str) -> Result<Self, MappingError> {
        Ok(Self {
            expression: check::read(source, Of::Request, &Variables::default())
                .map_err(MappingError)?,
            source: source.into(),
        })
    }

    /// The text, as its author wrote it.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// What it makes of a request.
    pub fn evaluate(&self, view: &RequestView<'_>) -> Mapped {
        match Evaluation::new(view).value(&self.expression) {
            Ok(Value::Text(text)) => Mapped::Text(text.into_owned()),
            Ok(Value::Int(number)) => Mapped::Text(number.to_string()),
            Ok(Value::Uint(number)) => Mapped::Text(number.to_string()),
            Ok(Value::Null) => Mapped::Nothing,
            Ok(other) => Mapped::Error(format!(
                "`{}` is {}, needs to be a string",
                self.expression,
                said_with_kind(&other)
            )),
            Err(fault) => Mapped::Error(fault.into_sentence()),
        }
    }
}

/// Why a text is not a mapping: what would be wrong with a condition, in a mapping's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappingError(ConditionError);

impl fmt::Display for MappingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            ConditionError::Empty => {
                f.write_str("the mapping is empty: leave it out for the usual one")
            }
            ConditionError::UnknownName { at, name } => write!(
                f,
                "{at}: there is no `{name}`: a mapping knows headers, body and query"
            ),
            other => f.write_str(&other.to_string().replace("condition", "mapping")),
        }
    }
}

impl std::error::Error for MappingError {}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADERS: &str = r#"{"x-github-event":"issues","x-github-delivery":"d-1","x-n":"7"}"#;
    const BODY: &[u8] =
        br#"{"type":"invoice.paid","id":9007199254740993,"deep":{"list":[1]},"none":null}"#;
    const QUERY: &str = r#"{"tag":"a","tags":["b","c"]}"#;

    fn mapped(source: &str) -> Mapped {
        let mapping = Mapping::parse(source).expect(source);
        mapping.evaluate(&RequestView::new(HEADERS, BODY, QUERY))
    }

    #[test]
    fn a_mapping_makes_a_text_of_headers_body_and_query() {
        for (source, wanted) in [
            (r#""github." + headers["x-github-event"]"#, "github.issues"),
            (r#"headers["x-github-delivery"]"#, "d-1"),
            (
                r#""github." + headers["x-github-event"] + (has(body.action) ? "." + body.action : "")"#,
                "github.issues",
            ),
            ("body.type", "invoice.paid"),
            ("body.id", "9007199254740993"),
            (r#"query.tag + "." + query.tags[1]"#, "a.c"),
            (
                r#"has(body.action) ? "x." + body.action : has(headers["x-n"]) ? headers["x-n"] : "none""#,
                "7",
            ),
            (r#""webhook.received""#, "webhook.received"),
        ] {
            assert_eq!(mapped(source), Mapped::Text(wanted.to_owned()), "{source}");
        }
        assert_eq!(mapped("body.none"), Mapped::Nothing);
    }

    #[test]
    fn what_is_no_text_is_told() {
        for (source, wanted) in [
            (
                "body.deep",
                "`body.deep` is an object with 1 field, needs to be a string",
            ),
            ("body.missing", "`body.missing` is missing"),
            (r#"headers["x-no"]"#, r#"`headers["x-no"]` is missing"#),
            ("body.type == 'x'", "needs to be a string"),
        ] {
            let Mapped::Error(said) = mapped(source) else {
                panic!("{source} is no text");
            };
            assert!(said.contains(wanted), "{source}: {said}");
        }
        let mapping = Mapping::parse("body.type").expect("a mapping");
        let said = mapping.evaluate(&RequestView::new("{}", b"no JSON", "{}"));
        assert!(
            matches!(said, Mapped::Error(said) if said.contains("the body can't be read as JSON"))
        );
    }

    #[test]
    fn what_is_wrong_with_every_request_is_refused_when_it_is_saved() {
        for (source, wanted) in [
            ("", "the mapping is empty"),
            (
                "event.type",
                "there is no `event`: a mapping knows headers, body and query",
            ),
            ("header.x", "line 1, column 1: there is no `header`"),
            ("body.matches('x')", "a mapping knows has"),
            ("body +", "the mapping ends too early"),
            (
                "body.all(x, body.all(y, true))",
                "a loop within a loop takes too long",
            ),
        ] {
            let error = Mapping::parse(source).expect_err(source).to_string();
            assert!(error.contains(wanted), "{source}: {error}");
        }
    }
}
