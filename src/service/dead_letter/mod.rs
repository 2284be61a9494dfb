//! Dead letters: what automations failed at, with exactly what went into what failed. Listed, looked at,
//! discarded; how they are run again is told in `rerun.rs`.

mod rerun;

pub use rerun::{LetterRerunRequest, LetterRerunState, LetterRerunView, LetterRerunsView};

use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::hidden::Shown;
use super::principal::{MayRead, MayWrite, Principal};
use super::{Error, Listed, PageRequest, Place, Service, check};
use crate::model::{AccountId, AutomationId, DeadLetterId, EventId, Timestamp};
use crate::pipeline::{Secrets, Verdict};
use crate::store::{self, DeadLetterFilter, LetterState};

/// The word for letters in any state.
const ALL: &str = "all";

/// Which dead letters are wanted, as it was asked for.
#[derive(Debug, Clone, Default)]
pub struct DeadLetterQuery {
    /// Only of the automation with this id.
    pub automation: Option<String>,
    /// Only with this verdict.
    pub reason: Option<String>,
    /// Only in this state; open ones, if it is not said.
    pub state: Option<String>,
    /// Only of events that were accepted then or later.
    pub since: Option<String>,
    /// Only of events that were accepted before.
    pub until: Option<String>,
}

/// What an automation failed at, in a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeadLetterView {
    /// The dead letter's id.
    #[schema(value_type = String, example = "ltr_0198c1f0a3b27c4d8e5f60718293a4b5")]
    pub id: DeadLetterId,
    /// The id of the event.
    #[schema(value_type = String)]
    pub event: EventId,
    /// The id of the automation. An endpoint's own subscription is one, too.
    #[schema(value_type = String)]
    pub automation: AutomationId,
    /// The number of the version that failed last.
    pub version: i64,
    /// How it failed, last: `condition_error`, `flow_error`, `plugin_error`, `limit_exceeded` or `evaluation_error`.
    pub reason: String,
    /// A sentence.
    pub summary: String,
    /// The place of the transform that failed, from 0; null, if it was none.
    pub transform: Option<i64>,
    /// How often it failed: once, and each time that it was run again.
    pub failures: i64,
    /// `open`, or `rerun`: it was run again, and the automation did not fail.
    pub state: String,
    /// The run that did not fail; null, if there was none.
    pub rerun: Option<LetterRerunNote>,
    /// When it failed first, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it failed last, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub failed_at: Timestamp,
}

/// The run of a dead letter that did not fail.
#[derive(Debug, Serialize, ToSchema)]
pub struct LetterRerunNote {
    /// When, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The number of the version that was run.
    pub version: i64,
    /// Its verdict, such as `fired`.
    pub verdict: String,
    /// A sentence.
    pub summary: String,
}

/// A dead letter, as an explanation speaks of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct LetterNote {
    /// The dead letter's id.
    #[schema(value_type = String)]
    pub id: DeadLetterId,
    /// `open` or `rerun`.
    pub state: String,
    /// How often it failed.
    pub failures: i64,
    /// The run that did not fail; null, if there was none.
    pub rerun: Option<LetterRerunNote>,
}

/// What the input of a dead letter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InputOf {
    /// What the automation was given: the event's payload, or a digest of several.
    Automation,
    /// What the transforms before it made for the one that failed.
    Transform,
}

/// A dead letter.
#[derive(Debug, Serialize, ToSchema)]
pub struct WholeDeadLetterView {
    /// What it is in a list.
    #[serde(flatten)]
    pub head: DeadLetterView,
    /// What the input is.
    pub input_of: InputOf,
    /// Exactly what went in: the bytes as they were, but for a secret variable's value, which is hidden; null, if
    /// they are no longer kept.
    #[schema(value_type = serde_json::Value)]
    pub input: Option<Box<RawValue>>,
}

impl From<store::DeadLetter> for DeadLetterView {
    fn from(row: store::DeadLetter) -> Self {
        Self {
            id: row.id,
            event: row.event,
            automation: row.automation,
            version: row.version,
            transform: row.place,
            failures: row.failures,
            rerun: LetterRerunNote::of(&row),
            reason: row.verdict,
            summary: row.summary,
            state: row.state,
            created_at: row.created_at,
            failed_at: row.failed_at,
        }
    }
}

impl Shown for DeadLetterView {
    fn hide(&mut self, secrets: &Secrets) {
        secrets.hide(&mut self.summary);
        if let Some(rerun) = &mut self.rerun {
            rerun.hide(secrets);
        }
    }
}

impl From<store::DeadLetter> for LetterNote {
    fn from(row: store::DeadLetter) -> Self {
        Self {
            id: row.id,
            failures: row.failures,
            rerun: LetterRerunNote::of(&row),
            state: row.state,
        }
    }
}

impl LetterRerunNote {
    fn of(row: &store::DeadLetter) -> Option<Self> {
        Some(Self {
            at: row.rerun_at?,
            version: row.rerun_version?,
            verdict: row.rerun_verdict.clone()?,
            summary: row.rerun_summary.clone()?,
        })
    }
}

impl DeadLetterQuery {
    /// What of it the store is asked for.
    pub(super) fn filter(&self) -> Result<DeadLetterFilter, Error> {
        let state = match self.state.as_deref() {
            None => Some(LetterState::Open),
            Some(ALL) => None,
            Some(word) => Some(
                LetterState::from_word(word)
                    .ok_or_else(|| wrong("state", "a dead letter is open or rerun; all is both"))?,
            ),
        };
        if let Some(reason) = &self.reason
            && !Verdict::FAILURES.iter().any(|it| it.as_str() == reason)
        {
            let words: Vec<_> = Verdict::FAILURES.iter().map(|it| it.as_str()).collect();
            let why = format!("a dead letter's reason is one of {}", words.join(", "));
            return Err(wrong("reason", why));
        }
        Ok(DeadLetterFilter {
            automation: read("automation", self.automation.as_deref())?,
            state,
            verdict: self.reason.clone(),
            since: read("since", self.since.as_deref())?,
            until: read("until", self.until.as_deref())?,
        })
    }
}

fn read<T>(name: &str, text: Option<&str>) -> Result<Option<T>, Error>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    let read = text.map(str::parse).transpose();
    read.map_err(|error: T::Err| wrong(name, error.to_string()))
}

fn wrong(name: &str, why: impl Into<String>) -> Error {
    Error::Invalid {
        code: "invalid_parameter",
        at: Place::Query(name.to_owned()),
        why: why.into(),
    }
}

impl Service {
    /// A page of the account's dead letters.
    pub async fn dead_letters(
        &self,
        who: &Principal<MayRead>,
        query: &DeadLetterQuery,
        page: &PageRequest,
    ) -> Result<Listed<DeadLetterView>, Error> {
        let _turn = self.list_turn(who.account()).await?;
        let filter = query.filter()?;
        let rows = self
            .inner
            .store
            .dead_letters(who.account(), &filter, page.after()?, page.limit()?)
            .await?;
        let hidden = self.hidden(who.account()).await?;
        Ok(Listed::of(rows, |row| {
            DeadLetterView::from(row).without(&hidden)
        }))
    }

    /// The dead letter with this id, and what went into what failed.
    pub async fn dead_letter(
        &self,
        who: &Principal<MayRead>,
        id: &str,
    ) -> Result<WholeDeadLetterView, Error> {
        let row = self.letter_row(who.account(), id).await?;
        let store = &self.inner.store;
        let kept = store.letter_inputs(who.account(), row.id).await?;
        let (input_of, input) = match (kept.transform, kept.carried) {
            (Some(input), _) => (InputOf::Transform, Some(input)),
            (None, Some(digest)) => (InputOf::Automation, Some(digest)),
            (None, None) => {
                let event = store.event(who.account(), row.event).await?;
                let kept = event.filter(store::Event::has_payload);
                (InputOf::Automation, kept.map(|event| event.payload))
            }
        };
        let hidden = self.hidden(who.account()).await?;
        let mut input = input.map(raw).transpose()?;
        if let Some(input) = &mut input {
            hidden.hide_in_json(input);
        }
        Ok(WholeDeadLetterView {
            head: DeadLetterView::from(row).without(&hidden),
            input_of,
            input,
        })
    }

    /// Discards a dead letter with its input. The event and its evaluations stay.
    pub async fn discard_letter(&self, who: &Principal<MayWrite>, id: &str) -> Result<(), Error> {
        let id: DeadLetterId = check::id(id, "dead letter")?;
        if self.inner.store.discard_letter(who.account(), id).await? {
            Ok(())
        } else {
            Err(Error::NotFound("dead letter"))
        }
    }

    async fn letter_row(&self, account: AccountId, id: &str) -> Result<store::DeadLetter, Error> {
        let id: DeadLetterId = check::id(id, "dead letter")?;
        let found = self.inner.store.dead_letter(account, id).await?;
        found.ok_or(Error::NotFound("dead letter"))
    }
}

fn raw(bytes: Vec<u8>) -> Result<Box<RawValue>, Error> {
    let text = String::from_utf8(bytes).map_err(|error| Error::unreadable("the input", error))?;
    RawValue::from_string(text).map_err(|error| Error::unreadable("the input", error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_in_a_query_is_told() {
        let query = DeadLetterQuery::default();
        assert_eq!(
            query.filter().expect("open ones").state,
            Some(LetterState::Open)
        );
        let some = |text: &str| Some(text.to_owned());
        for (query, name) in [
            (
                DeadLetterQuery {
                    state: some("closed"),
                    ..query.clone()
                },
                "state",
            ),
            (
                DeadLetterQuery {
                    reason: some("fired"),
                    ..query.clone()
                },
                "reason",
            ),
            (
                DeadLetterQuery {
                    since: some("yesterday"),
                    ..query.clone()
                },
                "since",
            ),
            (
                DeadLetterQuery {
                    automation: some("evt_1"),
                    ..query.clone()
                },
                "automation",
            ),
        ] {
            let error = query.filter().expect_err(name);
            assert_eq!(error.place(), Some(&Place::Query(name.to_owned())));
        }
        let all = DeadLetterQuery {
            state: some("all"),
            reason: some("plugin_error"),
            ..query
        };
        assert_eq!(all.filter().expect("fine").state, None);
    }
}
