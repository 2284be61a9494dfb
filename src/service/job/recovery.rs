//! Recoveries: what was missed at an endpoint, because it was given up, held or not subscribed to, is sent after all.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::span;
use crate::automation::Pattern;
use crate::model::limits::{RECOVERED_PATTERNS_MAX, RECOVERED_PER_SECOND_MAX};
use crate::model::{
    EndpointId, EventId, Job, JobSubject, MissedState, Recovery, RecoveryTally, Timestamp,
};
use crate::service::endpoint_shape::stored_settings;
use crate::service::principal::{MayWrite, Principal};
use crate::service::{Error, GivenView, Place, Service, check};

/// How fast, if nobody says.
const PER_SECOND_USUAL: u32 = 100;

/// What is recovered, and how fast.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRecovery {
    /// Deliveries of events that came at this time or later, RFC 3339. What automations made of an event counts as
    /// having come with it, whenever they made it.
    #[schema(format = DateTime)]
    pub since: Option<String>,
    /// The id of an event: deliveries of this one and of those that came after it. In place of `since`.
    pub from_event: Option<String>,
    /// Deliveries of events that came before this time, RFC 3339; until now, if left out.
    #[schema(format = DateTime)]
    pub until: Option<String>,
    /// What became of it; `failed` alone, if left out.
    pub states: Option<Vec<RecoveredState>>,
    /// Names and patterns of event types, as in a trigger: 1 to 100; all, if left out.
    pub event_types: Option<Vec<String>>,
    /// So many a second at most: 1 to 1,000; 100, if left out.
    pub per_second: Option<u32>,
}

/// How something was missed that can be recovered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecoveredState {
    /// Given up. It stays so, and is made again: with the same body and `webhook-id`, and a whole retry policy before
    /// it.
    Failed,
    /// Due while the endpoint, or the account, was switched off. It goes on as it stood.
    Held,
    /// Never made: the endpoint's own subscription names the event's type today, and did not when it came, or there was
    /// no endpoint then. It is made as if it had, after everything else.
    Unsubscribed,
}

/// What came of a recovery so far.
#[derive(Debug, Serialize, ToSchema)]
pub struct RecoveryResultView {
    /// Deliveries that had been given up and were made again.
    pub resent: u64,
    /// Deliveries that had been held and go on.
    pub released: u64,
    /// Deliveries of events that had not been subscribed to, made after all.
    pub made: u64,
    /// Deliveries that were passed over, because a repeat of them was delivered, or is on its way.
    pub repeated: u64,
    /// Deliveries that were passed over, because their payload is not kept any more.
    pub expired: u64,
    /// So many a second at most.
    pub per_second: u32,
}

impl RecoveredState {
    /// That of the deliveries, if there are some.
    fn of_deliveries(self) -> Option<MissedState> {
        match self {
            Self::Failed => Some(MissedState::Failed),
            Self::Held => Some(MissedState::Held),
            Self::Unsubscribed => None,
        }
    }
}

impl RecoveryResultView {
    pub(in crate::service) fn of(asked: &Recovery, tally: &RecoveryTally) -> Self {
        Self {
            resent: tally.resent,
            released: tally.released,
            made: tally.made,
            repeated: tally.repeated,
            expired: tally.expired,
            per_second: asked.per_second,
        }
    }
}

/// What is asked for, if it makes sense.
fn asked(new: &NewRecovery, endpoint: EndpointId, now: Timestamp) -> Result<Recovery, Error> {
    let first = match (&new.since, &new.from_event) {
        (Some(_), Some(_)) => {
            let why = "give either since or from_event";
            return Err(Error::field("/from_event", why));
        }
        // Everything that ever failed is nothing that one means by leaving something out.
        (None, None) => {
            return Err(Error::Invalid {
                code: "missing_field",
                at: Place::body("/since"),
                why: "from when on: give a time as since, or an event's id as from_event"
                    .to_owned(),
            });
        }
        (None, Some(text)) => {
            let parsed = text.parse::<EventId>();
            Some(parsed.map_err(|error| Error::field("/from_event", error))?)
        }
        (Some(_), None) => None,
    };
    let (since, before) = span(new.since.as_deref(), new.until.as_deref(), now)?;
    let from = first.unwrap_or(since);
    if before <= from {
        let why = "the event did not come before this: give a later time, or leave it out";
        return Err(Error::field("/until", why));
    }
    let per_second = new.per_second.unwrap_or(PER_SECOND_USUAL);
    if !(1..=RECOVERED_PER_SECOND_MAX).contains(&per_second) {
        let why = format!("this is {per_second}: it must be 1 to {RECOVERED_PER_SECOND_MAX}");
        return Err(Error::field("/per_second", why));
    }
    let states = states(new.states.as_deref())?;
    Ok(Recovery {
        endpoint,
        from,
        before,
        states: states
            .iter()
            .filter_map(|state| state.of_deliveries())
            .collect(),
        unsubscribed: states.contains(&RecoveredState::Unsubscribed),
        event_types: patterns(new.event_types.as_deref())?,
        per_second,
    })
}

/// Each once.
fn states(asked: Option<&[RecoveredState]>) -> Result<BTreeSet<RecoveredState>, Error> {
    let asked = asked.unwrap_or(&[RecoveredState::Failed]);
    if asked.is_empty() {
        let why = "name one state at least, failed, held or unsubscribed, or leave it out";
        return Err(Error::field("/states", why));
    }
    Ok(asked.iter().copied().collect())
}

fn patterns(texts: Option<&[String]>) -> Result<Vec<String>, Error> {
    let Some(texts) = texts else {
        return Ok(Vec::new());
    };
    if !(1..=RECOVERED_PATTERNS_MAX).contains(&texts.len()) {
        let why = format!(
            "these are {} patterns: give 1 to {RECOVERED_PATTERNS_MAX}, or leave it out",
            texts.len()
        );
        return Err(Error::field("/event_types", why));
    }
    for (place, text) in texts.iter().enumerate() {
        let parsed = text.parse::<Pattern>();
        parsed.map_err(|error| Error::field(format!("/event_types/{place}"), error))?;
    }
    Ok(texts.to_vec())
}

impl Service {
    /// Has what was missed at an endpoint sent after all.
    pub async fn recover(
        &self,
        who: &Principal<MayWrite>,
        id: &str,
        new: NewRecovery,
    ) -> Result<GivenView, Error> {
        let account = who.account();
        let id: EndpointId = check::id(id, "endpoint")?;
        let row = self.endpoint_row(account, id).await?;
        let asked = asked(&new, id, self.inner.clock.now())?;
        if new.from_event.is_some() && self.inner.store.event(account, asked.from).await?.is_none()
        {
            let why = "the account has no such event: give another one, or a time as since";
            return Err(Error::field("/from_event", why));
        }
        self.sees_deliveries_leave(account, &row.state).await?;
        if asked.unsubscribed && stored_settings(&row)?.subscribe.is_none() {
            let why = "the endpoint has no subscription of its own that could name what it has missed: give it one, or \
                       run the automations again that send to it";
            return Err(Error::field("/states", why));
        }
        let subject = JobSubject::Endpoint(id);
        self.give(
            who,
            subject,
            &Job::Recovery(asked),
            &RecoveryTally::default(),
        )
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_recovered_is_asked_for_in_one_way() {
        let now = Timestamp::from_ms(1_790_000_000_000);
        let endpoint = EndpointId::mint(now);
        let read = |text: &str| {
            let new = serde_json::from_str(text).expect(text);
            asked(&new, endpoint, now)
        };
        let plain = read(r#"{"since":"2026-01-01T00:00:00Z"}"#).expect("a time");
        assert_eq!(
            plain.from.minted_at().to_string(),
            "2026-01-01T00:00:00.000Z"
        );
        assert_eq!(plain.before.minted_at(), now);
        assert_eq!(
            (plain.states, plain.per_second),
            (vec![MissedState::Failed], 100)
        );
        let event = EventId::mint(now.plus_ms(-1));
        let text = format!(r#"{{"from_event":"{event}","states":["held","failed","held"]}}"#);
        let from = read(&text).expect("an event");
        assert_eq!((from.from, from.states), (event, MissedState::ALL.to_vec()));
        for (text, at) in [
            ("{}".to_owned(), "/since"),
            (r#"{"until":"2026-01-01T00:00:00Z"}"#.to_owned(), "/since"),
            (r#"{"since":"lately"}"#.to_owned(), "/since"),
            (r#"{"from_event":"evt_1"}"#.to_owned(), "/from_event"),
            (
                format!(r#"{{"since":"2026-01-01T00:00:00Z","from_event":"{event}"}}"#),
                "/from_event",
            ),
            (
                format!(r#"{{"from_event":"{event}","until":"2026-01-01T00:00:00Z"}}"#),
                "/until",
            ),
        ] {
            let error = read(&text).expect_err(&text);
            let place = error.place().map(ToString::to_string);
            assert_eq!(place.as_deref(), Some(at), "{text}");
        }
        for (more, at) in [
            (r#""states":[]"#, "/states"),
            (r#""event_types":[]"#, "/event_types"),
            (r#""event_types":["deal.*","a b"]"#, "/event_types/1"),
            (r#""per_second":0"#, "/per_second"),
            (r#""per_second":1001"#, "/per_second"),
            (r#""until":"2025-12-31T00:00:00Z""#, "/until"),
        ] {
            let text = format!(r#"{{"since":"2026-01-01T00:00:00Z",{more}}}"#);
            let error = read(&text).expect_err(&text);
            let place = error.place().map(ToString::to_string);
            assert_eq!(place.as_deref(), Some(at), "{text}");
        }
    }
}
