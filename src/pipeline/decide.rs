//! What follows from an attempt: pure, and given the time as a value.

use std::num::NonZeroU16;

use super::lane::Feeling;
use crate::failure::FailurePolicy;
use crate::model::{AttemptResult, DeliveryState, Failure, Refusal, Timestamp};
use crate::retry::{Advice, RetryPolicy};
use crate::store::EndpointMark;

const GONE: u16 = 410;

/// The delivery's state after the attempt that is its `no`th and ended at `ended_at`.
pub(super) fn after_attempt(
    no: NonZeroU16,
    result: AttemptResult,
    policy: &RetryPolicy,
    ended_at: Timestamp,
    advice: Advice,
) -> DeliveryState {
    match result {
        AttemptResult::Http { status: 200..=299 } => DeliveryState::Delivered { at: ended_at },
        AttemptResult::Http { status: GONE } => DeliveryState::Failed {
            at: ended_at,
            why: Failure::Gone,
        },
        AttemptResult::Interrupted => DeliveryState::Pending { due_at: ended_at },
        AttemptResult::Http { .. } | AttemptResult::Refused(_) => {
            match policy.next(no, ended_at, advice) {
                Some(due_at) => DeliveryState::Pending { due_at },
                None => DeliveryState::Failed {
                    at: ended_at,
                    why: Failure::Exhausted,
                },
            }
        }
    }
}

/// What the attempt means for its endpoint, which was `asked` as it stood when it had last changed.
pub(super) fn mark(
    result: AttemptResult,
    policy: FailurePolicy,
    ended_at: Timestamp,
    asked: Timestamp,
) -> EndpointMark {
    match result {
        AttemptResult::Http { status: 200..=299 } => EndpointMark::Succeeded,
        AttemptResult::Http { status: GONE } => EndpointMark::Gone {
            at: ended_at,
            asked,
        },
        AttemptResult::Interrupted => EndpointMark::Untouched,
        AttemptResult::Http { .. } | AttemptResult::Refused(_) => EndpointMark::Failed {
            at: ended_at,
            disable_if_since: policy.patience_ms().map(|ms| ended_at.plus_ms(-ms)),
            asked,
        },
    }
}

/// What the attempt says about the endpoint's strength.
pub(super) fn feeling(result: AttemptResult) -> Feeling {
    match result {
        AttemptResult::Http { status: 200..=299 } => Feeling::Well,
        AttemptResult::Http {
            status: 429 | 502..=504,
        }
        | AttemptResult::Refused(
            Refusal::Connect | Refusal::Timeout | Refusal::Tls | Refusal::Dns,
        ) => Feeling::Overwhelmed,
        AttemptResult::Http { .. } | AttemptResult::Refused(_) | AttemptResult::Interrupted => {
            Feeling::Indifferent
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp::from_ms(1_000_000);

    fn after(no: u16, status: u16, policy: &RetryPolicy) -> DeliveryState {
        let no = NonZeroU16::new(no).expect("from 1");
        after_attempt(
            no,
            AttemptResult::Http { status },
            policy,
            AT,
            Advice::default(),
        )
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
}
