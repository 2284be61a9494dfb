//! Which of two events comes first where they are decided on one after the other.

use super::{Cause, EventId, Timestamp};

/// Where an event stands among those of its account: by the time at which it was accepted; of the same
/// millisecond what automations made stands by the events that it was made of, one after the other, and what
/// one of them made of one event in the order in which that was made.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Precedence {
    accepted_at: Timestamp,
    /// The events that led to it, and it.
    way: Vec<EventId>,
}

impl Precedence {
    /// That of the event with this id, its own time and what made it, if something did.
    pub fn of(id: EventId, occurred_at: Timestamp, cause: Option<&Cause>) -> Self {
        let before = cause.map_or(&[][..], Cause::chain).iter();
        let mut way: Vec<_> = before.map(|link| link.event).collect();
        way.push(id);
        Self {
            accepted_at: id.accepted_at(occurred_at),
            way,
        }
    }

    /// When the event was accepted.
    pub fn accepted_at(&self) -> Timestamp {
        self.accepted_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AutomationId, EmissionOrigin, Link};

    #[test]
    fn what_was_made_stands_by_what_it_was_made_of() {
        let now = Timestamp::from_ms(1_790_000_000_000);
        let automation = AutomationId::mint(now);
        let mut found = Vec::new();
        // Three of one millisecond, of each of which two are made, of each of which one is.
        for event in (0..3).map(|_| EventId::mint(now)).collect::<Vec<_>>() {
            found.push(Precedence::of(event, now, None));
            let first = Cause::next(None, Link { event, automation }, 7);
            for output_no in 0..2 {
                let made = EventId::derive(&EmissionOrigin {
                    event,
                    automation,
                    action_no: 0,
                    output_no,
                });
                found.push(Precedence::of(made, now, Some(&first)));
                let link = Link {
                    event: made,
                    automation,
                };
                let last = EventId::derive(&EmissionOrigin {
                    event: made,
                    automation,
                    action_no: 0,
                    output_no: 0,
                });
                let second = Cause::next(Some(&first), link, 3);
                found.push(Precedence::of(last, now, Some(&second)));
            }
        }
        assert!(found.is_sorted());
        let early = Precedence::of(EventId::mint(now.plus_ms(-1)), now, None);
        let (id, cause) = (
            found[1].way[1],
            Cause::next(
                None,
                Link {
                    event: found[1].way[0],
                    automation,
                },
                7,
            ),
        );
        let late = Precedence::of(id, now.plus_ms(5), Some(&cause));
        assert!(early < found[0] && found[found.len() - 1] < late);
        assert!(late < Precedence::of(EventId::mint(now.plus_ms(6)), now, None));
    }
}
