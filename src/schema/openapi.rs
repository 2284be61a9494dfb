//! Event types from the `webhooks` of an OpenAPI document, 3.1 or 3.0 (where they are called `x-webhooks`).
//!
//! What a schema refers to is copied into its `$defs`, and what 3.0 spells in its own way (`nullable`,
//! exclusive bounds as booleans) is spelled as JSON Schema does. Nothing outside of the document is
//! looked at.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::catalogue::{Entry, Refusal};

/// Most references one after the other.
const REFERENCES_MAX: usize = 16;
/// Most schemas that one refers to.
const DEFINITIONS_MAX: usize = 500;
/// Deepest nesting that is gone into.
const DEPTH_MAX: usize = 64;
const METHODS: [&str; 4] = ["post", "put", "patch", "get"];
/// Keywords whose value is no schema: left as it is.
const PLAIN: [&str; 6] = [
    "enum", "const", "default", "example", "examples", "required",
];
/// Keywords with schemas by name.
const BY_NAME: [&str; 5] = [
    "properties",
    "patternProperties",
    "$defs",
    "definitions",
    "dependentSchemas",
];

/// Whether it says that it is such a document.
pub fn is_one(document: &Value) -> bool {
    document.get("openapi").is_some()
}

/// The event types of a document; each by itself may be refused. The error says what is wrong with the
/// document as a whole.
pub fn event_types(document: &Value) -> Result<Vec<Result<Entry, Refusal>>, String> {
    let version = document["openapi"].as_str().unwrap_or_default();
    let old = version.starts_with("3.0");
    if !old && !version.starts_with("3.1") {
        return Err(format!(
            "this is OpenAPI '{}': 3.0 and 3.1 are understood",
            super::violation::cut(version)
        ));
    }
    let webhooks = ["webhooks", "x-webhooks"];
    let webhooks = webhooks
        .iter()
        .find_map(|name| document.get(*name)?.as_object());
    let Some(webhooks) = webhooks else {
        return Err("the document has no webhooks: event types are taken from there".to_owned());
    };
    let reader = Reader { document, old };
    Ok(webhooks
        .iter()
        .map(|(name, item)| reader.event_type(name, item))
        .collect())
}

struct Reader<'a> {
    document: &'a Value,
    /// OpenAPI 3.0.
    old: bool,
}

impl<'a> Reader<'a> {
    fn event_type(&self, name: &str, path: &'a Value) -> Result<Entry, Refusal> {
        let refuse = |why: String| Refusal {
            name: name.to_owned(),
            pointer: String::new(),
            why,
        };
        let path = self.followed(path).map_err(refuse)?;
        let operation = METHODS.iter().find_map(|method| path.get(*method));
        let operation = operation.ok_or_else(|| {
            refuse("the webhook has no operation: give it a post with a requestBody".to_owned())
        })?;
        let text = |field: &str| operation[field].as_str().or(path[field].as_str());
        let mut entry = Entry {
            name: name.to_owned(),
            description: text("description")
                .or(text("summary"))
                .map(|text| text.trim().to_owned()),
            group: operation["tags"][0].as_str().map(str::to_owned),
            schema: None,
            examples: Vec::new(),
        };
        if let Some(body) = operation.get("requestBody") {
            let content = &self.followed(body).map_err(refuse)?["content"];
            let json = content.as_object().and_then(|content| {
                let is_json = |kind: &str| kind.split(';').next().is_some_and(is_json);
                content.iter().find(|(kind, _)| is_json(kind))
            });
            if let Some((_, json)) = json {
                if let Some(schema) = json.get("schema") {
                    entry.schema = Some(self.standalone(schema).map_err(refuse)?);
                }
                entry.examples = self.examples(json).map_err(refuse)?;
            }
        }
        Ok(entry)
    }

    /// The examples of a body, or of its schema.
    fn examples(&self, json: &'a Value) -> Result<Vec<Value>, String> {
        let mut found: Vec<Value> = json.get("example").cloned().into_iter().collect();
        for example in json["examples"].as_object().into_iter().flatten() {
            found.extend(self.followed(example.1)?.get("value").cloned());
        }
        if found.is_empty()
            && let Some(schema) = json.get("schema")
        {
            let schema = self.followed(schema)?;
            found.extend(schema.get("example").cloned());
            found.extend(schema["examples"].as_array().into_iter().flatten().cloned());
        }
        Ok(found)
    }

    /// What there is behind a chain of `$ref`s.
    fn followed(&self, value: &'a Value) -> Result<&'a Value, String> {
        let mut found = value;
        for _ in 0..REFERENCES_MAX {
            match found.get("$ref").and_then(Value::as_str) {
                Some(target) => found = self.target(target)?,
                None => return Ok(found),
            }
        }
        Err("references lead from one to the next without end".to_owned())
    }

    fn target(&self, target: &str) -> Result<&'a Value, String> {
        let shown = super::violation::cut(target);
        let Some(pointer) = target.strip_prefix('#') else {
            return Err(format!(
                "'{shown}' is outside of the document: copy it into components, nothing is fetched"
            ));
        };
        self.document
            .pointer(pointer)
            .ok_or_else(|| format!("there is nothing at '{shown}' in the document"))
    }

    /// The schema with all that it refers to.
    fn standalone(&self, schema: &'a Value) -> Result<Value, String> {
        let mut copies = Copies {
            reader: self,
            names: BTreeMap::new(),
            open: Vec::new(),
        };
        let mut whole = copies.copy(schema, 0)?;
        let mut definitions = Map::new();
        while let Some((pointer, name)) = copies.open.pop() {
            let target = self.target(&pointer)?;
            let copy = copies.copy(target, 0)?;
            definitions.insert(name, copy);
        }
        if !definitions.is_empty() {
            match &mut whole {
                Value::Object(keywords) => {
                    let own = keywords.entry("$defs").or_insert_with(|| json!({}));
                    if let Value::Object(own) = own {
                        own.append(&mut definitions);
                    }
                }
                _ => return Err("a schema is an object, true or false".to_owned()),
            }
        }
        Ok(whole)
    }
}

fn is_json(kind: &str) -> bool {
    let kind = kind.trim();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

/// What was copied, and what is still to be.
struct Copies<'r, 'a> {
    reader: &'r Reader<'a>,
    /// Names in `$defs` by reference.
    names: BTreeMap<String, String>,
    open: Vec<(String, String)>,
}

impl<'a> Copies<'_, 'a> {
    /// A schema with its references turned to `$defs`.
    fn copy(&mut self, schema: &'a Value, depth: usize) -> Result<Value, String> {
        if depth > DEPTH_MAX {
            return Err(format!("the schema is nested more than {DEPTH_MAX} deep"));
        }
        match schema {
            Value::Object(keywords) => {
                let mut copy = Map::new();
                for (keyword, value) in keywords {
                    let value = match value {
                        Value::String(target) if keyword == "$ref" => {
                            json!(self.definition(target)?)
                        }
                        value if PLAIN.contains(&keyword.as_str()) || keyword.starts_with("x-") => {
                            value.clone()
                        }
                        Value::Object(named) if BY_NAME.contains(&keyword.as_str()) => {
                            let mut copies = Map::new();
                            for (name, schema) in named {
                                copies.insert(name.clone(), self.copy(schema, depth + 2)?);
                            }
                            Value::Object(copies)
                        }
                        value => self.copy(value, depth + 1)?,
                    };
                    copy.insert(keyword.clone(), value);
                }
                Ok(if self.reader.old {
                    respelled(copy)
                } else {
                    Value::Object(copy)
                })
            }
            Value::Array(schemas) => schemas
                .iter()
                .map(|schema| self.copy(schema, depth + 1))
                .collect::<Result<Vec<_>, _>>()
                .map(Value::Array),
            plain => Ok(plain.clone()),
        }
    }

    /// Where in `$defs` the target of a reference will be.
    fn definition(&mut self, target: &str) -> Result<String, String> {
        if let Some(name) = self.names.get(target) {
            return Ok(format!("#/$defs/{name}"));
        }
        self.reader.target(target)?;
        if self.names.len() >= DEFINITIONS_MAX {
            return Err(format!(
                "it refers to more than {DEFINITIONS_MAX} other schemas"
            ));
        }
        let short = target
            .strip_prefix("#/components/schemas/")
            .unwrap_or(target.trim_start_matches(['#', '/']));
        let plain = |c: char| {
            if c.is_ascii_alphanumeric() || matches!(c, '-' | '.') {
                c
            } else {
                '_'
            }
        };
        let short: String = short.chars().map(plain).collect();
        let mut name = short.clone();
        let mut no = 2;
        while self.names.values().any(|taken| *taken == name) {
            name = format!("{short}-{no}");
            no += 1;
        }
        self.names.insert(target.to_owned(), name.clone());
        self.open.push((target.to_owned(), name.clone()));
        Ok(format!("#/$defs/{name}"))
    }
}

/// What OpenAPI 3.0 says in its own way, as JSON Schema.
fn respelled(mut schema: Map<String, Value>) -> Value {
    for (exclusive, bound) in [
        ("exclusiveMinimum", "minimum"),
        ("exclusiveMaximum", "maximum"),
    ] {
        if let Some(Value::Bool(strict)) = schema.get(exclusive).cloned() {
            schema.remove(exclusive);
            if strict && let Some(limit) = schema.remove(bound) {
                schema.insert(exclusive.to_owned(), limit);
            }
        }
    }
    if schema.remove("nullable") != Some(Value::Bool(true)) {
        return Value::Object(schema);
    }
    if let Some(Value::Array(options)) = schema.get_mut("enum")
        && !options.contains(&Value::Null)
    {
        options.push(Value::Null);
    }
    match schema.get("type").cloned() {
        Some(Value::String(kind)) => {
            schema.insert("type".to_owned(), json!([kind, "null"]));
            Value::Object(schema)
        }
        _ => json!({ "anyOf": [Value::Object(schema), { "type": "null" }] }),
    }
}

#[cfg(test)]
#[path = "openapi_tests.rs"]
mod tests;
