//! The ids of events that automations make, and when an event was accepted. Of one automation and one event they
//! rise in the order in which they were made.

use sha2::{Digest as _, Sha256};

use super::limits::OUTPUTS_MAX;
use super::{AutomationId, EventId, Timestamp};

/// What makes one event of an automation's different from every other of the same event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EmissionOrigin {
    /// The event that was evaluated.
    pub event: EventId,
    /// The automation that fired.
    pub automation: AutomationId,
    /// The place among the automation's events, from 0.
    pub action_no: u16,
    /// The output's place among the outputs of the transforms, from 0.
    pub output_no: u16,
}

impl EmissionOrigin {
    /// Its place among all that the automation makes of the event: action by action, and output by output.
    fn no(&self) -> u16 {
        let outputs = u16::try_from(OUTPUTS_MAX).unwrap_or(u16::MAX);
        let before = self.action_no.saturating_mul(outputs);
        before.saturating_add(self.output_no).min(0x0fff)
    }
}

impl EventId {
    /// The id of the event that an automation makes: a UUIDv8 (RFC 9562 §5.8) that begins with the 48 bits of
    /// the time of the event that it is made of, goes on with 12 bits of its place among what the automation
    /// makes of that, and ends with 62 bits of a SHA-256 of its whole origin.
    pub fn derive(origin: &EmissionOrigin) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"event");
        hash.update(origin.event.uuid().as_bytes());
        hash.update(origin.automation.uuid().as_bytes());
        hash.update(origin.action_no.to_be_bytes());
        hash.update(origin.output_no.to_be_bytes());
        let digest = hash.finalize();
        let mut bytes = [0u8; 16];
        bytes[..6].copy_from_slice(&origin.event.uuid().as_bytes()[..6]);
        bytes[6..8].copy_from_slice(&origin.no().to_be_bytes());
        bytes[8..].copy_from_slice(&digest[..8]);
        Self::from_uuid(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }

    /// Whether an automation has made it: no minted id is a derived one.
    pub fn is_derived(self) -> bool {
        self.uuid().get_version_num() == 8
    }

    /// When the event with this id was accepted, if `occurred_at` is its own time: one that an automation made, at
    /// its own time. Its id tells only when the first of the events came that it descends from.
    pub fn accepted_at(self, occurred_at: Timestamp) -> Timestamp {
        if self.is_derived() {
            occurred_at
        } else {
            self.minted_at()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::limits::ACTIONS_MAX;

    fn origin(now: Timestamp) -> EmissionOrigin {
        EmissionOrigin {
            event: EventId::mint(now),
            automation: AutomationId::mint(now),
            action_no: 0,
            output_no: 0,
        }
    }

    #[test]
    fn what_an_automation_makes_is_named_by_every_part_of_its_origin() {
        let now = Timestamp::from_ms(1_790_000_000_000);
        let origin = origin(now);
        let id = EventId::derive(&origin);
        assert_eq!(id, EventId::derive(&origin));
        assert!(id.is_derived() && !origin.event.is_derived());
        for other in [
            EmissionOrigin {
                event: EventId::mint(now),
                ..origin
            },
            EmissionOrigin {
                automation: AutomationId::mint(now),
                ..origin
            },
            EmissionOrigin {
                action_no: 1,
                ..origin
            },
            EmissionOrigin {
                output_no: 1,
                ..origin
            },
        ] {
            assert_ne!(EventId::derive(&other), id);
        }
    }

    #[test]
    fn what_is_made_of_one_event_is_in_the_order_in_which_it_was_made() {
        let origin = origin(Timestamp::from_ms(1_790_000_000_000));
        let mut ids = Vec::new();
        for action_no in 0..ACTIONS_MAX as u16 {
            for output_no in 0..OUTPUTS_MAX as u16 {
                ids.push(EventId::derive(&EmissionOrigin {
                    action_no,
                    output_no,
                    ..origin
                }));
            }
        }
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(origin.event < ids[0]);
    }

    #[test]
    fn an_event_that_was_made_came_at_its_own_time() {
        let now = Timestamp::from_ms(1_790_000_000_000);
        let (origin, own) = (origin(now), now.plus_ms(3_000));
        assert_eq!(origin.event.accepted_at(own), now);
        assert_eq!(EventId::derive(&origin).accepted_at(own), own);
    }
}
