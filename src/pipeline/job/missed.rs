//! Deliveries that an endpoint has missed, in the order of their ids, and which of them a recovery sends next.

use super::Error;
use super::work::Work;
use crate::automation::{EventType, Pattern};
use crate::model::{DeliveryId, EventId, Failure, MissedState, Recovery, RecoveryTally};
use crate::store::{Missed, MissedSpan, NewDelivery};

/// The next of all states, in the order of their ids: as many as are looked at together.
pub(super) async fn missed(
    work: &Work,
    asked: &Recovery,
    after: Option<DeliveryId>,
    limit: usize,
) -> Result<Vec<(MissedState, Missed)>, Error> {
    let span = MissedSpan::of(asked, after);
    let mut all = Vec::new();
    for state in &asked.states {
        let found = work
            .node
            .store
            .missed(work.row.account, &span, *state, limit);
        all.extend(found.await?.into_iter().map(|missed| (*state, missed)));
    }
    all.sort_by_key(|(_, missed)| missed.id);
    all.truncate(limit);
    Ok(all)
}

/// What of it is asked for.
pub(super) struct Wanted {
    /// Any, if there is none.
    patterns: Vec<Pattern>,
}

impl Wanted {
    pub(super) fn of(asked: &Recovery) -> Self {
        let patterns = asked.event_types.iter();
        Self {
            // They were read before they were stored.
            patterns: patterns.filter_map(|text| text.parse().ok()).collect(),
        }
    }

    fn has(&self, missed: &Missed) -> bool {
        let event_type: Option<EventType> = missed
            .event_type
            .as_deref()
            .and_then(|name| name.parse().ok());
        self.patterns.is_empty() || event_type.is_some_and(|name| self.meets(&name))
    }

    pub(super) fn meets(&self, event_type: &EventType) -> bool {
        let mut patterns = self.patterns.iter();
        self.patterns.is_empty() || patterns.any(|one| one.matches(event_type))
    }
}

/// What follows from a look.
#[derive(Debug)]
pub(super) struct Chosen {
    /// What is sent.
    pub(super) recovered: Vec<(DeliveryId, MissedState)>,
    /// What is made and sent, and of which event.
    pub(super) made: Vec<(EventId, NewDelivery)>,
    /// What the recovery has come to with it.
    pub(super) tally: RecoveryTally,
    pub(super) looked_at: i64,
}

impl Chosen {
    pub(super) fn is_empty(&self) -> bool {
        self.recovered.is_empty() && self.made.is_empty()
    }
}

/// Chooses a burst at most; what comes after it is looked at again.
pub(super) fn choose(
    wanted: &Wanted,
    mut tally: RecoveryTally,
    missed: Vec<(MissedState, Missed)>,
    burst: usize,
) -> Chosen {
    let (mut recovered, mut looked_at) = (Vec::new(), 0);
    for (state, missed) in missed {
        if recovered.len() == burst {
            break;
        }
        looked_at += 1;
        tally.reached = Some(missed.id);
        if !wanted.has(&missed) {
            continue;
        }
        if missed.repeated {
            tally.repeated += 1;
        } else if missed.failure.as_deref() == Some(Failure::Expired.as_str()) {
            tally.expired += 1;
        } else if let Some(held) = missed.held {
            // Another one beside it would be sent twice.
            tally.released += 1;
            recovered.push((held, MissedState::Held));
        } else {
            match state {
                MissedState::Failed => tally.resent += 1,
                MissedState::Held => tally.released += 1,
            }
            recovered.push((missed.id, state));
        }
    }
    Chosen {
        recovered,
        made: Vec::new(),
        tally,
        looked_at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    fn missed(no: i64, event_type: &str, failure: Option<&str>) -> Missed {
        let (id, _) = DeliveryId::range_of(EventId::first_at(Timestamp::from_ms(no)));
        Missed {
            id,
            event_type: Some(event_type.to_owned()),
            failure: failure.map(str::to_owned),
            repeated: false,
            held: None,
        }
    }

    fn repeated(missed: Missed) -> Missed {
        Missed {
            repeated: true,
            ..missed
        }
    }

    #[test]
    fn a_burst_is_what_is_wanted_and_was_not_repeated() {
        let wanted = Wanted {
            patterns: vec!["deal.*".parse().expect("a pattern")],
        };
        let (failed, held) = (MissedState::Failed, MissedState::Held);
        let all = [
            (failed, missed(1, "deal.won", Some("exhausted"))),
            (failed, missed(2, "call.ended", Some("gone"))),
            (failed, repeated(missed(3, "deal.won", Some("gone")))),
            (failed, missed(4, "deal.won", Some("expired"))),
            (held, missed(5, "deal.lost", None)),
            (failed, missed(6, "deal.won", Some("gone"))),
        ];
        let id = |place: usize| all[place].1.id;
        for (burst, recovered, looked_at) in [
            (1, vec![(id(0), failed)], 1),
            (2, vec![(id(0), failed), (id(4), held)], 5),
            (9, vec![(id(0), failed), (id(4), held), (id(5), failed)], 6),
        ] {
            let chosen = choose(&wanted, RecoveryTally::default(), all.to_vec(), burst);
            assert_eq!(
                (&chosen.recovered, chosen.looked_at),
                (&recovered, looked_at)
            );
            let tally = chosen.tally;
            assert_eq!(tally.reached, Some(id(looked_at as usize - 1)));
            assert_eq!(tally.resent + tally.released, recovered.len() as u64);
            let passed_over = if looked_at > 4 { (1, 1) } else { (0, 0) };
            assert_eq!((tally.repeated, tally.expired), passed_over);
        }
        let any = Wanted {
            patterns: Vec::new(),
        };
        let chosen = choose(&any, RecoveryTally::default(), all.to_vec(), 9);
        assert_eq!(chosen.recovered.len(), 4);
    }

    #[test]
    fn a_repeat_that_is_held_goes_on_instead_of_another_one() {
        let wanted = Wanted {
            patterns: Vec::new(),
        };
        let held = missed(2, "deal.won", None).id;
        let failed = Missed {
            held: Some(held),
            ..missed(1, "deal.won", Some("gone"))
        };
        let all = vec![(MissedState::Failed, failed)];
        let chosen = choose(&wanted, RecoveryTally::default(), all, 9);
        assert_eq!(chosen.recovered, [(held, MissedState::Held)]);
        assert_eq!((chosen.tally.released, chosen.tally.resent), (1, 0));
    }
}
