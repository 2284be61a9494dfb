//! Re-runs: what follows from chosen past events once more, as it ran then or with the current version. What is
//! made of them is marked, and has ids of its own: a re-run is no repeat.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::window;
use crate::model::limits::CHOSEN_EVENTS_MAX;
use crate::model::{
    AutomationId, EventId, Job, JobSubject, PinnedVersion, Reach, Rerun, RerunBy, RerunTally,
    Timestamp,
};
use crate::service::principal::{MayWrite, Principal};
use crate::service::{Error, GivenView, Place, Service, check};
use crate::store;

/// Which events are run again, and how.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRerun {
    /// The ids of 1 to 1,000 events.
    pub events: Option<Vec<String>>,
    /// Events that came at this time or later, RFC 3339; of more than 1,000,000 the last ones.
    /// What automations made of an event counts as having come with it, whenever they made it.
    #[schema(format = DateTime)]
    pub since: Option<String>,
    /// Events that came before this time, RFC 3339; until now, if left out.
    #[schema(format = DateTime)]
    pub until: Option<String>,
    /// By which version.
    #[serde(rename = "as")]
    pub how: Option<RerunAs>,
}

/// By which version events are run again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RerunAs {
    /// Each by the version that it met, with the plugins that ran then. Variables and secrets have the values that
    /// they have now: earlier ones are not used. An event that the automation did not look at is passed over.
    ItRan,
    /// By the version that is published now. An event whose type its trigger does not name is passed over.
    Current,
}

/// What came of a re-run so far.
#[derive(Debug, Serialize, ToSchema)]
pub struct RerunResultView {
    /// By which version.
    #[serde(rename = "as")]
    pub how: RerunAs,
    /// The number of that version; null, if it is another for each event.
    pub version: Option<i64>,
    /// How many events came to each verdict.
    pub verdicts: BTreeMap<String, u64>,
    /// Deliveries that were made.
    pub deliveries: u64,
    /// Events that were passed over: the automation did not look at them; or its version has flow control or makes
    /// events, and follows none a second time, which `problems` tells.
    pub not_run: u64,
    /// Events that there are not, or not any more.
    pub missing: u64,
    /// Whether older events were left out, because there are more than 1,000,000.
    pub truncated: bool,
    /// Events that came to nothing because something is wrong: the first 20.
    pub problems: Vec<RerunProblemView>,
}

/// An event that came to nothing because something is wrong.
#[derive(Debug, Serialize, ToSchema)]
pub struct RerunProblemView {
    /// The id of the event.
    #[schema(value_type = String)]
    pub event: EventId,
    /// What became of it; `not_run`: it was passed over.
    pub verdict: String,
    /// A sentence with the values that decided.
    pub summary: String,
}

impl RerunResultView {
    pub(in crate::service) fn of(asked: &Rerun, tally: RerunTally) -> Self {
        let (how, version) = match &asked.by {
            RerunBy::ItRan => (RerunAs::ItRan, None),
            RerunBy::Current(pinned) => (RerunAs::Current, Some(pinned.version)),
        };
        let problems = tally.problems.into_iter();
        Self {
            how,
            version,
            verdicts: tally.verdicts,
            deliveries: tally.deliveries,
            not_run: tally.not_run,
            missing: tally.missing,
            truncated: tally.truncated,
            problems: problems
                .map(|problem| RerunProblemView {
                    event: problem.event,
                    verdict: problem.verdict,
                    summary: problem.summary,
                })
                .collect(),
        }
    }
}

fn missing(field: &str, why: &str) -> Error {
    Error::Invalid {
        code: "missing_field",
        at: Place::body(format!("/{field}")),
        why: why.to_owned(),
    }
}

fn reach(new: &NewRerun, now: Timestamp) -> Result<Reach, Error> {
    let is_window = new.since.is_some() || new.until.is_some();
    match &new.events {
        Some(_) if is_window => {
            let why = "give either the events, or since and until";
            Err(Error::field("/events", why))
        }
        // Everything that ever came is nothing that one means by leaving something out.
        None if new.since.is_none() => Err(missing(
            "events",
            "which events are run again: give their ids as events, or since and until",
        )),
        None => window(new.since.as_deref(), new.until.as_deref(), now),
        Some(texts) => chosen(texts).map(Reach::Chosen),
    }
}

/// In the order in which they came, each once.
fn chosen(texts: &[String]) -> Result<Vec<EventId>, Error> {
    if !(1..=CHOSEN_EVENTS_MAX).contains(&texts.len()) {
        let why = format!(
            "these are {} events: give 1 to {CHOSEN_EVENTS_MAX}, or since and until",
            texts.len()
        );
        return Err(Error::field("/events", why));
    }
    let mut ids = Vec::with_capacity(texts.len());
    for (place, text) in texts.iter().enumerate() {
        let id: EventId = text
            .parse()
            .map_err(|error| Error::field(format!("/events/{place}"), error))?;
        ids.push(id);
    }
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

impl Service {
    /// Has events run again.
    pub async fn rerun(
        &self,
        who: &Principal<MayWrite>,
        id: &str,
        new: NewRerun,
    ) -> Result<GivenView, Error> {
        let id: AutomationId = check::id(id, "automation")?;
        let row = self.open_row(who.account(), id).await?;
        let reach = reach(&new, self.inner.clock.now())?;
        let how = new.how.ok_or_else(|| {
            missing(
                "as",
                "by which version: give it_ran for the one that each event met, or current",
            )
        })?;
        let by = match how {
            RerunAs::ItRan => RerunBy::ItRan,
            RerunAs::Current => RerunBy::Current(self.live(who, &row).await?),
        };
        let job = Job::Rerun(Rerun {
            name: row.name,
            by,
            reach,
        });
        let subject = JobSubject::Automation(id);
        self.give(who, subject, &job, &RerunTally::default()).await
    }

    /// The version that events meet now.
    async fn live(
        &self,
        who: &Principal<MayWrite>,
        row: &store::Automation,
    ) -> Result<PinnedVersion, Error> {
        let version = row.published_version.filter(|_| row.enabled);
        let version = version.ok_or_else(|| Error::Conflict {
            code: "not_live",
            why: "no version of the automation is live: publish one and switch it on, or run the events as \
                  it_ran"
                .to_owned(),
        })?;
        let saved = self.saved(who.account(), row.id, version).await?;
        if let Some(why) = saved.definition()?.holds_once() {
            return Err(Error::Conflict {
                code: "not_repeatable",
                why: format!("past events can't be run again by version {version}: {why}"),
            });
        }
        Ok(PinnedVersion {
            version,
            definition: saved.text,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chosen_events_are_each_once_and_in_their_order() {
        let at = Timestamp::from_ms(1_790_000_000_000);
        let [first, second] = std::array::from_fn(|_| EventId::mint(at));
        let texts = [second, first, second].map(|id| id.to_string());
        assert_eq!(chosen(&texts).expect("ids"), [first, second]);
        for (texts, at) in [
            (&[][..], "/events"),
            (&["evt_1".to_owned()][..], "/events/0"),
        ] {
            let error = chosen(texts).expect_err("no ids");
            let place = error.place().map(ToString::to_string);
            assert_eq!(place.as_deref(), Some(at));
        }
        let none = reach(&NewRerun::default(), at).expect_err("nothing is chosen");
        assert_eq!(none.code(), "missing_field");
    }
}
