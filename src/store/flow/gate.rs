//! The gate: events whose automations have flow control are decided on in the transaction of their plans,
//! on what is known of their keys under a lock. Deciding twice about one event changes nothing.

use std::collections::HashSet;
use std::sync::Arc;

use super::super::backend::Tx;
use super::super::consequence::RefusedAsk;
use super::super::plan::NewPlan;
use super::super::values::{Columns, Kind, Rows, Shape, values};
use super::super::{Error, NewDeadLetter, Store};
use super::desk::Desk;
use crate::automation::flow::{Arrival, Ask, Decision, FlowVerdict, Known};
use crate::model::{
    AccountId, AutomationId, DeadLetterId, EventId, IncarnationId, Precedence, Timestamp,
};

/// What an event of a plan asks of an automation's flow control.
#[derive(Debug, Clone)]
pub struct NewAsk {
    /// Which automation.
    pub automation: AutomationId,
    /// Which version of it.
    pub version: i64,
    /// What for.
    pub ask: Ask,
    /// Where its event stands among others.
    pub precedence: Precedence,
    /// After how many errors one after the other it is told that the automation fails; `None`: errors with this
    /// event are not counted.
    pub alert_after: Option<u32>,
}

/// What was decided on an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gated {
    /// Whose.
    pub account: AccountId,
    /// Which event.
    pub event: EventId,
    /// By which automation.
    pub automation: AutomationId,
    /// In a word.
    pub verdict: FlowVerdict,
    /// Whether it goes on now: its output is claimed by the writer's node.
    pub goes_on: bool,
    /// When something is due because of it that waits in the store.
    pub due_at: Option<Timestamp>,
}

/// An ask with what it is part of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) account: AccountId,
    pub(super) event: EventId,
    pub(super) now: Timestamp,
    pub(super) new: &'a NewAsk,
}

impl<'a> Asked<'a> {
    fn turn(&self) -> (AccountId, &'a Precedence, AutomationId) {
        (self.account, &self.new.precedence, self.new.automation)
    }

    pub(super) fn arrival(&self) -> Arrival<'a> {
        Arrival {
            event: self.event,
            version: self.new.version,
            now: self.now,
            ask: &self.new.ask,
        }
    }

    /// What is kept of an event that is not followed, though nothing else speaks against it: as all that
    /// automations fail at.
    pub(super) fn refused(&self, decision: &Decision) -> RefusedAsk {
        let automation = self.new.automation;
        RefusedAsk {
            account: self.account,
            event: self.event,
            at: self.now,
            letter: NewDeadLetter {
                id: DeadLetterId::derive(self.event, self.new.precedence.accepted_at(), automation),
                automation,
                version: self.new.version,
                verdict: decision.verdict.as_str(),
                summary: decision.why.clone(),
                place: None,
                input: None,
                carried: None,
            },
            alert_after: self.new.alert_after,
        }
    }
}

const ASKED_COLUMNS: Columns = &[
    ("account_id", Kind::Uuid),
    ("event_id", Kind::Uuid),
    ("automation_id", Kind::Uuid),
];

const KNOWN: Shape = Shape::Query(
    "SELECT f.account_id, f.event_id, f.automation_id, f.verdict FROM v
     JOIN flow_verdicts f ON f.account_id = v.account_id AND f.event_id = v.event_id
       AND f.automation_id = v.automation_id",
);

impl Store {
    /// Decides on what the plans ask for, in the order in which their events came or were made. Also what there was no room for: with it
    /// the automations failed.
    pub(in super::super) async fn gate(
        &self,
        tx: &mut Tx,
        holder: IncarnationId,
        plans: &[Arc<NewPlan>],
    ) -> Result<(Vec<Gated>, Vec<RefusedAsk>), Error> {
        let asks = plans.iter().flat_map(|plan| {
            plan.asks.iter().map(|new| Asked {
                account: plan.account,
                event: plan.event,
                now: plan.evaluated_at,
                new,
            })
        });
        let mut asked: Vec<Asked<'_>> = asks.collect();
        if asked.is_empty() {
            return Ok((Vec::new(), Vec::new()));
        }
        asked.sort_by(|one, other| one.turn().cmp(&other.turn()));
        let known = decided(tx, &asked).await?;
        asked.retain(|one| !known.contains(&(one.account, one.event, one.new.automation)));
        let mut desk = Desk::open(self, tx, &asked).await?;
        let gated = asked.iter().map(|one| desk.decide(one)).collect();
        let refused = desk.close(tx, holder).await?;
        Ok((gated, refused))
    }

    /// What is known of the keys that this asks with, at this moment and for whoever only looks.
    pub async fn flow_known(
        &self,
        account: AccountId,
        automation: AutomationId,
        ask: &Ask,
    ) -> Result<Known, Error> {
        let mut tx = self.begin_reading().await?;
        let known = Desk::look(self, &mut tx, (account, automation), ask).await?;
        tx.commit().await?;
        Ok(known)
    }
}

/// Those on which it was decided before.
async fn decided(
    tx: &mut Tx,
    asked: &[Asked<'_>],
) -> Result<HashSet<(AccountId, EventId, AutomationId)>, Error> {
    let mut rows = Rows::new(ASKED_COLUMNS, asked.len());
    for one in asked {
        rows.push(values![one.account, one.event, one.new.automation]);
    }
    let found: Vec<(AccountId, EventId, AutomationId, String)> = tx.fetch_rows(rows, KNOWN).await?;
    let names = found.into_iter().map(|row| (row.0, row.1, row.2));
    Ok(names.collect())
}
