//! What of an endpoint's settings, or of a profile's, is its own, and what follows a profile.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::settings::EndpointSettings;

/// A part of the settings that a profile says and an endpoint may override.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// How the body is wrapped.
    Envelope,
    /// How it is signed.
    Signatures,
    /// When it is tried again.
    RetryPolicy,
    /// When the endpoint is given up.
    FailurePolicy,
    /// Time for one whole attempt.
    TimeoutMs,
    /// Headers of its own.
    Headers,
    /// The method of its requests.
    Method,
    /// What becomes of a URL that is not `https://`.
    Http,
    /// What becomes of a URL in which a port is written out.
    ExplicitPort,
}

impl Part {
    /// Each of them.
    pub const ALL: [Self; 9] = [
        Self::Envelope,
        Self::Signatures,
        Self::RetryPolicy,
        Self::FailurePolicy,
        Self::TimeoutMs,
        Self::Headers,
        Self::Method,
        Self::Http,
        Self::ExplicitPort,
    ];

    /// Its name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Envelope => "envelope",
            Self::Signatures => "signatures",
            Self::RetryPolicy => "retry_policy",
            Self::FailurePolicy => "failure_policy",
            Self::TimeoutMs => "timeout_ms",
            Self::Headers => "headers",
            Self::Method => "method",
            Self::Http => "http",
            Self::ExplicitPort => "explicit_port",
        }
    }
}

/// What of settings goes by names, and what does not. The settings beside it have what that comes to, so that whoever
/// sends needs no other.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Follows {
    /// The parts that are its own; all others are the profile's. `None`: it was stored before this was written down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overrides: Option<BTreeSet<Part>>,
    /// The name of the retry policy, if it is one of the account's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_policy: Option<String>,
    /// The name of the failure policy, if it is one of the account's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_policy: Option<String>,
}

impl Follows {
    /// Whether nothing is written down.
    pub(super) fn is_unknown(&self) -> bool {
        *self == Self::default()
    }
}

impl EndpointSettings {
    /// The parts that are its own.
    pub fn overrides(&self) -> impl Iterator<Item = Part> + '_ {
        self.follows.overrides.iter().flatten().copied()
    }

    /// Whether the part is its own.
    pub fn has_own(&self, part: Part) -> bool {
        self.overrides().any(|own| own == part)
    }

    /// Makes the part its own.
    pub fn own(&mut self, part: Part) {
        self.follows.overrides.get_or_insert_default().insert(part);
    }

    /// Gets the part, and what that goes by, from other settings.
    pub fn take(&mut self, part: Part, from: &Self) {
        match part {
            Part::Envelope => self.envelope = from.envelope,
            Part::Signatures => self.signatures.clone_from(&from.signatures),
            Part::RetryPolicy => {
                self.retry_policy.clone_from(&from.retry_policy);
                let named = &from.follows.retry_policy;
                self.follows.retry_policy.clone_from(named);
            }
            Part::FailurePolicy => {
                self.failure_policy = from.failure_policy;
                let named = &from.follows.failure_policy;
                self.follows.failure_policy.clone_from(named);
            }
            Part::TimeoutMs => self.timeout_ms = from.timeout_ms,
            Part::Headers => self.headers.clone_from(&from.headers),
            Part::Method => self.method = from.method,
            Part::Http => self.http = from.http,
            Part::ExplicitPort => self.explicit_port = from.explicit_port,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_called_what_its_field_is_called() {
        for part in Part::ALL {
            let text = serde_json::to_string(&part).expect("plain");
            assert_eq!(text, format!("\"{}\"", part.as_str()));
        }
    }
}
