//! Each policy, attempt by attempt, just below each boundary and at it.

use super::*;

const START: Timestamp = Timestamp::from_ms(1_790_000_000_000);

/// Tells a policy what came of attempts, each at its time after the start in milliseconds; what followed from each.
fn story(policy: FailurePolicy, attempts: &[(i64, Outcome)]) -> Vec<Vec<Consequence>> {
    let mut state = State::default();
    let steps = attempts.iter().map(|(after_ms, outcome)| {
        let heard = Heard {
            outcome: *outcome,
            at: START.plus_ms(*after_ms),
            told: false,
        };
        let (next, follows) = policy.step(state, heard);
        state = next;
        follows
    });
    steps.collect()
}

const FIRST: Consequence = Consequence::Warned(Warning::First);
const SECOND: Consequence = Consequence::Warned(Warning::Second);
const END: Consequence = Consequence::Disabled(Why::Failing);
const GONE: Consequence = Consequence::Disabled(Why::Gone);
use Outcome::{Failed, Gone, Taken};

fn assert_story(policy: FailurePolicy, told: &[(i64, Outcome, Option<Consequence>)]) {
    let attempts: Vec<_> = told.iter().map(|one| (one.0, one.1)).collect();
    let wanted: Vec<Vec<_>> = told.iter().map(|one| one.2.into_iter().collect()).collect();
    assert_eq!(story(policy, &attempts), wanted, "{policy:?} {attempts:?}");
}

#[test]
fn the_ladder_has_a_warning_another_and_the_end_an_hour_apart() {
    const H: i64 = HOUR_MS;
    for told in [
        // Never a success: the second failure warns.
        vec![
            (0, Failed, None),
            (1, Failed, Some(FIRST)),
            (H, Failed, None),
            (H + 1, Failed, Some(SECOND)),
            (2 * H, Failed, None),
            (2 * H + 1, Failed, Some(END)),
        ],
        // An hour after the last success is not over an hour ago.
        vec![
            (0, Taken, None),
            (1, Failed, None),
            (2, Failed, None),
            (H, Failed, None),
            (H + 1, Failed, Some(FIRST)),
            (2 * H, Failed, None),
            (2 * H + 1, Failed, Some(SECOND)),
            (3 * H + 1, Failed, Some(END)),
        ],
        // One failure never warns, however long ago the success; nor do rungs get skipped.
        vec![
            (0, Taken, None),
            (100 * H, Failed, None),
            (200 * H, Failed, Some(FIRST)),
            (300 * H, Failed, Some(SECOND)),
            (400 * H, Failed, Some(END)),
        ],
        // A success resets everything, at each rung.
        vec![
            (0, Failed, None),
            (1, Failed, Some(FIRST)),
            (2, Taken, None),
            (3 * H, Failed, None),
            (3 * H + 1, Failed, Some(FIRST)),
            (4 * H + 1, Failed, Some(SECOND)),
            (4 * H + 2, Taken, None),
            (5 * H + 2, Failed, None),
            (5 * H + 2, Failed, None),
            (5 * H + 3, Failed, Some(FIRST)),
        ],
        vec![
            (0, Failed, None),
            (1, Failed, Some(FIRST)),
            (2, Gone, Some(GONE)),
        ],
    ] {
        assert_story(FailurePolicy::Ladder, &told);
    }
}

#[test]
fn the_ladder_asks_for_as_many_failures_as_it_has_rungs() {
    let streak = |failures, warned| Streak {
        since: START,
        failures,
        warned,
    };
    let late = START.plus_ms(100 * HOUR_MS);
    let (first, second) = (
        Some((Warning::First, START)),
        Some((Warning::Second, START)),
    );
    for (failures, warned, step) in [
        (1, None, None),
        (2, None, Some(FIRST)),
        (2, first, None),
        (3, first, Some(SECOND)),
        (3, second, None),
        (4, second, Some(END)),
    ] {
        assert_eq!(rung(streak(failures, warned), None, late), step);
    }
}

#[test]
fn five_days_of_failing_are_the_end_and_a_success_begins_anew() {
    const D5: i64 = FIVE_DAYS_MS;
    for told in [
        vec![
            (0, Failed, None),
            (D5 - 1, Failed, None),
            (D5, Failed, Some(END)),
        ],
        vec![
            (0, Failed, None),
            (D5 - 1, Taken, None),
            (D5, Failed, None),
            (2 * D5 - 1, Failed, None),
            (2 * D5, Failed, Some(END)),
        ],
        vec![(0, Failed, None), (0, Gone, Some(GONE))],
    ] {
        assert_story(FailurePolicy::FiveDays, &told);
    }
}

#[test]
fn so_many_failures_in_a_row_are_the_end() {
    let counted = |count| FailurePolicy::consecutive(count).expect("within bounds");
    let three = [
        (0, Failed, None),
        (0, Failed, None),
        (1, Taken, None),
        (1, Failed, None),
        (1, Failed, None),
        (1, Failed, Some(END)),
    ];
    assert_story(counted(3), &three);
    assert_story(counted(1), &[(0, Taken, None), (0, Failed, Some(END))]);
    assert_story(counted(2), &[(0, Failed, None), (1, Gone, Some(GONE))]);
}

#[test]
fn never_is_never_but_for_a_410() {
    let years = 1_000 * FIVE_DAYS_MS;
    let never = [
        (0, Failed, None),
        (years, Failed, None),
        (2 * years, Failed, None),
        (2 * years, Gone, Some(GONE)),
    ];
    assert_story(FailurePolicy::Never, &never);
}

#[test]
fn it_is_told_once_that_it_fails_for_a_while_and_that_it_works_again() {
    let mut state = State::default();
    for (after_ms, outcome, told, wanted) in [
        (0, Failed, true, None),
        (FAILING_ALERT_MS - 1, Failed, true, None),
        (FAILING_ALERT_MS, Failed, false, None),
        (
            FAILING_ALERT_MS + 1,
            Failed,
            true,
            Some(Consequence::Failing),
        ),
        (FAILING_ALERT_MS + 2, Failed, true, None),
        (FAILING_ALERT_MS + 3, Taken, false, None),
        (
            FAILING_ALERT_MS + 4,
            Taken,
            true,
            Some(Consequence::Recovered),
        ),
        (FAILING_ALERT_MS + 5, Taken, true, None),
        (FAILING_ALERT_MS + 6, Failed, true, None),
    ] {
        let at = START.plus_ms(after_ms);
        let heard = Heard { outcome, at, told };
        let (next, follows) = FailurePolicy::Never.step(state, heard);
        assert_eq!(follows, wanted.into_iter().collect::<Vec<_>>(), "{heard:?}");
        state = next;
    }
    let streak = state.streak.expect("it fails");
    assert_eq!((streak.failures, state.succeeded_at), (1, None));
}
