//! The schedule that an automation owns, because its trigger is one: made with the version that is published,
//! changed, paused and taken up again with what is published, and removed with the automation, each in the
//! transaction that does that.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::occurrence::corrupt;
use super::row::record;
use super::schedule::{self, Schedule};
use super::values::args;
use super::{Error, Tx};
use crate::automation::Trigger;
use crate::cron::Definition;
use crate::model::{AccountId, AutomationId, ScheduleId, Timestamp};

/// What is published of an automation.
struct Published {
    enabled: bool,
    archived_at: Option<Timestamp>,
    definition: Option<String>,
}

record!(Published {
    enabled: "enabled",
    archived_at: "archived_at_ms",
    definition: "definition",
});

/// What a version's trigger says of its schedule, besides when it runs.
#[derive(Deserialize)]
struct Carried {
    #[serde(default)]
    data: Option<Box<RawValue>>,
}

/// What the trigger of a definition says of a schedule, if it is one.
fn wanted(definition: &str) -> Option<Box<RawValue>> {
    #[derive(Deserialize)]
    struct Triggered {
        trigger: Trigger,
    }
    // One that can't be read runs for nothing, and its evaluation says so.
    let read: Triggered = serde_json::from_str(definition).ok()?;
    read.trigger.schedule
}

/// Brings an automation's own schedule to what is published of the automation, as of `at`.
pub(super) async fn follow(
    tx: &mut Tx,
    (account, automation): (AccountId, AutomationId),
    at: Timestamp,
) -> Result<(), Error> {
    let found: Vec<Published> = tx
        .fetch(
            "SELECT a.enabled, a.archived_at_ms, v.definition FROM automations a
             LEFT JOIN automation_versions v ON v.account_id = a.account_id
               AND v.automation_id = a.id AND v.version = a.published_version
             WHERE a.account_id = $1 AND a.id = $2 AND a.deleted_at_ms IS NULL",
            args![account, automation],
        )
        .await?;
    let which = (account, ScheduleId::of(automation));
    let Some(published) = found.into_iter().next() else {
        return schedule::remove(tx, which).await.map(drop);
    };
    let open = published.archived_at.is_none();
    let text = published.definition.filter(|_| open);
    let wanted = text.and_then(|text| wanted(&text));
    let known = schedule::read(tx, which).await?;
    match (known, wanted) {
        (None, None) => Ok(()),
        (Some(known), None) => {
            // Its ledger stays, and whatever is published next takes it up again.
            let stopped = Schedule {
                paused: true,
                cursor_at: at.max(known.cursor_at),
                due_at: None,
                updated_at: at,
                ..known.clone()
            };
            schedule::change(tx, &known, &stopped).await
        }
        (None, Some(wanted)) => {
            let new = made(which, automation, &wanted, at)?;
            let paused = !published.enabled;
            schedule::insert(tx, &Schedule { paused, ..new }).await
        }
        (Some(known), Some(wanted)) => {
            let new = made(which, automation, &wanted, at)?;
            let paused = !published.enabled;
            let next = changed(&known, Schedule { paused, ..new }, at)?;
            schedule::change(tx, &known, &next).await
        }
    }
}

/// The schedule that a trigger wants, counted from `at`.
fn made(
    (account, id): (AccountId, ScheduleId),
    automation: AutomationId,
    wanted: &RawValue,
    at: Timestamp,
) -> Result<Schedule, Error> {
    let read = |text: &str| serde_json::from_str(text).map_err(|error| corrupt(&error));
    let definition: Definition = read(wanted.get())?;
    let carried: Carried = serde_json::from_str(wanted.get()).map_err(|error| corrupt(&error))?;
    let data = carried.data.map_or_else(|| "null".into(), Box::<str>::from);
    Ok(Schedule {
        account,
        id,
        owner: Some(automation),
        name: automation.to_string(),
        due_at: due_at(id, &definition, at),
        definition: serde_json::to_string(&definition).map_err(|error| corrupt(&error))?,
        payload: data.into_string().into_bytes(),
        paused: false,
        cursor_at: at,
        created_at: at,
        updated_at: at,
    })
}

/// The schedule as it goes on with what is published now.
fn changed(known: &Schedule, new: Schedule, at: Timestamp) -> Result<Schedule, Error> {
    let read = |text: &str| serde_json::from_str(text).map_err(|error| corrupt(&error));
    let (before, after): (Definition, Definition) =
        (read(&known.definition)?, read(&new.definition)?);
    let stood_still = known.due_at.is_none();
    let cursor_at = if stood_still || !before.runs_like(&after) {
        at
    } else if known.paused && !new.paused {
        known
            .cursor_at
            .max(at.plus_ms(-after.slot_ms(new.id.uuid())))
    } else {
        known.cursor_at
    };
    Ok(Schedule {
        cursor_at,
        due_at: due_at(new.id, &after, cursor_at),
        created_at: known.created_at,
        ..new
    })
}

/// When the first occurrence after the cursor runs; `None`, too, for what can't be run by.
fn due_at(id: ScheduleId, definition: &Definition, cursor_at: Timestamp) -> Option<Timestamp> {
    let timing = definition.timing().ok()?;
    let next = definition.next_after(&timing, cursor_at)?;
    Some(next.at.plus_ms(definition.slot_ms(id.uuid())))
}
