//! What flow control has said of events, and what came of it later.

use super::super::backend::Tx;
use super::super::row::record;
use super::super::values::args;
use super::super::{Error, Store};
use super::wait::WaitKey;
use crate::model::{AccountId, AutomationId, EventId, Timestamp};

/// What is on record of an event and an automation's flow control.
#[derive(Debug, Clone)]
pub struct FlowRecord {
    /// Which automation.
    pub automation: AutomationId,
    /// What was said, in a word.
    pub verdict: String,
    /// In a sentence.
    pub summary: String,
    /// Step by step: JSON, an array.
    pub steps: String,
    /// The event whose output it has become a part of, or that has taken its place.
    pub went_with: Option<EventId>,
    /// What is to be said besides.
    pub note: Option<String>,
    /// What came of it in the end: an array with one evaluation, JSON.
    pub late: Option<Vec<u8>>,
    /// When.
    pub settled_at: Option<Timestamp>,
    /// What came of the output that it has become a part of, if anything has.
    pub whole: Option<Vec<u8>>,
    /// When.
    pub whole_settled_at: Option<Timestamp>,
}

record!(FlowRecord {
    automation: "automation_id",
    verdict: "verdict",
    summary: "summary",
    steps: "steps",
    went_with: "went_with",
    note: "note",
    late: "late",
    settled_at: "settled_at_ms",
    whole: "whole",
    whole_settled_at: "whole_settled_at_ms",
});

impl Store {
    /// What flow control has said of an event, automation by automation.
    pub async fn flow_records(
        &self,
        account: AccountId,
        event: EventId,
    ) -> Result<Vec<FlowRecord>, Error> {
        self.fetch(
            "SELECT f.automation_id, f.verdict, f.summary, f.steps, f.went_with, f.note, f.late,
               f.settled_at_ms, w.late AS whole, w.settled_at_ms AS whole_settled_at_ms
             FROM flow_verdicts f LEFT JOIN flow_verdicts w ON w.account_id = f.account_id
               AND w.event_id = f.went_with AND w.automation_id = f.automation_id
             WHERE f.account_id = $1 AND f.event_id = $2",
            args![account, event],
        )
        .await
    }
}

/// Adds a sentence to what was said.
pub(super) async fn note(tx: &mut Tx, place: WaitKey, note: &str) -> Result<(), Error> {
    tx.execute(
        "UPDATE flow_verdicts SET note = $4 WHERE account_id = $1 AND event_id = $2 AND automation_id = $3",
        args![place.account, place.event, place.automation, note],
    )
    .await
    .map(drop)
}
