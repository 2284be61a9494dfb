//! Recovery: deliveries of an endpoint that were given up, or held while it was switched off, are sent after all,
//! and events that it had not subscribed to. What is to be done, and what came of it so far. It says nothing of how.

use serde::{Deserialize, Serialize};

use super::{DeliveryId, EndpointId, EventId, JobWait, Timestamp, words};

/// What became of a delivery that can be recovered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MissedState {
    /// It was given up. It stays so, and is sent under a new id.
    Failed,
    /// It was due while its endpoint, or the account, was switched off. It goes on.
    Held,
}

words!(MissedState {
    Failed = "failed",
    Held = "held",
});

/// Which deliveries are recovered, and how fast. Kept as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recovery {
    /// To this endpoint.
    pub endpoint: EndpointId,
    /// Of this event and of those after it.
    pub from: EventId,
    /// Not of this event, and of none after it.
    pub before: EventId,
    /// In these states, each once.
    pub states: Vec<MissedState>,
    /// Whether events are among them that the endpoint's subscription of today names, and of which none of its own
    /// has made a delivery.
    #[serde(default)]
    pub unsubscribed: bool,
    /// Of events that meet one of these patterns; of all, if there is none.
    pub event_types: Vec<String>,
    /// So many a second at most.
    pub per_second: u32,
}

/// What a recovery has come to so far. Kept as JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoveryTally {
    /// Deliveries that were given up and are made again.
    pub resent: u64,
    /// Deliveries that were held and go on.
    pub released: u64,
    /// Deliveries that are passed over, because a repeat of them was delivered, or is on its way.
    pub repeated: u64,
    /// Deliveries whose payload is not kept any more.
    pub expired: u64,
    /// Deliveries that had never been made.
    #[serde(default)]
    pub made: u64,
    /// Everything up to this delivery is done.
    pub reached: Option<DeliveryId>,
    /// Everything up to this event is done, of those that were not subscribed to.
    #[serde(default)]
    pub reached_event: Option<EventId>,
    /// The next ones are not due before.
    pub next_at: Option<Timestamp>,
    /// What it waits for before it goes on; `None`: nothing.
    pub waits: Option<JobWait>,
}

impl Recovery {
    /// How many are sent at a time, and how many milliseconds later the next ones are: a tenth of a second's share,
    /// and never more than was asked for.
    pub fn burst(&self) -> (usize, i64) {
        let per_second = u64::from(self.per_second.max(1));
        let many = (per_second / 10).max(1);
        let apart_ms = (many * 1_000).div_ceil(per_second);
        (many as usize, apart_ms as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_sent_in_a_second_than_was_asked_for() {
        let at = Timestamp::from_ms(1_790_000_000_000);
        for (per_second, burst) in [
            (1, (1, 1_000)),
            (3, (1, 334)),
            (10, (1, 100)),
            (19, (1, 53)),
            (100, (10, 100)),
            (1_000, (100, 100)),
        ] {
            let asked = Recovery {
                endpoint: EndpointId::mint(at),
                from: EventId::first_at(at),
                before: EventId::mint(at),
                states: vec![MissedState::Failed],
                unsubscribed: false,
                event_types: Vec::new(),
                per_second,
            };
            assert_eq!(asked.burst(), burst, "{per_second}");
            assert!(burst.0 as i64 * 1_000 <= i64::from(per_second) * burst.1);
        }
    }
}
