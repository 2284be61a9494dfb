//! Flow control told as tables: what comes when, and what becomes of it. The clock is in the table's hand.

use std::collections::VecDeque;

use super::*;
use crate::automation::{EventType, EventView, Variables};
use crate::model::limits::FLOW_WAIT_MS_MAX;
use crate::model::{EventId, Timestamp};

const START: Timestamp = Timestamp::from_ms(1_790_000_000_000);

/// One key's memory, kept as the store keeps it.
#[derive(Default)]
struct Keeper {
    known: Known,
    /// What waits by itself.
    alone: VecDeque<Timestamp>,
    closed: Vec<EventId>,
    replaced: Vec<EventId>,
}

impl Keeper {
    fn take(&mut self, rules: &Rules, ms: i64) -> (EventId, Decision) {
        self.take_of(rules, ms, 1)
    }

    fn take_of(&mut self, rules: &Rules, ms: i64, version: i64) -> (EventId, Decision) {
        let now = START.plus_ms(ms);
        let event = EventId::mint(now);
        let ask = asked(rules, event, now, "{}").expect("it can be told");
        let arrival = Arrival {
            event,
            version,
            now,
            ask: &ask,
        };
        let decision = decide(arrival, &self.known);
        self.keep(&decision);
        (event, decision)
    }

    fn keep(&mut self, decision: &Decision) {
        if let Some((taken, _)) = decision.taken {
            self.known.taken = Some(taken);
        }
        if let Some((used, until)) = decision.used {
            assert!(until >= used.since);
            self.known.used = Some(used);
        }
        match decision.moves {
            Move::Stop | Move::Go => {}
            Move::Wait(at) => self.alone.push_back(at),
            Move::Replace(before, open) => {
                self.replaced.extend(before);
                self.known.open = Some(open);
            }
            Move::Begin(before, open) => {
                self.closed.extend(before);
                self.known.open = Some(open);
            }
            Move::Join(open) => self.known.open = Some(open),
        }
    }
}

fn rules(flow: &str) -> Rules {
    let flow: Flow = serde_json::from_str(flow).expect(flow);
    Rules::of(&flow, &Variables::default()).expect("it can be used")
}

fn asked(rules: &Rules, event: EventId, at: Timestamp, payload: &str) -> Result<Ask, String> {
    let event_type: EventType = "deal.won".parse().expect("valid");
    let view = EventView::new(event, &event_type, at, payload.as_bytes());
    rules.ask(&view, event.accepted_at(at), 100)
}

/// In ms after the start.
fn after(at: Timestamp) -> i64 {
    at.ms_since(START)
}

#[test]
fn the_first_of_a_key_goes_on_and_the_others_of_its_window_do_not() {
    let rules = rules(r#"{"dedupe":{"key":"event.type","window_ms":1000}}"#);
    let mut keeper = Keeper::default();
    let (first, _) = keeper.take(&rules, 0);
    for (ms, goes) in [
        (0, false),
        (999, false),
        (1_000, true),
        (1_999, false),
        (2_500, true),
    ] {
        let (event, decision) = keeper.take(&rules, ms);
        let wanted = if goes { Move::Go } else { Move::Stop };
        assert_eq!(decision.moves, wanted, "{ms}: {}", decision.why);
        if goes {
            assert_eq!(decision.verdict, FlowVerdict::Fired);
            assert_eq!(keeper.known.taken.map(|taken| taken.by), Some(event));
        } else {
            assert_eq!(decision.verdict, FlowVerdict::Deduped);
        }
        if ms < 1_000 {
            let wanted = format!("{first} had the key \"deal.won\" {} before", span(ms));
            assert!(decision.why.starts_with(&wanted), "{}", decision.why);
            assert!(decision.why.ends_with("until 2026-09-21T14:13:21.000Z"));
            assert_eq!(decision.traces[0].detail["winner"], first.to_string());
        }
    }
}

#[test]
fn who_has_the_key_is_no_repeat_of_itself() {
    let rules = rules(r#"{"dedupe":{"key":"event.type","window_ms":1000}}"#);
    let event = EventId::mint(START);
    let ask = asked(&rules, event, START, "{}").expect("told");
    let taken = Some(Taken {
        by: event,
        at: START,
    });
    let known = Known {
        taken,
        ..Known::default()
    };
    let now = START.plus_ms(10);
    let arrival = Arrival {
        event,
        version: 1,
        now,
        ask: &ask,
    };
    assert_eq!(decide(arrival, &known).moves, Move::Go);
}

#[test]
fn the_last_of_a_key_goes_on_when_it_is_quiet_or_has_lasted_too_long() {
    let rules = rules(r#"{"debounce":{"period_ms":100,"longest_ms":250}}"#);
    let mut keeper = Keeper::default();
    // When it comes, when it would go, and whether it takes the place of another.
    for (ms, due_ms, replaces, events) in [
        (0, 100, false, 1),
        (60, 160, true, 2),
        (150, 250, true, 3),
        (200, 250, true, 4),
        // The time of the one before has come.
        (250, 350, false, 1),
        (349, 449, true, 2),
        (900, 1_000, false, 1),
    ] {
        let (event, decision) = keeper.take(&rules, ms);
        let Move::Replace(before, open) = decision.moves else {
            panic!("{:?}", decision.moves);
        };
        assert_eq!((open.event, after(open.due_at)), (event, due_ms), "{ms}");
        assert_eq!((before.is_some(), open.events), (replaces, events), "{ms}");
        assert_eq!(decision.verdict, FlowVerdict::Debounced);
        assert!(
            decision.why.contains(&open.due_at.to_string()),
            "{}",
            decision.why
        );
    }
    assert_eq!(keeper.replaced.len(), 4);
}

#[test]
fn a_debounce_lasts_ten_periods_where_nothing_else_is_said() {
    let rules = rules(r#"{"debounce":{"period_ms":100}}"#);
    let mut keeper = Keeper::default();
    for ms in (0..990).step_by(90) {
        keeper.take(&rules, ms);
    }
    let open = keeper.known.open.expect("it waits");
    assert_eq!((after(open.since), after(open.due_at)), (0, 1_000));
}

/// When an event comes, its place, and when its digest would go.
type Place = (i64, i64, i64);

#[test]
fn a_digest_goes_when_it_is_full_or_when_it_is_time() {
    // Each event has 100 bytes.
    let by_count = r#"{"digest":{"period_ms":1000,"count":3}}"#;
    let by_bytes = r#"{"digest":{"period_ms":1000,"bytes":250}}"#;
    let exactly = r#"{"digest":{"period_ms":1000,"bytes":200}}"#;
    let table: [(&str, &[Place]); 3] = [
        (
            by_count,
            &[
                (0, 1, 1_000),
                (10, 2, 1_000),
                (20, 3, 20),
                (20, 1, 1_020),
                (1_020, 1, 2_020),
            ],
        ),
        // The third does not fit: the first two go when it comes.
        (by_bytes, &[(0, 1, 1_000), (10, 2, 1_000), (20, 1, 1_020)]),
        (exactly, &[(0, 1, 1_000), (10, 2, 10), (20, 1, 1_020)]),
    ];
    for (flow, arrivals) in table {
        let rules = rules(flow);
        let mut keeper = Keeper::default();
        for (ms, place, due_ms) in arrivals {
            let (_, decision) = keeper.take(&rules, *ms);
            let open = decision.moves.open().expect("it waits");
            assert_eq!(
                (open.events, after(open.due_at)),
                (*place, *due_ms),
                "{flow} at {ms}"
            );
            assert_eq!(open.bytes, place * 100);
            assert_eq!(decision.verdict, FlowVerdict::Digested);
        }
        assert_eq!(keeper.closed.len(), usize::from(flow == by_bytes));
    }
}

#[test]
fn a_digest_is_of_one_version_and_a_debounce_of_the_last_one() {
    let digest = rules(r#"{"digest":{"period_ms":1000}}"#);
    let mut keeper = Keeper::default();
    let (first, _) = keeper.take_of(&digest, 0, 1);
    let (second, decision) = keeper.take_of(&digest, 10, 2);
    let open = decision.moves.open().expect("it waits");
    assert_eq!((open.event, open.version, open.events), (second, 2, 1));
    assert_eq!(
        keeper.closed,
        [first],
        "what the other version has begun goes"
    );
    let debounce = rules(r#"{"debounce":{"period_ms":1000}}"#);
    let mut keeper = Keeper::default();
    let (first, _) = keeper.take_of(&debounce, 0, 1);
    let (_, decision) = keeper.take_of(&debounce, 10, 2);
    assert_eq!(decision.moves.open().map(|open| open.version), Some(2));
    assert_eq!(keeper.replaced, [first]);
}

#[test]
fn a_limit_lets_so_many_through_and_the_others_wait_their_turn_or_go() {
    let drop = rules(r#"{"rate_limit":{"count":2,"window_ms":100,"over":"drop"}}"#);
    let mut keeper = Keeper::default();
    for (ms, goes) in [
        (0, true),
        (50, true),
        (99, false),
        (100, true),
        (130, true),
        (199, false),
        (350, true),
    ] {
        let (_, decision) = keeper.take(&drop, ms);
        assert_eq!(decision.moves == Move::Go, goes, "{ms}: {}", decision.why);
        if !goes {
            assert_eq!(
                (decision.verdict, decision.moves),
                (FlowVerdict::RateLimited, Move::Stop)
            );
            assert!(
                decision.why.contains("has had its 2 in 100 ms"),
                "{}",
                decision.why
            );
        }
    }
    let delay = rules(r#"{"rate_limit":{"count":2,"window_ms":100,"over":"delay"}}"#);
    let mut keeper = Keeper::default();
    // Nothing, or until when it waits.
    for (ms, until_ms) in [
        (0, None),
        (10, None),
        (20, Some(100)),
        (30, Some(100)),
        (40, Some(200)),
        (150, Some(200)),
        (160, Some(300)),
        (390, None),
        (700, None),
    ] {
        let (_, decision) = keeper.take(&delay, ms);
        let waits = match decision.moves {
            Move::Wait(at) => Some(after(at)),
            Move::Go => None,
            other => panic!("{other:?}"),
        };
        assert_eq!(waits, until_ms, "{ms}: {}", decision.why);
        let wanted = if waits.is_some() {
            FlowVerdict::RateLimited
        } else {
            FlowVerdict::Fired
        };
        assert_eq!(decision.verdict, wanted);
    }
}

#[test]
fn no_window_has_more_than_its_number() {
    let rules = rules(r#"{"rate_limit":{"count":3,"window_ms":100,"over":"delay"}}"#);
    let mut keeper = Keeper::default();
    let mut goes_at = Vec::new();
    for step in 0..200 {
        // Bursts and pauses, all different.
        let ms = (step * step * 7) % 31 + step * 23;
        let (_, decision) = keeper.take(&rules, ms);
        let at = match decision.moves {
            Move::Wait(at) => after(at),
            _ => ms,
        };
        let window = keeper.known.used.expect("it is counted").since;
        goes_at.push((at, after(window)));
    }
    goes_at.sort_unstable();
    for (at, _) in &goes_at {
        // Those that wait go at the border of a window: no more than its number at one moment.
        let together = goes_at.iter().filter(|(other, _)| other == at).count();
        assert!(together <= 3, "{together} at {at}");
    }
}

#[test]
fn an_event_waits_for_a_time_or_until_one() {
    let until = r#"{"delay":{"until":"event.data.at"}}"#;
    let payload = |ms| format!(r#"{{"at":"{}"}}"#, START.plus_ms(ms));
    let cases = [
        (
            r#"{"delay":{"for_ms":500}}"#,
            0,
            Move::Wait(START.plus_ms(500)),
            "delayed",
        ),
        (until, 500, Move::Wait(START.plus_ms(500)), "delayed"),
        (until, 0, Move::Go, "fired"),
        (until, -500, Move::Go, "fired"),
        (
            until,
            FLOW_WAIT_MS_MAX,
            Move::Wait(START.plus_ms(FLOW_WAIT_MS_MAX)),
            "delayed",
        ),
        (until, FLOW_WAIT_MS_MAX + 1, Move::Stop, "limit_exceeded"),
    ];
    for (flow, ms, moves, verdict) in cases {
        let rules = rules(flow);
        let event = EventId::mint(START);
        let ask = asked(&rules, event, START, &payload(ms)).expect("told");
        let arrival = Arrival {
            event,
            version: 1,
            now: START,
            ask: &ask,
        };
        let decision = decide(arrival, &Known::default());
        assert_eq!(
            (decision.moves, decision.verdict.as_str()),
            (moves, verdict),
            "{flow} {ms}"
        );
    }
    let error = asked(&rules(until), EventId::mint(START), START, "{}");
    assert!(error.is_err_and(|why| why.contains("`event.data.at` is missing")));
}

#[test]
fn what_a_limit_drops_does_not_keep_its_repeat_from_going_on() {
    let rules = rules(
        r#"{"dedupe":{"key":"event.type","window_ms":1000},"rate_limit":{"count":1,"window_ms":50,"over":"drop"}}"#,
    );
    let mut keeper = Keeper::default();
    let (_, first) = keeper.take(&rules, 0);
    assert_eq!(first.moves, Move::Go);
    keeper.known.taken = None;
    let (_, dropped) = keeper.take(&rules, 10);
    assert_eq!(
        (dropped.verdict, dropped.taken),
        (FlowVerdict::RateLimited, None)
    );
    let (_, again) = keeper.take(&rules, 60);
    assert_eq!((again.moves, again.traces.len()), (Move::Go, 2));
}
