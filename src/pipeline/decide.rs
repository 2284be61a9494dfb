//! What follows from an attempt: pure, and given the time as a value.

use std::num::NonZeroU16;

use super::lane::Feeling;
use crate::failure::{self, FailurePolicy};
use crate::model::{AttemptResult, DeliveryState, Failure, Refusal, Timestamp};
use crate::retry::{Advice, RetryPolicy};
use crate::store::EndpointMark;

const GONE: u16 = 410;

/// What an attempt came to, for everything that follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The receiver took the delivery.
    Taken,
    /// It wants no more of them.
    Gone,
    /// It did not answer, or said that it can't keep up.
    Overwhelmed,
    /// It answered with a no, or was not asked.
    Failed,
    /// The node died.
    Interrupted,
}

impl From<AttemptResult> for Outcome {
    fn from(result: AttemptResult) -> Self {
        match result {
            AttemptResult::Http { status: 200..=299 } => Self::Taken,
            AttemptResult::Http { status: GONE } => Self::Gone,
            AttemptResult::Http {
                status: 429 | 502..=504,
            }
            | AttemptResult::Refused(
                Refusal::Connect | Refusal::Timeout | Refusal::Tls | Refusal::Dns | Refusal::Proxy,
            ) => Self::Overwhelmed,
            AttemptResult::Http { .. }
            | AttemptResult::Refused(
                Refusal::TooLarge | Refusal::Egress | Refusal::Authorization,
            ) => Self::Failed,
            AttemptResult::Interrupted => Self::Interrupted,
        }
    }
}

/// The delivery's state after the attempt, which is its `no`th and ended at `ended_at`.
pub(super) fn next(
    result: AttemptResult,
    no: NonZeroU16,
    policy: &RetryPolicy,
    (ended_at, advice): (Timestamp, Advice),
) -> DeliveryState {
    let failed = |why| DeliveryState::Failed { at: ended_at, why };
    match (Outcome::from(result), result) {
        (Outcome::Taken, _) => DeliveryState::Delivered { at: ended_at },
        (Outcome::Gone, _) => failed(Failure::Gone),
        (Outcome::Interrupted, _) => DeliveryState::Pending { due_at: ended_at },
        (_, AttemptResult::Http { status }) if policy.is_final(status) => failed(Failure::Rejected),
        (Outcome::Overwhelmed | Outcome::Failed, _) => match policy.next(no, ended_at, advice) {
            Some(due_at) => DeliveryState::Pending { due_at },
            None => failed(Failure::Exhausted),
        },
    }
}

impl Outcome {
    /// What the attempt means for its endpoint, which was `asked` as it stood when it had last changed.
    pub(super) fn mark(
        self,
        policy: FailurePolicy,
        at: Timestamp,
        asked: Timestamp,
    ) -> Option<EndpointMark> {
        let outcome = match self {
            Self::Taken => failure::Outcome::Taken,
            Self::Gone => failure::Outcome::Gone,
            Self::Overwhelmed | Self::Failed => failure::Outcome::Failed,
            Self::Interrupted => return None,
        };
        Some(EndpointMark {
            outcome,
            at,
            policy,
            asked,
        })
    }
}

impl From<AttemptResult> for Feeling {
    fn from(result: AttemptResult) -> Self {
        match result {
            AttemptResult::Http { status: 200..=299 } => Self::Well,
            AttemptResult::Http { status: 429 } => Self::Busy,
            AttemptResult::Http { status: 502..=504 }
            | AttemptResult::Refused(
                Refusal::Connect | Refusal::Timeout | Refusal::Tls | Refusal::Dns | Refusal::Proxy,
            ) => Self::Overwhelmed,
            AttemptResult::Http { status: 500..=599 } => Self::Failing,
            AttemptResult::Http { .. } | AttemptResult::Refused(Refusal::TooLarge) => {
                Self::Indifferent
            }
            AttemptResult::Refused(Refusal::Egress | Refusal::Authorization)
            | AttemptResult::Interrupted => Self::Unasked,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retry::Rule;

    const AT: Timestamp = Timestamp::from_ms(1_000_000);

    fn after(no: u16, status: u16, policy: &RetryPolicy) -> DeliveryState {
        let no = NonZeroU16::new(no).expect("from 1");
        let result = AttemptResult::Http { status };
        next(result, no, policy, (AT, Advice::default()))
    }

    #[test]
    fn every_answer_leads_to_its_state() {
        let policy = RetryPolicy::ThreeStep;
        assert_eq!(after(1, 204, &policy), DeliveryState::Delivered { at: AT });
        assert_eq!(
            after(1, 302, &policy),
            DeliveryState::Pending {
                due_at: AT.plus_ms(10_000)
            }
        );
        assert_eq!(
            after(2, 500, &policy),
            DeliveryState::Pending {
                due_at: AT.plus_ms(100_000)
            }
        );
        assert_eq!(
            after(3, 500, &policy),
            DeliveryState::Failed {
                at: AT,
                why: Failure::Exhausted
            }
        );
        assert_eq!(
            after(1, 410, &policy),
            DeliveryState::Failed {
                at: AT,
                why: Failure::Gone
            }
        );
    }

    #[test]
    fn a_final_status_is_the_end_and_a_410_is_gone_all_the_same() {
        let policy = RetryPolicy::of(Rule::ThreeStep, 0, &[400, 410, 502]).expect("valid");
        let failed = |why| DeliveryState::Failed { at: AT, why };
        assert_eq!(after(1, 400, &policy), failed(Failure::Rejected));
        assert_eq!(after(3, 502, &policy), failed(Failure::Rejected));
        assert_eq!(after(1, 410, &policy), failed(Failure::Gone));
        let due_at = AT.plus_ms(10_000);
        assert_eq!(after(1, 404, &policy), DeliveryState::Pending { due_at });
    }

    #[test]
    fn every_answer_says_what_is_to_be_thought_of_the_endpoint() {
        let (well, indifferent, overwhelmed) =
            (Feeling::Well, Feeling::Indifferent, Feeling::Overwhelmed);
        let (busy, failing, unasked) = (Feeling::Busy, Feeling::Failing, Feeling::Unasked);
        let (taken, failed, gone) = (
            Some(failure::Outcome::Taken),
            Some(failure::Outcome::Failed),
            Some(failure::Outcome::Gone),
        );
        let http = |status| AttemptResult::Http { status };
        let refused = AttemptResult::Refused;
        for (result, mark, feeling) in [
            (http(204), taken, well),
            (http(410), gone, indifferent),
            (http(302), failed, indifferent),
            (http(500), failed, failing),
            (http(429), failed, busy),
            (http(503), failed, overwhelmed),
            (refused(Refusal::Timeout), failed, overwhelmed),
            (refused(Refusal::Egress), failed, unasked),
            (refused(Refusal::Proxy), failed, overwhelmed),
            (refused(Refusal::Authorization), failed, unasked),
            (AttemptResult::Interrupted, None, unasked),
        ] {
            let outcome = Outcome::from(result);
            let said = outcome.mark(FailurePolicy::Ladder, AT, AT.plus_ms(-1));
            let wanted = mark.map(|outcome| EndpointMark {
                outcome,
                at: AT,
                policy: FailurePolicy::Ladder,
                asked: AT.plus_ms(-1),
            });
            assert_eq!(said, wanted, "{result:?}");
            assert_eq!(Feeling::from(result), feeling, "{result:?}");
        }
    }
}
