//! What making an automation would save: whether it is made or tried, the checks are these.

use super::automation::{NewAutomation, check_said, published};
use super::condition_shape::ConditionProblemView;
use super::version::text;
use super::{Error, Service, check, definition};
use crate::automation::Definition;
use crate::model::{AccountId, AutomationId, Timestamp};
use crate::store::{self, Publication};

/// An automation that was checked and would be saved, by an author who is not yet named.
pub(super) struct Drafted {
    pub(super) row: store::NewAutomation,
    pub(super) definition: Definition,
    pub(super) warnings: Vec<ConditionProblemView>,
}

impl Service {
    /// What making it would save: whether it is made or tried, these are the checks.
    pub(super) async fn drafted(
        &self,
        account: AccountId,
        new: NewAutomation,
        now: Timestamp,
    ) -> Result<Drafted, Error> {
        check::name(&new.name, "/name")?;
        check_said(new.note.as_deref(), new.tests)?;
        let id = AutomationId::mint(now);
        let trigger = self.trigger(&new.trigger, id, None, now)?;
        let condition = match &new.condition {
            Some(said) => Some(self.said_condition(account, said).await?),
            None => None,
        };
        if let Some(flow) = &new.flow {
            self.check_flow(account, flow).await?;
        }
        definition::fits(new.transforms.len(), new.actions.len())?;
        let transforms = self.transforms(account, new.transforms).await?;
        let resolved = self.actions(account, id, &new.actions, now).await?;
        let definition = Definition {
            trigger,
            condition,
            flow: new.flow,
            transforms,
            actions: resolved.actions,
            alert_after: definition::alert_after(new.alert_after)?,
        };
        let warnings = self
            .condition_warnings(account, &definition, new.strict.into())
            .await?;
        let draft = new.draft.unwrap_or(false);
        let row = store::NewAutomation {
            id,
            name: new.name,
            owner_endpoint: None,
            definition: text(&definition)?,
            publication: if draft {
                Publication::Draft
            } else {
                published(new.enabled.unwrap_or(true))
            },
            endpoints: resolved.endpoints,
            author: None,
            note: new.note,
            created_at: now,
        };
        Ok(Drafted {
            row,
            definition,
            warnings,
        })
    }
}
