//! What a node does with an event between its acceptance and its plan, without a node and without a store: for
//! measurements.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::AcceptedEvent;
use super::busy::Busy;
use super::compiled::Compiled;
use super::course::{Came, Course, Unplanned};
use super::permit::{PermitLimits, Permits};
use super::snapshot::Snapshot;
use super::standing::Standing;
use super::variables::AccountVariables;
use crate::automation::Definition;
use crate::model::{AccountId, Timestamp};
use crate::plugin::{self, Engine};
use crate::store::PublishedAutomation;

/// An account in memory with automations that run no plugins.
pub struct Rehearsal {
    account: AccountId,
    snapshot: Arc<Snapshot>,
    permits: Permits,
    engine: Engine,
}

impl Rehearsal {
    /// One of these automations, whose definitions must be readable.
    pub fn of(automations: &[PublishedAutomation]) -> Result<Self, Box<dyn std::error::Error>> {
        let variables = AccountVariables::default();
        let compile = |row: &PublishedAutomation| {
            let definition: Definition = serde_json::from_str(&row.definition)?;
            Ok(Arc::new(Compiled::of(
                row,
                definition,
                Vec::new(),
                &variables,
            )))
        };
        let compiled: Result<Vec<_>, serde_json::Error> = automations.iter().map(compile).collect();
        Ok(Self {
            account: AccountId::mint(Timestamp::from_ms(0)),
            snapshot: Arc::new(Snapshot::of(compiled?, Arc::new(Standing::default()), 0)),
            permits: Permits::new(PermitLimits::default(), Busy::default()),
            engine: Engine::new(&plugin::Settings::default())?,
        })
    }

    /// What would be kept of the event's evaluation.
    pub fn record(&self, event: AcceptedEvent) -> Bytes {
        let now = event.occurred_at;
        let mut course = Course::new(
            Unplanned {
                account: self.account,
                revision: 1,
                permit: self.permits.take_over(self.account, event.payload.len()),
                event,
                alone: None,
            },
            self.snapshot.clone(),
        );
        let _steps = course.steps_at_once();
        // Without plugins there is nothing that could fail for a moment.
        while let Came::Midway = course.go_on(&self.engine, Duration::MAX) {}
        let (plan, ..) = course.finish(now);
        plan.rows.verdicts
    }
}
