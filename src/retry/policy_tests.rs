//! What follows from each policy, by the millisecond.

use proptest::prelude::*;

use super::*;
use crate::model::limits::RETRY_DELAYS_MAX;
use crate::retry::{Exponential, Factor};

const MINUTE_MS: i64 = 60 * SECOND_MS;
const HOUR_MS: i64 = 60 * MINUTE_MS;

const START: Timestamp = Timestamp::from_ms(1_790_000_000_000);

fn no(attempts: u16) -> NonZeroU16 {
    NonZeroU16::new(attempts).expect("attempts count from 1")
}

/// Milliseconds from the first attempt to each attempt, if each takes no time and fails.
fn story(policy: &RetryPolicy) -> Vec<i64> {
    let attempts = (1..).map(no);
    let times = attempts.scan(START, |failed_at, attempts_made| {
        *failed_at = policy.next(attempts_made, *failed_at, Advice::default())?;
        Some(failed_at.ms_since(START))
    });
    std::iter::once(0).chain(times.take(100)).collect()
}

#[test]
fn three_failures_then_success_take_35_minutes_5_seconds() {
    assert_eq!(
        story(&RetryPolicy::EightStep)[3],
        35 * MINUTE_MS + 5 * SECOND_MS
    );
}

#[test]
fn eight_step_has_eight_attempts_and_then_none() {
    let hours = [0, 0, 0, 0, 2, 7, 17, 27];
    let whole_hours: Vec<_> = story(&RetryPolicy::EightStep)
        .iter()
        .map(|ms| ms / HOUR_MS)
        .collect();
    assert_eq!(whole_hours, hours);
    assert_eq!(
        RetryPolicy::EightStep.next(no(9), START, Advice::default()),
        None
    );
    assert_eq!(
        RetryPolicy::EightStep.next(no(u16::MAX), START, Advice::default()),
        None
    );
}

#[test]
fn three_step_is_0_10_110_seconds_and_then_never() {
    assert_eq!(story(&RetryPolicy::ThreeStep), [0, 10_000, 110_000]);
}

#[test]
fn own_delays_make_one_attempt_more_than_there_are() {
    let policy = RetryPolicy::own(vec![200, 400], 0).expect("valid");
    assert_eq!(story(&policy), [0, 200, 600]);
    let once = RetryPolicy::own(Vec::new(), 0).expect("no delay is one attempt");
    assert_eq!(story(&once), [0]);
}

#[test]
fn each_delay_is_counted_from_the_failure_before() {
    let slow_failure = START.plus_ms(12_345);
    let next = RetryPolicy::ThreeStep.next(no(1), slow_failure, Advice::default());
    assert_eq!(next, Some(slow_failure.plus_ms(10_000)));
}

#[test]
fn retry_after_only_lengthens_and_only_to_a_day() {
    for (asked_ms, wait_ms) in [
        (None, 10_000),
        (Some(i64::MIN), 10_000),
        (Some(0), 10_000),
        (Some(9_999), 10_000),
        (Some(10_001), 10_001),
        (Some(DAY_MS), DAY_MS),
        (Some(DAY_MS + 1), DAY_MS),
        (Some(i64::MAX), DAY_MS),
    ] {
        let advice = Advice {
            jitter: 0.0,
            retry_after_ms: asked_ms,
        };
        let next = RetryPolicy::ThreeStep.next(no(1), START, advice);
        assert_eq!(next, Some(START.plus_ms(wait_ms)), "{asked_ms:?}");
    }
    let asked = Advice {
        jitter: 0.0,
        retry_after_ms: Some(60_000),
    };
    assert_eq!(
        RetryPolicy::ThreeStep.next(no(3), START, asked),
        None,
        "no attempt is added"
    );
}

#[test]
fn jitter_lengthens_by_its_percentage_at_most_and_only_where_the_policy_says() {
    let policy = RetryPolicy::own(vec![1_000], 50).expect("valid");
    for (jitter, wait_ms) in [
        (0.0, 1_000),
        (0.5, 1_250),
        (0.999_999, 1_499),
        (-3.0, 1_000),
        (7.0, 1_500),
        (f64::NAN, 1_000),
    ] {
        let advice = Advice {
            jitter,
            retry_after_ms: None,
        };
        assert_eq!(
            policy.next(no(1), START, advice),
            Some(START.plus_ms(wait_ms)),
            "{jitter}"
        );
    }
    let advice = Advice {
        jitter: 0.9,
        retry_after_ms: None,
    };
    let next = RetryPolicy::ThreeStep.next(no(1), START, advice);
    assert_eq!(next, Some(START.plus_ms(10_000)), "presets have no jitter");
}

#[test]
fn a_policy_stays_within_its_bounds() {
    let most = vec![0; RETRY_DELAYS_MAX];
    assert!(RetryPolicy::own(most, 100).is_ok());
    assert!(RetryPolicy::own(vec![SPAN_MS_MAX - 1], 0).is_ok());
    for (delays_ms, jitter_pct, wanted) in [
        (
            vec![0; RETRY_DELAYS_MAX + 1],
            0,
            Error::TooManyDelays { count: 51 },
        ),
        (
            vec![1, -1],
            0,
            Error::Delay {
                place: 1,
                delay_ms: -1,
            },
        ),
        (
            vec![DELAY_MS_MAX + 1],
            0,
            Error::Delay {
                place: 0,
                delay_ms: DELAY_MS_MAX + 1,
            },
        ),
        (
            vec![SPAN_MS_MAX],
            0,
            Error::Span {
                span_ms: SPAN_MS_MAX,
            },
        ),
        (
            vec![15 * DAY_MS; 2],
            0,
            Error::Span {
                span_ms: 30 * DAY_MS,
            },
        ),
        (
            vec![10 * DAY_MS; 2],
            50,
            Error::Span {
                span_ms: 30 * DAY_MS,
            },
        ),
        (
            vec![DELAY_MS_MAX; 50],
            100,
            Error::Span {
                span_ms: 3_000 * DAY_MS,
            },
        ),
        (vec![1], 101, Error::Jitter(101)),
        (vec![1], -1, Error::Jitter(-1)),
    ] {
        assert_eq!(RetryPolicy::own(delays_ms, jitter_pct), Err(wanted));
    }
    for preset in [RetryPolicy::EightStep, RetryPolicy::ThreeStep] {
        assert!(preset.span_ms() < SPAN_MS_MAX);
    }
}

#[test]
fn the_statuses_that_are_final_are_said_and_can_be() {
    let policy = |statuses: &[i64]| RetryPolicy::of(Rule::EightStep, 0, statuses);
    let two = policy(&[404, 400]).expect("valid");
    assert_eq!(two.final_statuses(), [404, 400], "as they were written");
    assert!(two.is_final(400) && two.is_final(404) && !two.is_final(401));
    assert_eq!(story(&two), story(&RetryPolicy::EightStep));
    assert!(policy(&[300, 410, 599]).is_ok());
    let later = |status| Err(Error::Later { place: 1, status });
    for status in [408, 429, 503] {
        assert_eq!(policy(&[400, status]), later(status));
    }
    for status in [-1, 0, 200, 204, 299, 600, 65_536 + 400] {
        let wanted = Err(Error::NoFailure { place: 0, status });
        assert_eq!(policy(&[status]), wanted);
    }
    let wanted = Err(Error::Twice {
        place: 2,
        status: 400,
    });
    assert_eq!(policy(&[400, 404, 400]), wanted);
    let many: Vec<i64> = (504..=554).collect();
    assert!(policy(&many[..50]).is_ok());
    assert_eq!(policy(&many), Err(Error::TooManyFinal { count: 51 }));
}

#[test]
fn all_attempts_are_planned_from_the_earliest_to_the_latest() {
    let policy = RetryPolicy::own(vec![1_000, 0, 10_000], 50).expect("valid");
    let planned = policy.planned(START).into_iter();
    let told: Vec<_> = planned
        .map(|one| {
            let (at, latest) = (one.at.ms_since(START), one.at_latest.ms_since(START));
            (one.no, one.after_ms, at, latest)
        })
        .collect();
    let wanted = [
        (1, 0, 0, 0),
        (2, 1_000, 1_000, 1_500),
        (3, 0, 1_000, 1_500),
        (4, 10_000, 11_000, 16_500),
    ];
    assert_eq!(told, wanted);
    for preset in [RetryPolicy::EightStep, RetryPolicy::ThreeStep] {
        let planned = preset.planned(START).into_iter();
        let told: Vec<_> = planned.map(|one| one.at.ms_since(START)).collect();
        assert_eq!(told, story(&preset));
    }
}

proptest! {
    /// What is taken is within all bounds, whatever was asked for.
    #[test]
    fn a_policy_that_is_taken_stays_within_its_bounds(
        first_ms in -1..DELAY_MS_MAX,
        thousandths in 1_000..5_000_i64,
        cap_ms in -1..DELAY_MS_MAX,
        attempts in -1..60_i64,
        jitter_pct in -1..102_i64,
        part in 0.0..1.0,
    ) {
        let factor = Factor::new(thousandths as f64 / 1_000.0).expect("within bounds");
        let rule = Rule::Exponential(Exponential { first_ms, factor, cap_ms, attempts });
        let Ok(policy) = RetryPolicy::of(rule, jitter_pct, &[400]) else {
            return Ok(());
        };
        let planned = policy.planned(START);
        prop_assert_eq!(planned.len() as i64, attempts);
        prop_assert!(planned.len() <= RETRY_DELAYS_MAX + 1);
        let last = planned.last().expect("one at least");
        prop_assert_eq!(last.at_latest.ms_since(START), policy.span_ms());
        prop_assert!(policy.span_ms() < SPAN_MS_MAX);
        let advice = Advice { jitter: part, retry_after_ms: None };
        for (before, then) in planned.iter().zip(&planned[1..]) {
            let next = policy.next(no(before.no), START, advice).expect("one more");
            prop_assert!(next.ms_since(START) >= then.after_ms);
            let longest_ms = then.at_latest.ms_since(before.at_latest);
            prop_assert!(next.ms_since(START) <= longest_ms);
        }
        prop_assert_eq!(policy.next(no(last.no), START, advice), None);
    }
}
