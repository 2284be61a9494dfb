//! How a form is written in JSON, read with the place of what is wrong in it, and described.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, Schema, Type};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use super::{
    ENTRIES_MAX, Error, FieldOperator, FieldPath, Form, Leaf, MEMBERS_MAX, Missing, Operand,
    SHOWN_CHARS_MAX, is_plain, normal,
};

/// What the description calls a form.
const SCHEMA: &str = "ConditionForm";
/// The name in `{"var":"minimum"}`, a value that is a variable's.
const VARIABLE: &str = "var";

/// A form as it is written: one of its kinds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    all: Option<Vec<Form>>,
    any: Option<Vec<Form>>,
    not: Option<Box<Form>>,
    field: Option<String>,
    operator: Option<String>,
    #[serde(default, deserialize_with = "said")]
    value: Option<Value>,
    previous: Option<String>,
    missing: Option<String>,
}

/// A value, of which `null` is one.
fn said<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl<'de> Deserialize<'de> for Form {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Members)
    }
}

/// Written by hand, because a struct is also read from a list, whose entries nobody has named.
struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Form;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a group or a leaf of a condition, which is an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Form, A::Error> {
        let written = Written::deserialize(MapAccessDeserializer::new(map))?;
        written.form().map(normal::form).map_err(de::Error::custom)
    }
}

/// What is wrong, and in which field of a leaf: whoever tells it with a JSON pointer finds the place in the sentence
/// (`in `value`: …`), as serde's own words for a field that is missing or unknown have it.
#[derive(Debug)]
struct Wrong {
    field: Option<&'static str>,
    error: Error,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(field) = self.field {
            write!(f, "in `{field}`: ")?;
        }
        self.error.fmt(f)
    }
}

impl From<Error> for Wrong {
    fn from(error: Error) -> Self {
        Self { field: None, error }
    }
}

/// For what is wrong in a field of a leaf.
fn within(field: &'static str) -> impl FnOnce(Error) -> Wrong {
    move |error| Wrong {
        field: Some(field),
        error,
    }
}

impl Written {
    fn form(self) -> Result<Form, Wrong> {
        let is_leaf = self.field.is_some()
            || self.operator.is_some()
            || self.value.is_some()
            || self.previous.is_some()
            || self.missing.is_some();
        match (self.all, self.any, self.not) {
            (Some(parts), None, None) if !is_leaf => Ok(Form::All(members(parts)?)),
            (None, Some(parts), None) if !is_leaf => Ok(Form::Any(members(parts)?)),
            (None, None, Some(inner)) if !is_leaf => Ok(Form::Not(inner)),
            (None, None, None) if is_leaf => {
                let field = self.field.ok_or(Error::NoField);
                let field = field.and_then(|field| FieldPath::parse(&field));
                let operator = self.operator.ok_or(Error::NoOperator);
                let operator = operator.and_then(|word| operator_of(&word));
                let asked = Asked {
                    field: field.map_err(within("field"))?,
                    operator: operator.map_err(within("operator"))?,
                    previous: self.previous.as_deref(),
                    missing: self.missing.as_deref(),
                };
                asked.leaf(self.value).map(Form::Leaf)
            }
            _ => Err(Error::Kind.into()),
        }
    }
}

fn members(parts: Vec<Form>) -> Result<Vec<Form>, Error> {
    if (1..=MEMBERS_MAX).contains(&parts.len()) {
        Ok(parts)
    } else {
        Err(Error::Members(parts.len()))
    }
}

fn operator_of(word: &str) -> Result<FieldOperator, Error> {
    FieldOperator::from_word(word)
        .ok_or_else(|| Error::Operator(word.chars().take(SHOWN_CHARS_MAX).collect()))
}

/// A leaf as it is written, without its value.
struct Asked<'w> {
    field: FieldPath,
    operator: FieldOperator,
    previous: Option<&'w str>,
    missing: Option<&'w str>,
}

impl Asked<'_> {
    fn leaf(self, value: Option<Value>) -> Result<Leaf, Wrong> {
        let operator = self.operator;
        let is_time = matches!(operator, FieldOperator::Before | FieldOperator::After);
        let is_there = matches!(operator, FieldOperator::Exists | FieldOperator::NotExists);
        if self.field.is_time() && !is_time && !is_there {
            return Err(within("operator")(Error::Time));
        }
        let unused = |what| {
            within(what)(Error::Unused {
                what,
                operator: operator.as_str(),
            })
        };
        let previous = self.previous.map(FieldPath::parse).transpose();
        let previous = previous.map_err(within("previous"))?;
        if operator == FieldOperator::ChangedTo {
            if !self.field.is_in_payload() {
                return Err(within("field")(Error::Changed));
            }
            if !previous.as_ref().is_none_or(FieldPath::is_in_payload) {
                return Err(within("previous")(Error::Changed));
            }
        } else if previous.is_some() {
            return Err(unused("previous"));
        }
        let missing = match self.missing {
            None => operator.missing(),
            Some(_) if operator.is_settled() => return Err(unused("missing")),
            Some(word) => Missing::from_word(word).ok_or_else(|| {
                within("missing")(Error::Value {
                    operator: "missing",
                    takes: "no, yes or error",
                })
            })?,
        };
        let wrong = || {
            within("value")(Error::Value {
                operator: operator.as_str(),
                takes: operator.taken(),
            })
        };
        let operands = operands(operator, value).ok_or_else(wrong)?;
        Ok(Leaf {
            field: self.field,
            operator,
            operands,
            previous,
            missing,
        })
    }
}

/// What an operator is given; `None` if it does not take that.
fn operands(operator: FieldOperator, value: Option<Value>) -> Option<Vec<Operand>> {
    let values = match (operator, value) {
        (FieldOperator::Exists | FieldOperator::NotExists, value) => {
            return value.is_none().then(Vec::new);
        }
        (FieldOperator::In | FieldOperator::NotIn, Some(Value::Array(values))) => values,
        (FieldOperator::In | FieldOperator::NotIn, _) | (_, None) => return None,
        (_, Some(value)) => vec![value],
    };
    let is_time = matches!(operator, FieldOperator::Before | FieldOperator::After);
    let read = |value: Value| {
        let operand = operand(value)?;
        let operand = match operand {
            Operand::Text(text) if is_time => Operand::Time(text.parse().ok()?),
            other => other,
        };
        operator.takes(&operand).then_some(operand)
    };
    let operands: Vec<Operand> = values.into_iter().map(read).collect::<Option<_>>()?;
    (1..=ENTRIES_MAX)
        .contains(&operands.len())
        .then_some(operands)
}

fn operand(value: Value) -> Option<Operand> {
    Some(match value {
        Value::Null => Operand::Null,
        Value::Bool(value) => Operand::Bool(value),
        Value::String(text) => Operand::Text(text),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => Operand::Int(whole),
            // One beyond 63 bits can't be written in CEL.
            None if number.is_u64() => return None,
            None => Operand::Double(number.as_f64()?),
        },
        Value::Object(members) if members.len() == 1 => {
            let name = members.get(VARIABLE)?.as_str()?;
            is_plain(name).then(|| Operand::Variable(name.to_owned()))?
        }
        Value::Object(_) | Value::Array(_) => return None,
    })
}

impl Serialize for Operand {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Int(number) => serializer.serialize_i64(*number),
            Self::Double(number) => serializer.serialize_f64(*number),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Time(time) => serializer.collect_str(time),
            Self::Variable(name) => json!({ VARIABLE: name }).serialize(serializer),
        }
    }
}

impl Serialize for Form {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self {
            Self::All(parts) => map.serialize_entry("all", parts)?,
            Self::Any(parts) => map.serialize_entry("any", parts)?,
            Self::Not(inner) => map.serialize_entry("not", inner)?,
            Self::Leaf(leaf) => {
                map.serialize_entry("field", &leaf.field.to_string())?;
                map.serialize_entry("operator", leaf.operator.as_str())?;
                match (leaf.operator, leaf.operands.as_slice()) {
                    (FieldOperator::In | FieldOperator::NotIn, operands) => {
                        map.serialize_entry("value", operands)?;
                    }
                    (_, [operand]) => map.serialize_entry("value", operand)?,
                    _ => {}
                }
                if let Some(previous) = &leaf.previous {
                    map.serialize_entry("previous", &previous.to_string())?;
                }
                if leaf.missing != leaf.operator.missing() {
                    map.serialize_entry("missing", leaf.missing.as_str())?;
                }
            }
        }
        map.end()
    }
}

impl PartialSchema for Form {
    fn schema() -> RefOr<Schema> {
        let itself = || Ref::from_schema_name(SCHEMA);
        let group = |name: &str, what: &str| {
            let members = ArrayBuilder::new().items(itself()).description(Some(what));
            ObjectBuilder::new().property(name, members).required(name)
        };
        let not = ObjectBuilder::new()
            .property("not", itself())
            .required("not");
        OneOfBuilder::new()
            .item(group("all", "All of them hold: 1 to 1000."))
            .item(group("any", "One of them holds at least: 1 to 1000."))
            .item(not)
            .item(leaf_schema())
            .description(Some(
                "A condition as a form: groups and leaves. It is another spelling of CEL; docs/conditions.md tells \
                 what each operator means.",
            ))
            .into()
    }
}

fn leaf_schema() -> ObjectBuilder {
    let word = |what: &str| {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some(what))
    };
    let words = |values: Vec<&'static str>, what: &str| word(what).enum_values(Some(values));
    let operators = FieldOperator::ALL.iter().map(|one| one.as_str()).collect();
    let missing = Missing::ALL.iter().map(|one| one.as_str()).collect();
    ObjectBuilder::new()
        .property(
            "field",
            word("data.amount, data.lines[0].sku, data[\"a.b\"], cloudevent.subject, id, type, timestamp or source."),
        )
        .property("operator", words(operators, "What is asked of it."))
        .property(
            "value",
            ObjectBuilder::new()
                .schema_type(utoipa::openapi::schema::SchemaType::AnyValue)
                .description(Some(
                    "What it is compared with: text, a number, true, false, null, or a variable of the account, \
                     {\"var\":\"name\"}; of in and not_in a list of them; of before and after a time, RFC 3339; of \
                     exists and not_exists nothing.",
                )),
        )
        .property(
            "previous",
            word(
                "Of changed_to: the field with what it was before; the same below data.previous, if left out.",
            ),
        )
        .property(
            "missing",
            words(
                missing,
                "Where the field is missing it does not hold (no), holds (yes), or can't be said (error); yes for \
                 not_equals and not_in, no for the others, if left out.",
            ),
        )
        .required("field")
        .required("operator")
}

impl ToSchema for Form {
    fn name() -> std::borrow::Cow<'static, str> {
        SCHEMA.into()
    }
}
