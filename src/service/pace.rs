//! How often something may be asked: so many times a minute for each account. Held by this node alone, and forgotten
//! minute by minute.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::model::{AccountId, Timestamp};

/// How long what was asked is counted.
const MINUTE_MS: i64 = 60_000;

/// What was asked in this minute.
#[derive(Debug)]
pub(super) struct Pace {
    each_max: u32,
    minute: Mutex<Minute>,
}

#[derive(Debug)]
struct Minute {
    ends_at: Timestamp,
    asked: HashMap<AccountId, u32>,
}

impl Pace {
    /// So many times a minute for each.
    pub(super) fn new(each_max: u32) -> Self {
        let minute = Minute {
            ends_at: Timestamp::from_ms(0),
            asked: HashMap::new(),
        };
        Self {
            each_max,
            minute: Mutex::new(minute),
        }
    }

    /// Counts one; whether it is not one too many.
    pub(super) fn take(&self, account: AccountId, now: Timestamp) -> bool {
        let mut minute = self.minute.lock().unwrap_or_else(PoisonError::into_inner);
        if now >= minute.ends_at || minute.ends_at > now.plus_ms(MINUTE_MS) {
            *minute = Minute {
                ends_at: now.plus_ms(MINUTE_MS),
                asked: HashMap::new(),
            };
        }
        let asked = minute.asked.entry(account).or_default();
        let is_within = *asked < self.each_max;
        *asked += u32::from(is_within);
        is_within
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_account_has_so_many_in_a_minute() {
        let [loud, calm] = [1, 2].map(|no| AccountId::from_uuid(uuid::Uuid::from_u128(no)));
        let pace = Pace::new(2);
        let start = Timestamp::from_ms(1_790_000_000_000);
        for (account, after_ms, expected) in [
            (loud, 0, true),
            (loud, 1, true),
            (loud, 2, false),
            (calm, 3, true),
            (loud, 59_999, false),
            (loud, 60_000, true),
            (loud, 60_001, true),
            (loud, 60_002, false),
            // A clock that was turned back shuts nobody out for longer than a minute.
            (loud, -600_000, true),
        ] {
            let now = start.plus_ms(after_ms);
            assert_eq!(pace.take(account, now), expected, "{after_ms}");
        }
    }
}
