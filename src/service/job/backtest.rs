//! Backtests: a draft, or a saved version, beside the published version, on past events. Nothing is sent.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{GivenView, unreadable, window};
use crate::automation::{Definition, Trigger};
use crate::model::limits::JOB_EVENTS_MAX;
use crate::model::{
    AutomationId, Backtest, BacktestTally, EventId, Job, JobSubject, PinnedVersion, Reach,
    Timestamp,
};
use crate::service::automation_shape::AutomationPatch;
use crate::service::hidden::Shown;
use crate::service::principal::{MayRead, MayWrite, Principal};
use crate::service::trial::within;
use crate::service::version::text;
use crate::service::{Error, Listed, PageRequest, Place, Service, check, json};
use crate::store;

/// How many events, if nothing is said.
const EVENTS_USUAL: usize = 1_000;

/// What is compared, and on which events.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewBacktest {
    /// A version's number; or an automation as it would be sent to `POST /v1/automations`, of which parts may be
    /// left out: one with `trigger` and `actions` is whole, of any other what is left out is as in the newest
    /// version. Left out: the newest version.
    #[schema(value_type = Option<Object>)]
    pub draft: Option<Box<RawValue>>,
    /// The last so many events, 1 to 1,000,000; 1,000, if neither this nor a time is given.
    pub events: Option<usize>,
    /// Events that came at this time or later, RFC 3339; of more than 1,000,000 the last ones.
    /// What automations made of an event counts as having come with it, whenever they made it.
    #[schema(format = DateTime)]
    pub since: Option<String>,
    /// Events that came before this time, RFC 3339; until now, if left out.
    #[schema(format = DateTime)]
    pub until: Option<String>,
}

/// What came of a backtest so far.
#[derive(Debug, Serialize, ToSchema)]
pub struct BacktestResultView {
    /// What the published version said.
    pub published: BacktestSideView,
    /// What the draft said.
    pub draft: BacktestSideView,
    /// Where their verdicts differ.
    pub moves: Vec<BacktestMoveView>,
    /// Events of which something different would follow: another verdict, another body, or another endpoint. Of what
    /// flow control decides each event is taken to go on, and alone.
    pub differing: u64,
    /// How many of those are under `/differences`: the first 5,000 and 8 MiB of them.
    pub listed: u64,
    /// Events that are not kept any more.
    pub missing: u64,
    /// Whether older events were left out, because there are more than 1,000,000.
    pub truncated: bool,
}

/// What a version said.
#[derive(Debug, Serialize, ToSchema)]
pub struct BacktestSideView {
    /// Its number; null, if it is not saved, or if none was published.
    pub version: Option<i64>,
    /// How many events came to each verdict. Beside an evaluation's there are `not_subscribed` (the trigger does not
    /// name the event's type) and `not_published`.
    pub verdicts: BTreeMap<String, u64>,
}

/// Events that the two versions do not say the same of.
#[derive(Debug, Serialize, ToSchema)]
pub struct BacktestMoveView {
    /// The published version's verdict.
    pub published: String,
    /// The draft's.
    pub draft: String,
    /// How many events.
    pub events: u64,
}

/// An event of which the two versions say something different.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct DifferenceView {
    /// The id of the event.
    #[schema(value_type = String)]
    pub event: EventId,
    /// Its type.
    #[serde(rename = "type")]
    pub event_type: String,
    /// Its own time, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub timestamp: Timestamp,
    /// What the published version says.
    pub published: DifferenceSide,
    /// What the draft says.
    pub draft: DifferenceSide,
    /// The outputs that differ: the first 4.
    pub bodies: Vec<DifferenceBody>,
    /// How many more outputs differ.
    pub bodies_left_out: usize,
}

/// What a version says of an event.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct DifferenceSide {
    /// Its verdict.
    pub verdict: String,
    /// A sentence with the values that decided.
    pub summary: String,
    /// How many outputs it has.
    pub outputs: usize,
    /// Where each of them would go: ids of endpoints, bare URLs, and types of events that are made of it.
    pub to: Vec<String>,
}

/// What differs in one output.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct DifferenceBody {
    /// The output's place, from 0.
    pub output: usize,
    /// Field by field: the first 20.
    pub changes: Vec<DifferenceChange>,
    /// How many more there are.
    pub changes_left_out: usize,
    /// What the published version puts out, if that can't be told field by field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<DifferenceExcerpt>,
    /// What the draft puts out, if that can't be told field by field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<DifferenceExcerpt>,
}

/// One place at which two outputs differ.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct DifferenceChange {
    /// JSON pointer: within the output's `/body`, its `/headers`, or its `/type`.
    #[schema(example = "/body/amount")]
    pub pointer: String,
    /// What is there in the published version's output: of what is long a text with its beginning. Left out, if
    /// nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub before: Option<Box<RawValue>>,
    /// What is there in the draft's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub after: Option<Box<RawValue>>,
}

/// The beginning of an output.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct DifferenceExcerpt {
    /// As text: the first 1024 bytes.
    pub text: String,
    /// That it is cut; left out, if it is whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut: Option<String>,
}

impl BacktestResultView {
    pub(in crate::service) fn of(asked: &Backtest, tally: BacktestTally) -> Self {
        let published = asked.published.as_ref().map(|pinned| pinned.version);
        let moves = tally.moves.into_iter().flat_map(|(published, drafts)| {
            drafts
                .into_iter()
                .map(move |(draft, events)| BacktestMoveView {
                    published: published.clone(),
                    draft,
                    events,
                })
        });
        Self {
            published: BacktestSideView {
                version: published,
                verdicts: tally.published,
            },
            draft: BacktestSideView {
                version: asked.saved.then_some(asked.draft.version),
                verdicts: tally.draft,
            },
            moves: moves.collect(),
            differing: tally.differing,
            listed: tally.listed,
            missing: tally.missing,
            truncated: tally.truncated,
        }
    }
}

fn reach(new: &NewBacktest, now: Timestamp) -> Result<Reach, Error> {
    let is_window = new.since.is_some() || new.until.is_some();
    match new.events {
        Some(_) if is_window => {
            let why = "give either how many events, or since and until";
            Err(Error::field("/events", why))
        }
        None if is_window => window(new.since.as_deref(), new.until.as_deref(), now),
        events => {
            let events = events.unwrap_or(EVENTS_USUAL);
            if !(1..=JOB_EVENTS_MAX).contains(&events) {
                let why = format!("this is {events}: it must be 1 to {JOB_EVENTS_MAX}");
                return Err(Error::field("/events", why));
            }
            let before = EventId::mint(now);
            Ok(Reach::Newest { events, before })
        }
    }
}

impl Service {
    /// Has a draft compared with the published version.
    pub async fn backtest(
        &self,
        who: &Principal<MayWrite>,
        id: &str,
        new: NewBacktest,
    ) -> Result<GivenView, Error> {
        let account = who.account();
        let id: AutomationId = check::id(id, "automation")?;
        let row = self.automation_row(account, id).await?;
        let reach = reach(&new, self.inner.clock.now())?;
        let published = match row.published_version {
            Some(version) => Some(PinnedVersion {
                version,
                definition: self.saved(account, id, version).await?.text,
            }),
            None => None,
        };
        let (draft, saved) = self.pinned(who, &row, new.draft.as_deref()).await?;
        let job = Job::Backtest(Backtest {
            name: row.name,
            published,
            draft,
            saved,
            reach,
        });
        let subject = JobSubject::Automation(id);
        self.give(who, subject, &job, &BacktestTally::default())
            .await
    }

    /// What is compared with the published version, and whether it is saved.
    async fn pinned(
        &self,
        who: &Principal<MayWrite>,
        row: &store::Automation,
        draft: Option<&RawValue>,
    ) -> Result<(PinnedVersion, bool), Error> {
        let draft = draft.map_or("null", RawValue::get);
        if draft.starts_with('{') {
            let definition = self.unsaved(who, row, draft).await;
            let pinned = PinnedVersion {
                version: row.latest_version + 1,
                definition: definition.map_err(|error| within("/draft", error))?,
            };
            return Ok((pinned, false));
        }
        let version: i64 = match draft {
            "null" => row.latest_version,
            number => number.parse().map_err(|_| {
                let why = "a draft is the number of a version, or an automation: {…}";
                Error::field("/draft", why)
            })?,
        };
        if !(1..=row.latest_version).contains(&version) {
            let (at, newest) = (Place::body("/draft"), row.latest_version);
            return Err(Error::no_version(at, version, newest));
        }
        let definition = self.saved(who.account(), row.id, version).await?.text;
        let pinned = PinnedVersion {
            version,
            definition,
        };
        Ok((pinned, true))
    }

    /// What saving the draft would store.
    async fn unsaved(
        &self,
        who: &Principal<MayWrite>,
        row: &store::Automation,
        draft: &str,
    ) -> Result<String, Error> {
        let mut patch: AutomationPatch = json::read_kept(draft.as_bytes())?;
        let before = if patch.trigger.is_some() && patch.actions.is_some() {
            Definition {
                trigger: Trigger {
                    events: Vec::new(),
                    schedule: None,
                },
                condition: None,
                flow: None,
                transforms: Vec::new(),
                actions: Vec::new(),
                alert_after: None,
                tests: Vec::new(),
            }
        } else {
            self.newest(who.account(), row).await?.definition()?
        };
        let of = (who.account(), row.id);
        let (definition, _bare) = self.laid_over(of, before, &mut patch).await?;
        if patch.strict == Some(true) {
            let (account, strict) = (who.account(), patch.strict.into());
            self.condition_warnings(account, &definition, strict)
                .await?;
        }
        text(&definition)
    }

    /// A page of what a backtest has found: newest event first.
    pub async fn differences(
        &self,
        who: &Principal<MayRead>,
        id: &str,
        page: &PageRequest,
    ) -> Result<Listed<DifferenceView>, Error> {
        let _turn = self.list_turn(who.account()).await?;
        let row = self.job_row(who, id).await?;
        let rows = self
            .inner
            .store
            .differences(who.account(), row.id, page.after()?, page.limit()?)
            .await?;
        let hidden = self.hidden(who.account()).await?;
        Listed::try_of(rows, |row| {
            let view: DifferenceView = serde_json::from_slice(&row.content).map_err(unreadable)?;
            Ok(view.without(&hidden))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_counted_or_of_a_time() {
        let now = Timestamp::from_ms(1_790_000_000_000);
        let read = |text: &str| -> NewBacktest { serde_json::from_str(text).expect(text) };
        assert!(matches!(
            reach(&read("{}"), now),
            Ok(Reach::Newest { events: 1_000, .. })
        ));
        let since = read(r#"{"since":"2026-01-01T00:00:00Z"}"#);
        let Ok(Reach::Window { from, before }) = reach(&since, now) else {
            panic!("a window");
        };
        assert_eq!(from.minted_at().to_string(), "2026-01-01T00:00:00.000Z");
        assert_eq!(before.minted_at(), now);
        for (text, at) in [
            (r#"{"events":0}"#, "/events"),
            (r#"{"events":1000001}"#, "/events"),
            (r#"{"events":1,"since":"2026-01-01T00:00:00Z"}"#, "/events"),
            (r#"{"since":"lately"}"#, "/since"),
            (
                r#"{"since":"2026-01-02T00:00:00Z","until":"2026-01-02T00:00:00Z"}"#,
                "/until",
            ),
        ] {
            let error = reach(&read(text), now).expect_err(text);
            let place = error.place().map(ToString::to_string);
            assert_eq!(place.as_deref(), Some(at), "{text}");
        }
    }
}
