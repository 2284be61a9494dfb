//! Every zone of the database over twenty years: strictly increasing, the walk equals the stateless
//! answer, and both equal what the time zone library says of each civil time on its own.

use std::collections::BTreeMap;

use jiff::tz::{AmbiguousOffset, TimeZone};

use super::super::*;
use super::pattern;
use crate::model::Timestamp;

/// 2024-01-01 and 2044-01-01.
const FROM_S: i64 = 1_704_067_200;
const TO_S: i64 = 2_335_219_200;
const DAY_S: i64 = 86_400;
/// Around a change everything is looked at; further away nothing but a pattern that comes seldom.
const AROUND_S: i64 = DAY_S / 2;

const POLICIES: [DstPolicy; 4] = [
    policy(Gap::RunAtGapEnd, Fold::First),
    policy(Gap::Skip, Fold::Last),
    policy(Gap::RunAtGapEnd, Fold::Both),
    policy(Gap::Skip, Fold::First),
];

const fn policy(gap: Gap, fold: Fold) -> DstPolicy {
    DstPolicy { gap, fold }
}

/// Changes of the clocks within the years: when, and the offset from then on.
fn changes(zone: &TimeZone) -> Vec<(i64, i32)> {
    let from = jiff::Timestamp::from_second(FROM_S).expect("in range");
    let mut changes = vec![(FROM_S, zone.to_offset(from).seconds())];
    let turns = zone
        .following(from)
        .map(|turn| (turn.timestamp().as_second(), turn.offset().seconds()));
    for (at_s, offset_s) in turns.take_while(|(at_s, _)| *at_s < TO_S) {
        if changes
            .last()
            .is_some_and(|(_, last_s)| *last_s != offset_s)
        {
            changes.push((at_s, offset_s));
        }
    }
    changes
}

/// One name for each way that clocks go, with its changes. Zones that are alike over the years are one.
fn zones() -> BTreeMap<Vec<(i64, i32)>, Zone> {
    let mut zones = BTreeMap::new();
    let mut count = 0;
    for name in jiff::tz::db().available() {
        // Others are files that some systems keep beside the zones.
        let Ok(zone) = name.as_str().parse::<Zone>() else {
            continue;
        };
        let known = TimeZone::get(name.as_str()).expect("a zone that is listed");
        zones.insert(changes(&known), zone);
        count += 1;
    }
    assert!(count > 400, "{count} zones: the database is not whole");
    assert!(zones.len() > 40, "{} zones that differ", zones.len());
    zones
}

/// What the library says of each civil time of the pattern, by instant, from a second to before another.
fn oracle(calendar: &Calendar, from_s: i64, to_s: i64) -> Vec<i64> {
    let zone = TimeZone::get(calendar.zone.name()).expect("known");
    let DstPolicy { gap, fold } = calendar.policy;
    let mut found = Vec::new();
    let ends = [from_s - 2 * DAY_S, to_s + 2 * DAY_S].map(Civil::from_s);
    for civil in calendar.between(Some((ends[0], ends[1]))) {
        let instant = |offset: jiff::tz::Offset| civil.as_s() - i64::from(offset.seconds());
        let datetime = civil.datetime().expect("in range");
        let elapsed = calendar.pattern.runs_by_elapsed_time();
        match zone.to_ambiguous_timestamp(datetime).offset() {
            AmbiguousOffset::Unambiguous { offset } => found.push(instant(offset)),
            AmbiguousOffset::Gap { .. } if elapsed || gap == Gap::Skip => {}
            AmbiguousOffset::Gap { before, .. } => {
                // Just before it the old offset holds: the end is where the next one begins.
                let inside = jiff::Timestamp::from_second(instant(before)).expect("in range");
                let next = zone
                    .preceding(inside + jiff::SignedDuration::from_secs(1))
                    .next();
                found.push(next.expect("a change").timestamp().as_second());
            }
            AmbiguousOffset::Fold { before, after } => {
                if elapsed || fold != Fold::Last {
                    found.push(instant(before));
                }
                if elapsed || fold != Fold::First {
                    found.push(instant(after));
                }
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    found.retain(|at_s| (from_s..to_s).contains(at_s));
    found
}

fn check(calendar: &Calendar, from_s: i64, to_s: i64) {
    let shown = || format!("{} {:?}", calendar.zone, calendar.policy);
    let before = Timestamp::from_ms((from_s - 1) * 1000);
    let walked: Vec<Occurrence> = calendar
        .after(before)
        .take_while(|next| next.at.as_s() < to_s)
        .collect();
    let instants: Vec<i64> = walked.iter().map(|next| next.at.as_s()).collect();
    assert_eq!(instants, oracle(calendar, from_s, to_s), "{}", shown());
    assert!(
        instants.windows(2).all(|pair| pair[0] < pair[1]),
        "{}",
        shown()
    );
    let mut last = before;
    for next in walked {
        assert_eq!(calendar.next_after(last), Some(next), "{}", shown());
        last = next.at;
    }
}

#[test]
fn every_zone_over_twenty_years() {
    let close = ["30 2 * * *", "*/20 0-3 * * *", "*/15 * * * *"].map(pattern);
    let seldom = pattern("30 1 */9 * *");
    for (changes, zone) in zones() {
        let calendar = |pattern, policy| Calendar {
            pattern,
            zone: zone.clone(),
            policy,
        };
        check(&calendar(seldom, POLICIES[0]), FROM_S, TO_S);
        for (no, (at_s, _)) in changes[1..].iter().enumerate() {
            // Twelve changes see each pattern with each policy.
            let close = calendar(close[no % close.len()], POLICIES[no % POLICIES.len()]);
            check(&close, at_s - AROUND_S, at_s + AROUND_S);
        }
    }
}

#[test]
fn any_pattern_in_any_zone() {
    use proptest::prelude::*;
    use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
    let zones: Vec<(Vec<(i64, i32)>, Zone)> = zones().into_iter().collect();
    let field = |max: u8| {
        prop_oneof![
            Just("*".to_owned()),
            (1..=max).prop_map(|step| format!("*/{step}")),
            (1..=max).prop_map(|value| value.to_string()),
            (1..=max, 1..=max).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
        ]
    };
    let fields = (field(59), field(23), field(28), field(12), field(6));
    let cases = (fields, 0..zones.len(), 0..POLICIES.len(), any::<usize>());
    // The same cases each time: a failure is of what was changed.
    let dice = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(ProptestConfig::with_cases(300), dice);
    let held = runner.run(&cases, |((a, b, c, d, e), zone, policy, no)| {
        // Around any change of the zone's clocks, if it has one.
        let (changes, zone) = &zones[zone];
        let from_s = match &changes[1..] {
            [] => FROM_S,
            changes => changes[no % changes.len()].0 - DAY_S,
        };
        let calendar = Calendar {
            pattern: pattern(&format!("{a} {b} {c} {d} {e}")),
            zone: zone.clone(),
            policy: POLICIES[policy],
        };
        check(&calendar, from_s, from_s + 3 * DAY_S);
        Ok(())
    });
    held.expect("it holds for each of them");
}
