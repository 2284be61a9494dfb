//! Known changes of clocks: what they do to patterns by policy, and how that is told.

use super::super::*;
use super::{at, calendar, next};

/// Pattern, zone, policies, from, and the next occurrences: nominal and UTC.
type Known = (
    &'static str,
    &'static str,
    Gap,
    Fold,
    &'static str,
    &'static [&'static str],
);

const GAPS: [Known; 8] = [
    (
        "30 2 * * *",
        "Europe/Berlin",
        Gap::RunAtGapEnd,
        Fold::First,
        "2026-03-28T00:00:00Z",
        &[
            "03-28T02:30 03-28T01:30",
            "03-29T02:30 03-29T01:00",
            "03-30T02:30 03-30T00:30",
        ],
    ),
    (
        "30 2 * * *",
        "Europe/Berlin",
        Gap::Skip,
        Fold::First,
        "2026-03-28T00:00:00Z",
        &["03-28T02:30 03-28T01:30", "03-30T02:30 03-30T00:30"],
    ),
    // Several in one gap, and one at its end: one run.
    (
        "0,30 2,3 * * *",
        "Europe/Berlin",
        Gap::RunAtGapEnd,
        Fold::First,
        "2026-03-29T00:00:00Z",
        &[
            "03-29T02:00 03-29T01:00",
            "03-29T03:30 03-29T01:30",
            "03-30T02:00 03-30T00:00",
        ],
    ),
    (
        "30 * * * *",
        "Europe/Berlin",
        Gap::RunAtGapEnd,
        Fold::First,
        "2026-03-29T00:00:00Z",
        &["03-29T01:30 03-29T00:30", "03-29T03:30 03-29T01:30"],
    ),
    (
        "30 2 8 3 *",
        "America/New_York",
        Gap::RunAtGapEnd,
        Fold::First,
        "2026-03-01T00:00:00Z",
        &["03-08T02:30 03-08T07:00", "03-08T02:30 03-08T07:30"],
    ),
    (
        "15 2 * * *",
        "Australia/Lord_Howe",
        Gap::RunAtGapEnd,
        Fold::First,
        "2026-10-02T20:00:00Z",
        &["10-04T02:15 10-03T15:30", "10-05T02:15 10-04T15:15"],
    ),
    // Ramadan ends: at two in the night it is three.
    (
        "30 2 * * *",
        "Africa/Casablanca",
        Gap::RunAtGapEnd,
        Fold::First,
        "2026-03-21T12:00:00Z",
        &["03-22T02:30 03-22T02:00", "03-23T02:30 03-23T01:30"],
    ),
    // A whole day that was not.
    (
        "0 9 * * *",
        "Pacific/Apia",
        Gap::RunAtGapEnd,
        Fold::First,
        "2011-12-29T12:00:00Z",
        &[
            "12-29T09:00 12-29T19:00",
            "12-30T09:00 12-30T10:00",
            "12-31T09:00 12-30T19:00",
        ],
    ),
];

const FOLDS: [Known; 9] = [
    (
        "30 2 * * *",
        "Europe/Berlin",
        Gap::Skip,
        Fold::First,
        "2026-10-24T12:00:00Z",
        &["10-25T02:30 10-25T00:30", "10-26T02:30 10-26T01:30"],
    ),
    (
        "30 2 * * *",
        "Europe/Berlin",
        Gap::Skip,
        Fold::Last,
        "2026-10-24T12:00:00Z",
        &["10-25T02:30 10-25T01:30", "10-26T02:30 10-26T01:30"],
    ),
    (
        "30 2 * * *",
        "Europe/Berlin",
        Gap::Skip,
        Fold::Both,
        "2026-10-24T12:00:00Z",
        &[
            "10-25T02:30 10-25T00:30",
            "10-25T02:30 10-25T01:30",
            "10-26T02:30 10-26T01:30",
        ],
    ),
    (
        "0,30 2 * * *",
        "Europe/Berlin",
        Gap::Skip,
        Fold::Both,
        "2026-10-24T12:00:00Z",
        &[
            "10-25T02:00 10-25T00:00",
            "10-25T02:30 10-25T00:30",
            "10-25T02:00 10-25T01:00",
            "10-25T02:30 10-25T01:30",
        ],
    ),
    (
        "0 3 * * *",
        "Europe/Berlin",
        Gap::Skip,
        Fold::Both,
        "2026-10-24T12:00:00Z",
        &["10-25T03:00 10-25T02:00"],
    ),
    (
        "30 * * * *",
        "Europe/Berlin",
        Gap::Skip,
        Fold::First,
        "2026-10-25T00:00:00Z",
        &[
            "10-25T02:30 10-25T00:30",
            "10-25T02:30 10-25T01:30",
            "10-25T03:30 10-25T02:30",
        ],
    ),
    (
        "30 1 * * *",
        "America/New_York",
        Gap::Skip,
        Fold::Last,
        "2026-10-31T12:00:00Z",
        &["11-01T01:30 11-01T06:30", "11-02T01:30 11-02T06:30"],
    ),
    (
        "45 1 * * *",
        "Australia/Lord_Howe",
        Gap::Skip,
        Fold::Both,
        "2026-04-04T12:00:00Z",
        &[
            "04-05T01:45 04-04T14:45",
            "04-05T01:45 04-04T15:15",
            "04-06T01:45 04-05T15:15",
        ],
    ),
    (
        "15 1 * * *",
        "Australia/Lord_Howe",
        Gap::Skip,
        Fold::Both,
        "2026-04-04T12:00:00Z",
        &["04-05T01:15 04-04T14:15", "04-06T01:15 04-05T14:45"],
    ),
];

#[test]
fn known_changes_of_clocks() {
    for (cron, zone, gap, fold, from, expected) in GAPS.into_iter().chain(FOLDS) {
        let calendar = calendar(cron, zone, gap, fold);
        let found = next(&calendar, from, expected.len());
        assert_eq!(found, expected, "{cron} {zone} {gap:?} {fold:?}");
    }
}

#[test]
fn the_next_changes_are_told_with_what_they_do() {
    let from = at("2026-06-01T00:00:00Z");
    for (cron, zone, gap, fold, expected) in [
        (
            "30 2 * * *",
            "Europe/Berlin",
            Gap::RunAtGapEnd,
            Fold::First,
            &[
                "on 2026-10-25 at 03:00 the clocks go back to 02:00: the run of 02:30 is made the first time only",
                "on 2027-03-28 at 02:00 the clocks go forward to 03:00: the run of 02:30 is made at 03:00",
            ][..],
        ),
        (
            "*/20 2 * * *",
            "Europe/Berlin",
            Gap::Skip,
            Fold::Both,
            &[
                "on 2026-10-25 at 03:00 the clocks go back to 02:00: the runs of 02:00, 02:20 and 02:40 are made both times",
                "on 2027-03-28 at 02:00 the clocks go forward to 03:00: the runs of 02:00, 02:20 and 02:40 are skipped",
            ],
        ),
        (
            "* 2 * * *",
            "Europe/Berlin",
            Gap::RunAtGapEnd,
            Fold::Last,
            &[
                "on 2026-10-25 at 03:00 the clocks go back to 02:00: 60 runs (02:00 to 02:59) are made the second time only",
                "on 2027-03-28 at 02:00 the clocks go forward to 03:00: 60 runs (02:00 to 02:59) are made once, at 03:00",
            ],
        ),
        (
            "30 * * * *",
            "America/New_York",
            Gap::RunAtGapEnd,
            Fold::First,
            &[
                "on 2026-11-01 at 02:00 the clocks go back to 01:00: the runs go on by elapsed time, through both passes",
                "on 2027-03-14 at 02:00 the clocks go forward to 03:00: the runs go on by elapsed time",
            ],
        ),
        (
            "0 9 * * *",
            "Australia/Lord_Howe",
            Gap::RunAtGapEnd,
            Fold::First,
            &[
                "on 2026-10-04 at 02:00 the clocks go forward to 02:30: no run is concerned",
                "on 2027-04-04 at 02:00 the clocks go back to 01:30: no run is concerned",
            ],
        ),
        (
            "0 9 * * *",
            "Asia/Tokyo",
            Gap::RunAtGapEnd,
            Fold::First,
            &[],
        ),
        ("0 9 * * *", "UTC", Gap::RunAtGapEnd, Fold::First, &[]),
    ] {
        let changes = calendar(cron, zone, gap, fold).changes(from, 2);
        let words: Vec<&str> = changes.iter().map(|change| change.words.as_str()).collect();
        assert_eq!(words, expected, "{cron} {zone}");
    }
}

#[test]
fn a_day_that_was_not_is_told_with_both_dates() {
    let skipped = calendar("0 9 * * *", "Pacific/Apia", Gap::Skip, Fold::First);
    let change = &skipped.changes(at("2011-12-01T00:00:00Z"), 1)[0];
    assert_eq!(
        change.words,
        "on 2011-12-30 at 00:00 the clocks go forward to 2011-12-31 00:00: the run of 09:00 is skipped"
    );
    assert_eq!(change.at, at("2011-12-30T10:00:00Z"));
    assert_eq!(change.direction, Direction::Forward);
}
