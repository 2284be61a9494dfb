//! How schedules look from outside: what is asked for, and what is told.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::TYPE_PREFIX;
use crate::automation::EventType;
use crate::cron::{CatchUp, Definition, Direction, DstPolicy, Every, Overlap};
use crate::model::{AutomationId, EventId, ScheduleId, Timestamp};
use crate::service::json::nullable;
use crate::service::{Error, check};

/// A schedule to be made. It has either `cron` or `interval`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSchedule {
    /// What its events' type ends with: with `nightly` they are `schedule.nightly`. Names of ASCII letters,
    /// digits, `_` and `-`, joined by dots; 191 bytes at most. No two schedules of an account have the same.
    pub name: String,
    /// A cron expression of five fields (minute, hour, day of month, month, day of week) with the meaning they
    /// have in unix: 512 bytes at most.
    #[schema(example = "0 9 * * MON-FRI")]
    pub cron: Option<String>,
    /// True: `cron` has six fields, the second first. False, if left out.
    pub seconds: Option<bool>,
    /// The time zone of `cron`, a name of the IANA database; UTC, if left out.
    #[schema(example = "Europe/Berlin")]
    pub timezone: Option<String>,
    /// What is done where the clocks change. A `cron` whose hour field is `*` runs by elapsed time instead.
    pub dst: Option<DstPolicy>,
    /// Elapsed time, again and again, in place of `cron`.
    pub interval: Option<Every>,
    /// What is done while the run before is under way; `allow`, if left out.
    #[serde(default)]
    pub overlap: Overlap,
    /// What is done with occurrences that were missed, by more than a minute, because no node was there;
    /// `latest`, if left out.
    #[serde(default)]
    pub catch_up: CatchUp,
    /// How old a missed occurrence may be to be caught up: 0 to 2592000 seconds (30 days); a day, if left out.
    pub catch_up_window_s: Option<i64>,
    /// Over how many seconds schedules are spread: each runs later than its time by a slot within it, always
    /// the same; 0 to 86400; 0, if left out.
    pub spread_s: Option<i64>,
    /// No occurrence before it, RFC 3339.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub start_at: Option<Timestamp>,
    /// No occurrence after it, RFC 3339.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub end_at: Option<Timestamp>,
    /// True: its occurrences are skipped. False, if left out.
    pub paused: Option<bool>,
    /// What its events carry as `data.data`: any JSON value; null, if left out.
    #[schema(value_type = Option<serde_json::Value>)]
    pub data: Option<Box<RawValue>>,
}

/// What is changed of a schedule; what is left out stays. A new `cron` takes the place of an interval, and
/// the other way round. After a change of what it runs by, its occurrences are counted from now on.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SchedulePatch {
    /// What its events' type ends with.
    pub name: Option<String>,
    /// A cron expression of five fields: 512 bytes at most.
    pub cron: Option<String>,
    /// True: `cron` has six fields, the second first.
    pub seconds: Option<bool>,
    /// The time zone of `cron`, a name of the IANA database.
    pub timezone: Option<String>,
    /// What is done where the clocks change.
    pub dst: Option<DstPolicy>,
    /// Elapsed time, again and again, in place of `cron`.
    pub interval: Option<Every>,
    /// What is done while the run before is under way.
    pub overlap: Option<Overlap>,
    /// What is done with occurrences that were missed because no node was there.
    pub catch_up: Option<CatchUp>,
    /// How old a missed occurrence may be to be caught up: 0 to 2592000 seconds.
    pub catch_up_window_s: Option<i64>,
    /// Over how many seconds schedules are spread: 0 to 86400.
    pub spread_s: Option<i64>,
    /// No occurrence before it, RFC 3339; null: from now on.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub start_at: Option<Option<Timestamp>>,
    /// No occurrence after it, RFC 3339; null: for ever.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub end_at: Option<Option<Timestamp>>,
    /// True: its occurrences are skipped.
    pub paused: Option<bool>,
    /// What its events carry as `data.data`: any JSON value.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub data: Option<Option<Box<RawValue>>>,
}

/// A schedule.
#[derive(Debug, Serialize, ToSchema)]
pub struct ScheduleView {
    /// The schedule's id.
    #[schema(value_type = String, example = "sch_0198c1f0a3b27c4d8e5f60718293a4b5")]
    pub id: ScheduleId,
    /// The id of the automation whose trigger it is, with which it is changed, paused and removed; null, if it
    /// stands for itself.
    #[schema(value_type = Option<String>)]
    pub automation: Option<AutomationId>,
    /// What its events' type ends with.
    pub name: String,
    /// The type of its events.
    #[schema(example = "schedule.nightly")]
    pub event_type: String,
    /// Its cron expression; null, if it has an interval.
    pub cron: Option<String>,
    /// Whether `cron` has six fields.
    pub seconds: bool,
    /// The time zone of `cron`.
    pub timezone: String,
    /// What is done where the clocks change.
    pub dst: DstPolicy,
    /// Its interval; null, if it has a cron expression.
    pub interval: Option<Every>,
    /// When it runs, in words.
    #[schema(example = "at 09:00 on Monday to Friday")]
    pub words: String,
    /// What is done while the run before is under way.
    pub overlap: Overlap,
    /// What is done with missed occurrences.
    pub catch_up: CatchUp,
    /// How old a missed occurrence may be to be caught up.
    pub catch_up_window_s: i64,
    /// Over how many seconds schedules are spread.
    pub spread_s: i64,
    /// How much later than its time this one runs, within the spread.
    pub slot_ms: i64,
    /// No occurrence before it, RFC 3339; null: from the start.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub start_at: Option<Timestamp>,
    /// No occurrence after it, RFC 3339; null: for ever.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub end_at: Option<Timestamp>,
    /// Whether its occurrences are skipped.
    pub paused: bool,
    /// When it runs next, its slot counted in, RFC 3339; null: never again.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_at: Option<Timestamp>,
    /// What its events carry as `data.data`.
    #[schema(value_type = serde_json::Value)]
    pub data: Box<RawValue>,
    /// When it was made, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it last changed, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

/// An occurrence on a schedule's ledger.
#[derive(Debug, Serialize, ToSchema)]
pub struct OccurrenceView {
    /// Its time on the wall, without an offset; of an interval in UTC.
    #[schema(example = "2026-03-29T02:30:00")]
    pub nominal: String,
    /// The instant that is, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// How it came about: `scheduled` or `run_now` (it was asked for).
    pub cause: String,
    /// `due` (to run now), `queued` (waits for the run before), `fired`, `skipped` or `missed`.
    pub state: String,
    /// Why it did not run: `paused`, `overlap`, `queue_full`, `late`, `superseded`, `outside_window`,
    /// `changed` or `refused`; null, if it ran or will.
    pub reason: Option<String>,
    /// The reason as a sentence.
    pub summary: Option<&'static str>,
    /// Its event; null, if there is none.
    #[schema(value_type = Option<String>)]
    pub event: Option<EventId>,
    /// When it ran, or did not, RFC 3339; null, as long as that is open.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub settled_at: Option<Timestamp>,
}

/// What is to be previewed. It has either `cron` or `interval`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PreviewRequest {
    /// A cron expression of five fields with the meaning they have in unix: 512 bytes at most.
    #[schema(example = "30 2 * * *")]
    pub cron: Option<String>,
    /// True: `cron` has six fields, the second first. False, if left out.
    pub seconds: Option<bool>,
    /// The time zone of `cron`, a name of the IANA database; UTC, if left out.
    #[schema(example = "Europe/Berlin")]
    pub timezone: Option<String>,
    /// What is done where the clocks change: `run_at_gap_end` and `first`, if left out.
    pub dst: Option<DstPolicy>,
    /// Elapsed time, again and again, in place of `cron`.
    pub interval: Option<Every>,
    /// The occurrences after it, RFC 3339; those after now, if left out.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub from: Option<Timestamp>,
    /// How many occurrences: 1 to 1000; 10, if left out.
    pub count: Option<usize>,
}

/// When a schedule would run.
#[derive(Debug, Serialize, ToSchema)]
pub struct PreviewView {
    /// The occurrences, in order; fewer than asked for only where there are no more within 13 years.
    pub data: Vec<PreviewedOccurrence>,
    /// When it runs, in words.
    #[schema(example = "at 02:30")]
    pub words: String,
    /// The next two changes of the zone's clocks, and what each does.
    pub dst_changes: Vec<DstChangeView>,
}

/// An occurrence to come.
#[derive(Debug, Serialize, ToSchema)]
pub struct PreviewedOccurrence {
    /// The time on the wall that was asked for, without an offset; of an interval in UTC. In a gap the wall
    /// never shows it.
    #[schema(example = "2026-03-29T02:30:00")]
    pub nominal: String,
    /// When it runs, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
}

/// A change of a zone's clocks.
#[derive(Debug, Serialize, ToSchema)]
pub struct DstChangeView {
    /// When, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// `gap` (the clocks go forward) or `fold` (they go back).
    pub kind: &'static str,
    /// What the clocks show before they are put.
    #[schema(example = "2026-03-29T02:00:00")]
    pub from: String,
    /// What they show after it.
    #[schema(example = "2026-03-29T03:00:00")]
    pub to: String,
    /// What it does with the occurrences.
    pub words: String,
}

impl DstChangeView {
    pub(in crate::service) fn kind(direction: Direction) -> &'static str {
        match direction {
            Direction::Forward => "gap",
            Direction::Back => "fold",
        }
    }
}

impl NewSchedule {
    /// The definition, and what the events carry. `now`: what an interval is counted from, if nothing is said.
    pub(in crate::service) fn definition(&self, now: Timestamp) -> Result<Definition, Error> {
        let asked = Asked {
            cron: self.cron.as_ref(),
            seconds: self.seconds,
            timezone: self.timezone.as_ref(),
            dst: self.dst,
            interval: self.interval,
        };
        Ok(Definition {
            overlap: self.overlap,
            catch_up: self.catch_up,
            catch_up_window_s: self.catch_up_window_s.unwrap_or(86_400),
            spread_s: self.spread_s.unwrap_or(0),
            start_at: self.start_at,
            end_at: self.end_at,
            ..asked.definition(now)?
        })
    }
}

impl PreviewRequest {
    pub(in crate::service) fn definition(&self, now: Timestamp) -> Result<Definition, Error> {
        let asked = Asked {
            cron: self.cron.as_ref(),
            seconds: self.seconds,
            timezone: self.timezone.as_ref(),
            dst: self.dst,
            interval: self.interval,
        };
        asked.definition(now)
    }
}

/// What a schedule shall run by, as it was asked for.
pub(in crate::service) struct Asked<'a> {
    pub(in crate::service) cron: Option<&'a String>,
    pub(in crate::service) seconds: Option<bool>,
    pub(in crate::service) timezone: Option<&'a String>,
    pub(in crate::service) dst: Option<DstPolicy>,
    pub(in crate::service) interval: Option<Every>,
}

impl Asked<'_> {
    pub(in crate::service) fn definition(&self, now: Timestamp) -> Result<Definition, Error> {
        if self.interval.is_some() && self.cron.is_none() {
            no_clock(&[
                self.seconds.map(|_| "/seconds"),
                self.timezone.map(|_| "/timezone"),
                self.dst.map(|_| "/dst"),
            ])?;
        }
        Ok(Definition {
            cron: self.cron.cloned(),
            seconds: self.seconds.unwrap_or(false),
            timezone: self.timezone.cloned().unwrap_or_else(|| "UTC".to_owned()),
            dst: self.dst.unwrap_or_default(),
            interval: self.interval.map(|every| Every {
                from: every.from.or(Some(now)),
                ..every
            }),
            overlap: Overlap::default(),
            catch_up: CatchUp::default(),
            catch_up_window_s: 0,
            spread_s: 0,
            start_at: None,
            end_at: None,
        })
    }
}

/// Refuses, for an interval, what only a clock on a wall has: the fields of which something was said.
pub(in crate::service) fn no_clock(said: &[Option<&str>]) -> Result<(), Error> {
    match said.iter().flatten().next() {
        None => Ok(()),
        Some(field) => {
            let why = "an interval is elapsed time, whatever clocks show: leave this out";
            Err(Error::field(*field, why))
        }
    }
}

/// Checks what a schedule's events are called by.
pub(super) fn check_name(name: &str) -> Result<(), Error> {
    check::name(name, "/name")?;
    let read = |text: &str| text.parse::<EventType>();
    // By itself first, so that what is wrong is told of what was written.
    let whole = read(name).and_then(|_| read(&format!("{TYPE_PREFIX}{name}")));
    let event_type = whole.map_err(|error| Error::field("/name", error))?;
    if event_type.is_own_schedule() {
        let why =
            "names that begin with aut_ are those of automations' own schedules: choose another";
        return Err(Error::field("/name", why));
    }
    Ok(())
}
