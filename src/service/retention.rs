//! For how long an account keeps what it has had, and letting go of what is older: docs/retention.md.
//!
//! Bounded: a small transaction at a time, and after each a pause of three times as long, in which the events that
//! wait are written. Any number of nodes may do it at once: of an account one takes a step at a time. Whoever dies,
//! another one goes on.

use std::convert::Infallible;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::endpoint_shape::stored_settings;
use super::principal::{MayAdminister, Principal};
use super::{Error, Service};
use crate::model::{AccountId, Clock, Retention, RetentionError, Stopwatch, Timestamp};
use crate::retry::RetryPolicy;
use crate::store::{self, Phase, Swept};

/// How long until it is seen whether more has come of age.
const LOOK_MS: i64 = 10 * 60 * 1_000;
/// Steps of one account before others have theirs.
const STEPS_MAX: usize = 20;
/// How much longer than a step the pause after it is.
const PAUSE: u32 = 3;
/// Accounts that are read at a time.
const ACCOUNTS_AT_ONCE: usize = 100;
/// Endpoints that are read at a time.
const ENDPOINTS_AT_ONCE: usize = 250;

/// For how long an account keeps what it has had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Retention)]
pub struct RetentionView {
    /// For how many days payloads are kept, from when their event was accepted.
    #[schema(example = 30)]
    pub payload_days: i64,
    /// For how many days events are kept, with their evaluations, deliveries and attempts.
    #[schema(example = 90)]
    pub log_days: i64,
}

/// For how long an account is to keep what it has had; what is left out stays.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RetentionPatch {
    /// For how many days payloads are kept: 1 to `log_days`, and longer than any retry policy of the account's
    /// endpoints.
    pub payload_days: Option<i64>,
    /// For how many days events are kept, with their evaluations, deliveries and attempts: 1 to 3650.
    pub log_days: Option<i64>,
}

impl From<Retention> for RetentionView {
    fn from(retention: Retention) -> Self {
        Self {
            payload_days: retention.payload_days,
            log_days: retention.log_days,
        }
    }
}

/// What has gone with one round.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Round {
    /// Whether there may be more.
    pub more: bool,
    /// When the oldest event came that is left.
    pub oldest: Option<Timestamp>,
}

impl Service {
    /// Lets go of what has been kept for long enough, for as long as it is let.
    pub async fn keep_retention(&self) -> Infallible {
        let clock = &self.inner.clock;
        loop {
            let round = self.sweep().await.unwrap_or_else(|error| {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "what is old can't be let go"
                );
                Round::default()
            });
            if round.more {
                continue;
            }
            let now = clock.now();
            let oldest_ms = round.oldest.map_or(0, |oldest| now.ms_since(oldest));
            metrics::gauge!("throwbar_oldest_event_seconds").set(oldest_ms as f64 / 1_000.0);
            clock.sleep_until(now.plus_ms(LOOK_MS)).await;
        }
    }

    /// One round: lets go of some of what is too old in each account.
    pub async fn sweep(&self) -> Result<Round, Error> {
        let (mut round, mut before) = (Round::default(), None);
        loop {
            let accounts = self.inner.store.accounts(before, ACCOUNTS_AT_ONCE).await?;
            let Some(last) = accounts.last() else {
                return Ok(round);
            };
            before = Some(last.id);
            for account in &accounts {
                // What is wrong with one keeps nobody else's.
                let more = self.sweep_account(account).await.unwrap_or_else(|error| {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        account.id = %account.id,
                        "what is old in an account can't be let go"
                    );
                    false
                });
                round.more |= more;
                // Only told as a figure.
                let oldest = self.inner.store.oldest_event(account.id).await;
                round.oldest = round.oldest.into_iter().chain(oldest.ok().flatten()).min();
            }
        }
    }

    /// Whether there may be more of the account's.
    async fn sweep_account(&self, account: &store::Account) -> Result<bool, Error> {
        let (store, now) = (&self.inner.store, self.inner.clock.now());
        let retention = self.retention_of(account);
        let (payloads, log) = (retention.payloads_from(now), retention.log_from(now));
        let mut more = false;
        // What goes whole need not lose its payload before.
        for (phase, from) in [(Phase::Log, log), (Phase::Payloads, payloads)] {
            for step in 1..=STEPS_MAX {
                let stopwatch = Stopwatch::start();
                let swept = store.sweep(account.id, (phase, from), now).await?;
                self.tell_swept(account.id, &swept);
                if !swept.more {
                    break;
                }
                more |= step == STEPS_MAX;
                rest_after(&stopwatch).await;
            }
        }
        for step in 1..=STEPS_MAX {
            let stopwatch = Stopwatch::start();
            if !store.sweep_rest(account.id, (payloads, log)).await? {
                break;
            }
            more |= step == STEPS_MAX;
            rest_after(&stopwatch).await;
        }
        Ok(more)
    }

    fn tell_swept(&self, account: AccountId, swept: &Swept) {
        for (what, rows) in [
            ("payloads", swept.payloads),
            ("events", swept.events),
            ("deliveries", swept.deliveries),
        ] {
            metrics::counter!("throwbar_retention_removed_total", "what" => what).increment(rows);
        }
        metrics::counter!("throwbar_deliveries_expired_total").increment(swept.expired);
        if swept.expired > 0 {
            tracing::warn!(
                account.id = %account,
                deliveries = swept.expired,
                "deliveries were given up, because their payloads are not kept any more"
            );
        }
        for endpoint in &swept.due {
            self.wake_now(account, *endpoint);
        }
    }

    /// For how long the account keeps things, as it says or as the operator does.
    pub(super) fn retention_of(&self, account: &store::Account) -> Retention {
        let usual = self.inner.rules.retention;
        let log_days = account.log_days.unwrap_or(usual.log_days);
        let payload_days = account.payload_days.unwrap_or(usual.payload_days);
        Retention {
            // The operator may have changed one of the two meanwhile.
            payload_days: payload_days.min(log_days),
            log_days,
        }
    }

    /// Changes for how long the account keeps things.
    pub(super) async fn change_retention(
        &self,
        who: &Principal<MayAdminister>,
        patch: RetentionPatch,
    ) -> Result<(), Error> {
        let account = who.account();
        let known = self.retention_of(&self.account_row(account).await?);
        let payload_days = patch.payload_days.unwrap_or(known.payload_days);
        let log_days = patch.log_days.unwrap_or(known.log_days);
        let to = Retention::new(payload_days, log_days).map_err(|error| {
            let pointer = match error {
                RetentionError::Log(_) => "/retention/log_days",
                // The one that was given, of the two that don't go together.
                RetentionError::Payload(_) if patch.payload_days.is_none() => "/retention/log_days",
                RetentionError::Payload(_) => "/retention/payload_days",
            };
            Error::field(pointer, error)
        })?;
        if to.payload_days < known.payload_days {
            self.see_that_payloads_outlast(account, to).await?;
        }
        let store = &self.inner.store;
        store
            .change_retention(account, patch.payload_days, patch.log_days)
            .await?;
        tracing::info!(account.id = %account, key.id = %who.key(), to.payload_days, to.log_days, "for how long the account keeps things was changed");
        Ok(())
    }

    /// Sees that payloads are kept longer than any endpoint of the account goes on trying.
    async fn see_that_payloads_outlast(
        &self,
        account: AccountId,
        retention: Retention,
    ) -> Result<(), Error> {
        let mut after = None;
        loop {
            let page = self
                .inner
                .store
                .endpoints(account, after, ENDPOINTS_AT_ONCE)
                .await?;
            for row in &page.rows {
                // To one that can't be read nothing is sent.
                let Ok(settings) = stored_settings(row) else {
                    continue;
                };
                if settings.retry_policy.span_ms() >= retention.payload_ms() {
                    let why = format!(
                        "deliveries to the endpoint {} may be tried for {}, and payloads would be gone before: keep \
                         them longer, or give it another retry policy before",
                        row.id,
                        days(settings.retry_policy.span_ms())
                    );
                    return Err(Error::field("/retention/payload_days", why));
                }
            }
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// Sees that the account keeps payloads for longer than a retry policy goes on trying.
    pub(super) async fn check_span(
        &self,
        account: AccountId,
        policy: &RetryPolicy,
    ) -> Result<(), Error> {
        let shortest = Retention {
            payload_days: 1,
            log_days: 1,
        };
        let span_ms = policy.span_ms();
        if span_ms < shortest.payload_ms() {
            return Ok(());
        }
        let retention = self.retention_of(&self.account_row(account).await?);
        if span_ms < retention.payload_ms() {
            return Ok(());
        }
        let why = format!(
            "the attempts span up to {}, and the account keeps payloads for {} days: they must be kept longer \
             (retention.payload_days of /v1/account), or the policy be shorter",
            days(span_ms),
            retention.payload_days
        );
        Err(Error::field("/retry_policy", why))
    }
}

/// So long, in days with one decimal, rounded up.
fn days(ms: i64) -> String {
    let tenths = (ms + 8_639_999) / 8_640_000;
    format!("{}.{} days", tenths / 10, tenths % 10)
}

/// Rests after a step. Others write meanwhile: how long is a matter of real time.
async fn rest_after(step: &Stopwatch) {
    let pause_ms = (step.elapsed() * PAUSE).as_millis() as i64;
    let real = Clock::System;
    real.sleep_until(real.now().plus_ms(pause_ms)).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_told_in_days_and_never_too_short() {
        for (ms, told) in [
            (86_400_000, "1.0 days"),
            (86_400_001, "1.1 days"),
            (99_305_000, "1.2 days"),
            (30 * 86_400_000, "30.0 days"),
        ] {
            assert_eq!(days(ms), told);
        }
    }
}
