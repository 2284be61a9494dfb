//! What becomes of a schedule's due occurrences: pure, from how it stands and what is under way.

use super::Error;
use crate::cron::{
    CatchUp, Cause, Definition, Mark, Occurrence, Overlap, Reason, Timing, UnderWay,
};
use crate::model::Timestamp;
use crate::store::{Advance, DueSchedule, LEDGER_MS, NewOccurrence};

/// What runs later than this after its time has been missed and is caught up, or is not.
pub(super) const LATE_MS: i64 = 60_000;

/// A schedule's definition, read.
#[derive(Debug)]
pub(super) struct Read {
    definition: Definition,
    timing: Timing,
}

impl Read {
    /// Whether what is under way makes a difference.
    pub(super) fn minds_overlap(&self) -> bool {
        self.definition.overlap != Overlap::Allow
    }
}

pub(super) fn read(schedule: &DueSchedule) -> Result<Read, Error> {
    let definition: Definition = serde_json::from_str(&schedule.definition)?;
    let timing = definition.timing()?;
    Ok(Read { definition, timing })
}

/// A schedule that can't be read stands still.
pub(super) fn halt(schedule: &DueSchedule) -> Advance {
    Advance {
        occurrences: Vec::new(),
        cursor_at: schedule.cursor_at,
        due_at: None,
    }
}

/// What goes on the ledger by now, up to `count_max` occurrences. After more than that, the next one is due
/// at once.
pub(super) fn advance(
    schedule: &DueSchedule,
    read: &Read,
    under_way: UnderWay,
    (now, count_max): (Timestamp, usize),
) -> Advance {
    let slot_ms = read.definition.slot_ms(schedule.id.uuid());
    // What would go off the ledger at once is not put on it.
    let mut cursor_at = schedule.cursor_at.max(now.plus_ms(-LEDGER_MS));
    let following = |instant| read.definition.next_after(&read.timing, instant);
    let is_due = |next: &Occurrence| next.at.plus_ms(slot_ms) <= now;
    let mut rules = Rules {
        definition: &read.definition,
        paused: schedule.paused,
        slot_ms,
        under_way,
        now,
    };
    let mut occurrences = Vec::new();
    let mut next = following(cursor_at);
    while let Some(one) = next.filter(is_due)
        && occurrences.len() < count_max
    {
        cursor_at = one.at;
        next = following(cursor_at);
        let (mark, reason) = rules.decide(one.at, next.filter(is_due));
        occurrences.push(NewOccurrence {
            at: one.at,
            nominal: one.nominal.to_string(),
            cause: Cause::Scheduled,
            mark,
            reason,
        });
    }
    Advance {
        occurrences,
        cursor_at,
        due_at: next.map(|next| next.at.plus_ms(slot_ms)),
    }
}

struct Rules<'a> {
    definition: &'a Definition,
    paused: bool,
    slot_ms: i64,
    /// Grows with each occurrence that is to run.
    under_way: UnderWay,
    now: Timestamp,
}

impl Rules<'_> {
    /// `due_after`: the occurrence after this one, if it is due, too.
    fn decide(&mut self, at: Timestamp, due_after: Option<Occurrence>) -> (Mark, Option<Reason>) {
        if self.paused {
            return (Mark::Skipped, Some(Reason::Paused));
        }
        if self.now.ms_since(at.plus_ms(self.slot_ms)) > LATE_MS
            && let Some(reason) = self.why_missed(at, due_after)
        {
            return (Mark::Missed, Some(reason));
        }
        match self.definition.overlap.decide(self.under_way) {
            Err(reason) => (Mark::Skipped, Some(reason)),
            Ok(mark) => {
                match mark {
                    Mark::Queued => self.under_way.queued += 1,
                    _ => self.under_way.runs += 1,
                }
                (mark, None)
            }
        }
    }

    /// Why a late occurrence is not caught up.
    fn why_missed(&self, at: Timestamp, due_after: Option<Occurrence>) -> Option<Reason> {
        let window_ms = self.definition.catch_up_window_s.saturating_mul(1000);
        match self.definition.catch_up {
            CatchUp::None => Some(Reason::Late),
            CatchUp::Latest if due_after.is_some() => Some(Reason::Superseded),
            _ if self.now.ms_since(at) > window_ms => Some(Reason::OutsideWindow),
            CatchUp::Latest | CatchUp::All => None,
        }
    }
}
