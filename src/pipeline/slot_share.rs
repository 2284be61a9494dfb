//! Who may have one more slot. Requests that hang hold their slots for as long as a time-out, so what is free must not
//! all go to whoever comes first:
//!
//! - An account has as many as its part of the server's, and no more than are free besides: whoever comes has room.
//! - Of an account's, an eighth is kept for fresh deliveries against those that come from the store, as retries and
//!   recoveries do, and an eighth for those against fresh ones: neither keeps the other waiting.
//! - Of what is left the last go to endpoints that have few: one that has none always finds one, unless hundreds hang.
//!
//! Pure.

use super::permit::{PermitLimits, Use};

/// By which way a delivery comes to its slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// It was just planned.
    Fresh,
    /// It has waited in the store.
    Claimed,
}

/// A wish for a slot.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ask {
    pub(super) bytes: usize,
    /// How many its endpoint has.
    pub(super) beside: u32,
    pub(super) way: Way,
}

impl Ask {
    /// Whether an account that has `own` may have it, where the server has given out `all`. A single one always fits
    /// into an empty share, however large it is.
    pub(super) fn has_room(self, own: Use, all: Use, limits: PermitLimits) -> bool {
        if all.events == 0 {
            return true;
        }
        if own.events == 0 {
            return all.events < limits.events_max && all.bytes + self.bytes <= limits.bytes_max;
        }
        let way = match self.way {
            Way::Claimed => own.claimed,
            Way::Fresh => (own.events - own.claimed.0, own.bytes - own.claimed.1),
        };
        let events = share(
            limits.events_max,
            limits.account_pct,
            (own.events, all.events),
        );
        let bytes = share(limits.bytes_max, limits.account_pct, (own.bytes, all.bytes));
        own.events < events
            && own.bytes + self.bytes <= bytes
            && way.0 < self.part(events)
            && way.1 + self.bytes <= self.part(bytes)
    }

    /// What those of its way may have of an account's share before its endpoint gets one more.
    fn part(self, share: usize) -> usize {
        let whole = share - share / 8;
        let sixteenths_kept = match self.beside {
            0 => 0,
            1..4 => 1,
            4..16 => 2,
            16..64 => 4,
            _ => 6,
        };
        whole - whole / 16 * sixteenths_kept
    }
}

/// What an account that has `own` may have of the whole: its part, and as much as would be free then.
fn share(whole: usize, account_pct: usize, (own, all): (usize, usize)) -> usize {
    let free = whole.saturating_sub(all);
    (whole * account_pct / 100).min(usize::midpoint(own, free))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: PermitLimits = PermitLimits {
        events_max: 800,
        bytes_max: 800_000,
        account_pct: 50,
    };

    fn used(events: usize, claimed: usize) -> Use {
        Use {
            events,
            bytes: events,
            claimed: (claimed, claimed),
            ..Use::default()
        }
    }

    #[test]
    fn each_finds_room_until_its_share_is_used() {
        let fresh = (Way::Fresh, 0);
        let claimed = (Way::Claimed, 0);
        for ((way, beside), own, all, has_room) in [
            (fresh, used(0, 0), used(799, 0), true),
            (fresh, used(0, 0), used(800, 0), false),
            // An eighth of 400 is kept for what comes the other way.
            (fresh, used(349, 0), used(349, 0), true),
            (fresh, used(350, 0), used(350, 0), false),
            (claimed, used(350, 0), used(350, 0), true),
            (claimed, used(350, 350), used(350, 350), false),
            (fresh, used(350, 350), used(350, 350), true),
            (fresh, used(400, 350), used(400, 350), false),
            // Who has many leaves the last to who has few.
            ((Way::Fresh, 64), used(223, 0), used(223, 0), true),
            ((Way::Fresh, 64), used(224, 0), used(224, 0), false),
            ((Way::Fresh, 16), used(224, 0), used(224, 0), true),
            ((Way::Fresh, 1), used(329, 0), used(329, 0), false),
            // Beside others it is as much as is free.
            (fresh, used(100, 0), used(650, 0), true),
            (fresh, used(150, 0), used(650, 0), false),
        ] {
            let ask = Ask {
                bytes: 1,
                beside,
                way,
            };
            let case = (way, beside, own.events, all.events);
            assert_eq!(ask.has_room(own, all, LIMITS), has_room, "{case:?}");
        }
    }

    #[test]
    fn bytes_count_too_and_a_lone_large_one_fits() {
        let ask = Ask {
            bytes: 400_000,
            beside: 0,
            way: Way::Fresh,
        };
        assert!(ask.has_room(used(0, 0), used(0, 0), LIMITS));
        assert!(ask.has_room(used(0, 0), used(1, 0), LIMITS));
        assert!(!ask.has_room(used(1, 0), used(1, 0), LIMITS));
    }
}
