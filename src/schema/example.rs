//! An example payload, made from a schema: what it requires and, where that goes well, what it allows by name. What was
//! made is checked against the schema before anybody sees it, so it fits, or there is none: a schema may ask for
//! what can only be found by search, and nothing is searched for here. The same schema makes the same example.

use serde_json::{Map, Value, json};

use super::{EventSchema, Violation};
use super::{example_number as number, example_text as text};

/// Deepest values within one another, references counted.
const DEPTH_MAX: usize = 32;
/// Deepest place at which what is not required is made, too.
const OPTIONAL_DEPTH_MAX: usize = 4;
/// Most values of one example.
const VALUES_MAX: usize = 2_000;
/// Most entries of one array.
const ENTRIES_MAX: u64 = 100;

/// Why there is no example.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoExample {
    /// A part of the schema that nothing can be made for.
    #[error("nothing can be made for {pointer}: {why}")]
    Unmade {
        /// Of the payload, as a JSON pointer, or `the payload`.
        pointer: String,
        /// Why.
        why: String,
    },
    /// What was made does not fit.
    #[error("what can be made for it does not fit: {0}")]
    Unfit(Violation),
}

impl EventSchema {
    /// An example payload for the schema with this text, which is the one that was compiled. JSON.
    pub fn example(&self, schema: &str) -> Result<String, NoExample> {
        let root: Value = serde_json::from_str(schema).unwrap_or(Value::Bool(true));
        let mut first = None;
        for optional_depth in [OPTIONAL_DEPTH_MAX, 0] {
            match self.made(&root, optional_depth) {
                Ok(made) => return Ok(made),
                Err(why) => first = Some(why),
            }
        }
        Err(first.unwrap_or_else(|| unmade("", "the schema can't be read")))
    }

    fn made(&self, root: &Value, optional_depth: usize) -> Result<String, NoExample> {
        let mut maker = Maker {
            root,
            optional_depth,
            values_left: VALUES_MAX,
        };
        let made = maker.make(root, &Place::default())?.to_string();
        match self.check(made.as_bytes()).list.into_iter().next() {
            None => Ok(made),
            Some(violation) => Err(NoExample::Unfit(violation)),
        }
    }
}

fn unmade(pointer: &str, why: impl Into<String>) -> NoExample {
    let pointer = if pointer.is_empty() {
        "the payload"
    } else {
        pointer
    };
    NoExample::Unmade {
        pointer: pointer.to_owned(),
        why: why.into(),
    }
}

/// Where in the example something is made.
#[derive(Debug, Clone, Default)]
struct Place {
    pointer: String,
    depth: usize,
}

impl Place {
    fn within(&self, name: &str) -> Self {
        Self {
            pointer: format!("{}/{name}", self.pointer),
            depth: self.depth + 1,
        }
    }

    /// The same one, seen through another part of the schema.
    fn again(&self) -> Self {
        Self {
            pointer: self.pointer.clone(),
            depth: self.depth + 1,
        }
    }
}

struct Maker<'s> {
    root: &'s Value,
    optional_depth: usize,
    values_left: usize,
}

impl Maker<'_> {
    fn make(&mut self, schema: &Value, place: &Place) -> Result<Value, NoExample> {
        if place.depth > DEPTH_MAX || self.values_left == 0 {
            return Err(unmade(
                &place.pointer,
                "the schema goes too deep into itself",
            ));
        }
        self.values_left -= 1;
        let schema = match schema {
            Value::Bool(true) => return Ok(json!("example")),
            Value::Object(schema) => schema,
            _ => return Err(unmade(&place.pointer, "the schema allows nothing here")),
        };
        if let Some(given) = given(schema) {
            return Ok(given);
        }
        if schema.contains_key("$ref") {
            let whole = self.resolved(&Value::Object(schema.clone()), place)?;
            return self.make(&whole, &place.again());
        }
        if let Some(all) = schema.get("allOf").and_then(Value::as_array) {
            let rest = Value::Object(without(schema, "allOf"));
            let whole = all.iter().try_fold(rest, |whole, part| {
                let part = self.resolved(part, place)?;
                Ok(joined(&whole, part.as_object().unwrap_or(&Map::new())))
            })?;
            return self.make(&whole, &place.again());
        }
        for keyword in ["oneOf", "anyOf"] {
            if let Some(ways) = schema.get(keyword).and_then(Value::as_array) {
                return self.make_one(ways, &without(schema, keyword), place);
            }
        }
        self.make_plain(schema, place)
    }

    /// The first of several ways that something can be made in.
    fn make_one(
        &mut self,
        ways: &[Value],
        rest: &Map<String, Value>,
        place: &Place,
    ) -> Result<Value, NoExample> {
        let mut why = unmade(&place.pointer, "no alternative is given");
        for way in ways {
            let way = self.resolved(way, place)?;
            match self.make(&joined(&way, rest), &place.again()) {
                Ok(made) => return Ok(made),
                Err(error) => why = error,
            }
        }
        Err(why)
    }

    /// What a part of the schema refers to, or the part itself.
    fn resolved(&self, part: &Value, place: &Place) -> Result<Value, NoExample> {
        let Some(target) = part.get("$ref").and_then(Value::as_str) else {
            return Ok(part.clone());
        };
        let found = target
            .strip_prefix('#')
            .and_then(|it| self.root.pointer(it));
        let found = found.ok_or_else(|| unmade(&place.pointer, "its $ref is no pointer"))?;
        let empty = Map::new();
        let rest = part.as_object().unwrap_or(&empty);
        Ok(joined(found, &without(rest, "$ref")))
    }

    fn make_plain(
        &mut self,
        schema: &Map<String, Value>,
        place: &Place,
    ) -> Result<Value, NoExample> {
        match kind(schema) {
            "object" => self.make_object(schema, place),
            "array" => self.make_array(schema, place),
            "integer" => number::whole(schema).ok_or_else(|| no_number(place)),
            "number" => number::any(schema).ok_or_else(|| no_number(place)),
            "boolean" => Ok(json!(true)),
            "null" => Ok(Value::Null),
            _ => text::make(schema)
                .map(Value::String)
                .map_err(|why| unmade(&place.pointer, why)),
        }
    }

    fn make_object(
        &mut self,
        schema: &Map<String, Value>,
        place: &Place,
    ) -> Result<Value, NoExample> {
        let none = Map::new();
        let properties = schema.get("properties").and_then(Value::as_object);
        let properties = properties.unwrap_or(&none);
        let required = schema.get("required").and_then(Value::as_array);
        let required: Vec<&str> = required
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let anything = Value::Bool(true);
        let beside = schema.get("additionalProperties").unwrap_or(&anything);
        let mut made = Map::new();
        for (name, part) in properties {
            if required.contains(&name.as_str()) {
                made.insert(name.clone(), self.make(part, &place.within(name))?);
            } else if place.depth < self.optional_depth
                && let Ok(value) = self.make(part, &place.within(name))
            {
                made.insert(name.clone(), value);
            }
        }
        for name in required {
            if !made.contains_key(name) {
                made.insert(name.to_owned(), self.make(beside, &place.within(name))?);
            }
        }
        let least = count(schema, "minProperties").min(ENTRIES_MAX) as usize;
        for no in 1..=least {
            if made.len() >= least {
                break;
            }
            let name = format!("field_{no}");
            let value = self.make(beside, &place.within(&name))?;
            made.entry(name).or_insert(value);
        }
        Ok(Value::Object(made))
    }

    fn make_array(
        &mut self,
        schema: &Map<String, Value>,
        place: &Place,
    ) -> Result<Value, NoExample> {
        let anything = Value::Bool(true);
        let first = schema.get("prefixItems").and_then(Value::as_array);
        let first: &[Value] = first.map_or(&[], Vec::as_slice);
        let most = schema.get("maxItems").and_then(Value::as_u64);
        let usual = u64::from(schema.contains_key("items")).max(first.len() as u64);
        let least = count(schema, "minItems")
            .max(u64::from(schema.contains_key("contains")))
            .max(usual.min(most.unwrap_or(usual)));
        if least > ENTRIES_MAX {
            let why = format!("it has {least} entries or more, and {ENTRIES_MAX} are made at most");
            return Err(unmade(&place.pointer, why));
        }
        let later = schema.get("contains").or(schema.get("items"));
        let later = later.unwrap_or(&anything);
        let mut made = Vec::new();
        for no in 0..least as usize {
            let part = first.get(no).unwrap_or(later);
            let entry = self.make(part, &place.within(&no.to_string()))?;
            made.push(if schema.get("uniqueItems") == Some(&json!(true)) {
                varied(entry, no)
            } else {
                entry
            });
        }
        Ok(Value::Array(made))
    }
}

/// A value that the schema itself gives.
fn given(schema: &Map<String, Value>) -> Option<Value> {
    let first = |keyword| schema.get(keyword).and_then(|all: &Value| all.get(0));
    let found = schema
        .get("const")
        .or_else(|| first("examples"))
        .or_else(|| schema.get("example"))
        .or_else(|| schema.get("default").filter(|value| !value.is_null()))
        .or_else(|| first("enum"));
    found.cloned()
}

/// What kind of value is made: the type that is named, or what the keywords are about.
fn kind(schema: &Map<String, Value>) -> &str {
    let named = match schema.get("type") {
        Some(Value::String(word)) => Some(word.as_str()),
        Some(Value::Array(words)) => {
            let words = || words.iter().filter_map(Value::as_str);
            words().find(|word| *word != "null").or(words().next())
        }
        _ => None,
    };
    let about = |keywords: &[&str]| keywords.iter().any(|it| schema.contains_key(*it));
    named.unwrap_or_else(|| {
        if about(&[
            "properties",
            "required",
            "minProperties",
            "additionalProperties",
        ]) {
            "object"
        } else if about(&["items", "prefixItems", "minItems", "contains"]) {
            "array"
        } else if about(&[
            "minimum",
            "maximum",
            "exclusiveMinimum",
            "exclusiveMaximum",
            "multipleOf",
        ]) {
            "number"
        } else {
            "string"
        }
    })
}

fn no_number(place: &Place) -> NoExample {
    unmade(&place.pointer, "no number is within its bounds")
}

fn count(schema: &Map<String, Value>, keyword: &str) -> u64 {
    schema.get(keyword).and_then(Value::as_u64).unwrap_or(0)
}

/// Another value for each entry of an array of which no two are the same.
fn varied(entry: Value, no: usize) -> Value {
    match entry {
        Value::Number(number) if no > 0 => number
            .as_i64()
            .map_or(Value::Number(number), |it| json!(it + no as i64)),
        Value::String(text) if no > 0 => Value::String(format!("{text}{no}")),
        entry => entry,
    }
}

fn without(schema: &Map<String, Value>, keyword: &str) -> Map<String, Value> {
    let mut rest = schema.clone();
    rest.remove(keyword);
    rest
}

/// Both schemas as one, as far as that can be said: what both say of an object is laid together, and of all else
/// `rest` has the last word.
fn joined(schema: &Value, rest: &Map<String, Value>) -> Value {
    let Value::Object(schema) = schema else {
        return if rest.is_empty() {
            schema.clone()
        } else {
            Value::Object(rest.clone())
        };
    };
    let mut whole = schema.clone();
    for (keyword, said) in rest {
        match (whole.get_mut(keyword), said) {
            (Some(Value::Object(known)), Value::Object(said)) if keyword == "properties" => {
                for (name, part) in said {
                    let both = known
                        .get(name)
                        .map(|known| joined(known, part.as_object().unwrap_or(&Map::new())));
                    known.insert(name.clone(), both.unwrap_or_else(|| part.clone()));
                }
            }
            (Some(Value::Array(known)), Value::Array(said))
                if matches!(&**keyword, "required" | "allOf") =>
            {
                known.extend(said.iter().cloned());
            }
            _ => {
                whole.insert(keyword.clone(), said.clone());
            }
        }
    }
    Value::Object(whole)
}

#[cfg(test)]
#[path = "example_tests.rs"]
mod tests;
