//! Whose turn it is to claim: accounts one after the other, and of each account its endpoints one after the other.
//! Who has had a turn goes to the end, so that however much waits for some, nobody waits for more than one turn of
//! each of the others. Pure.

use std::collections::{BTreeSet, HashMap, VecDeque};

use crate::model::{AccountId, EndpointId, Timestamp};

/// Where an endpoint stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Place {
    /// Nowhere: nothing is due, or something must happen first.
    #[default]
    Nowhere,
    /// Its turn can come from then on.
    Later(Timestamp),
    /// Its turn comes.
    InLine,
}

/// All that have a place.
#[derive(Debug, Default)]
pub(super) struct Rota {
    later: BTreeSet<(Timestamp, EndpointId)>,
    accounts: VecDeque<AccountId>,
    lines: HashMap<AccountId, VecDeque<EndpointId>>,
    /// Accounts that are passed over in this round.
    passed: Vec<AccountId>,
}

impl Rota {
    /// Puts an endpoint that has a place elsewhere. One that is in line stays there.
    pub(super) fn put(
        &mut self,
        (account, endpoint): (AccountId, EndpointId),
        from: Place,
        to: Place,
    ) -> Place {
        if from == to || from == Place::InLine {
            return from;
        }
        if let Place::Later(at) = from {
            self.later.remove(&(at, endpoint));
        }
        match to {
            Place::Nowhere => {}
            Place::Later(at) => {
                self.later.insert((at, endpoint));
            }
            Place::InLine => self.line_up(account, endpoint),
        }
        to
    }

    fn line_up(&mut self, account: AccountId, endpoint: EndpointId) {
        let line = self.lines.entry(account).or_default();
        if line.is_empty() {
            self.accounts.push_back(account);
        }
        line.push_back(endpoint);
    }

    /// The next whose time has come, which is nowhere any more.
    pub(super) fn ripe(&mut self, now: Timestamp) -> Option<EndpointId> {
        let first = *self.later.first().filter(|(at, _)| *at <= now)?;
        self.later.remove(&first);
        Some(first.1)
    }

    /// Whose turn it is, which is nowhere any more.
    pub(super) fn next(&mut self) -> Option<(AccountId, EndpointId)> {
        let account = self.accounts.pop_front()?;
        let line = self.lines.get_mut(&account)?;
        let endpoint = line.pop_front()?;
        if line.is_empty() {
            self.lines.remove(&account);
        } else {
            self.accounts.push_back(account);
        }
        Some((account, endpoint))
    }

    /// The account can't have a turn in this round: this endpoint of it, which `next` has named, is in line again, as
    /// the first.
    pub(super) fn pass_over(&mut self, account: AccountId, endpoint: EndpointId) {
        let line = self.lines.entry(account).or_default();
        if !line.is_empty() && self.accounts.back() == Some(&account) {
            self.accounts.pop_back();
        }
        line.push_front(endpoint);
        self.passed.push(account);
    }

    /// Ends a round. Whether somebody is in line who was passed over.
    pub(super) fn end_round(&mut self) -> bool {
        let passed = !self.passed.is_empty();
        self.accounts.extend(self.passed.drain(..));
        passed
    }

    /// Whether anybody is in line.
    pub(super) fn has_line(&self) -> bool {
        !self.accounts.is_empty()
    }

    /// When the next one's time comes who is not in line.
    pub(super) fn next_at(&self) -> Option<Timestamp> {
        self.later.first().map(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_000);

    fn account() -> AccountId {
        AccountId::mint(NOW)
    }

    fn line_up(rota: &mut Rota, account: AccountId) -> EndpointId {
        let endpoint = EndpointId::mint(NOW);
        rota.put((account, endpoint), Place::Nowhere, Place::InLine);
        endpoint
    }

    #[test]
    fn accounts_take_turns_whoever_was_first_and_however_many_endpoints_one_has() {
        let mut rota = Rota::default();
        let (loud, calm, late) = (account(), account(), account());
        let many: Vec<_> = (0..1_000).map(|_| line_up(&mut rota, loud)).collect();
        let one = line_up(&mut rota, calm);
        assert_eq!(rota.next(), Some((loud, many[0])));
        let other = line_up(&mut rota, late);
        // Whoever comes back goes to the end.
        rota.put((loud, many[0]), Place::Nowhere, Place::InLine);
        let turns: Vec<_> = std::iter::from_fn(|| rota.next()).collect();
        assert_eq!(
            turns[..4],
            [(calm, one), (loud, many[1]), (late, other), (loud, many[2])]
        );
        assert_eq!(turns[turns.len() - 1], (loud, many[0]));
        assert_eq!(turns.len(), 1_002);
        assert!(!rota.has_line());
    }

    #[test]
    fn who_is_passed_over_keeps_its_place_and_nobody_waits_for_it() {
        let mut rota = Rota::default();
        let (full, calm) = (account(), account());
        let first = line_up(&mut rota, full);
        let second = line_up(&mut rota, full);
        let one = line_up(&mut rota, calm);
        assert_eq!(rota.next(), Some((full, first)));
        rota.pass_over(full, first);
        assert_eq!(rota.next(), Some((calm, one)));
        assert_eq!(rota.next(), None);
        assert!(rota.end_round() && rota.has_line() && !rota.end_round());
        assert_eq!(rota.next(), Some((full, first)));
        assert_eq!(rota.next(), Some((full, second)));
    }

    #[test]
    fn a_place_later_is_one_place() {
        let mut rota = Rota::default();
        let who = (account(), EndpointId::mint(NOW));
        let later = |ms| Place::Later(NOW.plus_ms(ms));
        let mut place = Place::Nowhere;
        for to in [later(5), later(9), later(7)] {
            place = rota.put(who, place, to);
        }
        assert_eq!(
            (rota.next_at(), rota.ripe(NOW.plus_ms(6))),
            (Some(NOW.plus_ms(7)), None)
        );
        assert_eq!(rota.ripe(NOW.plus_ms(7)), Some(who.1));
        assert_eq!(rota.next_at(), None);
        place = rota.put(who, Place::Nowhere, Place::InLine);
        assert_eq!(
            rota.put(who, place, later(1)),
            Place::InLine,
            "it stays in line"
        );
    }
}
