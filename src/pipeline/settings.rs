//! What an endpoint's settings are, as they are stored.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::envelope::Envelope;
use crate::failure::FailurePolicy;
use crate::retry::RetryPolicy;
use crate::signing::Scheme;

/// How deliveries to one endpoint look, and what happens when they fail. Written and read as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndpointSettings {
    /// The profile that the other fields were filled from.
    pub profile: String,
    /// How the body is wrapped.
    pub envelope: Envelope,
    /// How it is signed; every one of them.
    pub signatures: Vec<Scheme>,
    /// When it is tried again.
    pub retry_policy: RetryPolicy,
    /// When the endpoint is given up.
    pub failure_policy: FailurePolicy,
    /// Time for one whole attempt.
    pub timeout_ms: u64,
    /// Which event types its own subscription names, as they were written; `None`: it has none.
    pub subscribe: Option<Vec<String>>,
    /// Headers of its own, with references to variables in their values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
}
