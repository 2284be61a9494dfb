//! What an event type is to become: checked as a whole, with nothing asked of anybody. A new schema is
//! compiled, and every example must fit the schema that will be in force.

use serde_json::value::RawValue;

use crate::automation::{DefinitionDigest, EventType, canonical};
use crate::model::Timestamp;
use crate::model::limits::EXAMPLES_PER_EVENT_TYPE_MAX;
use crate::schema::catalogue::Entry;
use crate::schema::{self, EventSchema};
use crate::service::{Error, EventTypePatch, NewEventType, Place, check, payload};
use crate::store::EventTypeEntry;

/// Names that routes have beside those of event types.
const RESERVED: [&str; 2] = ["import", "catalogues"];

/// What is said of an event type. What is not said stays as it is.
#[derive(Debug, Clone, Default)]
#[expect(clippy::option_option, reason = "left out and null are told apart")]
pub(in crate::service) struct Draft {
    description: Option<String>,
    group: Option<Option<String>>,
    example: Option<Option<String>>,
    examples: Option<Vec<String>>,
    schema: Option<Option<String>>,
    archived: Option<bool>,
}

/// Within which bounds, and when.
#[derive(Debug, Clone, Copy)]
pub(in crate::service) struct Bounds {
    pub(in crate::service) payload_bytes_max: usize,
    pub(in crate::service) now: Timestamp,
}

impl From<&NewEventType> for Draft {
    fn from(new: &NewEventType) -> Self {
        let text = |raw: &RawValue| raw.get().to_owned();
        Self {
            description: Some(new.description.clone()),
            group: Some(new.group.clone()),
            example: Some(new.example.as_deref().map(text)),
            examples: new
                .examples
                .as_ref()
                .map(|examples| examples.iter().map(|raw| text(raw)).collect()),
            schema: Some(new.schema.as_deref().map(text)),
            archived: None,
        }
    }
}

impl From<&EventTypePatch> for Draft {
    fn from(patch: &EventTypePatch) -> Self {
        let text = |raw: &RawValue| raw.get().to_owned();
        Self {
            description: patch.description.clone(),
            group: patch.group.clone(),
            example: patch
                .example
                .as_ref()
                .map(|example| example.as_deref().map(text)),
            examples: patch
                .examples
                .as_ref()
                .map(|examples| examples.iter().map(|raw| text(raw)).collect()),
            schema: patch
                .schema
                .as_ref()
                .map(|schema| schema.as_deref().map(text)),
            archived: patch.archived,
        }
    }
}

impl From<&Entry> for Draft {
    /// The first example is the one that stands for the type.
    fn from(entry: &Entry) -> Self {
        let mut examples = entry.examples.iter().map(ToString::to_string);
        let first = examples.next();
        Self {
            description: entry.description.clone(),
            group: entry.group.clone().map(Some),
            examples: first.is_some().then(|| examples.collect()),
            example: first.map(Some),
            schema: entry.schema.as_ref().map(|schema| Some(schema.to_string())),
            archived: None,
        }
    }
}

/// The name of an event type that can be catalogued.
pub(in crate::service) fn check_name(name: &str) -> Result<(), Error> {
    name.parse::<EventType>()
        .map_err(|error| Error::field("/name", error))?;
    if RESERVED.contains(&name) {
        let why = format!("'{name}' is a route of the API: choose another name");
        return Err(Error::field("/name", why));
    }
    Ok(())
}

impl Draft {
    /// An event type of this name that there is not yet.
    pub(in crate::service) fn blank(name: &str, now: Timestamp) -> EventTypeEntry {
        EventTypeEntry {
            name: name.to_owned(),
            description: String::new(),
            group: None,
            example: None,
            examples: None,
            latest_version: 0,
            schema_version: None,
            schema: None,
            schema_digest: None,
            archived_at: None,
            created_at: now,
            updated_at: now,
        }
    }

    /// The event type with what is said laid over it. It may take milliseconds: a schema is compiled.
    pub(in crate::service) fn over(
        &self,
        from: &EventTypeEntry,
        bounds: Bounds,
    ) -> Result<EventTypeEntry, Error> {
        let mut to = from.clone();
        if let Some(description) = &self.description {
            check::description(description, "/description")?;
            to.description.clone_from(description);
        }
        if let Some(group) = &self.group {
            if let Some(group) = group {
                check::name(group, "/group")?;
            }
            to.group.clone_from(group);
        }
        if let Some(archived) = self.archived {
            to.archived_at = archived.then(|| from.archived_at.unwrap_or(bounds.now));
        }
        self.check_examples(bounds)?;
        if let Some(example) = &self.example {
            to.example.clone_from(example);
        }
        if let Some(examples) = &self.examples {
            to.examples = (!examples.is_empty()).then(|| format!("[{}]", examples.join(",")));
        }
        self.lay_schema(&mut to)?;
        let asked = to.schema_version != from.schema_version
            || to.example != from.example
            || to.examples != from.examples;
        if let Some(schema) = to.schema.as_ref().filter(|_| asked) {
            let compiled = EventSchema::compile(schema).map_err(|error| refused(&error))?;
            fit(&compiled, &to)?;
        }
        if to != *from {
            to.updated_at = bounds.now;
        }
        Ok(to)
    }

    /// Whether a schema may have to be compiled, and examples held against it.
    pub(super) fn is_dear(&self) -> bool {
        self.schema.is_some() || self.example.is_some() || self.examples.is_some()
    }

    fn check_examples(&self, bounds: Bounds) -> Result<(), Error> {
        let further = self.examples.as_deref().unwrap_or_default();
        if further.len() > EXAMPLES_PER_EVENT_TYPE_MAX {
            let why = format!(
                "there are {} examples: {EXAMPLES_PER_EVENT_TYPE_MAX} at most",
                further.len()
            );
            return Err(Error::field("/examples", why));
        }
        if let Some(Some(example)) = &self.example {
            payload::check(example.as_bytes(), bounds.payload_bytes_max)
                .map_err(|error| at_example(error, "/example"))?;
        }
        let mut bytes = 0;
        for (place, example) in further.iter().enumerate() {
            let pointer = format!("/examples/{place}");
            payload::check(example.as_bytes(), bounds.payload_bytes_max)
                .map_err(|error| at_example(error, &pointer))?;
            bytes += example.len();
        }
        if bytes > bounds.payload_bytes_max {
            return Err(Error::TooLarge {
                what: "all examples together",
                bytes_max: bounds.payload_bytes_max,
            });
        }
        Ok(())
    }

    /// Puts the schema in force; one that says something new as a new version.
    fn lay_schema(&self, to: &mut EventTypeEntry) -> Result<(), Error> {
        match &self.schema {
            None => {}
            Some(None) => {
                to.schema_version = None;
                to.schema = None;
                to.schema_digest = None;
            }
            Some(Some(text)) => {
                // What is too long is not spelled anew.
                if text.len() > schema::SCHEMA_BYTES_MAX {
                    return Err(refused(&schema::Error::TooLong { bytes: text.len() }));
                }
                let spelled =
                    canonical(text).map_err(|error| Error::field("/schema", error.to_string()))?;
                let digest = DefinitionDigest::of(&spelled).as_bytes().to_vec();
                if to.schema_digest.as_ref() != Some(&digest) {
                    to.latest_version += 1;
                    to.schema_version = Some(to.latest_version);
                    to.schema = Some(text.clone());
                    to.schema_digest = Some(digest);
                }
            }
        }
        Ok(())
    }
}

/// Sees that all examples fit.
fn fit(schema: &EventSchema, to: &EventTypeEntry) -> Result<(), Error> {
    let further = to.examples.as_deref().unwrap_or("[]");
    let further: Vec<&RawValue> = serde_json::from_str(further)
        .map_err(|error| Error::unreadable("the examples of an event type", error))?;
    let first = to
        .example
        .as_deref()
        .map(|text| ("/example".to_owned(), text));
    let further = further.iter().enumerate();
    let further = further.map(|(place, raw)| (format!("/examples/{place}"), raw.get()));
    for (pointer, example) in first.into_iter().chain(further) {
        if let Some(violation) = schema.check(example.as_bytes()).list.first() {
            return Err(Error::Invalid {
                code: "example_mismatch",
                at: Place::body(format!("{pointer}{}", violation.pointer)),
                why: format!(
                    "the example does not fit the schema: it {}, expected {}: change the one or the other",
                    violation.wrong, violation.expected
                ),
            });
        }
    }
    Ok(())
}

fn at_example(error: Error, pointer: &str) -> Error {
    match error {
        Error::Invalid { code, why, .. } => Error::Invalid {
            code,
            at: Place::body(pointer),
            why,
        },
        Error::TooLarge { bytes_max, .. } => Error::TooLarge {
            what: "an example",
            bytes_max,
        },
        other => other,
    }
}

fn refused(error: &schema::Error) -> Error {
    Error::Invalid {
        code: "invalid_schema",
        at: Place::body(format!("/schema{}", error.pointer())),
        why: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds {
        payload_bytes_max: 1000,
        now: Timestamp::from_ms(7),
    };

    fn patch(json: &str) -> Draft {
        let patch: EventTypePatch = serde_json::from_str(json).expect("a patch");
        Draft::from(&patch)
    }

    #[test]
    fn a_schema_that_says_the_same_is_no_new_version() {
        let blank = Draft::blank("a.b", Timestamp::from_ms(0));
        let lay = |from: &EventTypeEntry, json: &str| patch(json).over(from, BOUNDS).expect(json);
        let first = lay(
            &blank,
            r#"{"schema":{"type":"object","required":["a"]},"example":{"a":1}}"#,
        );
        assert_eq!((first.latest_version, first.schema_version), (1, Some(1)));
        let same = lay(
            &first,
            r#"{"schema": { "required": ["a"], "type": "object" }}"#,
        );
        assert_eq!(same, first, "not even the time has changed");
        let second = lay(&first, r#"{"schema":{"type":"object"}}"#);
        assert_eq!((second.latest_version, second.schema_version), (2, Some(2)));
        let none = lay(&second, r#"{"schema":null}"#);
        assert_eq!((none.latest_version, none.schema_version), (2, None));
        let third = lay(&none, r#"{"schema":{"type":"object"}}"#);
        assert_eq!((third.latest_version, third.schema_version), (3, Some(3)));
        let away = lay(&third, r#"{"archived":true}"#);
        assert_eq!(away.archived_at, Some(BOUNDS.now));
        assert_eq!(lay(&away, r#"{"archived":false}"#).archived_at, None);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let from = patch(
            r#"{"schema":{"type":"object","properties":{"a":{"type":"integer"}}},"example":{"a":1}}"#,
        );
        let blank = Draft::blank("a.b", Timestamp::from_ms(0));
        let from = from.over(&blank, BOUNDS).expect("fine");
        let long = format!(r#"{{"example":"{}"}}"#, "x".repeat(1000));
        let many = format!(r#"{{"examples":[{}]}}"#, vec!["{}"; 21].join(","));
        let half = format!(r#""{}""#, "x".repeat(600));
        let much = format!(r#"{{"schema":null,"examples":[{half},{half}]}}"#);
        for (json, code, at) in [
            (
                r#"{"schema":{"type":"objekt"}}"#,
                "invalid_schema",
                Some("/schema/type"),
            ),
            (
                r#"{"schema":{"$ref":"https://example.org/a"}}"#,
                "invalid_schema",
                Some("/schema/$ref"),
            ),
            (
                r#"{"example":{"a":"x"}}"#,
                "example_mismatch",
                Some("/example/a"),
            ),
            (
                r#"{"examples":[{},{"a":true}]}"#,
                "example_mismatch",
                Some("/examples/1/a"),
            ),
            (
                r#"{"schema":{"required":["b"]}}"#,
                "example_mismatch",
                Some("/example"),
            ),
            (r#"{"group":""}"#, "invalid_field", Some("/group")),
            (&long, "too_large", None),
            (&much, "too_large", None),
            (&many, "invalid_field", Some("/examples")),
        ] {
            let error = patch(json).over(&from, BOUNDS).expect_err(json);
            assert_eq!(error.code(), code, "{json}: {error}");
            let place = error.place().map(ToString::to_string);
            assert_eq!(place.as_deref(), at, "{json}: {error}");
        }
        for name in ["import", "catalogues", "a.*", ""] {
            assert!(check_name(name).is_err(), "{name}");
        }
        assert!(check_name("import.done").is_ok());
    }

    #[test]
    fn of_a_list_the_first_example_stands_for_the_type() {
        let entry = |examples: &[i32]| Entry {
            name: "a.b".to_owned(),
            examples: examples.iter().map(|example| (*example).into()).collect(),
            ..Entry::default()
        };
        let blank = Draft::blank("a.b", Timestamp::from_ms(0));
        let three = Draft::from(&entry(&[1, 2, 3])).over(&blank, BOUNDS);
        let three = three.expect("fine");
        assert_eq!(three.example.as_deref(), Some("1"));
        assert_eq!(three.examples.as_deref(), Some("[2,3]"));
        let none = Draft::from(&entry(&[])).over(&three, BOUNDS).expect("fine");
        assert_eq!(none, three, "what is not said stays");
        let one = Draft::from(&entry(&[9]))
            .over(&three, BOUNDS)
            .expect("fine");
        assert_eq!((one.example.as_deref(), one.examples), (Some("9"), None));
    }
}
