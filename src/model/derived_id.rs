//! Ids as jobs need them: where a time begins, and what is made in place of something.

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{DeliveryId, EventId, JobId, Timestamp};

impl EventId {
    /// The lowest id that is minted at this time.
    pub fn first_at(at: Timestamp) -> Self {
        let ms = u64::try_from(at.as_ms()).unwrap_or(0).to_be_bytes();
        let mut bytes = [0u8; 16];
        bytes[..6].copy_from_slice(&ms[2..]);
        Self::from_uuid(Uuid::from_bytes(bytes))
    }

    /// What comes right before it, event or not.
    #[must_use]
    pub fn before(self) -> Self {
        Self::from_uuid(Uuid::from_u128(self.uuid().as_u128().saturating_sub(1)))
    }
}

impl DeliveryId {
    /// What comes right after it, delivery or not.
    #[must_use]
    pub fn after(self) -> Self {
        Self::from_uuid(Uuid::from_u128(self.uuid().as_u128().saturating_add(1)))
    }

    /// The id of what a job makes in place of the delivery with this id: it begins with the same 48 bits and
    /// goes on with a SHA-256 of both, so that a job that does something twice names the same.
    #[must_use]
    pub fn again(self, job: JobId) -> Self {
        let mut hash = Sha256::new();
        hash.update(job.uuid().as_bytes());
        hash.update(self.uuid().as_bytes());
        let digest = hash.finalize();
        let mut bytes = *self.uuid().as_bytes();
        bytes[6..].copy_from_slice(&digest[..10]);
        Self::from_uuid(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AutomationId, DeliveryOrigin, EndpointId};

    #[test]
    fn what_an_job_makes_is_named_by_both() {
        let now = Timestamp::from_ms(1_790_000_000_000);
        let event = EventId::mint(now);
        let id = DeliveryId::derive(&DeliveryOrigin {
            event,
            automation: AutomationId::mint(now),
            action_no: 0,
            endpoint: EndpointId::mint(now),
            output_no: 0,
        });
        let job = JobId::mint(now);
        let again = id.again(job);
        assert_eq!(again, id.again(job));
        assert_eq!(again.uuid().as_bytes()[..6], event.uuid().as_bytes()[..6]);
        assert!(again != id && again != id.again(JobId::mint(now)));
    }

    #[test]
    fn events_of_a_time_come_after_its_first_id() {
        let at = Timestamp::from_ms(1_790_000_000_123);
        let (first, event) = (EventId::first_at(at), EventId::mint(at));
        assert!(first < event && event < EventId::first_at(at.plus_ms(1)));
        assert_eq!(first.minted_at(), at);
        assert!(first.before() < first && EventId::mint(at.plus_ms(-1)) < first);
        let lowest = EventId::first_at(Timestamp::from_ms(-1));
        assert_eq!(lowest.before(), lowest);
    }
}
