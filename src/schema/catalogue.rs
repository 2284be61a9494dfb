//! Lists of event types: the ready-made catalogues, and those that users bring as JSON.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A ready-made catalogue.
#[derive(Debug, Clone, Copy)]
pub struct Catalogue {
    /// What it is installed by.
    pub name: &'static str,
    /// For people.
    pub title: &'static str,
    /// What it is about.
    pub description: &'static str,
    json: &'static str,
}

/// All ready-made catalogues, by name.
pub const CATALOGUES: [Catalogue; 3] = [
    Catalogue {
        name: "crm",
        title: "CRM and messaging",
        description: "Contacts, deals, conversations, messages, answers to broadcasts and recorded meetings of a CRM \
                      in which people talk with their customers.",
        json: include_str!("catalogues/crm.json"),
    },
    Catalogue {
        name: "dialer",
        title: "Calls and campaigns",
        description: "Calls, the contacts that are called, outbound campaigns and connected services of a dialer.",
        json: include_str!("catalogues/dialer.json"),
    },
    Catalogue {
        name: "proposals",
        title: "Proposals",
        description: "A proposal from its first draft until the client accepts or declines it.",
        json: include_str!("catalogues/proposals.json"),
    },
];

/// An event type in a list. What is left out stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its name, not checked yet.
    pub name: String,
    /// What it means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The heading that it stands under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// What its payloads look like, not checked yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Value>,
    /// Payloads.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<Value>,
}

/// An event type of a list that is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What it is called; empty, if that can't be read.
    pub name: String,
    /// JSON pointer into its entry; empty: the whole.
    pub pointer: String,
    /// What is wrong, and what to do.
    pub why: String,
}

/// The catalogue of this name.
pub fn named(name: &str) -> Option<Catalogue> {
    CATALOGUES
        .into_iter()
        .find(|catalogue| catalogue.name == name)
}

impl Catalogue {
    /// Its event types.
    pub fn entries(&self) -> Result<Vec<Entry>, serde_json::Error> {
        serde_json::from_str(self.json)
    }
}

/// The event types of a list; each by itself may be refused.
pub fn event_types(list: &[Value]) -> Vec<Result<Entry, Refusal>> {
    list.iter().map(entry).collect()
}

fn entry(value: &Value) -> Result<Entry, Refusal> {
    let refuse = |why: String| Refusal {
        name: value["name"].as_str().unwrap_or_default().to_owned(),
        pointer: String::new(),
        why,
    };
    if !value.is_object() {
        return Err(refuse(
            "an event type is an object with at least a name: {\"name\": \"deal.won\"}".to_owned(),
        ));
    }
    Entry::deserialize(value).map_err(|error| {
        refuse(format!(
            "{error}: an event type has name, description, group, schema and examples"
        ))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;
    use crate::schema::EventSchema;

    #[test]
    fn every_example_fits_its_schema_and_an_empty_one_does_not() {
        for catalogue in CATALOGUES {
            let entries = catalogue.entries().expect("valid");
            assert!(!entries.is_empty());
            for entry in entries {
                let name = format!("{} {}", catalogue.name, entry.name);
                assert!(
                    entry.description.is_some_and(|text| text.len() > 10),
                    "{name}"
                );
                assert!(entry.group.is_some(), "{name}");
                let schema = entry.schema.expect("a schema").to_string();
                let schema = EventSchema::compile(&schema).unwrap_or_else(|error| {
                    panic!("{name}: {}: {error}", error.pointer());
                });
                assert!(!entry.examples.is_empty(), "{name}");
                for example in entry.examples {
                    let found = schema.check(example.to_string().as_bytes());
                    assert!(found.is_empty(), "{name}: {found:?}");
                }
                assert!(!schema.check(b"{}").is_empty(), "{name} asks for nothing");
            }
        }
    }

    #[test]
    fn the_catalogues_have_what_the_products_send() {
        let names = |name: &str| -> BTreeSet<String> {
            let entries = named(name).expect("it is there").entries().expect("valid");
            entries.into_iter().map(|entry| entry.name).collect()
        };
        let spread = |lines: &[(&str, &str)]| -> BTreeSet<String> {
            let each = lines.iter().flat_map(|(noun, verbs)| {
                verbs.split(' ').map(move |verb| format!("{noun}.{verb}"))
            });
            each.collect()
        };
        let crm = spread(&[
            ("contact", "created updated assigned"),
            ("deal", "created updated stage.changed assigned"),
            ("conversation", "created assigned status.changed"),
            ("message", "received sent delivered read failed"),
            ("broadcast", "response"),
            ("zoom", "recording.completed"),
        ]);
        assert_eq!(crm.len(), 17);
        assert_eq!(names("crm"), crm);
        let dialer = spread(&[
            ("call", "started completed failed"),
            ("contact", "created updated deleted"),
            ("campaign", "started completed paused resumed"),
            ("integration", "connected disconnected"),
        ]);
        assert_eq!(names("dialer"), dialer);
        let proposals = spread(&[("proposal", "created sent viewed accepted declined")]);
        assert_eq!(names("proposals"), proposals);
        assert!(named("nothing").is_none());
    }

    #[test]
    fn an_entry_that_can_t_be_read_is_refused_alone() {
        let list = [
            json!({"name": "a.b", "examples": [1]}),
            json!("a.b"),
            json!({"description": "no name"}),
            json!({"name": "a.c", "shema": {}}),
        ];
        let read = event_types(&list);
        assert_eq!(
            read.iter().map(Result::is_ok).collect::<Vec<_>>(),
            [true, false, false, false]
        );
        let why = |place: usize| read[place].as_ref().expect_err("refused").why.clone();
        assert!(why(2).contains("`name`"), "{}", why(2));
        assert!(why(3).contains("`shema`"), "{}", why(3));
    }
}
