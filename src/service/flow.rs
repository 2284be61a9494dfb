//! Flow control: checked when an automation is saved, and put together with the evaluations when somebody
//! asks what became of an event.

use super::{Error, Service};
use crate::automation::flow::{Flow, Rules};
use crate::model::{AccountId, EventId};
use crate::pipeline::{Evaluation, Explained, Step, Verdict};
use crate::store::FlowRecord;

impl Service {
    /// Checks flow control as it is saved.
    pub(super) async fn check_flow(&self, account: AccountId, flow: &Flow) -> Result<(), Error> {
        let sources: Vec<&str> = flow.sources().collect();
        let variables = self.variables_for(account, &sources.join("\n")).await?;
        match Rules::of(flow, &variables) {
            Ok(_) => Ok(()),
            Err(error) => Err(Error::Invalid {
                code: "invalid_flow",
                at: super::Place::body(format!("/flow{}", error.pointer())),
                why: error.to_string(),
            }),
        }
    }

    /// What is on record of an event, with what flow control has said and what came of it later. Reads nothing
    /// more where no flow control had its say.
    pub(super) async fn with_flow(
        &self,
        account: AccountId,
        event: EventId,
        mut evaluations: Vec<Explained>,
    ) -> Result<Vec<Explained>, Error> {
        if !evaluations.iter().any(|it| it.is_gated) {
            return Ok(evaluations);
        }
        let records = self.inner.store.flow_records(account, event).await?;
        for evaluation in evaluations.iter_mut().filter(|it| it.is_gated) {
            let own = |record: &&FlowRecord| record.automation == evaluation.automation;
            if let Some(record) = records.iter().find(own) {
                tell(evaluation, record).map_err(unreadable)?;
            }
        }
        Ok(evaluations)
    }
}

fn unreadable(error: serde_json::Error) -> Error {
    Error::unreadable("the evaluations", error)
}

/// Lays what flow control has said, and what came of it, over what was said before it.
fn tell(evaluation: &mut Explained, record: &FlowRecord) -> Result<(), serde_json::Error> {
    evaluation.verdict = word(&record.verdict)?;
    evaluation.summary.clone_from(&record.summary);
    let steps: Vec<Step> = serde_json::from_str(&record.steps)?;
    evaluation.steps.extend(steps);
    if let Some(late) = read(record.late.as_deref())? {
        let said_before = evaluation.verdict == Verdict::Fired;
        if late.verdict == Verdict::Fired && said_before {
            // It went on at once.
        } else {
            evaluation.summary = format!("{}; {}", evaluation.summary, late.summary);
        }
        evaluation.verdict = late.verdict;
        evaluation.steps.extend(late.steps);
    } else if let Some(note) = &record.note {
        evaluation.summary = format!("{}; {note}", evaluation.summary);
    }
    if let Some(digest) = record.went_with.filter(|_| record.note.is_none()) {
        let came = match (read(record.whole.as_deref())?, record.whole_settled_at) {
            (Some(whole), Some(at)) if whole.verdict == Verdict::Fired => {
                format!("; it went with the digest of {digest} at {at}")
            }
            (Some(whole), _) => {
                let (verdict, why) = (whole.verdict.as_str(), whole.summary);
                format!("; the digest of {digest} came to {verdict}: {why}")
            }
            (None, _) => String::new(),
        };
        evaluation.summary.push_str(&came);
    }
    Ok(())
}

fn word(verdict: &str) -> Result<Verdict, serde_json::Error> {
    serde_json::from_value(serde_json::Value::from(verdict))
}

/// The evaluation of what has waited.
fn read(packed: Option<&[u8]>) -> Result<Option<Explained>, serde_json::Error> {
    let Some(packed) = packed else {
        return Ok(None);
    };
    let evaluations: Vec<Evaluation> = serde_json::from_slice(packed)?;
    Ok(evaluations.into_iter().next().map(Explained::from))
}
