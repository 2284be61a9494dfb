//! What made an event that no client sent: the events and automations that led to it, and how many more may
//! follow. It goes with the event; an event that came in from outside has none.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::limits::{DESCENDANTS_MAX, HOPS_MAX};
use super::{AutomationId, EventId};

/// What made an event; or what led to the events of a digest.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Cause {
    /// From the event that came in from outside to the one that this was made of; where several led to it, the
    /// longest way. Never empty, but for a digest of nothing that an automation made.
    chain: Vec<Link>,
    /// By which other automations events of a digest came that it descends from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    branches: Vec<Branch>,
    /// How many events may descend from it.
    left: u32,
    /// Whether the first one is an operational event.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    operational: bool,
    /// It is that of a digest whose first event came in from outside. Never stored.
    #[serde(skip)]
    begins_outside: bool,
}

/// A way that is not the longest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Branch {
    /// From the event that came in from outside to the one that became an event of the digest.
    pub links: Vec<Link>,
    /// Where it joins the chain: the place of the link from which on it goes on as that does.
    pub joins: usize,
}

/// One of the events of a digest.
#[derive(Debug, Clone)]
pub struct Member {
    /// Which.
    pub event: EventId,
    /// Whether it is an operational event itself.
    pub is_operational: bool,
    /// What made it.
    pub cause: Option<Cause>,
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
        let mut cause = before.cloned().unwrap_or_default();
        cause.chain.push(link);
        Self {
            left,
            begins_outside: false,
            ..cause
        }
    }

    /// What led to all of these events of a digest; `None`, if nothing did. Every automation is in it that led to
    /// one of them. What may descend from it is what may descend from each event that came in from outside,
    /// by all of them together.
    pub fn join(members: Vec<Member>) -> Option<Self> {
        let operational = members.iter().any(Member::is_operational);
        let mut lefts: HashMap<EventId, u32> = HashMap::new();
        for member in &members {
            let chain = member.cause.as_ref().map_or(&[][..], Self::chain);
            let first = chain.first().map_or(member.event, |link| link.event);
            let left = lefts.entry(first).or_default();
            *left = left.saturating_add(Self::allowance(member.cause.as_ref()).events);
        }
        let begins_outside = members.first().is_none_or(|member| member.cause.is_none());
        let mut causes: Vec<Self> = members.into_iter().filter_map(|it| it.cause).collect();
        if causes.is_empty() && !operational {
            return None;
        }
        causes.sort_by_key(|cause| Reverse(cause.chain.len()));
        let mut causes = causes.into_iter();
        let longest = causes.next().unwrap_or_default();
        let mut joined = Self {
            left: lefts.into_values().min().unwrap_or(DESCENDANTS_MAX),
            operational,
            begins_outside,
            ..longest
        };
        joined.take_branches(causes);
        Some(joined)
    }

    /// Adds the ways of others by which an automation led that is not met on those before.
    fn take_branches(&mut self, others: impl Iterator<Item = Self>) {
        let own = self.branches.iter().flat_map(|branch| &branch.links);
        let own = own.chain(&self.chain).map(|link| link.automation);
        let mut met: HashSet<AutomationId> = own.collect();
        let joins = self.chain.len();
        for links in others.flat_map(Self::ways) {
            let before = met.len();
            met.extend(links.iter().map(|link| link.automation));
            if met.len() > before {
                self.branches.push(Branch { links, joins });
            }
        }
    }

    /// Every way that led to it.
    fn ways(self) -> impl Iterator<Item = Vec<Link>> {
        let Self {
            chain, branches, ..
        } = self;
        let joined = branches.into_iter().map({
            let chain = chain.clone();
            move |mut branch| {
                branch.links.extend(chain.iter().skip(branch.joins));
                branch.links
            }
        });
        let joined: Vec<_> = joined.collect();
        std::iter::once(chain).chain(joined)
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

    /// From the event that came in from outside to the one that this was made of; where several led to it, the
    /// longest way.
    pub fn chain(&self) -> &[Link] {
        &self.chain
    }

    /// The ways by which other automations led to it.
    pub fn branches(&self) -> &[Branch] {
        &self.branches
    }

    /// Whether the event itself was made by an automation, and not only others of its digest.
    pub fn is_own(&self) -> bool {
        !self.begins_outside
    }

    /// The event that it was made of, and by which automation.
    pub fn last(&self) -> Link {
        self.chain[self.chain.len() - 1]
    }

    /// The way from the event on that `automation` made another of, if it did.
    pub fn since(&self, automation: AutomationId) -> Option<Vec<Link>> {
        let place = |links: &[Link]| links.iter().position(|link| link.automation == automation);
        if let Some(place) = place(&self.chain) {
            return Some(self.chain[place..].to_vec());
        }
        let mut found = self.branches.iter().filter_map(|branch| {
            let mut way = branch.links[place(&branch.links)?..].to_vec();
            way.extend(self.chain.iter().skip(branch.joins));
            Some(way)
        });
        found.next()
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

impl Member {
    fn is_operational(&self) -> bool {
        let of_one = |cause: &Cause| cause.operational;
        self.is_operational || self.cause.as_ref().is_some_and(of_one)
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
        assert_eq!(cause.since(first.automation), Some(vec![first, second]));
        assert_eq!(cause.since(second.automation), Some(vec![second]));
        assert_eq!(cause.since(link().automation), None);
        assert!(cause.is_operational());
        assert_eq!(Cause::parse(&cause.to_text()).expect("stored"), cause);
        assert!(Cause::parse(r#"{"chain":[],"left":1}"#).is_err());
    }

    fn member(event: EventId, cause: Option<Cause>) -> Member {
        Member {
            event,
            is_operational: false,
            cause,
        }
    }

    #[test]
    fn a_digest_has_all_that_led_to_its_events() {
        let [short_way, begun, then, joint, last_one] = [(); 5].map(|()| link());
        let outside = || member(link().event, None);
        let short = Cause::next(None, short_way, 5);
        let long = Cause::next(Some(&Cause::next(None, begun, 9)), then, 4).of_operational();
        let members = vec![
            outside(),
            member(short_way.event, Some(short.clone())),
            member(then.event, Some(long)),
            member(short_way.event, Some(short)),
        ];
        let joined = Cause::join(members).expect("something led to it");
        assert_eq!(joined.chain(), [begun, then]);
        assert!(joined.is_operational() && !joined.is_own());
        // Of the one event twice five may descend, of the other four.
        let allowance = Cause::allowance(Some(&joined));
        assert_eq!((allowance.hops, allowance.events), (2, 4));
        let next = Cause::next(Some(&joined), joint, 3);
        assert!(next.is_own());
        assert_eq!(next.since(begun.automation), Some(vec![begun, then, joint]));
        assert_eq!(
            next.since(short_way.automation),
            Some(vec![short_way, joint])
        );
        assert_eq!(next.branches().len(), 1, "the same way twice is one");
        assert_eq!(Cause::parse(&next.to_text()).expect("stored"), next);

        // Of digests of digests, too.
        let longer = (0..4).fold(None, |before, _| {
            Some(Cause::next(before.as_ref(), link(), 2))
        });
        let members = vec![
            member(joint.event, Some(next)),
            member(link().event, longer),
        ];
        let joined = Cause::join(members).expect("something led to it");
        let last = Cause::next(Some(&joined), last_one, 1);
        assert_eq!(last.chain().len(), 5);
        for (first, way) in [
            (short_way, vec![short_way, joint, last_one]),
            (begun, vec![begun, then, joint, last_one]),
        ] {
            assert_eq!(last.since(first.automation), Some(way));
        }
        assert!(joined.is_own());
    }

    #[test]
    fn what_nothing_led_to_has_no_cause_but_stays_operational() {
        let outside = member(link().event, None);
        assert_eq!(Cause::join(vec![outside.clone()]), None);
        let told = Member {
            is_operational: true,
            ..member(link().event, None)
        };
        let joined = Cause::join(vec![outside, told]).expect("it is operational");
        assert!(joined.is_operational() && joined.chain().is_empty());
        let allowance = Cause::allowance(Some(&joined));
        assert_eq!((allowance.hops, allowance.events), (0, DESCENDANTS_MAX));
        let first = link();
        let next = Cause::next(Some(&joined), first, 1);
        assert_eq!(next.chain(), [first]);
        assert!(next.is_operational() && next.is_own());
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
