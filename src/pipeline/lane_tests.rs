//! Tests of one lane: its window, its circuit, and what it lets come.

use super::*;

const NOW: Timestamp = Timestamp::from_ms(1_000);
const AT: Moment = Moment {
    now: NOW,
    real_now: NOW,
};
const MAX: u32 = 256;

fn lane() -> Lane<u32> {
    Lane::new(AccountId::mint(NOW), MAX)
}

fn enter(lane: &mut Lane<u32>, coming: u32) -> Option<u32> {
    lane.take_slots(1);
    lane.enter(coming, NOW)
}

fn leave(lane: &mut Lane<u32>, feeling: Feeling, answer_ms: i64) -> Vec<u32> {
    lane.give_slot_back();
    lane.leave((feeling, answer_ms), AT)
}

fn answers(lane: &mut Lane<u32>, feeling: Feeling, answer_ms: i64, times: u32) {
    for _ in 0..times {
        assert_eq!(enter(lane, 7), Some(7));
        assert!(leave(lane, feeling, answer_ms).is_empty());
    }
}

#[test]
fn a_lane_shrinks_and_grows_with_what_its_endpoint_says() {
    for (feeling, times, width) in [
        (Feeling::Well, 1_000, MAX),
        (Feeling::Busy, 100, WINDOW_MIN),
        (Feeling::Overwhelmed, 4, WINDOW_MIN),
        (Feeling::Overwhelmed, 5, 1),
        (Feeling::Failing, 4, WINDOW_START),
        (Feeling::Failing, 5, 1),
        (Feeling::Indifferent, 100, WINDOW_START),
        (Feeling::Unasked, 100, WINDOW_START),
    ] {
        let mut lane = lane();
        answers(&mut lane, feeling, 1, times);
        assert_eq!(lane.width(), width, "{feeling:?} {times}");
    }
}

#[test]
fn answers_open_the_window_of_one_that_had_failed_step_by_step() {
    let mut lane = lane();
    answers(&mut lane, Feeling::Overwhelmed, 1, 5);
    assert_eq!(lane.width(), 1, "one probe at a time");
    let mut widths = Vec::new();
    for _ in 0..6 {
        answers(&mut lane, Feeling::Well, 1, 1);
        widths.push(lane.width());
    }
    assert_eq!(widths, [2, 4, 8, 16, WINDOW_START, WINDOW_START + 1]);
}

#[test]
fn what_waits_for_the_window_is_let_in_in_order() {
    let mut lane = lane();
    for coming in 1..=WINDOW_START {
        assert_eq!(enter(&mut lane, coming), Some(coming));
    }
    for coming in 101..=103 {
        assert_eq!(enter(&mut lane, coming), None);
    }
    assert_eq!(leave(&mut lane, Feeling::Indifferent, 1), [101]);
    assert!(leave(&mut lane, Feeling::Overwhelmed, 1).is_empty());
    assert_eq!(lane.close(), [102, 103]);
}

#[test]
fn only_a_quick_endpoint_paces_what_is_accepted() {
    let mut quick = lane();
    assert_eq!(quick.room(NOW, NOW), None, "nothing is known yet");
    answers(&mut quick, Feeling::Well, 2, 100);
    let slots = (WINDOW_START + 100) * SLOTS_PER_WINDOW;
    quick.take_slots(10);
    assert_eq!(quick.room(NOW, NOW), Some(slots - 10));
    assert_eq!(
        quick.room(NOW, NOW.plus_ms(LATELY_MS + 1)),
        None,
        "it has gone silent"
    );
    let mut slow = lane();
    answers(&mut slow, Feeling::Well, 200, 100);
    assert_eq!(slow.room(NOW, NOW), None);
    answers(&mut quick, Feeling::Overwhelmed, 15_000, 1);
    assert_eq!(quick.room(NOW, NOW), None);
}

#[test]
fn a_backlog_lets_half_of_what_it_takes_off_come() {
    let mut lane = lane();
    answers(&mut lane, Feeling::Well, 2, 100);
    lane.due = Some(NOW);
    assert_eq!(lane.room(NOW, NOW), Some(50));
    lane.let_come(30);
    assert_eq!(lane.room(NOW, NOW), Some(20));
    lane.let_come(30);
    assert_eq!(lane.room(NOW, NOW), Some(0));
}
