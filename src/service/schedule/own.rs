//! A schedule as an automation's trigger: the automation owns it, and it is versioned with the automation.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::preview::timing;
use super::shape::Asked;
use super::{NOTHING, check_bounds};
use crate::automation::{EventType, Pattern, Trigger};
use crate::cron::{CatchUp, Definition, DstPolicy, Every, Overlap};
use crate::model::{AutomationId, Timestamp};
use crate::service::definition::{self, TriggerRequest};
use crate::service::trial::within;
use crate::service::{Error, Service};

/// A schedule as a trigger. It has either `cron` or `interval`; each field is as `POST /v1/schedules` takes it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TriggerSchedule {
    /// A cron expression of five fields with the meaning they have in unix: 512 bytes at most.
    #[schema(example = "0 9 * * MON-FRI")]
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
    /// What is done while the run before is under way; `allow`, if left out.
    pub overlap: Option<Overlap>,
    /// What is done with occurrences that were missed because no node was there; `latest`, if left out.
    pub catch_up: Option<CatchUp>,
    /// How old a missed occurrence may be to be caught up: 0 to 2592000 seconds; a day, if left out.
    pub catch_up_window_s: Option<i64>,
    /// Over how many seconds schedules are spread: 0 to 86400; 0, if left out.
    pub spread_s: Option<i64>,
    /// No occurrence before it, RFC 3339.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub start_at: Option<Timestamp>,
    /// No occurrence after it, RFC 3339.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub end_at: Option<Timestamp>,
    /// What its events carry as `data.data`: any JSON value; null, if left out.
    #[schema(value_type = Option<serde_json::Value>)]
    pub data: Option<Box<RawValue>>,
}

/// What is kept of it.
#[derive(Serialize)]
struct Kept<'a> {
    #[serde(flatten)]
    definition: &'a Definition,
    data: &'a RawValue,
}

impl TriggerSchedule {
    /// The definition. An interval that is as long as before is counted from what it was counted from.
    fn definition(&self, before: Option<&Trigger>, now: Timestamp) -> Result<Definition, Error> {
        let known = before.and_then(|trigger| trigger.schedule.as_deref());
        let known: Option<Definition> = known.and_then(|it| serde_json::from_str(it.get()).ok());
        let known = known.and_then(|definition| definition.interval);
        let asked = Asked {
            cron: self.cron.as_ref(),
            // What is shown may be sent again: of an interval, too, what a clock would have.
            seconds: self.seconds.filter(|seconds| *seconds),
            timezone: self.timezone.as_ref().filter(|zone| *zone != "UTC"),
            dst: self.dst.filter(|dst| *dst != DstPolicy::default()),
            interval: self.interval.map(|every| {
                let same = known.filter(|known| known.every_s == every.every_s);
                let from = every.from.or(same.and_then(|known| known.from));
                Every { from, ..every }
            }),
        };
        Ok(Definition {
            overlap: self.overlap.unwrap_or_default(),
            catch_up: self.catch_up.unwrap_or_default(),
            catch_up_window_s: self.catch_up_window_s.unwrap_or(86_400),
            spread_s: self.spread_s.unwrap_or(0),
            start_at: self.start_at,
            end_at: self.end_at,
            ..asked.definition(now)?
        })
    }
}

/// Whether an event may be one that the trigger of an automation which is not made would meet: what its own
/// schedule's events will be called is not known yet.
pub(in crate::service) fn may_meet(trigger: &Trigger, event_type: &EventType) -> bool {
    trigger.schedule.is_some() && event_type.as_str().starts_with("schedule.")
        || trigger.events.iter().any(|it| it.matches(event_type))
}

impl Service {
    /// Reads the trigger of an automation, whose trigger was another one `before`.
    pub(in crate::service) fn trigger(
        &self,
        request: &TriggerRequest,
        automation: AutomationId,
        before: Option<&Trigger>,
        now: Timestamp,
    ) -> Result<Trigger, Error> {
        let Some(schedule) = &request.schedule else {
            return definition::trigger(request);
        };
        if request.events.is_some() {
            let why = "a trigger is events or a schedule: give one of them; a schedule's events are its own";
            return Err(Error::field("/trigger", why));
        }
        self.own_schedule(schedule, before, now)
            .map(|kept| Trigger {
                events: vec![Pattern::Exact(EventType::of_own_schedule(automation))],
                schedule: Some(kept),
            })
            .map_err(|error| within("/trigger/schedule", error))
    }

    fn own_schedule(
        &self,
        schedule: &TriggerSchedule,
        before: Option<&Trigger>,
        now: Timestamp,
    ) -> Result<Box<RawValue>, Error> {
        let definition = schedule.definition(before, now)?;
        check_bounds(&definition)?;
        timing(&definition, definition.start_at.unwrap_or(now))?;
        let data = schedule.data.as_ref().map_or(NOTHING, |data| data.get());
        self.check_carried(data)?;
        let unreadable = |error| Error::unreadable("the schedule", error);
        let kept = Kept {
            definition: &definition,
            data: &RawValue::from_string(data.to_owned()).map_err(unreadable)?,
        };
        let text = serde_json::to_string(&kept).map_err(unreadable)?;
        RawValue::from_string(text).map_err(unreadable)
    }
}
