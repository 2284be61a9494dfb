//! Changes of an automation that make no version.

use super::principal::{MayWrite, Principal};
use super::{Error, Service};
use crate::model::AutomationId;
use crate::store::{self, Authorship, AutomationChange, Publication, StateChange};

/// What changes.
#[derive(Debug, Default)]
pub(super) struct Change {
    /// What it is called from now on.
    pub(super) name: Option<String>,
    /// What else becomes of it.
    pub(super) course: Option<StateChange>,
    /// Why a version goes live although its tests fail, if it does.
    pub(super) override_reason: Option<String>,
}

impl Change {
    /// Only what becomes of it.
    pub(super) fn to(course: StateChange) -> Self {
        Self {
            course: Some(course),
            ..Self::default()
        }
    }
}

impl Service {
    /// Switches the published version of an automation as it is now.
    pub(super) async fn switch(
        &self,
        who: &Principal<MayWrite>,
        id: AutomationId,
        to: Publication,
        override_reason: Option<String>,
    ) -> Result<i64, Error> {
        let row = self.open_row(who.account(), id).await?;
        let version = row.published_version.ok_or_else(|| Error::Conflict {
            code: "not_published",
            why: "the automation has no published version to switch: publish its newest with draft false"
                .to_owned(),
        })?;
        let change = Change {
            override_reason,
            ..Change::to(StateChange::Publish(version, to))
        };
        self.change_row(who, &row, change).await
    }

    /// Changes an automation without a new version, if it still stands as in this row. The account's
    /// revision.
    pub(super) async fn change_row(
        &self,
        who: &Principal<MayWrite>,
        row: &store::Automation,
        change: Change,
    ) -> Result<i64, Error> {
        let change = AutomationChange {
            name: change.name,
            course: change.course,
            by: Authorship {
                author: Some(who.author()),
                at: self.inner.clock.now(),
                override_reason: change.override_reason,
            },
        };
        let (store, from) = (&self.inner.store, row.standing());
        let changed = store
            .change_automation(who.account(), row.id, &change, &from)
            .await?;
        changed.ok_or(Error::NotFound("automation"))
    }
}
