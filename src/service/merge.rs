//! Changes that are laid over what is there: read, merged, and written only if nobody else wrote
//! meanwhile. If somebody did, what they wrote is read, and the change is laid over that.

use super::Error;
use crate::store;

/// How often a change is laid over what is there. Each time that it has to be done again, another
/// change of the same thing was kept.
const MERGES_MAX: u32 = 50;

/// How often a change was laid over what is there.
#[derive(Debug, Default)]
pub(super) struct Merges {
    made: u32,
}

impl Merges {
    /// Whether to do it again: somebody else was faster.
    pub(super) fn go_on<T>(&mut self, merged: &Result<T, Error>) -> bool {
        self.made += 1;
        self.made < MERGES_MAX && matches!(merged, Err(Error::Store(store::Error::Raced)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_was_overtaken_goes_on_and_not_for_ever() {
        let overtaken = || Err::<(), _>(Error::Store(store::Error::Raced));
        let mut merges = Merges::default();
        assert!(merges.go_on(&overtaken()));
        assert!(!merges.go_on(&Ok(())));
        assert!(!merges.go_on(&Err::<(), _>(Error::NotFound("endpoint"))));
        let rounds = std::iter::repeat_with(overtaken).take_while(|merged| merges.go_on(merged));
        assert!(rounds.count() < MERGES_MAX as usize);
    }
}
