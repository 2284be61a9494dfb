//! What is on record of an event's evaluations, told. The record has verdicts; why a condition has answered
//! as it did is found out again, from the version, the event and the variables of then, none of which changes.

use std::collections::HashMap;

use serde::Deserialize;

use super::turns::Turn;
use super::{Error, Service};
use crate::automation::{Condition, Variables};
use crate::model::limits::TRACE_BYTES_PER_EVENT_MAX;
use crate::model::{AccountId, AutomationId};
use crate::pipeline::{AcceptedEvent, Evaluation, Explained};
use crate::store::{self, Cursor, Page};

/// Most definitions that are in memory at a time.
const DEFINITIONS_AT_ONCE: usize = 16;

/// The evaluations of one event, or some of them.
#[derive(Debug, Default)]
pub(super) struct Record {
    /// In the order of the automations' ids.
    evaluations: Vec<Evaluation>,
    /// What their conditions may have asked for.
    variables: Variables,
    next: Option<Cursor>,
}

/// What is read of a definition.
#[derive(Deserialize)]
struct Asks {
    condition: Option<String>,
}

impl Record {
    /// What an event's record has.
    pub(super) fn read(packed: &[u8]) -> Result<Self, Error> {
        let mut evaluations: Vec<Evaluation> = serde_json::from_slice(packed)
            .map_err(|error| Error::unreadable("the evaluations", error))?;
        let mut variables = Variables::default();
        for evaluation in &mut evaluations {
            variables.join(std::mem::take(&mut evaluation.variables));
        }
        evaluations.sort_by_key(|evaluation| evaluation.automation);
        Ok(Self {
            evaluations,
            variables,
            next: None,
        })
    }

    /// So many of them at most, after that of an automation.
    pub(super) fn page(mut self, after: Option<Cursor>, limit: usize) -> Self {
        let uuid = |evaluation: &Evaluation| evaluation.automation.uuid();
        self.evaluations
            .retain(|evaluation| after.is_none_or(|after| uuid(evaluation) > after));
        if self.evaluations.len() > limit {
            self.evaluations.truncate(limit);
            self.next = self.evaluations.last().map(uuid);
        }
        self
    }

    fn of(mut self, automation: AutomationId) -> Self {
        self.evaluations.retain(|it| it.automation == automation);
        self
    }

    /// Asks each condition again, as long as the event has its payload. Beyond what one event's record may have, details are left out.
    fn tell(self, conditions: &[Option<String>], event: Option<&AcceptedEvent>) -> Vec<Explained> {
        let view = event.map(AcceptedEvent::view);
        let mut left_bytes = TRACE_BYTES_PER_EVENT_MAX;
        let tell = |(mut evaluation, source): (Evaluation, &Option<String>)| {
            if let (Some(source), Some(view)) = (source, &view) {
                let condition = Condition::parse_with(source, &self.variables);
                let condition = condition.map_err(|error| error.to_string());
                evaluation.tell(&condition, view);
            }
            let mut explained = Explained::from(evaluation);
            if let Some(step) = explained.steps.first_mut() {
                left_bytes = left_bytes.saturating_sub(step.json_bytes());
                if left_bytes == 0 {
                    step.leave_parts_to_explain();
                }
            }
            explained
        };
        self.evaluations
            .into_iter()
            .zip(conditions)
            .map(tell)
            .collect()
    }
}

impl Service {
    /// What is on record of an automation for an event.
    pub(super) async fn recorded(
        &self,
        account: AccountId,
        event: &store::Event,
        automation: AutomationId,
    ) -> Result<Option<Explained>, Error> {
        let Some(packed) = self.inner.store.verdicts(account, event.id).await? else {
            return Ok(None);
        };
        let own = Record::read(&packed)?.of(automation);
        let explained = self.explained(account, event, own, None).await?;
        Ok(explained.rows.into_iter().next())
    }

    /// What is on record, told, with what flow control has said.
    pub(super) async fn explained(
        &self,
        account: AccountId,
        event: &store::Event,
        record: Record,
        turn: Option<Turn>,
    ) -> Result<Page<Explained>, Error> {
        let next = record.next;
        if record.evaluations.is_empty() {
            return Ok(Page {
                rows: Vec::new(),
                next,
            });
        }
        let conditions = self.conditions(account, &record.evaluations).await?;
        let id = event.id;
        let event = if event.has_payload() {
            Some(self.accepted(account, event.clone()).await?)
        } else {
            None
        };
        // A page of the dearest conditions takes a second; the turn ends with it, whoever waits for it.
        let tell = tokio::task::spawn_blocking(move || {
            let told = record.tell(&conditions, event.as_ref());
            drop(turn);
            told
        });
        let told = tell
            .await
            .map_err(|error| Error::unreadable("the evaluations", error))?;
        Ok(Page {
            rows: self.with_flow(account, id, told).await?,
            next,
        })
    }

    /// The conditions of the versions that were evaluated, in their order.
    async fn conditions(
        &self,
        account: AccountId,
        evaluations: &[Evaluation],
    ) -> Result<Vec<Option<String>>, Error> {
        let mut conditions = Vec::with_capacity(evaluations.len());
        for some in evaluations.chunks(DEFINITIONS_AT_ONCE) {
            let versions: Vec<_> = some.iter().map(|it| (it.automation, it.version)).collect();
            let found = self.inner.store.definitions(account, &versions).await?;
            let found: HashMap<AutomationId, String> = found.into_iter().collect();
            conditions.extend(versions.iter().map(|(automation, _)| {
                // Of one that can't be read there is nothing to tell.
                let asks = serde_json::from_str(found.get(automation)?).ok();
                asks.and_then(|asks: Asks| asks.condition)
            }));
        }
        Ok(conditions)
    }
}
