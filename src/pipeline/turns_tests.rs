//! Tests of slots and turns: whose they are, whatever waits for others.

use std::collections::HashSet;

use super::*;
use crate::model::{AccountId, Clock, IncarnationId, ManualClock};
use crate::pipeline::busy::Busy;
use crate::pipeline::lane::{SLOTS_PER_WINDOW, WINDOW_START};
use crate::pipeline::lanes::Fresh;
use crate::pipeline::permit::PermitLimits;
use crate::throttle::{EndpointLimits, Nodes, Rate};

const NOW: Timestamp = Timestamp::from_ms(1_000_000);

fn lanes_within(memory: PermitLimits) -> (Lanes, ManualClock) {
    let clock = ManualClock::new(NOW);
    let nodes = Nodes::alone(IncarnationId::mint(NOW), NOW.plus_ms(-100_000));
    let lanes = Lanes::new(
        (256, memory),
        nodes,
        Clock::Manual(clock.clone()),
        Busy::default(),
    );
    (lanes, clock)
}

fn lanes() -> (Lanes, AccountId, EndpointId) {
    let (lanes, _) = lanes_within(PermitLimits::default());
    (lanes, AccountId::mint(NOW), EndpointId::mint(NOW))
}

fn take_of(
    lanes: &Lanes,
    (account, endpoint): (AccountId, EndpointId),
    bytes: usize,
    now: Timestamp,
) -> Option<Slot> {
    let fresh = Fresh {
        account,
        endpoint,
        bytes,
        stated: Stated::default(),
    };
    lanes.take(fresh, now).ok()
}

fn per_second(count: u32) -> Stated {
    let rate = Rate {
        per_second: Some(count),
        per_minute: None,
    };
    Stated {
        limits: EndpointLimits {
            concurrency: None,
            rate: Some(rate),
        },
        timeout_ms: 15_000,
    }
}

#[test]
fn fresh_deliveries_join_a_backlog_and_not_a_later_retry() {
    let (lanes, account, endpoint) = lanes();
    lanes.waits(account, endpoint, NOW.plus_ms(10));
    let who = (account, endpoint);
    assert!(take_of(&lanes, who, 1, NOW).is_some());
    assert!(take_of(&lanes, who, 1, NOW.plus_ms(10)).is_none());
}

#[test]
fn what_is_spilled_during_a_claim_is_not_forgotten() {
    let (lanes, account, endpoint) = lanes();
    lanes.waits(account, endpoint, NOW);
    let turn = lanes.turns(NOW, 10).pop().expect("a turn");
    assert!(lanes.turns(NOW, 10).is_empty(), "one turn at a time");
    assert!(!lanes.nothing_due(NOW));
    lanes.waits(account, endpoint, NOW);
    lanes.end_turn(turn, None);
    assert_eq!(lanes.next_turn(NOW), Some(NOW));
    let turn = lanes.turns(NOW, 10).pop().expect("another turn");
    lanes.end_turn(turn, None);
    assert!(lanes.nothing_due(NOW));
    assert!(lanes.busy.is_idle());
    assert!(lanes.lock().accounts.is_empty(), "nothing is kept of it");
}

#[test]
fn a_lane_without_slots_gets_no_turn_until_one_is_free() {
    let (lanes, account, endpoint) = lanes();
    let one = || take_of(&lanes, (account, endpoint), 1, NOW);
    let mut held: Vec<_> = std::iter::from_fn(one).collect();
    assert_eq!(held.len() as u32, WINDOW_START * SLOTS_PER_WINDOW);
    lanes.waits(account, endpoint, NOW);
    assert!(lanes.turns(NOW, 10).is_empty());
    assert_eq!(lanes.next_turn(NOW), None);
    held.pop();
    assert_eq!(lanes.turns(NOW, 10).len(), 1);
}

#[test]
fn an_account_has_its_share_of_memory_and_no_more() {
    let bounds = PermitLimits {
        events_max: 100,
        bytes_max: 1000,
        account_pct: 50,
    };
    let (lanes, _) = lanes_within(bounds);
    let (loud, calm) = (AccountId::mint(NOW), AccountId::mint(NOW));
    let held: Vec<_> = (0..100)
        .map_while(|_| take_of(&lanes, (loud, EndpointId::mint(NOW)), 100, NOW))
        .collect();
    assert_eq!(
        held.len(),
        4,
        "half of the bytes, and an eighth of that is for retries"
    );
    assert!(take_of(&lanes, (calm, EndpointId::mint(NOW)), 100, NOW).is_some());
}

#[test]
fn however_many_endpoints_hang_there_is_a_slot_for_one_that_does_not() {
    let (lanes, _) = lanes_within(PermitLimits::default());
    let mut held = Vec::new();
    for _ in 0..3 {
        let account = AccountId::mint(NOW);
        for _ in 0..60 {
            let hangs = (account, EndpointId::mint(NOW));
            held.extend(std::iter::from_fn(|| take_of(&lanes, hangs, 500, NOW)));
        }
        let alive = take_of(&lanes, (account, EndpointId::mint(NOW)), 500, NOW);
        assert!(alive.is_some(), "beside 60 of its account");
        held.extend(alive);
    }
    let other = (AccountId::mint(NOW), EndpointId::mint(NOW));
    assert!(take_of(&lanes, other, 500, NOW).is_some());
    assert!(held.len() > 5_000, "and none is idle: {}", held.len());
}

#[test]
fn what_is_fresh_and_what_was_claimed_leave_each_other_room() {
    let (lanes, _) = lanes_within(PermitLimits::default());
    let account = AccountId::mint(NOW);
    for _ in 0..500 {
        lanes.waits(account, EndpointId::mint(NOW), NOW);
    }
    // Retries of many endpoints at once: as many as get a slot.
    let storm = lanes.turns(NOW, 500);
    assert!(lanes.next_turn(NOW).is_none(), "no more of them do");
    let fresh = take_of(&lanes, (account, EndpointId::mint(NOW)), 500, NOW);
    assert!(fresh.is_some(), "a first attempt does");
    drop((storm, fresh));

    let (lanes, _) = lanes_within(PermitLimits::default());
    let mut flood = Vec::new();
    for _ in 0..200 {
        let busy = (account, EndpointId::mint(NOW));
        flood.extend(std::iter::from_fn(|| take_of(&lanes, busy, 500, NOW)));
    }
    assert!(flood.len() > 1_000);
    lanes.waits(account, EndpointId::mint(NOW), NOW);
    assert_eq!(lanes.turns(NOW, 500).len(), 1, "a retry does");
}

#[test]
fn an_account_with_many_backlogs_leaves_turns_to_others() {
    let (lanes, loud, _) = lanes();
    for _ in 0..30 {
        lanes.waits(loud, EndpointId::mint(NOW), NOW);
    }
    let calm = AccountId::mint(NOW);
    lanes.waits(calm, EndpointId::mint(NOW), NOW.plus_ms(5));
    let turns = lanes.turns(NOW.plus_ms(5), 2);
    assert_eq!(turns.len(), 2);
    assert!(turns.iter().any(|turn| turn.account == calm));
}

#[test]
fn who_has_had_a_turn_goes_behind_all_who_have_not() {
    let (lanes, account, _) = lanes();
    for _ in 0..30 {
        lanes.waits(account, EndpointId::mint(NOW), NOW);
    }
    let mut seen = HashSet::new();
    for _ in 0..30 {
        let turn = lanes.turns(NOW, 1).pop().expect("a turn");
        assert!(seen.insert(turn.endpoint), "all others come before");
        // There is more of it, older than what the others have.
        lanes.end_turn(turn, Some(NOW.plus_ms(-1)));
    }
}

#[test]
fn what_is_over_the_rate_waits_until_there_is_room_and_takes_nothing() {
    let (lanes, clock) = lanes_within(PermitLimits::default());
    let (account, endpoint) = (AccountId::mint(NOW), EndpointId::mint(NOW));
    let fresh = |now| {
        let fresh = Fresh {
            account,
            endpoint,
            bytes: 1,
            stated: per_second(2),
        };
        lanes.take(fresh, now)
    };
    let mut held = vec![fresh(NOW).expect("room"), fresh(NOW).expect("room")];
    let room_at = NOW.plus_ms(1_000);
    assert_eq!(fresh(NOW).err(), Some(room_at), "if the two are sent now");
    for _ in 0..2 {
        lanes
            .lock()
            .lanes
            .get_mut(&endpoint)
            .expect("a lane")
            .begin(NOW);
    }
    assert_eq!(fresh(NOW).err(), Some(room_at));
    for slot in &mut held {
        slot.opens();
    }
    lanes.waits(account, endpoint, NOW);
    assert!(lanes.turns(NOW, 10).is_empty() && lanes.nothing_due(NOW));
    assert_eq!(lanes.next_turn(NOW), Some(room_at));
    clock.advance(std::time::Duration::from_secs(1));
    let mut turn = lanes.turns(room_at, 10).pop().expect("a turn");
    assert_eq!(turn.slots.len(), 2);
    lanes.admit(&mut turn, per_second(1));
    assert_eq!(turn.slots.len(), 1, "its limits are others now");
}
