//! What a JSON Schema says of one place in a payload. Where it says nothing, or something that can't be
//! followed here, nothing is said: a warning must be right.

use serde_json::Value;

/// Deepest nesting of combinations and references that is followed.
const DEPTH_MAX: usize = 16;
/// Most schemas of one place.
const PARTS_MAX: usize = 64;
/// Most schemas that are looked into for one answer: references may lead back to where they came from.
const LOOKS_MAX: usize = 256;

/// One place in a payload: whatever is there fits one of these schemas at least.
#[derive(Debug, Clone)]
pub(super) struct Node<'s> {
    document: &'s Value,
    any_of: Vec<&'s Value>,
}

/// What a schema says of a field.
pub(super) enum Field<'s> {
    /// It is so.
    Known(Node<'s>),
    /// Nothing.
    Unsaid,
    /// There is none of this name, but these.
    None(Vec<&'s str>),
}

/// Some of JSON's kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kinds(u8);

impl Kinds {
    pub(super) const NULL: Self = Self(1);
    pub(super) const BOOL: Self = Self(2);
    pub(super) const NUMBER: Self = Self(4);
    pub(super) const TEXT: Self = Self(8);
    pub(super) const LIST: Self = Self(16);
    pub(super) const OBJECT: Self = Self(32);

    const WORDS: [(Self, &'static str, &'static str); 6] = [
        (Self::TEXT, "string", "a string"),
        (Self::NUMBER, "number", "a number"),
        (Self::BOOL, "boolean", "true or false"),
        (Self::LIST, "array", "a list"),
        (Self::OBJECT, "object", "an object"),
        (Self::NULL, "null", "null"),
    ];

    /// The kind of a value.
    pub(super) fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::NULL,
            Value::Bool(_) => Self::BOOL,
            Value::Number(_) => Self::NUMBER,
            Value::String(_) => Self::TEXT,
            Value::Array(_) => Self::LIST,
            Value::Object(_) => Self::OBJECT,
        }
    }

    fn of_word(word: &str) -> Option<Self> {
        if word == "integer" {
            return Some(Self::NUMBER);
        }
        let found = Self::WORDS.iter().find(|(_, known, _)| *known == word)?;
        Some(found.0)
    }

    /// Whether they have one in common.
    pub(super) fn meet(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn within(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// In words.
    pub(super) fn said(self) -> String {
        let named = Self::WORDS.iter().filter(|(kind, ..)| self.meet(*kind));
        let named: Vec<_> = named.map(|(_, _, words)| *words).collect();
        named.join(" or ")
    }
}

impl<'s> Node<'s> {
    /// The payload as a whole.
    pub(super) fn root(document: &'s Value) -> Self {
        Self {
            document,
            any_of: vec![document],
        }
    }

    fn of(&self, any_of: Vec<&'s Value>) -> Self {
        Self {
            document: self.document,
            any_of,
        }
    }

    /// The schemas of the place with all that they combine and refer to.
    fn parts(&self) -> Vec<&'s Value> {
        let mut parts: Vec<&'s Value> = Vec::new();
        let mut open: Vec<(&'s Value, usize)> = self.any_of.iter().map(|one| (*one, 0)).collect();
        while let Some((schema, depth)) = open.pop() {
            if parts.len() >= PARTS_MAX || parts.iter().any(|known| std::ptr::eq(*known, schema)) {
                continue;
            }
            parts.push(schema);
            if depth == DEPTH_MAX {
                continue;
            }
            for name in ["allOf", "anyOf", "oneOf"] {
                let branches = schema.get(name).and_then(Value::as_array);
                open.extend(branches.into_iter().flatten().map(|one| (one, depth + 1)));
            }
            for name in ["if", "then", "else"] {
                open.extend(schema.get(name).map(|one| (one, depth + 1)));
            }
            open.extend(self.target(schema).map(|one| (one, depth + 1)));
        }
        parts
    }

    /// What a schema refers to, within the document.
    fn target(&self, schema: &'s Value) -> Option<&'s Value> {
        let reference = schema.get("$ref")?.as_str()?.strip_prefix('#')?;
        self.document.pointer(reference)
    }

    /// What is said of the field `name` of an object here.
    pub(super) fn field(&self, name: &str) -> Field<'s> {
        let (mut found, mut names, mut is_open) = (Vec::new(), Vec::new(), false);
        for part in self.parts() {
            is_open |= part.is_boolean() || self.is_beyond(part);
            if let Some(properties) = part.get("properties").and_then(Value::as_object) {
                names.extend(properties.keys().map(String::as_str));
                found.extend(properties.get(name));
            }
            for more in ["additionalProperties", "unevaluatedProperties"] {
                is_open |= part
                    .get(more)
                    .is_some_and(|more| *more != Value::Bool(false));
            }
            is_open |= part.get("patternProperties").is_some();
        }
        if !found.is_empty() {
            // One that the branches don't agree on may be more than they say.
            return Field::Known(self.of(found));
        }
        if is_open || names.is_empty() {
            return Field::Unsaid;
        }
        names.sort_unstable();
        names.dedup();
        Field::None(names)
    }

    /// Whether it refers to what is not here.
    fn is_beyond(&self, schema: &'s Value) -> bool {
        let refers = schema.get("$ref").is_some() || schema.get("$dynamicRef").is_some();
        refers && self.target(schema).is_none()
    }

    /// What is said of the entries of a list here.
    pub(super) fn entry(&self) -> Option<Self> {
        let parts = self.parts();
        if parts.iter().any(|part| part.get("prefixItems").is_some()) {
            return None;
        }
        let entries: Vec<_> = parts
            .iter()
            .filter_map(|part| part.get("items"))
            .filter(|items| items.is_object())
            .collect();
        (!entries.is_empty()).then(|| self.of(entries))
    }

    /// Which kinds of values are here, if that is said.
    pub(super) fn kinds(&self) -> Option<Kinds> {
        let mut left = LOOKS_MAX;
        union(
            self.any_of
                .iter()
                .map(|schema| self.kinds_of(schema, &mut left)),
        )
    }

    fn kinds_of(&self, schema: &'s Value, left: &mut usize) -> Option<Kinds> {
        *left = left.checked_sub(1)?;
        let mut kinds = own_kinds(schema);
        let narrow = |kinds: Option<Kinds>, more: Option<Kinds>| match (kinds, more) {
            (Some(kinds), Some(more)) => Some(kinds.within(more)),
            (kinds, more) => kinds.or(more),
        };
        if let Some(target) = self.target(schema) {
            kinds = narrow(kinds, self.kinds_of(target, left));
        }
        for part in branches(schema, "allOf") {
            kinds = narrow(kinds, self.kinds_of(part, left));
        }
        for name in ["anyOf", "oneOf"] {
            let each = branches(schema, name).map(|part| self.kinds_of(part, left));
            kinds = narrow(kinds, union(each));
        }
        kinds
    }

    /// Which values are here, if they are listed.
    pub(super) fn values(&self) -> Option<Vec<&'s Value>> {
        let (mut all, mut left) = (Vec::new(), LOOKS_MAX);
        for schema in &self.any_of {
            all.extend(self.values_of(schema, &mut left)?);
        }
        Some(all)
    }

    fn values_of(&self, schema: &'s Value, left: &mut usize) -> Option<Vec<&'s Value>> {
        *left = left.checked_sub(1)?;
        if let Some(only) = schema.get("const") {
            return Some(vec![only]);
        }
        if let Some(listed) = schema.get("enum").and_then(Value::as_array) {
            return Some(listed.iter().collect());
        }
        let target = self.target(schema);
        if let Some(listed) = target.and_then(|target| self.values_of(target, left)) {
            return Some(listed);
        }
        let mut narrowed = branches(schema, "allOf");
        if let Some(listed) = narrowed.find_map(|part| self.values_of(part, left)) {
            return Some(listed);
        }
        for name in ["anyOf", "oneOf"] {
            let mut listed = Vec::new();
            let mut parts = branches(schema, name).peekable();
            if parts.peek().is_none() {
                continue;
            }
            for part in parts {
                listed.extend(self.values_of(part, left)?);
            }
            return Some(listed);
        }
        None
    }
}

fn branches<'s>(schema: &'s Value, name: &str) -> impl Iterator<Item = &'s Value> + use<'s> {
    let parts = schema.get(name).and_then(Value::as_array);
    parts.into_iter().flatten()
}

/// All kinds of all of them; `None` if there are none, or of one nothing is said.
fn union(each: impl Iterator<Item = Option<Kinds>>) -> Option<Kinds> {
    let mut all: Option<Kinds> = None;
    for kinds in each {
        let kinds = kinds?;
        all = Some(all.map_or(kinds, |all| all.and(kinds)));
    }
    all
}

/// The kinds that a schema names itself.
fn own_kinds(schema: &Value) -> Option<Kinds> {
    let of_words = |words: &[Value]| {
        let kinds = words.iter().map(|word| Kinds::of_word(word.as_str()?));
        union(kinds)
    };
    let named = match schema.get("type") {
        Some(Value::String(word)) => Kinds::of_word(word),
        Some(Value::Array(words)) => of_words(words),
        _ => None,
    };
    let listed = || {
        if let Some(only) = schema.get("const") {
            return Some(Kinds::of(only));
        }
        let listed = schema.get("enum")?.as_array()?;
        union(listed.iter().map(|value| Some(Kinds::of(value))))
    };
    let kinds = named.or_else(listed)?;
    // As OpenAPI 3.0 says it.
    let may_be_null = schema.get("nullable") == Some(&Value::Bool(true));
    Some(if may_be_null {
        kinds.and(Kinds::NULL)
    } else {
        kinds
    })
}
