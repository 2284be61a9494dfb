//! What the limits of one endpoint leave to this node: how many requests at once, and whether one more may be begun
//! now. What has a slot and is not sent yet counts as begun now, whenever that is: so what is counted holds to the
//! millisecond, and what has no room waits in the store. Pure.

use crate::model::{EndpointId, Timestamp};
use crate::throttle::{EndpointLimits, Handover, Nodes, Window};

/// The lengths of the windows of a rate.
const SECOND_MS: i64 = 1_000;
const MINUTE_MS: i64 = 60_000;

/// What an endpoint states, and how long one of its requests takes at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Stated {
    pub(super) limits: EndpointLimits,
    pub(super) timeout_ms: i64,
}

/// For how many more there is room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    /// So many, at least one.
    For(u32),
    /// None until then.
    At(Timestamp),
    /// None until something happens.
    None,
}

impl Room {
    /// Room for no more than `most`.
    pub(super) fn at_most(self, most: u32) -> Self {
        match self {
            _ if most == 0 => Self::None,
            Self::For(room) => Self::For(room.min(most)),
            other => other,
        }
    }

    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::None, _) | (_, Self::None) => Self::None,
            (Self::At(one), Self::At(other)) => Self::At(one.max(other)),
            (Self::At(at), _) | (_, Self::At(at)) => Self::At(at),
            (Self::For(one), Self::For(other)) => Self::For(one.min(other)),
        }
    }
}

#[derive(Debug)]
struct Rated {
    whole: u32,
    /// This node's part.
    most: u32,
    window: Window,
}

/// The limits of one endpoint, as far as they are this node's.
#[derive(Debug)]
pub(super) struct Limited {
    stated: Stated,
    open_max: u32,
    rates: [Option<Rated>; 2],
    /// When the part may be larger.
    more_at: Option<Timestamp>,
}

impl Limited {
    /// Nothing of them is used yet, and nothing is left to this node until it looks.
    pub(super) fn new(stated: Stated) -> Self {
        let mut limited = Self {
            stated: Stated::default(),
            open_max: 0,
            rates: [None, None],
            more_at: None,
        };
        limited.state(stated);
        limited
    }

    /// They are stated anew. What was begun counts on.
    pub(super) fn state(&mut self, stated: Stated) {
        if self.stated == stated {
            return;
        }
        self.stated = stated;
        let rate = stated.limits.rate;
        let wholes = [
            rate.and_then(|rate| rate.per_second),
            rate.and_then(|rate| rate.per_minute),
        ];
        let lengths = [SECOND_MS, MINUTE_MS];
        for ((rated, whole), length_ms) in self.rates.iter_mut().zip(wholes).zip(lengths) {
            *rated = whole.map(|whole| Rated {
                whole,
                most: 0,
                window: rated
                    .take()
                    .map_or_else(|| Window::new(length_ms), |known| known.window),
            });
        }
    }

    /// Takes the part that this node has now; none while it does not know the others (`None`).
    pub(super) fn see(&mut self, endpoint: EndpointId, nodes: Option<&Nodes>, now: Timestamp) {
        self.more_at = None;
        let Self {
            rates,
            more_at,
            stated,
            ..
        } = self;
        let mut part = |whole: u32, handover: Handover| {
            let Some(nodes) = nodes else {
                return 0;
            };
            let part = nodes.part(whole, endpoint, handover, now);
            *more_at = match (*more_at, part.more_at) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            };
            part.most
        };
        let at_once = Handover {
            ended_ms: 0,
            shrunk_ms: stated.timeout_ms,
        };
        let concurrency = stated.limits.concurrency;
        self.open_max = concurrency.map_or(u32::MAX, |whole| part(whole, at_once));
        for rated in rates.iter_mut().flatten() {
            let in_window = Handover {
                ended_ms: rated.window.length_ms(),
                shrunk_ms: rated.window.length_ms(),
            };
            rated.most = part(rated.whole, in_window);
        }
        if nodes.is_none() {
            self.open_max = 0;
        }
    }

    /// Most requests at once.
    pub(super) fn open_max(&self) -> u32 {
        self.open_max
    }

    /// For how many more slots there is room beside `reserved` ones of what is not sent yet.
    pub(super) fn room(&mut self, reserved: u32, now: Timestamp) -> Room {
        let mut room = Room::For(u32::MAX);
        if self.open_max == 0 {
            room = Room::None;
        }
        for rated in self.rates.iter_mut().flatten() {
            let used = rated.window.count(now) + reserved;
            let own = match rated.most.checked_sub(used) {
                Some(left) if left > 0 => Room::For(left),
                _ if rated.most == 0 => Room::None,
                // If what has a slot is sent at once. If not, whoever sends it looks again.
                _ => {
                    let rest = rated.most.saturating_sub(reserved);
                    let at = rated.window.below(rest, now);
                    Room::At(at.unwrap_or(now.plus_ms(rated.window.length_ms())))
                }
            };
            room = room.and(own);
        }
        match (room, self.more_at) {
            (Room::At(at), Some(more_at)) => Room::At(at.min(more_at)),
            (Room::None, Some(more_at)) => Room::At(more_at),
            (room, _) => room,
        }
    }

    /// One that had a slot is sent.
    pub(super) fn begin(&mut self, now: Timestamp) {
        for rated in self.rates.iter_mut().flatten() {
            rated.window.begin(now);
        }
    }

    /// Whether nothing counts any more.
    pub(super) fn is_idle(&mut self, now: Timestamp) -> bool {
        let mut rates = self.rates.iter_mut().flatten();
        rates.all(|rated| rated.window.count(now) == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::IncarnationId;
    use crate::throttle::Rate;

    const NOW: Timestamp = Timestamp::from_ms(1_000_000);

    fn limited(concurrency: Option<u32>, per_second: u32, per_minute: u32) -> Limited {
        let rate = Rate {
            per_second: Some(per_second),
            per_minute: Some(per_minute),
        };
        let mut limited = Limited::new(Stated {
            limits: EndpointLimits {
                concurrency,
                rate: Some(rate),
            },
            timeout_ms: 15_000,
        });
        let alone = Nodes::alone(IncarnationId::mint(NOW), NOW.plus_ms(-1));
        limited.see(EndpointId::mint(NOW), Some(&alone), NOW);
        limited
    }

    #[test]
    fn a_slot_counts_from_when_it_is_had_and_its_request_from_when_it_begins() {
        let mut limited = limited(None, 2, 3);
        assert_eq!(limited.room(0, NOW), Room::For(2));
        let both = Room::At(NOW.plus_ms(1_000));
        assert_eq!(limited.room(2, NOW), both, "if the two begin at once");
        limited.begin(NOW.plus_ms(400));
        let soon = NOW.plus_ms(500);
        assert_eq!(limited.room(1, soon), Room::At(NOW.plus_ms(1_400)));
        assert_eq!(limited.room(0, soon), Room::For(1));
        limited.begin(soon);
        assert_eq!(limited.room(0, NOW.plus_ms(1_400)), Room::For(1));
        limited.begin(NOW.plus_ms(1_450));
        let minute = Room::At(NOW.plus_ms(60_400));
        assert_eq!(
            limited.room(0, NOW.plus_ms(1_500)),
            minute,
            "three in a minute"
        );
        assert!(!limited.is_idle(NOW.plus_ms(61_449)) && limited.is_idle(NOW.plus_ms(61_450)));
    }

    #[test]
    fn a_node_that_does_not_know_the_others_has_no_part() {
        let mut limited = limited(Some(5), 10, 10);
        assert_eq!(limited.open_max(), 5);
        limited.see(EndpointId::mint(NOW), None, NOW);
        assert_eq!((limited.open_max(), limited.room(0, NOW)), (0, Room::None));
    }

    #[test]
    fn what_was_begun_counts_on_when_a_rate_is_stated_anew() {
        let mut limited = limited(None, 5, 600);
        for _ in 0..3 {
            limited.begin(NOW);
        }
        let mut stated = limited.stated;
        stated.limits.rate = Some(Rate {
            per_second: Some(4),
            per_minute: None,
        });
        limited.state(stated);
        let alone = Nodes::alone(IncarnationId::mint(NOW), NOW.plus_ms(-1));
        limited.see(EndpointId::mint(NOW), Some(&alone), NOW);
        assert_eq!(limited.room(0, NOW), Room::For(1));
    }
}
