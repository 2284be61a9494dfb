//! Time as a value. The wall clock is read here and nowhere else; tests hold a [`ManualClock`]
//! and turn it by hand.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tokio::sync::Notify;

/// Milliseconds since the Unix epoch, UTC. In text: RFC 3339 with milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, sqlx::Type)]
#[sqlx(transparent)]
pub struct Timestamp(i64);

/// A text that is not an RFC 3339 time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a time: expected RFC 3339, such as 2026-05-04T10:30:00Z")]
pub struct TimestampError(String);

impl Timestamp {
    /// The time `ms` milliseconds after the epoch.
    pub const fn from_ms(ms: i64) -> Self {
        Self(ms)
    }

    /// Milliseconds since the epoch.
    pub const fn as_ms(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down: what signatures carry.
    pub const fn as_s(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// The time `ms` milliseconds later, at the end of the scale if there is none later.
    #[must_use]
    pub const fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to `self`; negative if `earlier` is later.
    pub const fn ms_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl rusqlite::types::FromSql for Timestamp {
    fn column_result(value: rusqlite::types::ValueRef<'_>) -> rusqlite::types::FromSqlResult<Self> {
        i64::column_result(value).map(Self)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(time) => write!(f, "{time:.3}"),
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

impl std::str::FromStr for Timestamp {
    type Err = TimestampError;
    fn from_str(text: &str) -> Result<Self, TimestampError> {
        text.parse::<jiff::Timestamp>()
            .map(|time| Self(time.as_millisecond()))
            .map_err(|_| TimestampError(text.chars().take(80).collect()))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Where the time comes from.
#[derive(Debug, Clone, Default)]
pub enum Clock {
    /// The machine's.
    #[default]
    System,
    /// A test's hand.
    Manual(ManualClock),
}

impl Clock {
    /// The time now.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that asks the machine for the time"
    )]
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => Timestamp(jiff::Timestamp::now().as_millisecond()),
            Self::Manual(clock) => clock.now(),
        }
    }

    /// Returns once the time is `at` or later. May be dropped at any point.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that lets the machine's time pass"
    )]
    pub async fn sleep_until(&self, at: Timestamp) {
        match self {
            Self::System => {
                let wait_ms = u64::try_from(at.ms_since(self.now())).unwrap_or(0);
                tokio::time::sleep(Duration::from_millis(wait_ms)).await;
            }
            Self::Manual(clock) => clock.sleep_until(at).await,
        }
    }
}

/// A clock that stands still until it is advanced. Clones show the same time.
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<ManualTime>);

#[derive(Debug)]
struct ManualTime {
    ms: AtomicI64,
    turned: Notify,
}

impl ManualClock {
    /// A clock that shows `start`.
    pub fn new(start: Timestamp) -> Self {
        Self(Arc::new(ManualTime {
            ms: AtomicI64::new(start.as_ms()),
            turned: Notify::new(),
        }))
    }

    /// The time it shows.
    pub fn now(&self) -> Timestamp {
        Timestamp(self.0.ms.load(Ordering::SeqCst))
    }

    /// Turns it forward and wakes whoever waits for a time that has come.
    pub fn advance(&self, by: Duration) {
        let ms = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.0.ms.fetch_add(ms, Ordering::SeqCst);
        self.0.turned.notify_waiters();
    }

    async fn sleep_until(&self, at: Timestamp) {
        loop {
            let turned = self.0.turned.notified();
            if self.now() >= at {
                return;
            }
            turned.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_3339_both_ways() {
        let time: Timestamp = "2026-05-04T10:30:00.250+02:00".parse().expect("valid");
        assert_eq!(time.to_string(), "2026-05-04T08:30:00.250Z");
        assert!("yesterday".parse::<Timestamp>().is_err());
    }

    #[tokio::test]
    async fn a_manual_clock_wakes_only_who_is_due() {
        let hand = ManualClock::new(Timestamp::from_ms(0));
        let clock = Clock::Manual(hand.clone());
        let waiting = tokio::spawn(async move { clock.sleep_until(Timestamp::from_ms(10)).await });
        hand.advance(Duration::from_millis(9));
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        hand.advance(Duration::from_millis(1));
        waiting.await.expect("woken");
    }
}
