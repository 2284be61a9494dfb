//! How an automation stands, for whoever makes a further version of it.

use super::Automation;

/// What a further version of an automation is made from: two that don't know of each other must not
/// both be saved, or one would undo the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AutomationStanding {
    /// The newest version's number.
    pub latest_version: i64,
    /// Which version is published.
    pub published_version: Option<i64>,
    /// Whether it is live.
    pub enabled: bool,
}

impl Automation {
    /// How it stands.
    pub fn standing(&self) -> AutomationStanding {
        AutomationStanding {
            latest_version: self.latest_version,
            published_version: self.published_version,
            enabled: self.enabled,
        }
    }
}
