//! What made an event that no client sent: the events and automations that led to it, and how many more may
//! follow. It goes with the event; an event that came in from outside has none.

use serde::{Deserialize, Serialize};

use super::limits::{DESCENDANTS_MAX, HOPS_MAX};
use super::{AutomationId, EventId};

/// What made an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// From the event that came in from outside to the one that this was made of. Never empty.
    chain: Vec<Link>,
    /// How many events may descend from it.
    left: u32,
    /// Whether the first one is an operational event.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    operational: bool,
}

/// An event, and the automation that made another of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Of which event.
    pub event: EventId,
    /// By which automation.
    pub automation: AutomationId,
}

/// What an event's automations may make of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// How many automations led to the event.
    pub hops: usize,
    /// How many events may descend from it.
    pub events: u32,
}

impl Cause {
    /// The cause of what is made of an event, which has this cause itself, or is an operational one. `left`:
    /// how many may descend from it.
    #[must_use]
    pub fn next(before: Option<&Self>, link: Link, left: u32) -> Self {
        let mut chain = before.map_or_else(Vec::new, |cause| cause.chain.clone());
        chain.push(link);
        Self {
            chain,
            left,
            operational: before.is_some_and(|cause| cause.operational),
        }
    }

    /// The same of what an operational event is the first of.
    #[must_use]
    pub fn of_operational(mut self) -> Self {
        self.operational = true;
        self
    }

    /// What may be made of an event with this cause.
    pub fn allowance(cause: Option<&Self>) -> Allowance {
        Allowance {
            hops: cause.map_or(0, |cause| cause.chain.len()),
            events: cause.map_or(DESCENDANTS_MAX, |cause| cause.left),
        }
    }

    /// From the event that came in from outside to the one that this was made of.
    pub fn chain(&self) -> &[Link] {
        &self.chain
    }

    /// The event that it was made of, and by which automation.
    pub fn last(&self) -> Link {
        self.chain[self.chain.len() - 1]
    }

    /// The chain from the event on that `automation` made another of, if it did.
    pub fn since(&self, automation: AutomationId) -> Option<&[Link]> {
        let met = |link: &Link| link.automation == automation;
        let place = self.chain.iter().position(met)?;
        Some(&self.chain[place..])
    }

    /// Whether the first event is an operational one.
    pub fn is_operational(&self) -> bool {
        self.operational
    }

    /// It as JSON, to be stored.
    pub fn to_text(&self) -> String {
        serde_json::json!(self).to_string()
    }

    /// It from the JSON that was stored.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        let cause: Self = serde_json::from_str(text)?;
        if cause.chain.is_empty() {
            return Err(serde::de::Error::custom("a cause without a link"));
        }
        Ok(cause)
    }
}

impl Allowance {
    /// Why so many events are too many, if they are; `made`: how many others were made of the same event.
    pub fn refusal(self, events: usize, made: usize) -> Option<String> {
        if events == 0 {
            return None;
        }
        if self.hops >= HOPS_MAX {
            let hops = self.hops;
            return Some(format!(
                "{hops} automations led to this event, one after the other, and {HOPS_MAX} may"
            ));
        }
        (made + events > self.events as usize).then(|| {
            format!(
                "that would be {events} events, after {made} of other automations, and {} may follow: {DESCENDANTS_MAX} descend from one event at most",
                self.events
            )
        })
    }

    /// How many may descend from each of so many events that are made of it: all together never more than from
    /// the one.
    pub fn share(self, made: usize) -> u32 {
        let made = u32::try_from(made).unwrap_or(u32::MAX).max(1);
        self.events.saturating_sub(made) / made
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    fn link() -> Link {
        let now = Timestamp::from_ms(1_790_000_000_000);
        Link {
            event: EventId::mint(now),
            automation: AutomationId::mint(now),
        }
    }

    #[test]
    fn a_cause_tells_every_step_and_is_read_back() {
        let [first, second] = [link(), link()];
        let cause = Cause::next(None, first, 7);
        let cause = Cause::next(Some(&cause.of_operational()), second, 3);
        assert_eq!(cause.chain(), [first, second]);
        assert_eq!(cause.last(), second);
        assert_eq!(cause.since(first.automation), Some(&[first, second][..]));
        assert_eq!(cause.since(second.automation), Some(&[second][..]));
        assert_eq!(cause.since(link().automation), None);
        assert!(cause.is_operational());
        assert_eq!(Cause::parse(&cause.to_text()).expect("stored"), cause);
        assert!(Cause::parse(r#"{"chain":[],"left":1}"#).is_err());
    }

    #[test]
    fn what_descends_from_one_event_is_bounded_however_it_branches() {
        for branches in [1usize, 2, 3, 10, 100, 1024] {
            // Each makes as many as it may, up to `branches`, in every generation.
            let (mut generation, mut all) = (1usize, 0usize);
            let mut allowance = Cause::allowance(None);
            for _ in 0..20 {
                let each = branches.min(allowance.events as usize);
                if allowance.refusal(each, 0).is_some() || each == 0 {
                    break;
                }
                generation *= each;
                all += generation;
                allowance = Allowance {
                    hops: allowance.hops + 1,
                    events: allowance.share(each),
                };
            }
            assert!(all <= DESCENDANTS_MAX as usize, "{branches}: {all}");
        }
    }

    #[test]
    fn too_many_events_and_too_long_chains_are_told() {
        let whole = Cause::allowance(None);
        for (hops, events, made, said) in [
            (0, 0, 5, None),
            (0, 1024, 0, None),
            (0, 1000, 25, Some("after 25 of other automations")),
            (7, 1, 0, None),
            (8, 1, 0, Some("8 automations led to this event")),
            (8, 0, 0, None),
        ] {
            let found = Allowance { hops, ..whole }.refusal(events, made);
            assert_eq!(found.is_some(), said.is_some(), "{found:?}");
            let found = found.unwrap_or_default();
            assert!(found.contains(said.unwrap_or_default()), "{found}");
        }
    }
}
