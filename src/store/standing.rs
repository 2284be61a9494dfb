//! How an automation stands, for whoever changes it or makes a further version of it.

use super::Automation;

/// What a further version of an automation is made from, or a change decided on: two that don't know of
/// each other must not both be kept, or one would undo the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AutomationStanding {
    /// What it is called.
    pub name: String,
    /// The newest version's number.
    pub latest_version: i64,
    /// Which version is published.
    pub published_version: Option<i64>,
    /// Whether it is live.
    pub enabled: bool,
    /// Whether it is put away.
    pub archived: bool,
}

impl Automation {
    /// How it stands.
    pub fn standing(&self) -> AutomationStanding {
        AutomationStanding {
            name: self.name.clone(),
            latest_version: self.latest_version,
            published_version: self.published_version,
            enabled: self.enabled,
            archived: self.archived_at.is_some(),
        }
    }
}
