//! What is done with civil times that do not exist, or exist twice.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What is done with an occurrence in the gap that clocks leave when they go forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Gap {
    /// It runs at the gap's end; several in one gap run once.
    #[default]
    RunAtGapEnd,
    /// It does not run.
    Skip,
}

/// What is done with an occurrence that comes twice because clocks go back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fold {
    /// It runs the first time.
    #[default]
    First,
    /// It runs the second time.
    Last,
    /// It runs both times.
    Both,
}

/// What is done where the clocks change. A pattern whose hour field is `*` runs by elapsed time instead:
/// not in a gap, through both passes of a fold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DstPolicy {
    /// What is done with an occurrence in the gap that clocks leave when they go forward.
    #[serde(default)]
    pub gap: Gap,
    /// What is done with an occurrence that comes twice because clocks go back.
    #[serde(default)]
    pub fold: Fold,
}
