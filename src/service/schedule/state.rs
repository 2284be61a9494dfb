//! From where a schedule's occurrences are counted, and when the next one runs.

use super::definition;
use super::preview::timing;
use crate::cron::Definition;
use crate::model::{ScheduleId, Timestamp};
use crate::service::Error;
use crate::store::Schedule;

/// When the first occurrence after the cursor runs.
pub(in crate::service) fn due_at(
    id: ScheduleId,
    definition: &Definition,
    cursor_at: Timestamp,
    now: Timestamp,
) -> Result<Option<Timestamp>, Error> {
    let timing = timing(definition, definition.start_at.unwrap_or(now))?;
    let next = definition.next_after(&timing, cursor_at);
    Ok(next.map(|next| next.at.plus_ms(definition.slot_ms(id.uuid()))))
}

/// From where a schedule is counted that was another one, which it goes on as.
pub(in crate::service) fn goes_on(
    from: &Schedule,
    to: &mut Schedule,
    now: Timestamp,
) -> Result<(), Error> {
    let (before, after) = (definition(from)?, definition(to)?);
    to.cursor_at = from.cursor_at;
    if !before.runs_like(&after) {
        to.cursor_at = now;
    } else if from.paused && !to.paused {
        // What came meanwhile was skipped, also where nobody has written so yet.
        let slot_ms = after.slot_ms(from.id.uuid());
        to.cursor_at = from.cursor_at.max(now.plus_ms(-slot_ms));
    }
    to.due_at = due_at(from.id, &after, to.cursor_at, now)?;
    to.updated_at = now;
    Ok(())
}
