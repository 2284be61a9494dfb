//! What an automation is, as it is stored: references resolved, so that a version means the same
//! for ever.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{
    Condition, EventType, Flow, Formula, Gives, Pattern, Test, Variables, canonical,
    references_in_json,
};
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
    /// When what meets the condition goes on, and whether it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flow: Option<Flow>,
    /// The chain of plugins, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transforms: Vec<Transform>,
    /// What follows.
    pub actions: Vec<Action>,
    /// After how many errors one after the other it is told that it fails; what the product thinks best, if
    /// left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert_after: Option<u32>,
    /// What must hold before it is published. Nothing of it is used when events come.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tests: Vec<Test>,
}

/// Why a version with flow control does not follow past events.
const FLOW_HOLDS_ONCE: &str = "the version has flow, which holds among events as they come in: what it would have \
     let go on, and in which order, can't be said afterwards";
/// Why a version that makes events does not.
const MADE_ONCE: &str = "the version makes events: they would be made a second time, and with them all that follows \
     from them";

impl Definition {
    /// Why it can't follow past events once more, if it can't.
    pub fn holds_once(&self) -> Option<&'static str> {
        if self.flow.is_some() {
            return Some(FLOW_HOLDS_ONCE);
        }
        let mut emitted = self.actions.iter().filter_map(Action::emitted);
        emitted.next().map(|_| MADE_ONCE)
    }

    /// Its JSON in the one spelling, which is what is stored and what its digest is of.
    pub fn canonical(&self) -> Result<String, serde_json::Error> {
        canonical(&serde_json::to_string(self)?)
    }

    /// Whether its condition or its flow control asks for the variable of this name.
    pub fn asks_for(&self, variable: &str) -> bool {
        let unasked = Variables::unasked();
        let condition = self.condition.as_deref();
        let read = |source| Condition::parse_with(source, &unasked).ok();
        let asks = condition
            .and_then(read)
            .is_some_and(|condition| condition.variables().names().any(|name| name == variable));
        // What it gives does not matter here, and a time may be a key.
        let read = |source: &str| Formula::parse(source, Gives::Key, &unasked).ok();
        let mut formulas = self.flow.iter().flat_map(Flow::sources).filter_map(read);
        asks || formulas.any(|formula| formula.variables().contains(variable))
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
    /// The schedule of its own that makes those events, JSON: [`Self::events`] is then their one type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Box<RawValue>>,
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
    /// What becomes of an event for which it fails.
    #[serde(default, skip_serializing_if = "is_default")]
    pub on_error: OnError,
}

/// What becomes of an event for which a transform fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnError {
    /// The automation fails for it: it is kept as a dead letter.
    #[default]
    Fail,
    /// The transform is left out: what went into it goes on.
    Skip,
    /// What went into it does not go on.
    Drop,
}

/// Whether it is what is done where nothing is said.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
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
    /// Each output becomes a new event.
    Emit {
        /// Of which type.
        #[serde(rename = "type")]
        event_type: EventType,
    },
}

impl Action {
    /// The endpoint that it delivers to, if it does.
    pub fn endpoint(&self) -> Option<EndpointId> {
        match self {
            Self::Webhook { endpoint, .. } => Some(*endpoint),
            Self::Emit { .. } => None,
        }
    }

    /// The type of the events that it makes, if it does.
    pub fn emitted(&self) -> Option<&EventType> {
        match self {
            Self::Webhook { .. } => None,
            Self::Emit { event_type } => Some(event_type),
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_is_not_written() {
        let plain = r#"{"actions":[{"webhook":{"endpoint":"ep_0198c1f0a3b27c4d8e5f60718293a4b5"}}],"transforms":[{"config":{},"digest":"d","plugin":"p"}],"trigger":{"events":["a.*"]}}"#;
        let said = r#"{"actions":[{"emit":{"type":"deal.flagged"}}],"alert_after":3,"transforms":[{"config":{},"digest":"d","on_error":"skip","plugin":"p"}],"trigger":{"events":["a.*"]}}"#;
        for text in [plain, said] {
            let definition: Definition = serde_json::from_str(text).expect(text);
            assert_eq!(definition.canonical().expect("JSON"), text);
        }
        let read: Definition = serde_json::from_str(plain).expect("read");
        assert_eq!(read.transforms[0].on_error, OnError::Fail);
        assert!(read.actions[0].endpoint().is_some());
        for wrong in [
            plain.replace("\"webhook\":{", "\"webhook\":{\"type\":\"a\","),
            said.replace("deal.flagged", "deal.*"),
            said.replace("skip", "ignore"),
        ] {
            assert!(
                serde_json::from_str::<Definition>(&wrong).is_err(),
                "{wrong}"
            );
        }
    }
}
