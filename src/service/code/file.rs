//! A file as it is written: sections of entries, each as the API takes it, and where in the file each stands.

use std::collections::HashSet;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

use super::{FORMAT, Section};
use crate::automation::canonical;
use crate::model::limits::CODE_BYTES_MAX;
use crate::service::trial::within;
use crate::service::{
    Error, NewAutomation, NewEndpoint, NewEventType, NewFailurePolicy, NewProfile, NewRetryPolicy,
    NewSchedule, Place, check, json,
};
use crate::yaml::{self, Node, Places};

/// What an account has, as code. Whatever has a default may be left out.
#[derive(ToSchema)]
pub struct CodeFile {
    /// The version of the format: 1.
    #[schema(example = 1)]
    pub throwbar: u32,
    /// Event types of the account's own, each as `POST /v1/event-types` takes it.
    #[schema(required = false)]
    pub event_types: Vec<NewEventType>,
    /// Variables. Secret ones have `secret: true` and no value.
    #[schema(required = false)]
    pub variables: Vec<CodeVariable>,
    /// Retry policies of the account's own, each as `POST /v1/retry-policies` takes it.
    #[schema(required = false)]
    pub retry_policies: Vec<NewRetryPolicy>,
    /// Failure policies of the account's own, each as `POST /v1/failure-policies` takes it.
    #[schema(required = false)]
    pub failure_policies: Vec<NewFailurePolicy>,
    /// Profiles of the account's own, each as `POST /v1/profiles` takes it.
    #[schema(required = false)]
    pub profiles: Vec<NewProfile>,
    /// Endpoints, each as `POST /v1/endpoints` takes it, without secrets. Where two have the same name, each has its
    /// `id`, too.
    #[schema(required = false)]
    pub endpoints: Vec<NewEndpoint>,
    /// Schedules, each as `POST /v1/schedules` takes it.
    #[schema(required = false)]
    pub schedules: Vec<NewSchedule>,
    /// Automations, each as `POST /v1/automations` takes it, with the names of endpoints in place of their ids.
    #[schema(required = false)]
    pub automations: Vec<NewAutomation>,
}

/// A variable in a file.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CodeVariable {
    /// What it is referred to by.
    pub name: String,
    /// A text, a number, true or false; left out, if it is secret.
    pub value: Option<serde_json::Value>,
    /// True: its value is not in the file. It is set with `throwbar variable set`.
    pub secret: Option<bool>,
}

/// A file that was read.
pub(super) struct File {
    pub(super) entries: Vec<Entry>,
    places: Places,
}

/// One thing in a file.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) section: Section,
    /// Its place in its section.
    place: usize,
    /// Its id, if it says it.
    pub(super) id: Option<String>,
    pub(super) name: String,
    /// What it says, its id left out.
    pub(super) node: Node,
}

impl File {
    /// Reads YAML, or JSON.
    pub(super) fn read(body: &[u8]) -> Result<Self, Error> {
        if body.len() > CODE_BYTES_MAX {
            return Err(Error::TooLarge {
                what: "the file",
                bytes_max: CODE_BYTES_MAX,
            });
        }
        let text = json::text(body)?;
        let (node, places) = parsed(text)?;
        let entries = entries(node);
        let file = Self {
            entries: Vec::new(),
            places,
        };
        match entries {
            Ok(entries) => Ok(Self { entries, ..file }),
            Err(error) => Err(file.placed(error)),
        }
    }

    /// The error with its line and column in the file.
    pub(super) fn placed(&self, error: Error) -> Error {
        match error {
            Error::Invalid {
                code,
                at: Place::Body(pointer),
                why,
            } => {
                let why = match self.places.of(&pointer) {
                    Some((line, column)) => format!("line {line}, column {column}: {why}"),
                    None => why,
                };
                let at = Place::Body(pointer);
                Error::Invalid { code, at, why }
            }
            other => other,
        }
    }
}

/// JSON is JSON, whatever YAML makes of its escapes; everything else is YAML.
fn parsed(text: &str) -> Result<(Node, Places), Error> {
    if text.trim_start().starts_with('{')
        && let Ok(node) = Node::from_json(text)
    {
        return Ok((node, Places::default()));
    }
    yaml::read(text).map_err(|error| Error::Malformed {
        why: error.to_string(),
    })
}

fn entries(node: Node) -> Result<Vec<Entry>, Error> {
    let Node::Map(members) = node else {
        let why = "a file has sections by name, such as automations: begin with throwbar: 1";
        return Err(Error::field("", why));
    };
    let mut seen = HashSet::new();
    let mut entries = Vec::new();
    for (name, value) in members {
        let pointer = format!("/{}", check::escaped(&name));
        if !seen.insert(name.clone()) {
            return Err(wrong(
                "duplicate_field",
                &pointer,
                "it stands there twice: remove one",
            ));
        }
        if name == "throwbar" {
            if value != Node::Number(FORMAT.to_owned()) {
                let why = "this server reads files of the format 1: write throwbar: 1";
                return Err(Error::field(pointer, why));
            }
            continue;
        }
        let Some(section) = Section::from_word(&name) else {
            let sections: Vec<_> = Section::ALL
                .iter()
                .map(|section| section.as_str())
                .collect();
            let why = format!(
                "there is no such section: there are {}",
                sections.join(", ")
            );
            return Err(wrong("unknown_field", &pointer, &why));
        };
        match value {
            Node::Null => {}
            Node::List(list) => {
                for (place, node) in list.into_iter().enumerate() {
                    entries.push(entry((section, place), node)?);
                }
            }
            _ => {
                return Err(Error::field(
                    pointer,
                    "a section is a list of entries: - name: …",
                ));
            }
        }
    }
    if !seen.contains("throwbar") {
        let why = "the version of the format is missing: begin with throwbar: 1";
        return Err(wrong("missing_field", "/throwbar", why));
    }
    entries.sort_by_key(|entry| (entry.section, entry.place));
    Ok(entries)
}

fn wrong(code: &'static str, pointer: &str, why: &str) -> Error {
    Error::Invalid {
        code,
        at: Place::body(pointer),
        why: why.to_owned(),
    }
}

fn entry((section, place): (Section, usize), mut node: Node) -> Result<Entry, Error> {
    let pointer = format!("/{}/{place}", section.as_str());
    if !matches!(node, Node::Map(_)) {
        let why = "an entry has fields by name: - name: …";
        return Err(Error::field(pointer, why));
    }
    let id = match section.has_ids().then(|| node.take("id")).flatten() {
        None => None,
        Some(Node::Text(id)) => Some(id),
        Some(_) => return Err(Error::field(format!("{pointer}/id"), "an id is a text")),
    };
    let name = match (node.get("name"), node.get("url")) {
        (Some(Node::Text(name)), _) => name.clone(),
        (Some(_), _) => {
            return Err(Error::field(
                format!("{pointer}/name"),
                "a name is a text: put it in quotes",
            ));
        }
        // An endpoint without a name has that of its host.
        (None, Some(Node::Text(url))) if section == Section::Endpoints => {
            let host = url::Url::parse(url).ok();
            let host = host.and_then(|url| url.host_str().map(str::to_owned));
            host.ok_or_else(|| Error::field(format!("{pointer}/url"), "this is not a URL"))?
        }
        _ => {
            let why = "the name is missing, by which it is known: add it";
            return Err(wrong("missing_field", &format!("{pointer}/name"), why));
        }
    };
    Ok(Entry {
        section,
        place,
        id,
        name,
        node,
    })
}

impl Entry {
    pub(super) fn pointer(&self) -> String {
        format!("/{}/{}", self.section.as_str(), self.place)
    }

    /// An error of this entry, told from the whole file.
    pub(super) fn within(&self, error: Error) -> Error {
        let called = || format!("the {} '{}': ", self.section.noun(), self.name);
        match within(&self.pointer(), error) {
            Error::TestsFailed { why, failed } => Error::TestsFailed {
                why: called() + &why,
                failed,
            },
            Error::Conflict { code, why } => Error::Conflict {
                code,
                why: called() + &why,
            },
            other => other,
        }
    }

    /// What is wrong with the entry, or with a field of it.
    pub(super) fn wrong(&self, field: &str, why: impl std::fmt::Display) -> Error {
        Error::field(format!("{}{field}", self.pointer()), why)
    }

    /// What it says, as the API reads it.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, Error> {
        json::read_kept(self.node.to_json().as_bytes())
    }

    /// What it says in the one spelling, what is said of the act left out.
    pub(super) fn says(&self) -> Result<String, Error> {
        let mut node = self.node.clone();
        if self.section == Section::Automations {
            for field in ["note", "override", "strict"] {
                node.take(field);
            }
        }
        canonical(&node.to_json()).map_err(|error| Error::unreadable("the file", error))
    }
}
