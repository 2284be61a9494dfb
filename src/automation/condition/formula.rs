//! Expressions of the conditions' language that give a value instead of an answer: a key that events have
//! in common, or a time. Checked when they are saved, with the place of what is wrong, and bounded as
//! conditions are.

use std::collections::BTreeSet;

use super::check::{self, Of};
use super::cost;
use super::error::ConditionError;
use super::evaluation::Evaluation;
use super::expression::Expression;
use super::value::{Value, said_with_kind};
use super::variables::Variables;
use super::view::EventView;
use super::weight;
use crate::model::Timestamp;
use crate::model::limits::FLOW_KEY_BYTES_MAX;

/// What an expression is there to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gives {
    /// A text, a number, a time, true or false.
    Key,
    /// A time, or a text that is one (RFC 3339).
    Time,
}

/// A checked expression over one event. Holds no event.
#[derive(Debug, Clone)]
pub struct Formula {
    source: Box<str>,
    expression: Expression,
}

/// Why a text is no such expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormulaError {
    /// Nothing but white space.
    #[error("the expression is empty: leave it out, or ask for something, such as event.data.id")]
    Empty,
    /// It is not in the language, or too much of it.
    #[error("{}", of_expressions(&.0.to_string()))]
    Source(ConditionError),
    /// It can never give what it is there for.
    #[error("the expression gives {what}, needs to give {needed}")]
    Gives {
        /// What it gives.
        what: &'static str,
        /// What it is there to give.
        needed: &'static str,
    },
}

impl Gives {
    fn words(self) -> &'static str {
        match self {
            Self::Key => "a text, a number, a time, true or false",
            Self::Time => "a time, or a text such as 2026-05-04T10:30:00Z",
        }
    }

    /// Whether what is certainly given (in the words of [`cost::gives`]) can never do.
    fn refuses(self, what: &str) -> bool {
        match self {
            Self::Key => matches!(what, "a list" | "null" | "a duration" | "an object"),
            Self::Time => !matches!(what, "a time" | "a string" | "a number or a string"),
        }
    }
}

impl Formula {
    /// Checks `source` as it is saved. `variables`: what `vars` has.
    pub fn parse(source: &str, gives: Gives, variables: &Variables) -> Result<Self, FormulaError> {
        let expression =
            check::read(source, Of::Event, variables).map_err(|error| match error {
                ConditionError::Empty => FormulaError::Empty,
                error => FormulaError::Source(error),
            })?;
        if let Some(what) = cost::gives(&expression).filter(|what| gives.refuses(what)) {
            let needed = gives.words();
            return Err(FormulaError::Gives { what, needed });
        }
        Ok(Self {
            source: source.into(),
            expression,
        })
    }

    /// The text, as its author wrote it.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The variables that it asks for, each once.
    pub fn variables(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        self.expression.visit(&mut |node| {
            if let Expression::Known(name, _) = node {
                found.insert(name.clone());
            }
        });
        found
    }

    /// Most steps that it takes on a payload of this size, about.
    pub fn steps_max(&self, payload_bytes: usize) -> usize {
        weight::steps_max(&self.expression, payload_bytes)
    }

    /// The key that it gives for the event of `view`; or a sentence that says why it gives none. A number and
    /// its text are one key.
    pub fn key(&self, view: &EventView<'_>) -> Result<String, String> {
        let key = match self.value(view)? {
            Value::Text(text) => text.into_owned(),
            Value::Int(number) => number.to_string(),
            Value::Uint(number) => number.to_string(),
            Value::Double(number) if number.is_finite() => number.to_string(),
            Value::Bool(value) => value.to_string(),
            Value::Time(time) => time.to_string(),
            other => return Err(self.wrong(&other, Gives::Key)),
        };
        if key.len() > FLOW_KEY_BYTES_MAX {
            let bytes = key.len();
            let source = &self.source;
            return Err(format!(
                "`{source}` has {bytes} bytes: a key has {FLOW_KEY_BYTES_MAX} at most"
            ));
        }
        if key.contains('\0') {
            let source = &self.source;
            return Err(format!(
                "`{source}` has the character U+0000, which a key can't have"
            ));
        }
        Ok(key)
    }

    /// The time that it gives for the event of `view`; or a sentence that says why it gives none.
    pub fn time(&self, view: &EventView<'_>) -> Result<Timestamp, String> {
        let value = self.value(view)?;
        let time = match &value {
            Value::Time(time) => Some(Timestamp::from_ms(time.as_millisecond())),
            Value::Text(text) => text.parse().ok(),
            _ => None,
        };
        time.ok_or_else(|| self.wrong(&value, Gives::Time))
    }

    fn value<'v, 'a: 'v>(&'v self, view: &'v EventView<'a>) -> Result<Value<'v>, String> {
        let value = Evaluation::new(view).value(&self.expression);
        value.map_err(|fault| of_expressions(&fault.into_sentence()))
    }

    fn wrong(&self, value: &Value<'_>, gives: Gives) -> String {
        let (source, is, needed) = (&self.source, said_with_kind(value), gives.words());
        format!("`{source}` is {is}, needs to be {needed}")
    }
}

/// What is said of conditions, said of expressions.
fn of_expressions(sentence: &str) -> String {
    sentence
        .replace("a condition", "an expression")
        .replace("condition", "expression")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::automation::EventType;
    use crate::model::EventId;

    fn given<T>(
        source: &str,
        gives: Gives,
        ask: impl Fn(&Formula, &EventView<'_>) -> Result<T, String>,
    ) -> Result<T, String> {
        let formula = Formula::parse(source, gives, &Variables::default()).expect(source);
        let event_type: EventType = "deal.won".parse().expect("valid");
        let at = Timestamp::from_ms(1_790_000_000_000);
        let payload = br#"{"id":42,"half":0.5,"whole":42.0,"name":"a\u0000b","at":"2026-05-04T10:30:00+02:00",
            "list":[1],"no":null,"long":"LONG"}"#;
        let payload = String::from_utf8_lossy(payload).replace("LONG", &"x".repeat(600));
        let view = EventView::new(EventId::mint(at), &event_type, at, payload.as_bytes());
        ask(&formula, &view)
    }

    #[test]
    fn a_key_is_what_can_be_told_apart_in_text() {
        for (source, key) in [
            ("event.data.id", "42"),
            ("string(event.data.id)", "42"),
            ("event.data.whole", "42"),
            ("event.data.half", "0.5"),
            ("event.type + ':' + string(event.data.id)", "deal.won:42"),
            ("event.data.id > 1", "true"),
            (
                "has(event.data.missing) ? event.data.missing : 'none'",
                "none",
            ),
        ] {
            let found = given(source, Gives::Key, Formula::key);
            assert_eq!(found.as_deref(), Ok(key), "{source}");
        }
        for (source, says) in [
            ("event.data.missing", "is missing"),
            ("event.data.no", "is null, needs to be a text"),
            ("event.data.list", "a list with 1 entry, needs to be a text"),
            ("event.data.long", "has 600 bytes: a key has 512"),
            ("event.data.name", "U+0000"),
        ] {
            let why = given(source, Gives::Key, Formula::key).expect_err(source);
            assert!(why.contains(says), "{source}: {why}");
        }
    }

    #[test]
    fn a_time_is_one_or_a_text_that_says_one() {
        let half_past = "2026-05-04T08:30:00Z".parse::<Timestamp>();
        for source in ["event.data.at", "timestamp(event.data.at)"] {
            let found = given(source, Gives::Time, Formula::time);
            assert_eq!(found.ok(), half_past.clone().ok(), "{source}");
        }
        let hour = "timestamp(event.data.at) - duration('1h')";
        let found = given(hour, Gives::Time, Formula::time).expect("a time");
        assert_eq!(found.to_string(), "2026-05-04T07:30:00.000Z");
        for (source, says) in [
            ("event.data.id", "is the number 42, needs to be a time"),
            (
                "event.type",
                "is the string \"deal.won\", needs to be a time",
            ),
        ] {
            let why = given(source, Gives::Time, Formula::time).expect_err(source);
            assert!(why.contains(says), "{source}: {why}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_when_it_is_saved() {
        for (source, gives, says) in [
            ("", Gives::Key, "the expression is empty"),
            (
                "data.id",
                Gives::Key,
                "there is no `data`: an expression knows event.id",
            ),
            (
                "event.data.id ==",
                Gives::Key,
                "the expression ends too early",
            ),
            ("event.data.a\n  + foo", Gives::Key, "line 2, column 5"),
            (
                "[event.data.id]",
                Gives::Key,
                "gives a list, needs to give a text",
            ),
            (
                "size(event.data)",
                Gives::Time,
                "gives a number, needs to give a time",
            ),
        ] {
            let error = Formula::parse(source, gives, &Variables::default())
                .expect_err(source)
                .to_string();
            assert!(error.contains(says), "{source}: {error}");
        }
    }
}
