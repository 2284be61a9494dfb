//! What an event tells of its way in, beside what every event has. Most tell nothing: they were sent to
//! the API in its own form, and nothing is kept of that.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// By which way an event came in, and what came with it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Origin {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cloudevent: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mapped_by: Option<MappedBy>,
}

/// The plugin that has made an event of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappedBy {
    /// As its source names it, such as `shop@1.0.0`.
    pub plugin: String,
    /// SHA-256 of the component that ran: `sha256:` and 64 hexadecimal digits.
    pub digest: String,
}

impl Origin {
    /// Of an event that came to the source with this name.
    pub fn of_source(name: &str) -> Self {
        Self {
            source: Some(format!("source:{name}")),
            ..Self::default()
        }
    }

    /// The same of an event that a plugin has made of the request.
    #[must_use]
    pub fn mapped_by(self, plugin: MappedBy) -> Self {
        Self {
            mapped_by: Some(plugin),
            ..self
        }
    }

    /// Of an event that a schedule has made.
    pub fn of_schedule() -> Self {
        Self {
            source: Some("schedule".to_owned()),
            ..Self::default()
        }
    }

    /// Of an example that somebody has sent to an endpoint to see it arrive.
    pub fn of_test() -> Self {
        Self {
            source: Some("test".to_owned()),
            ..Self::default()
        }
    }

    /// Of a CloudEvent with these attributes: a JSON object.
    pub fn of_cloudevent(attributes: Box<RawValue>) -> Self {
        Self {
            cloudevent: Some(attributes),
            ..Self::default()
        }
    }

    /// What `event.source` says; `None`: that it came to the API.
    pub fn source(&self) -> Option<&str> {
        self.source.as_deref()
    }

    /// What `event.cloudevent` says: a JSON object; `None`, if it was no CloudEvent.
    pub fn cloudevent(&self) -> Option<&str> {
        self.cloudevent.as_deref().map(RawValue::get)
    }

    /// The attributes of a CloudEvent, and the plugin that has made it of a request, taken out.
    pub fn into_parts(self) -> (Option<Box<RawValue>>, Option<MappedBy>) {
        (self.cloudevent, self.mapped_by)
    }

    /// It as JSON, to be stored.
    pub fn to_text(&self) -> String {
        // Texts and JSON become JSON: there is nothing that can fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// It from the JSON that was stored.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_read_back_as_it_was_stored() {
        let attributes = r#"{"subject":"a\u0000b","n":7}"#;
        let raw = RawValue::from_string(attributes.to_owned()).expect("JSON");
        for (origin, source, cloudevent) in [
            (Origin::of_source("github"), Some("source:github"), None),
            (Origin::of_schedule(), Some("schedule"), None),
            (Origin::of_cloudevent(raw), None, Some(attributes)),
        ] {
            let read = Origin::parse(&origin.to_text()).expect("it was stored");
            assert_eq!((read.source(), read.cloudevent()), (source, cloudevent));
        }
        let plugin = MappedBy {
            plugin: "shop@1.0.0".to_owned(),
            digest: "sha256:…".to_owned(),
        };
        let mapped = Origin::of_source("shop").mapped_by(plugin.clone());
        let read = Origin::parse(&mapped.to_text()).expect("it was stored");
        assert_eq!(read.into_parts().1, Some(plugin));
        assert!(Origin::parse("7").is_err());
    }
}
