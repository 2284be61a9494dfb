//! What making an automation, or changing it, would save: whether it is made or tried, the checks are these.

use super::automation::published;
use super::automation_shape::{AutomationPatch, NewAutomation, check_said};
use super::condition_shape::ConditionProblemView;
use super::version::text;
use super::{Error, Service, check, definition, kept_test_shape};
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
        check_said(new.note.as_deref(), new.overriding.as_ref())?;
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
            tests: kept_test_shape::tests(new.tests)?,
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
            override_reason: None,
            created_at: now,
        };
        Ok(Drafted {
            row,
            definition,
            warnings,
        })
    }

    /// A definition with changes laid over it, and the endpoints that its new bare URLs have to become.
    pub(super) async fn laid_over(
        &self,
        (account, automation): (AccountId, AutomationId),
        mut next: Definition,
        patch: &mut AutomationPatch,
    ) -> Result<(Definition, Vec<store::NewEndpoint>), Error> {
        if let Some(name) = &patch.name {
            check::name(name, "/name")?;
        }
        let now = self.inner.clock.now();
        if let Some(request) = &patch.trigger {
            next.trigger = self.trigger(request, automation, Some(&next.trigger), now)?;
        }
        if let Some(said) = &patch.condition {
            next.condition = match said {
                Some(said) => Some(self.said_condition(account, said).await?),
                None => None,
            };
        }
        if let Some(flow) = patch.flow.take() {
            if let Some(flow) = &flow {
                self.check_flow(account, flow).await?;
            }
            next.flow = flow;
        }
        if let Some(requests) = patch.transforms.take() {
            next.transforms = self.transforms(account, requests).await?;
        }
        if let Some(errors) = patch.alert_after {
            next.alert_after = definition::alert_after(errors)?;
        }
        if let Some(requests) = patch.tests.take() {
            next.tests = kept_test_shape::tests(requests)?;
        }
        let mut endpoints = Vec::new();
        if let Some(requests) = &patch.actions {
            let resolved = self.actions(account, automation, requests, now).await?;
            next.actions = resolved.actions;
            endpoints = resolved.endpoints;
        }
        definition::fits(next.transforms.len(), next.actions.len())?;
        Ok((next, endpoints))
    }
}
