//! How a condition is said, in CEL or as a form, and how it is shown with what there is to say about it.

use std::borrow::Cow;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Schema, Type};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use crate::automation::{ConditionError, ConditionWarning, Form};

/// A condition as it is said.
#[derive(Debug, Clone)]
pub enum ConditionRequest {
    /// In CEL.
    Cel(String),
    /// As a form.
    Form(Form),
}

/// A condition to be shown in its other spelling.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConditionToConvert {
    /// CEL, or a form.
    pub condition: ConditionRequest,
}

/// A condition to be checked.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConditionToCheck {
    /// CEL, or a form.
    pub condition: ConditionRequest,
    /// Event types and patterns, as a trigger names them: it is compared with their schemas. None, if left out.
    #[serde(default)]
    #[schema(example = json!(["deal.*"]))]
    pub events: Vec<String>,
}

/// A condition in both spellings, and what there is to say about it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConditionView {
    /// Whether it can be saved. With warnings it can.
    pub valid: bool,
    /// In CEL.
    pub condition: String,
    /// As a form; null, if no form means the same.
    #[schema(value_type = Option<Form>)]
    pub condition_form: Option<Form>,
    /// What is wrong with it, or looks wrong.
    pub problems: Vec<ConditionProblemView>,
}

/// Something that is wrong with a condition, or looks wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ConditionProblemView {
    /// `error` (it can't be saved) or `warning`.
    pub severity: &'static str,
    /// A word for programs: `invalid_condition`; of a warning `unknown_field`, `not_an_object`, `wrong_kind` or
    /// `unknown_value`.
    pub code: &'static str,
    /// What is wrong, and what to do.
    pub message: String,
    /// What probably belongs there instead; null, if nothing is near.
    pub suggestion: Option<String>,
    /// Where it is in the condition's CEL; null, if it is at no one place.
    pub position: Option<PositionView>,
    /// The JSON pointer, from `condition_form`, of the leaf that it is about; null, if it is about none.
    pub pointer: Option<String>,
}

/// A part of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct PositionView {
    /// The line, from 1.
    pub line: usize,
    /// The first character in the line, from 1.
    pub column: usize,
    /// How many characters.
    pub length: usize,
}

impl ConditionRequest {
    /// The same in CEL.
    pub(super) fn cel(&self) -> Cow<'_, str> {
        match self {
            Self::Cel(source) => Cow::Borrowed(source),
            Self::Form(form) => Cow::Owned(form.cel()),
        }
    }
}

impl ConditionProblemView {
    pub(super) fn of_error(source: &str, error: &ConditionError) -> Self {
        let position = error.position().map(|at| PositionView {
            line: at.line,
            column: at.column,
            length: word_length(source, (at.line, at.column)),
        });
        Self {
            severity: "error",
            code: "invalid_condition",
            message: error.to_string(),
            suggestion: None,
            position,
            pointer: None,
        }
    }

    pub(super) fn of_warning(found: ConditionWarning, pointer: Option<String>) -> Self {
        Self {
            severity: "warning",
            code: found.kind.as_str(),
            message: found.message,
            suggestion: found.suggestion,
            position: Some(PositionView {
                line: found.at.line,
                column: found.at.column,
                length: found.length,
            }),
            pointer,
        }
    }
}

/// How long the word is that begins there.
fn word_length(source: &str, (line, column): (usize, usize)) -> usize {
    let line = source.lines().nth(line - 1).unwrap_or_default();
    let rest = line.chars().skip(column - 1);
    let word = rest.take_while(|letter| letter.is_alphanumeric() || *letter == '_');
    word.count().max(1)
}

/// What becomes of warnings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strictness {
    /// They are told.
    Lenient,
    /// They are refused.
    Strict,
}

impl From<Option<bool>> for Strictness {
    /// The field `strict`.
    fn from(strict: Option<bool>) -> Self {
        if strict == Some(true) {
            Self::Strict
        } else {
            Self::Lenient
        }
    }
}

impl<'de> Deserialize<'de> for ConditionRequest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CelOrForm)
    }
}

/// Written by hand because an untagged enum would answer every mistake with "did not match any
/// variant".
struct CelOrForm;

impl<'de> Visitor<'de> for CelOrForm {
    type Value = ConditionRequest;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a condition: CEL as text, or a form")
    }

    fn visit_str<E: de::Error>(self, source: &str) -> Result<ConditionRequest, E> {
        Ok(ConditionRequest::Cel(source.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ConditionRequest, A::Error> {
        Form::deserialize(MapAccessDeserializer::new(map)).map(ConditionRequest::Form)
    }
}

impl PartialSchema for ConditionRequest {
    fn schema() -> RefOr<Schema> {
        let cel = ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some(
                "CEL, such as event.data.amount > 1000: 4096 bytes at most.",
            ));
        OneOfBuilder::new()
            .item(cel)
            .item(Ref::from_schema_name(Form::name()))
            .description(Some(
                "A question about one event, in CEL or as a form: docs/conditions.md tells both, with examples.",
            ))
            .into()
    }
}

impl ToSchema for ConditionRequest {
    fn name() -> Cow<'static, str> {
        "Condition".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((Form::name().into(), Form::schema()));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_condition_is_said_in_either_spelling() {
        let read = |value: Value| serde_json::from_value::<ConditionRequest>(value);
        let form = json!({"field": "data.a", "operator": "equals", "value": 1});
        let said = [json!("event.data.a == 1"), form];
        let [cel, form] = said.map(|said| read(said).expect("a condition"));
        assert_eq!(cel.cel(), "event.data.a == 1");
        assert_eq!(form.cel(), "has(event.data.a) && event.data.a == 1");
        for wrong in [json!(1), json!(null), json!([]), json!({})] {
            assert!(read(wrong).is_err());
        }
    }

    #[test]
    fn the_word_that_is_wrong_has_its_length() {
        for (source, at, length) in [
            ("amount > 1", (1, 1), 6),
            ("a &&\n  größe == 1", (2, 3), 5),
            ("a = 1", (1, 3), 1),
            ("a", (9, 9), 1),
        ] {
            assert_eq!(word_length(source, at), length, "{source}");
        }
    }
}
