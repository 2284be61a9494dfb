//! For how long things are kept.

use serde::{Deserialize, Serialize};

use super::Timestamp;
use super::limits::{LOG_DAYS_DEFAULT, PAYLOAD_DAYS_DEFAULT, RETENTION_DAYS_MAX};

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// For how long an account keeps what it has had. Payloads never outlast what is on record of their events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// For how many days payloads are kept.
    pub payload_days: i64,
    /// For how many days events are kept, with what became of them.
    pub log_days: i64,
}

/// Why things can't be kept for so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RetentionError {
    /// The days of the payloads.
    #[error(
        "payload_days is {0}; payloads are kept for 1 to {RETENTION_DAYS_MAX} days, and no longer than what is on \
         record of their events (log_days)"
    )]
    Payload(i64),
    /// The days of the record.
    #[error("log_days is {0}; what became of events is kept for 1 to {RETENTION_DAYS_MAX} days")]
    Log(i64),
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            payload_days: PAYLOAD_DAYS_DEFAULT,
            log_days: LOG_DAYS_DEFAULT,
        }
    }
}

impl Retention {
    /// So many days, if that is within the bounds.
    pub fn new(payload_days: i64, log_days: i64) -> Result<Self, RetentionError> {
        if !(1..=RETENTION_DAYS_MAX).contains(&log_days) {
            return Err(RetentionError::Log(log_days));
        }
        if !(1..=log_days).contains(&payload_days) {
            return Err(RetentionError::Payload(payload_days));
        }
        Ok(Self {
            payload_days,
            log_days,
        })
    }

    /// Payloads of events that came before this time are not kept at `now`.
    pub fn payloads_from(self, now: Timestamp) -> Timestamp {
        now.plus_ms(-self.payload_ms())
    }

    /// Events that came before this time are not kept at `now`.
    pub fn log_from(self, now: Timestamp) -> Timestamp {
        now.plus_ms(-self.log_days * DAY_MS)
    }

    /// For how many milliseconds payloads are kept.
    pub fn payload_ms(self) -> i64 {
        self.payload_days * DAY_MS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_go_first_and_nothing_stays_for_ever() {
        for (payload_days, log_days, expected) in [
            (30, 90, None),
            (1, 1, None),
            (3_650, 3_650, None),
            (0, 90, Some(RetentionError::Payload(0))),
            (91, 90, Some(RetentionError::Payload(91))),
            (-1, 90, Some(RetentionError::Payload(-1))),
            (1, 0, Some(RetentionError::Log(0))),
            (1, 3_651, Some(RetentionError::Log(3_651))),
            (1, i64::MIN, Some(RetentionError::Log(i64::MIN))),
        ] {
            let found = Retention::new(payload_days, log_days).err();
            assert_eq!(found, expected, "{payload_days}, {log_days}");
        }
        let now = Timestamp::from_ms(100 * DAY_MS);
        let usual = Retention::default();
        assert_eq!(usual.payloads_from(now).as_ms(), 70 * DAY_MS);
        assert_eq!(usual.log_from(now).as_ms(), 10 * DAY_MS);
    }
}
