//! Patterns, their mistakes and their words; intervals.

mod clocks;
mod guide;
mod zones;

use super::*;
use crate::model::Timestamp;

fn at(text: &str) -> Timestamp {
    text.parse().expect(text)
}

fn pattern(text: &str) -> Pattern {
    let precision = if text.split_ascii_whitespace().count() == 6 {
        Precision::Seconds
    } else {
        Precision::Minutes
    };
    Pattern::parse(text, precision).expect(text)
}

fn calendar(cron: &str, zone: &str, gap: Gap, fold: Fold) -> Calendar {
    Calendar {
        pattern: pattern(cron),
        zone: zone.parse().expect(zone),
        policy: DstPolicy { gap, fold },
    }
}

/// Nominal and UTC time of the next occurrences, each `MM-DDTHH:MM`.
fn next(calendar: &Calendar, from: &str, count: usize) -> Vec<String> {
    let occurrences = calendar.after(at(from)).take(count);
    occurrences
        .map(|next| {
            let (nominal, utc) = (next.nominal.to_string(), next.at.to_string());
            format!("{} {}", &nominal[5..16], &utc[5..16])
        })
        .collect()
}

#[test]
fn fields_have_their_meaning_in_unix() {
    // 2026-06-01 was a Monday.
    for (cron, expected) in [
        ("0 9 * * *", "06-01T09:00 06-02T09:00 06-03T09:00"),
        ("*/20 * * * *", "06-01T00:20 06-01T00:40 06-01T01:00"),
        ("5-15/5 3 * * *", "06-01T03:05 06-01T03:10 06-01T03:15"),
        ("0 9 * * MON-FRI", "06-01T09:00 06-02T09:00 06-03T09:00"),
        ("0 9 * * 0", "06-07T09:00 06-14T09:00 06-21T09:00"),
        ("0 9 * * 7", "06-07T09:00 06-14T09:00 06-21T09:00"),
        ("0 9 * * sun", "06-07T09:00 06-14T09:00 06-21T09:00"),
        ("0 9 * * FRI-SUN", "06-05T09:00 06-06T09:00 06-07T09:00"),
        ("0 9 * * 6-7", "06-06T09:00 06-07T09:00 06-13T09:00"),
        ("0 9 * * */3", "06-03T09:00 06-06T09:00 06-07T09:00"),
        // Both restricted: either day.
        ("0 9 13 * FRI", "06-05T09:00 06-12T09:00 06-13T09:00"),
        // One begins with a star: both must hold.
        ("0 9 */2 * FRI", "06-05T09:00 06-19T09:00 07-03T09:00"),
        ("0 9 13 * *", "06-13T09:00 07-13T09:00 08-13T09:00"),
        ("0 0 31 * *", "07-31T00:00 08-31T00:00 10-31T00:00"),
        ("0 0 1 JAN,jul *", "07-01T00:00 01-01T00:00 07-01T00:00"),
        ("59 23 31 12 *", "12-31T23:59 12-31T23:59 12-31T23:59"),
        ("0,30 8,20 * * *", "06-01T08:00 06-01T08:30 06-01T20:00"),
    ] {
        let calendar = calendar(cron, "UTC", Gap::Skip, Fold::First);
        let found = next(&calendar, "2026-06-01T00:00:00Z", 3);
        let nominal: Vec<&str> = found.iter().map(|row| &row[..11]).collect();
        assert_eq!(nominal.join(" "), expected, "{cron}");
    }
    let seconds = calendar("*/25 59 23 * * *", "UTC", Gap::Skip, Fold::First);
    let found: Vec<String> = seconds
        .after(at("2026-06-01T23:59:24.999Z"))
        .take(3)
        .map(|next| next.at.to_string())
        .collect();
    assert_eq!(
        found,
        [
            "2026-06-01T23:59:25.000Z",
            "2026-06-01T23:59:50.000Z",
            "2026-06-02T23:59:00.000Z"
        ]
    );
}

#[test]
fn an_occurrence_comes_after_the_instant_and_not_at_it() {
    let hourly = calendar("0 * * * *", "UTC", Gap::Skip, Fold::First);
    for (from, expected) in [
        ("2026-06-01T00:59:59.999Z", "2026-06-01T01:00:00.000Z"),
        ("2026-06-01T01:00:00.000Z", "2026-06-01T02:00:00.000Z"),
        ("2026-06-01T01:00:00.001Z", "2026-06-01T02:00:00.000Z"),
        ("1969-12-31T22:59:59.500Z", "1969-12-31T23:00:00.000Z"),
    ] {
        let next = hourly.next_after(at(from)).expect(from);
        assert_eq!(next.at, at(expected), "{from}");
    }
}

#[test]
fn mistakes_are_told_by_field_part_and_remedy() {
    for (cron, words) in [
        ("", "has 0 fields: write five"),
        ("0 9 * *", "has 4 fields: write five"),
        ("0 0 9 * * *", "ask for seconds"),
        ("0 0 9 * * * 2026", "has 7 fields"),
        ("@daily", "has 1 fields: write five"),
        (
            "60 9 * * *",
            "the field minute: '60' is out of bounds: write 0 to 59",
        ),
        (
            "0 24 * * *",
            "the field hour: '24' is out of bounds: write 0 to 23",
        ),
        (
            "0 0 0 * *",
            "the field day of month: '0' is out of bounds: write 1 to 31",
        ),
        (
            "0 0 * 13 *",
            "the field month: '13' is out of bounds: write 1 to 12 or JAN to DEC",
        ),
        (
            "0 0 * * 8",
            "the field day of week: '8' is out of bounds: write 0 to 6 or SUN to SAT",
        ),
        (
            "0 0 * * MON,FOO",
            "the field day of week: 'FOO' is no number here",
        ),
        ("0 0 * MON *", "the field month: 'MON' is no number here"),
        ("0 0 L * *", "a sign that unix does not know"),
        ("0 0 * * 5#2", "a sign that unix does not know"),
        ("0 0 15W * *", "a sign that unix does not know"),
        ("0 0 ? * 1", "a sign that unix does not know"),
        ("30-10 * * * *", "'30-10' goes backwards"),
        (
            "5/15 * * * *",
            "a step without a range: write 5-59/n, or */n",
        ),
        ("*/0 * * * *", "a wrong step: write 1 to 59"),
        ("*/60 * * * *", "a wrong step"),
        ("*/ * * * *", "a wrong step"),
        ("1,,2 * * * *", "has a value missing"),
        ("-5 * * * *", "has a value missing"),
        ("+5 * * * *", "is no number here"),
        ("٥ * * * *", "is no number here"),
        ("1.5 * * * *", "is no number here"),
        ("256 * * * *", "is out of bounds"),
    ] {
        let error = Pattern::parse(cron, Precision::Minutes).expect_err(cron);
        assert!(error.to_string().contains(words), "{cron}: {error}");
    }
}

#[test]
fn texts_and_zones_that_can_not_be() {
    let long = "1,".repeat(400);
    assert!(matches!(
        Pattern::parse(&long, Precision::Minutes),
        Err(Error::TooLong { bytes: 800 })
    ));
    let five = Pattern::parse("0 9 * * *", Precision::Seconds).expect_err("five");
    assert!(
        five.to_string().contains("write six (second, minute"),
        "{five}"
    );
    for zone in [
        "",
        "Europe/Atlantis",
        "Local",
        "../../etc/passwd",
        "right/Europe/Berlin",
        "EST5EDT,M3.2.0,M11.1.0",
    ] {
        let error = zone.parse::<Zone>().expect_err(zone);
        assert!(error.to_string().contains("Europe/Berlin"), "{error}");
    }
}

#[test]
fn what_never_comes_is_refused() {
    let from = at("2026-06-01T00:00:00Z");
    for (cron, comes) in [
        ("0 0 30 2 *", false),
        ("0 0 31 4,6,9,11 *", false),
        ("0 0 29 2 *", true),
        ("0 0 30 2 MON", true),
        ("0 0 31 * *", true),
    ] {
        let calendar = calendar(cron, "Europe/Berlin", Gap::Skip, Fold::First);
        assert_eq!(calendar.check(from).is_ok(), comes, "{cron}");
    }
    // Over 2100, which is no leap year, it comes all the same, only later.
    let leap = calendar("0 0 29 2 *", "UTC", Gap::Skip, Fold::First);
    let next = leap.next_after(at("2096-03-01T00:00:00Z")).expect("2104");
    assert_eq!(next.at, at("2104-02-29T00:00:00Z"));
}

#[test]
fn an_interval_is_elapsed_time_from_its_start() {
    let start = at("2026-10-24T20:00:00.700Z");
    let interval = Interval::new(13 * 3600, start).expect("valid");
    for (after, expected) in [
        ("2020-01-01T00:00:00Z", "2026-10-24T20:00:00Z"),
        ("2026-10-24T19:59:59.999Z", "2026-10-24T20:00:00Z"),
        ("2026-10-24T20:00:00Z", "2026-10-25T09:00:00Z"),
        ("2026-10-25T08:59:59Z", "2026-10-25T09:00:00Z"),
        ("2026-10-25T09:00:00Z", "2026-10-25T22:00:00Z"),
    ] {
        let next = interval.next_after(at(after)).expect(after);
        assert_eq!(next.at, at(expected), "{after}");
    }
    for wrong in [0, -1, EVERY_S_MAX + 1, i64::MAX] {
        assert_eq!(Interval::new(wrong, start), Err(Error::Interval(wrong)));
    }
    for (every_s, words) in [
        (1, "every second"),
        (60, "every minute"),
        (90, "every 90 seconds"),
        (13 * 3600, "every 13 hours"),
        (7 * 86_400, "every 7 days"),
    ] {
        assert_eq!(Interval::new(every_s, start).expect("valid").words(), words);
    }
}

#[test]
fn patterns_in_words() {
    for (cron, words) in [
        ("0 9 * * 1-5", "at 09:00 on Monday to Friday"),
        ("0 9,17 * * *", "at 09:00 and 17:00"),
        ("* * * * *", "every minute"),
        ("*/15 * * * *", "every 15 minutes of every hour"),
        ("*/15 9-17 * * *", "every 15 minutes of the hours 09 to 17"),
        ("5,35 * * * *", "at minutes 5 and 35 of every hour"),
        ("0 */2 * * *", "at minute 0 of every 2 hours"),
        ("* 3 * * *", "every minute of the hour 03"),
        ("0 0 1 * *", "at 00:00 on day 1 of the month"),
        (
            "0 0 1,15 * FRI",
            "at 00:00 on days 1 and 15 of the month and on Friday",
        ),
        (
            "0 0 */2 * FRI",
            "at 00:00 on days 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29 and 31 of the month if that is Friday",
        ),
        ("0 0 29 2 *", "at 00:00 on day 29 of the month in February"),
        (
            "0 12 * 6-8,12 SAT,SUN",
            "at 12:00 on Sunday and Saturday in June to August and December",
        ),
        ("0 0 1-31 * 1", "at 00:00"),
        ("30 0 9 * * *", "at 09:00:30"),
        ("*/10 * * * * *", "every 10 seconds"),
        ("0 * * * * *", "every minute"),
    ] {
        assert_eq!(pattern(cron).words(), words, "{cron}");
    }
}

#[test]
fn what_is_under_way_decides_by_the_overlap() {
    let (mut due, mut refused) = (Vec::new(), Vec::new());
    for (runs, queued) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
        for overlap in [Overlap::Allow, Overlap::Skip, Overlap::QueueOne] {
            match overlap.decide(UnderWay { runs, queued }) {
                Ok(mark) => due.push(format!("{runs}{queued} {overlap:?} {mark:?}")),
                Err(why) => refused.push(format!("{runs}{queued} {overlap:?} {why:?}")),
            }
        }
    }
    assert_eq!(
        due,
        [
            "00 Allow Due",
            "00 Skip Due",
            "00 QueueOne Due",
            "10 Allow Due",
            "10 QueueOne Queued",
            "01 Allow Due",
            "11 Allow Due",
        ]
    );
    assert_eq!(
        refused,
        [
            "10 Skip Overlap",
            "01 Skip Overlap",
            "01 QueueOne QueueFull",
            "11 Skip Overlap",
            "11 QueueOne QueueFull",
        ]
    );
}

#[test]
fn what_the_wall_shows_and_what_lies_between() {
    let timing = Timing::Calendar(calendar(
        "0 * * * *",
        "Asia/Kolkata",
        Gap::Skip,
        Fold::First,
    ));
    let now = at("2026-06-01T10:15:20.900Z");
    assert_eq!(timing.wall(now).to_string(), "2026-06-01T15:45:20");
    let interval = Timing::Interval(Interval::new(60, at("2026-06-01T00:00:00Z")).expect("valid"));
    assert_eq!(interval.wall(now).to_string(), "2026-06-01T10:15:20");
    let definition = Definition {
        cron: Some("0 * * * *".to_owned()),
        seconds: false,
        timezone: "Asia/Kolkata".to_owned(),
        dst: DstPolicy::default(),
        interval: None,
        overlap: Overlap::Allow,
        catch_up: CatchUp::All,
        catch_up_window_s: 0,
        spread_s: 0,
        start_at: None,
        end_at: Some(at("2026-06-01T13:00:00Z")),
    };
    let ends = (at("2026-06-01T10:30:00Z"), at("2026-06-01T12:30:00Z"));
    let between = definition.between(&timing, ends);
    let between: Vec<String> = between.map(|next| next.at.to_string()).collect();
    assert_eq!(
        between,
        ["2026-06-01T11:30:00.000Z", "2026-06-01T12:30:00.000Z"]
    );
    let other = Definition {
        overlap: Overlap::Skip,
        spread_s: 5,
        ..definition.clone()
    };
    assert!(definition.runs_like(&other));
    let other = Definition {
        end_at: None,
        ..other
    };
    assert!(!definition.runs_like(&other));
}
