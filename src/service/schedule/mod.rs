//! Schedules: made, changed, paused, removed, and the ledger of their occurrences.

pub(super) mod own;
mod preview;
mod run;
mod shape;
pub(super) mod state;

pub use own::TriggerSchedule;
pub use shape::{
    DstChangeView, NewSchedule, OccurrenceView, PreviewRequest, PreviewView, PreviewedOccurrence,
    SchedulePatch, ScheduleView,
};

use serde_json::value::RawValue;

use super::page::cursor_text;
use super::principal::{MayRead, MayWrite, Principal};
use super::{Error, Listed, PageRequest, Place, Service, check, payload};
use crate::cron::{Definition, Every, Reason};
use crate::model::{AccountId, AutomationId, ScheduleId, Timestamp};
use crate::store::{OccurrenceEntry, Schedule};
use shape::{check_name, no_clock};
use state::{due_at, goes_on};

/// What is put before a schedule's name to make the type of its events.
const TYPE_PREFIX: &str = "schedule.";
/// Widest window for what is caught up: as long as an occurrence is on the ledger.
const WINDOW_S_MAX: i64 = 30 * 86_400;
const SPREAD_S_MAX: i64 = 86_400;
/// What an event says around what it carries.
const AROUND_BYTES_MAX: usize = 2048;
/// What events carry where nothing is said.
pub(super) const NOTHING: &str = "null";

impl OccurrenceView {
    pub(super) fn of(row: OccurrenceEntry) -> Self {
        let reason = row.reason.as_deref().and_then(Reason::from_word);
        Self {
            nominal: row.nominal,
            at: row.at,
            cause: row.cause,
            state: row.state,
            summary: reason.map(Reason::sentence),
            reason: row.reason,
            event: row.event,
            settled_at: row.settled_at,
        }
    }
}

impl ScheduleView {
    fn of(row: Schedule) -> Result<Self, Error> {
        let definition = definition(&row)?;
        let timing = definition
            .timing()
            .map_err(|error| Error::unreadable("the schedule", error))?;
        let data = String::from_utf8(row.payload)
            .map_err(|error| Error::unreadable("the schedule", error))?;
        Ok(Self {
            id: row.id,
            automation: row.owner,
            event_type: format!("{TYPE_PREFIX}{}", row.name),
            name: row.name,
            words: timing.words(),
            slot_ms: definition.slot_ms(row.id.uuid()),
            cron: definition.cron,
            seconds: definition.seconds,
            timezone: definition.timezone,
            dst: definition.dst,
            interval: definition.interval,
            overlap: definition.overlap,
            catch_up: definition.catch_up,
            catch_up_window_s: definition.catch_up_window_s,
            spread_s: definition.spread_s,
            start_at: definition.start_at,
            end_at: definition.end_at,
            paused: row.paused,
            next_at: row.due_at,
            data: RawValue::from_string(data)
                .map_err(|error| Error::unreadable("the schedule", error))?,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

pub(super) fn definition(row: &Schedule) -> Result<Definition, Error> {
    serde_json::from_str(&row.definition).map_err(|error| Error::unreadable("the schedule", error))
}

fn text(definition: &Definition) -> Result<String, Error> {
    serde_json::to_string(definition).map_err(|error| Error::unreadable("the schedule", error))
}

/// For what is the automation's to change.
fn owned(automation: AutomationId) -> Error {
    Error::Conflict {
        code: "owned",
        why: format!(
            "the schedule is the trigger of the automation {automation}: change, switch or remove that"
        ),
    }
}

/// What of a definition can be wrong beside its timing.
pub(super) fn check_bounds(definition: &Definition) -> Result<(), Error> {
    for (pointer, s, s_max) in [
        (
            "/catch_up_window_s",
            definition.catch_up_window_s,
            WINDOW_S_MAX,
        ),
        ("/spread_s", definition.spread_s, SPREAD_S_MAX),
    ] {
        if !(0..=s_max).contains(&s) {
            let why = format!("this is {s} seconds: it must be 0 to {s_max}");
            return Err(Error::field(pointer, why));
        }
    }
    match (definition.start_at, definition.end_at) {
        (Some(start), Some(end)) if end < start => Err(Error::field(
            "/end_at",
            "the end is before the start: give a later one, or leave one of them out",
        )),
        _ => Ok(()),
    }
}

pub(super) fn name_taken(name: &str) -> Error {
    Error::Conflict {
        code: "name_taken",
        why: format!(
            "the account has a schedule '{name}' already: choose another name, or PATCH it"
        ),
    }
}

impl Service {
    /// Makes a schedule. Its first occurrence is the first after now.
    pub async fn create_schedule(
        &self,
        who: &Principal<MayWrite>,
        new: NewSchedule,
    ) -> Result<ScheduleView, Error> {
        let row = self.drafted_schedule(who.account(), new)?;
        match self.inner.store.create_schedule(&row).await {
            Ok(()) => {
                self.ring().await;
                ScheduleView::of(row)
            }
            Err(error) if error.is_taken() => Err(name_taken(&row.name)),
            Err(error) => Err(error.into()),
        }
    }

    /// What making a schedule would save.
    pub(super) fn drafted_schedule(
        &self,
        account: AccountId,
        new: NewSchedule,
    ) -> Result<Schedule, Error> {
        check_name(&new.name)?;
        let now = self.inner.clock.now();
        let definition = new.definition(now)?;
        check_bounds(&definition)?;
        let data = new
            .data
            .map_or_else(|| NOTHING.to_owned(), |data| data.get().to_owned());
        self.check_carried(&data)?;
        let id = ScheduleId::mint(now);
        Ok(Schedule {
            account,
            id,
            owner: None,
            name: new.name,
            due_at: due_at(id, &definition, now, now)?,
            definition: text(&definition)?,
            payload: data.into_bytes(),
            paused: new.paused.unwrap_or(false),
            cursor_at: now,
            created_at: now,
            updated_at: now,
        })
    }

    /// Leaves room for what the event says around it, within the bounds of a payload.
    pub(super) fn check_carried(&self, data: &str) -> Result<(), Error> {
        let bytes_max = self.inner.rules.payload_bytes_max;
        let nested = format!("[{data}]");
        payload::check(
            nested.as_bytes(),
            bytes_max.saturating_sub(AROUND_BYTES_MAX),
        )
    }

    /// A page of the account's schedules.
    pub async fn schedules(
        &self,
        who: &Principal<MayRead>,
        page: &PageRequest,
    ) -> Result<Listed<ScheduleView>, Error> {
        let _turn = self.list_turn(who.account()).await?;
        let rows = self
            .inner
            .store
            .schedules(who.account(), page.after()?, page.limit()?)
            .await?;
        Listed::try_of(rows, ScheduleView::of)
    }

    /// The schedule with this id.
    pub async fn schedule(
        &self,
        who: &Principal<MayRead>,
        id: &str,
    ) -> Result<ScheduleView, Error> {
        let row = self.schedule_row(who.account(), id).await?;
        ScheduleView::of(row)
    }

    pub(super) async fn schedule_row(
        &self,
        account: AccountId,
        id: &str,
    ) -> Result<Schedule, Error> {
        let id: ScheduleId = check::id(id, "schedule")?;
        let found = self.inner.store.schedule(account, id).await?;
        found.ok_or(Error::NotFound("schedule"))
    }

    /// Changes a schedule.
    pub async fn change_schedule(
        &self,
        who: &Principal<MayWrite>,
        id: &str,
        patch: SchedulePatch,
    ) -> Result<ScheduleView, Error> {
        let mut merges = self.merges(who.account());
        loop {
            let done = self.merge_schedule(who.account(), id, &patch).await;
            if !merges.go_on(&done).await {
                return done;
            }
        }
    }

    /// Lays the changes over the schedule as it is now, unless somebody else changes it meanwhile.
    async fn merge_schedule(
        &self,
        account: AccountId,
        id: &str,
        patch: &SchedulePatch,
    ) -> Result<ScheduleView, Error> {
        let from = self.schedule_row(account, id).await?;
        if let Some(automation) = from.owner {
            return Err(owned(automation));
        }
        let now = self.inner.clock.now();
        let mut to = from.clone();
        let before = definition(&from)?;
        let after = patch.over(&before, now)?;
        check_bounds(&after)?;
        if let Some(name) = &patch.name {
            check_name(name)?;
            to.name.clone_from(name);
        }
        if let Some(data) = &patch.data {
            let data = data.as_ref().map_or(NOTHING, |data| data.get());
            self.check_carried(data)?;
            to.payload = data.as_bytes().to_vec();
        }
        to.paused = patch.paused.unwrap_or(from.paused);
        to.definition = text(&after)?;
        goes_on(&from, &mut to, now)?;
        match self.inner.store.change_schedule(&from, &to).await {
            Ok(true) => {
                self.ring().await;
                ScheduleView::of(to)
            }
            Ok(false) => Err(Error::NotFound("schedule")),
            Err(error) if error.is_taken() => Err(name_taken(&to.name)),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes a schedule with its ledger. Events that it has made stay.
    pub async fn delete_schedule(&self, who: &Principal<MayWrite>, id: &str) -> Result<(), Error> {
        let row = self.schedule_row(who.account(), id).await?;
        if let Some(automation) = row.owner {
            return Err(owned(automation));
        }
        let store = &self.inner.store;
        if store.delete_schedule(who.account(), row.id).await? {
            Ok(())
        } else {
            Err(Error::NotFound("schedule"))
        }
    }

    /// A page of a schedule's ledger, the latest occurrence first.
    pub async fn occurrences(
        &self,
        who: &Principal<MayRead>,
        id: &str,
        page: &PageRequest,
    ) -> Result<Listed<OccurrenceView>, Error> {
        let _turn = self.list_turn(who.account()).await?;
        let row = self.schedule_row(who.account(), id).await?;
        let limit = page.limit()?;
        let before = page.after_name()?.map(|text| text.parse::<i64>());
        let before = before.transpose().map_err(|_| Error::Invalid {
            code: "invalid_cursor",
            at: Place::Query("cursor".to_owned()),
            why: "this is not a cursor of this list: send the next_cursor of the page before"
                .to_owned(),
        })?;
        let mut rows = self
            .inner
            .store
            .occurrences(
                who.account(),
                row.id,
                before.map(Timestamp::from_ms),
                limit + 1,
            )
            .await?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = rows
            .last()
            .filter(|_| more)
            .map(|row| cursor_text(row.at.as_ms().to_string()));
        let data = rows.into_iter().map(OccurrenceView::of).collect();
        Ok(Listed { data, next_cursor })
    }
}

impl SchedulePatch {
    /// The definition with the changes over it.
    fn over(&self, before: &Definition, now: Timestamp) -> Result<Definition, Error> {
        let mut after = before.clone();
        if let Some(cron) = &self.cron {
            after.cron = Some(cron.clone());
            after.interval = None;
        }
        if let Some(every) = self.interval {
            let since = before.interval.and_then(|every| every.from);
            after.interval = Some(Every {
                from: every.from.or(since).or(Some(now)),
                ..every
            });
            // Both at once are refused with the timing.
            if self.cron.is_none() {
                after.cron = None;
            }
        }
        if let Some(timezone) = &self.timezone {
            after.timezone.clone_from(timezone);
        }
        after.seconds = self.seconds.unwrap_or(before.seconds);
        after.dst = self.dst.unwrap_or(before.dst);
        after.overlap = self.overlap.unwrap_or(before.overlap);
        after.catch_up = self.catch_up.unwrap_or(before.catch_up);
        after.catch_up_window_s = self.catch_up_window_s.unwrap_or(before.catch_up_window_s);
        after.spread_s = self.spread_s.unwrap_or(before.spread_s);
        after.start_at = self.start_at.unwrap_or(before.start_at);
        after.end_at = self.end_at.unwrap_or(before.end_at);
        if after.cron.is_none() {
            no_clock(&[
                self.seconds.map(|_| "/seconds"),
                self.timezone.as_ref().map(|_| "/timezone"),
                self.dst.map(|_| "/dst"),
            ])?;
        }
        Ok(after)
    }
}
