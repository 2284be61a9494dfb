//! Tests of the parts: together never more than stated, whoever comes and goes; in the end exactly as much.

use proptest::prelude::*;

use super::*;
use crate::model::{EndpointId, IncarnationId, Timestamp};

const BEGAN: i64 = 1_000_000;
/// A rate of a second: what was begun counts for so long.
const SECOND: Handover = Handover {
    ended_ms: 1_000,
    shrunk_ms: 1_000,
};

fn at(ms: i64) -> Timestamp {
    Timestamp::from_ms(BEGAN + ms)
}

fn nodes(count: usize) -> Vec<IncarnationId> {
    (0..count).map(|_| IncarnationId::mint(at(0))).collect()
}

fn older() -> EndpointId {
    EndpointId::mint(at(-1_000))
}

#[test]
fn parts_add_up_to_what_is_stated() {
    for (limit, count) in [(1, 1), (1, 3), (2, 3), (3, 3), (10, 3), (7, 8), (1_000, 7)] {
        let live = nodes(count);
        let endpoint = older();
        let parts: Vec<u32> = live
            .iter()
            .map(|own| {
                let mut node = Nodes::shared(*own, at(0));
                node.see(&live, at(0), at(0));
                node.part(limit, endpoint, SECOND, at(60_000)).most
            })
            .collect();
        assert_eq!(parts.iter().sum::<u32>(), limit, "{parts:?}");
        let (least, most) = (parts.iter().min(), parts.iter().max());
        assert!(most.copied() <= least.map(|least| least + 1), "{parts:?}");
    }
}

#[test]
fn a_node_that_has_just_come_waits_until_the_others_have_made_room() {
    let live = nodes(2);
    let (mut first, mut second) = (Nodes::shared(live[0], at(0)), Nodes::shared(live[1], at(0)));
    let endpoint = older();
    let most = |node: &Nodes, ms: i64| node.part(10, endpoint, SECOND, at(ms)).most;
    assert_eq!(most(&first, 60_000), 0, "nobody has looked");
    first.see(&live[..1], at(0), at(0));
    assert_eq!((most(&first, 6_999), most(&first, 7_000)), (0, 10));
    second.see(&live, at(0), at(0));
    for ms in [4_000, 7_000] {
        first.see(&live[..1], at(ms), at(ms));
    }
    first.see(&live, at(8_000), at(8_000));
    assert_eq!(most(&first, 8_000), 5, "at once");
    assert_eq!((most(&second, 6_999), most(&second, 7_000)), (0, 5));
    first.see(&live[..1], at(9_000), at(9_000));
    let part = first.part(10, endpoint, SECOND, at(9_000));
    assert_eq!(part.most, 5, "it may live for a little yet");
    assert_eq!(part.more_at, Some(at(16_000)));
    assert_eq!(most(&first, 16_000), 10);
}

#[test]
fn what_a_node_knows_of_the_others_is_good_for_a_few_seconds() {
    let live = nodes(2);
    let mut node = Nodes::shared(live[0], at(0));
    assert!(!node.knows(at(0)));
    assert!(node.see(&live, at(0), at(0)));
    assert!(!node.see(&live, at(500), at(500)), "nothing is different");
    assert!(node.knows(at(5_499)) && !node.knows(at(5_500)));
    assert!(node.see(&live, at(9_000), at(9_000)), "it knows again");
    let alone = Nodes::alone(live[0], at(0));
    assert!(alone.knows(at(1_000_000)));
}

#[test]
fn the_only_node_waits_after_its_start_for_what_it_may_have_sent_before() {
    let own = nodes(1)[0];
    let alone = Nodes::alone(own, at(0));
    let part = |endpoint, ms: i64| alone.part(3, endpoint, SECOND, at(ms));
    let unsettled = Part {
        most: 0,
        more_at: Some(at(1_000)),
    };
    assert_eq!(part(older(), 999), unsettled);
    assert_eq!(part(older(), 1_000).most, 3);
    assert_eq!(part(EndpointId::mint(at(1)), 1).most, 3, "it is a new one");
}

/// Nodes that come and go, each looking at who lives now and then.
#[derive(Debug, Clone)]
enum Step {
    Comes,
    Goes(usize),
    Looks(usize),
    Passes(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        1 => Just(Step::Comes),
        1 => (0_usize..8).prop_map(Step::Goes),
        6 => (0_usize..8).prop_map(Step::Looks),
        6 => (0_i64..3_000).prop_map(Step::Passes),
    ];
    prop::collection::vec(step, 1..120)
}

proptest! {
    #[test]
    fn all_parts_together_are_never_more_than_stated(limit in 1_u32..12, steps in steps()) {
        let endpoint = older();
        let mut living: Vec<Nodes> = Vec::new();
        let mut ids: Vec<IncarnationId> = Vec::new();
        // What each that has ended, or has less now, had at last, and until when that may go on.
        let mut lingering: Vec<(Timestamp, u32)> = Vec::new();
        let mut had: Vec<u32> = Vec::new();
        let mut now = at(0);
        for step in steps {
            match step {
                Step::Comes if ids.len() < 8 => {
                    ids.push(IncarnationId::mint(now));
                    let mut node = Nodes::shared(ids[ids.len() - 1], now);
                    node.see(&ids, now, now);
                    living.push(node);
                    had.push(0);
                }
                Step::Goes(no) if no < ids.len() => {
                    ids.remove(no);
                    living.remove(no);
                    lingering.push((now.plus_ms(SECOND.ended_ms), had.remove(no)));
                }
                Step::Looks(no) if no < ids.len() => {
                    living[no].see(&ids, now, now);
                }
                Step::Passes(ms) => now = now.plus_ms(ms),
                _ => {}
            }
            lingering.retain(|(until, _)| *until > now);
            let mut sum: u32 = lingering.iter().map(|(_, had)| had).sum();
            for (node, had) in living.iter().zip(&mut had) {
                let knows = node.knows(now);
                let part = if knows { node.part(limit, endpoint, SECOND, now).most } else { 0 };
                if part < *had {
                    lingering.push((now.plus_ms(SECOND.shrunk_ms), *had - part));
                    sum += *had - part;
                }
                *had = part;
                sum += part;
            }
            prop_assert!(sum <= limit, "{} of {}", sum, limit);
        }
    }
}
