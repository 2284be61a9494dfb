//! What an account may ask of events that come in. It asks for nothing at first.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::model::words;

/// What becomes of an event whose data does not fit the schema of its type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Validation {
    /// Nobody looks.
    #[default]
    None,
    /// It is refused, with all that does not fit.
    Refuse,
    /// It is accepted, and says itself what does not fit.
    Mark,
}

words!(Validation {
    None = "none",
    Refuse = "refuse",
    Mark = "mark",
});

/// What becomes of an event of a type that neither the account nor the installation has catalogued.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum UnknownTypes {
    /// It is accepted.
    #[default]
    Accept,
    /// It is refused.
    Refuse,
}

words!(UnknownTypes {
    Accept = "accept",
    Refuse = "refuse",
});

/// What an account asks of events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct IntakeRules {
    pub(super) validation: Validation,
    pub(super) unknown_types: UnknownTypes,
}
