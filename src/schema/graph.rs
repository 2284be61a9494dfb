//! A schema as a graph: its subschemas, and which of them looks at what. Only where a subschema may
//! stand is one looked for: a `$ref` in an example is no reference.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::{Error, REGEX_BYTES_MAX, REGEXES_MAX};

/// Most subschemas of one schema.
const SUBSCHEMAS_MAX: usize = 5_000;
/// Keywords with one schema for the value itself.
const HERE: [&str; 4] = ["not", "if", "then", "else"];
/// Keywords with a list of schemas for the value itself.
const HERE_LISTS: [&str; 3] = ["allOf", "anyOf", "oneOf"];
/// Keywords with one schema for elements, members or their names.
const WITHIN: [(&str, Step<'static>); 7] = [
    ("items", Step::Element),
    ("contains", Step::Element),
    ("unevaluatedItems", Step::Element),
    ("additionalProperties", Step::Rest),
    ("unevaluatedProperties", Step::Field),
    ("propertyNames", Step::Field),
    ("contentSchema", Step::Field),
];
/// Keywords with schemas by name that nothing looks at by itself.
const DEFINITIONS: [&str; 2] = ["$defs", "definitions"];
/// Keywords that are refused, and what to do instead.
const REFUSED: [(&str, &str); 3] = [
    ("$dynamicRef", "write $ref"),
    ("$recursiveRef", "write $ref"),
    ("$vocabulary", "leave it out"),
];
/// What `unevaluated…` costs more: it looks once more through what its neighbours have looked at.
const UNEVALUATED_FACTOR: u32 = 3;

/// Which value a subschema looks at, as seen from the schema that it is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step<'a> {
    /// The same.
    Here,
    /// An element of it.
    Element,
    /// The field of this name.
    Member(&'a str),
    /// Any field.
    Field,
    /// A field that is no [`Step::Member`] of the same schema.
    Rest,
}

/// A subschema.
#[derive(Debug)]
pub(super) struct Node<'a> {
    /// Where it is in the document.
    pub(super) pointer: String,
    /// What a look of it counts.
    pub(super) weight: u32,
    /// How often it makes those look that it has for the same value.
    pub(super) factor: u32,
    /// Those that it makes look.
    pub(super) steps: Vec<(Step<'a>, usize)>,
}

/// All subschemas; the first is the whole.
#[derive(Debug)]
pub(super) struct Graph<'a> {
    pub(super) nodes: Vec<Node<'a>>,
}

impl<'a> Graph<'a> {
    /// The graph of a schema.
    pub(super) fn of(schema: &'a Value) -> Result<Self, Error> {
        let mut walk = Walk {
            root: schema,
            nodes: Vec::new(),
            known: HashMap::new(),
            regexes: 0,
        };
        walk.visit("", schema)?;
        Ok(Self { nodes: walk.nodes })
    }
}

struct Walk<'a> {
    root: &'a Value,
    nodes: Vec<Node<'a>>,
    known: HashMap<String, usize>,
    regexes: usize,
}

impl<'a> Walk<'a> {
    /// The subschema at this place, and all that it makes look.
    fn visit(&mut self, pointer: &str, schema: &'a Value) -> Result<usize, Error> {
        if let Some(known) = self.known.get(pointer) {
            return Ok(*known);
        }
        let place = self.nodes.len();
        if place >= SUBSCHEMAS_MAX {
            return Err(Error::TooCostly);
        }
        self.known.insert(pointer.to_owned(), place);
        self.nodes.push(Node {
            pointer: pointer.to_owned(),
            weight: 1,
            factor: 1,
            steps: Vec::new(),
        });
        if let Value::Object(keywords) = schema {
            self.check(pointer, keywords)?;
            let mut steps = Vec::new();
            self.here(pointer, keywords, &mut steps)?;
            self.within(pointer, keywords, &mut steps)?;
            let node = &mut self.nodes[place];
            node.weight = weight(keywords);
            if keywords.keys().any(|name| name.starts_with("unevaluated")) {
                node.factor = UNEVALUATED_FACTOR;
            }
            node.steps = steps;
        }
        Ok(place)
    }

    /// Refuses what is not taken.
    fn check(&mut self, pointer: &str, keywords: &Map<String, Value>) -> Result<(), Error> {
        let refused = |keyword: &str, remedy| Error::Keyword {
            pointer: format!("{pointer}/{keyword}"),
            keyword: keyword.to_owned(),
            remedy,
        };
        for (keyword, remedy) in REFUSED {
            if keywords.contains_key(keyword) {
                return Err(refused(keyword, remedy));
            }
        }
        if !pointer.is_empty() {
            for keyword in ["$id", "$schema"] {
                if keywords.contains_key(keyword) {
                    return Err(refused(keyword, "it may stand at the top only"));
                }
            }
        }
        let own = keywords.get("pattern").and_then(Value::as_str);
        let of_names = keywords.get("patternProperties").and_then(Value::as_object);
        let of_names = of_names.into_iter().flat_map(Map::keys).map(String::as_str);
        for regex in own.into_iter().chain(of_names) {
            self.regexes += 1;
            let too_long = regex.len() > REGEX_BYTES_MAX;
            if too_long || self.regexes > REGEXES_MAX {
                let why = if too_long {
                    format!("this one has {} bytes", regex.len())
                } else {
                    "this is one more".to_owned()
                };
                let pointer = pointer.to_owned();
                return Err(Error::Regex { pointer, why });
            }
        }
        Ok(())
    }

    /// Those that look at the same value.
    fn here(
        &mut self,
        pointer: &str,
        keywords: &'a Map<String, Value>,
        steps: &mut Vec<(Step<'a>, usize)>,
    ) -> Result<(), Error> {
        for (keyword, schema) in one_of(keywords, &HERE) {
            let found = self.visit(&below(pointer, &[keyword]), schema)?;
            steps.push((Step::Here, found));
        }
        for (keyword, schemas) in one_of(keywords, &HERE_LISTS) {
            for (place, schema) in schemas.as_array().into_iter().flatten().enumerate() {
                let found = self.visit(&below(pointer, &[keyword, &place.to_string()]), schema)?;
                steps.push((Step::Here, found));
            }
        }
        for (keyword, schemas) in one_of(keywords, &["dependentSchemas", "dependencies"]) {
            for (name, schema) in schemas.as_object().into_iter().flatten() {
                if schema.is_object() || schema.is_boolean() {
                    let found = self.visit(&below(pointer, &[keyword, name]), schema)?;
                    steps.push((Step::Here, found));
                }
            }
        }
        if let Some(target) = keywords.get("$ref").and_then(Value::as_str) {
            let found = self.refer(pointer, target)?;
            steps.push((Step::Here, found));
        }
        Ok(())
    }

    /// Those that look at members and elements, and those that are only defined.
    fn within(
        &mut self,
        pointer: &str,
        keywords: &'a Map<String, Value>,
        steps: &mut Vec<(Step<'a>, usize)>,
    ) -> Result<(), Error> {
        for (keyword, step) in WITHIN {
            if let Some(schema) = keywords.get(keyword) {
                let found = self.visit(&below(pointer, &[keyword]), schema)?;
                steps.push((step, found));
            }
        }
        let elements = keywords.get("prefixItems").and_then(Value::as_array);
        for (place, schema) in elements.into_iter().flatten().enumerate() {
            let at = below(pointer, &["prefixItems", &place.to_string()]);
            let found = self.visit(&at, schema)?;
            steps.push((Step::Element, found));
        }
        for (keyword, schemas) in one_of(keywords, &["properties", "patternProperties"]) {
            for (name, schema) in schemas.as_object().into_iter().flatten() {
                let found = self.visit(&below(pointer, &[keyword, name]), schema)?;
                let step = if keyword == "properties" {
                    Step::Member(name)
                } else {
                    Step::Field
                };
                steps.push((step, found));
            }
        }
        for (keyword, schemas) in one_of(keywords, &DEFINITIONS) {
            for (name, schema) in schemas.as_object().into_iter().flatten() {
                self.visit(&below(pointer, &[keyword, name]), schema)?;
            }
        }
        Ok(())
    }

    /// What a `$ref` means.
    fn refer(&mut self, pointer: &str, target: &str) -> Result<usize, Error> {
        let at = || format!("{pointer}/$ref");
        let foreign = || Error::ForeignRef {
            pointer: at(),
            target: target.chars().take(200).collect(),
        };
        let place = target.strip_prefix('#').ok_or_else(foreign)?;
        if !(place.is_empty() || place.starts_with('/')) || place.contains('%') {
            return Err(Error::Keyword {
                pointer: at(),
                keyword: target.chars().take(200).collect(),
                remedy: "write '#', or '#/' and the way to a schema, without '%'",
            });
        }
        match self.root.pointer(place) {
            Some(schema) if schema.is_object() || schema.is_boolean() => self.visit(place, schema),
            _ => Err(Error::LostRef {
                pointer: at(),
                target: target.chars().take(200).collect(),
            }),
        }
    }
}

/// Those of these keywords that there are.
fn one_of<'a>(
    keywords: &'a Map<String, Value>,
    wanted: &'static [&'static str],
) -> impl Iterator<Item = (&'static str, &'a Value)> {
    wanted
        .iter()
        .filter_map(move |keyword| Some((*keyword, keywords.get(*keyword)?)))
}

fn below(pointer: &str, names: &[&str]) -> String {
    let mut below = pointer.to_owned();
    for name in names {
        below.push('/');
        below.push_str(&name.replace('~', "~0").replace('/', "~1"));
    }
    below
}

/// What a look of these keywords counts: one, and more where a list is gone through.
fn weight(keywords: &Map<String, Value>) -> u32 {
    let length = |keyword: &str| match keywords.get(keyword) {
        Some(Value::Array(elements)) => elements.len(),
        Some(Value::Object(members)) => members.len(),
        _ => 0,
    };
    let gone_through = ["enum", "required", "properties"].map(length);
    let lists = gone_through.iter().sum::<usize>() / 16;
    // Each name is matched with each pattern.
    let patterns = length("patternProperties") + usize::from(keywords.contains_key("pattern"));
    u32::try_from(1 + lists + patterns).unwrap_or(u32::MAX)
}
