//! What made an event, and all that led to it.

use serde::Serialize;
use utoipa::ToSchema;

use crate::model::{AutomationId, Cause, EventId, Link};

/// What made an event.
#[derive(Debug, Serialize, ToSchema)]
pub struct CauseView {
    /// The id of the event that it was made of.
    #[schema(value_type = String)]
    pub event: EventId,
    /// The id of the automation that made it.
    #[schema(value_type = String)]
    pub automation: AutomationId,
    /// How many automations led to it from the event that came in from outside: 1 to 8.
    pub hops: usize,
    /// Every event that led to it with the automation that made the next one, from the one that came in from outside.
    /// Where a digest was on the way: the longest of the ways that led to it.
    pub chain: Vec<LinkView>,
    /// The ways by which other automations led to a digest on the way; left out, if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub branches: Vec<BranchView>,
}

/// A way that joins another.
#[derive(Debug, Serialize, ToSchema)]
pub struct BranchView {
    /// Every event on it with the automation that made the next one, up to the digest's own event.
    pub chain: Vec<LinkView>,
    /// From which place of `chain` on it goes on as that does, counted from 0.
    pub joins: usize,
}

/// An event, and the automation that made the next one of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct LinkView {
    /// The id of the event.
    #[schema(value_type = String)]
    pub event: EventId,
    /// The id of the automation.
    #[schema(value_type = String)]
    pub automation: AutomationId,
}

impl From<&Cause> for CauseView {
    fn from(cause: &Cause) -> Self {
        let branches = cause.branches().iter().map(|branch| BranchView {
            chain: links(&branch.links),
            joins: branch.joins,
        });
        Self {
            event: cause.last().event,
            automation: cause.last().automation,
            hops: cause.chain().len(),
            chain: links(cause.chain()),
            branches: branches.collect(),
        }
    }
}

fn links(links: &[Link]) -> Vec<LinkView> {
    let links = links.iter().map(|link| LinkView {
        event: link.event,
        automation: link.automation,
    });
    links.collect()
}
