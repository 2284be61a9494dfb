//! What an automation is, as it is stored: references resolved, so that a version means the same
//! for ever.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use super::{Condition, Pattern, Test, Variables, canonical, references_in_json};
use crate::model::EndpointId;

/// One version of an automation. Written and read as JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// What starts it.
    pub trigger: Trigger,
    /// What it asks of the event, in CEL; without one, every event of the trigger will do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// The chain of plugins, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transforms: Vec<Transform>,
    /// What follows.
    pub actions: Vec<Action>,
    /// What must hold before it is published. Nothing of it is used when events come.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tests: Vec<Test>,
}

impl Definition {
    /// Its JSON in the one spelling, which is what is stored and what its digest is of.
    pub fn canonical(&self) -> Result<String, serde_json::Error> {
        canonical(&serde_json::to_string(self)?)
    }

    /// Whether its condition asks for the variable of this name.
    pub fn asks_for(&self, variable: &str) -> bool {
        let condition = self.condition.as_deref();
        let read = |source| Condition::parse_with(source, &Variables::unasked()).ok();
        condition
            .and_then(read)
            .is_some_and(|condition| condition.variables().contains(variable))
    }

    /// Whether the configuration of one of its transforms refers to the variable of this name.
    pub fn configures_with(&self, variable: &str) -> bool {
        let refers = |transform: &Transform| {
            references_in_json(transform.config.get()).is_ok_and(|named| named.contains(variable))
        };
        self.transforms.iter().any(refers)
    }
}

/// What starts an automation.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trigger {
    /// Event types and patterns; one match is enough.
    #[serde(serialize_with = "write_patterns", deserialize_with = "read_patterns")]
    pub events: Vec<Pattern>,
}

/// One run of a plugin.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transform {
    /// The plugin as its author named it, such as `redact@1.0.0`.
    pub plugin: String,
    /// SHA-256 of the component that runs, hexadecimal: pinned when the version was saved.
    pub digest: String,
    /// The plugin's configuration, JSON as it was written.
    pub config: Box<RawValue>,
}

/// What follows from an event that meets the condition.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Action {
    /// Each output is delivered to an endpoint.
    Webhook {
        /// Which one.
        endpoint: EndpointId,
        /// The bare URL that the endpoint was made for, if it was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        url: Option<String>,
    },
}

fn write_patterns<S: Serializer>(patterns: &[Pattern], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(patterns.iter().map(ToString::to_string))
}

fn read_patterns<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Pattern>, D::Error> {
    Vec::<String>::deserialize(deserializer)?
        .iter()
        .map(|text| text.parse().map_err(serde::de::Error::custom))
        .collect()
}
