//! When too few attempts succeed, and when enough do again.

use crate::model::words;

/// Shortest window of an alert, in seconds.
pub const WINDOW_S_MIN: i64 = 60;
/// Longest window of an alert, in seconds: a day.
pub const WINDOW_S_MAX: i64 = 86_400;
/// Most attempts that an alert may wait for.
pub const ATTEMPTS_MAX: i64 = 1_000_000;
/// How much of the way from the threshold to 1 the rate must have made before it is told that it is back: a rate that
/// wavers about the threshold is told of once.
const BACK: f64 = 0.2;

/// Whether it is told that too few of an endpoint's attempts succeed.
///
/// Written as `account` (as the account says), `off`, or
/// `{"below": 0.95, "window_s": 3600, "min_attempts": 20}`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum SuccessRateAlert {
    /// As the account says.
    #[default]
    Account,
    /// It is not.
    Off,
    /// It is, then.
    When(Threshold),
}

/// When too few succeed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Threshold {
    below: f64,
    window_s: i64,
    min_attempts: i64,
}

/// Why a threshold was refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// No word for it.
    #[error(
        "'{0}' is no alert of success rates; there are account, off and \
         {{\"below\":0.95,\"window_s\":3600,\"min_attempts\":20}}"
    )]
    Unknown(String),
    /// A rate that is none, or that is never undercut.
    #[error("below is {0}; it must be more than 0 and 1 at most, such as 0.95")]
    Below(f64),
    /// Too short, or too long.
    #[error("window_s is {0}; it must be {WINDOW_S_MIN} to {WINDOW_S_MAX} seconds")]
    Window(i64),
    /// None, or too many.
    #[error("min_attempts is {0}; it must be 1 to {ATTEMPTS_MAX}")]
    Attempts(i64),
}

/// What has become of a success rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It has dropped below the threshold.
    Dropped,
    /// It is well above it again.
    Back,
}

words!(Turn {
    Dropped = "dropped",
    Back = "back",
});

impl Threshold {
    /// A rate below this, of at least `min_attempts` attempts, within the last `window_s` seconds.
    pub fn new(below: f64, window_s: i64, min_attempts: i64) -> Result<Self, Error> {
        if !(below > 0.0 && below <= 1.0) {
            return Err(Error::Below(below));
        }
        if !(WINDOW_S_MIN..=WINDOW_S_MAX).contains(&window_s) {
            return Err(Error::Window(window_s));
        }
        if !(1..=ATTEMPTS_MAX).contains(&min_attempts) {
            return Err(Error::Attempts(min_attempts));
        }
        Ok(Self {
            below,
            window_s,
            min_attempts,
        })
    }

    /// Which rate is too low.
    pub fn below(self) -> f64 {
        self.below
    }

    /// Over how many seconds.
    pub fn window_s(self) -> i64 {
        self.window_s
    }

    /// Of how many attempts at least.
    pub fn min_attempts(self) -> i64 {
        self.min_attempts
    }

    /// What is to be told of a window in which so many attempts were made and so many of them succeeded, when what was
    /// told last is that the rate `has_dropped`. Too few attempts say nothing.
    pub fn judge(
        self,
        has_dropped: Option<Turn>,
        (succeeded, attempts): (i64, i64),
    ) -> Option<Turn> {
        if attempts < self.min_attempts {
            return None;
        }
        let rate = succeeded as f64 / attempts as f64;
        let back = self.below + (1.0 - self.below) * BACK;
        match has_dropped {
            Some(Turn::Dropped) => (rate >= back).then_some(Turn::Back),
            Some(Turn::Back) | None => (rate < self.below).then_some(Turn::Dropped),
        }
    }
}

impl SuccessRateAlert {
    /// The threshold that holds of an endpoint that says this, in an account that says `of_account`.
    pub fn over(self, of_account: Self) -> Option<Threshold> {
        match (self, of_account) {
            (Self::When(threshold), _) | (Self::Account, Self::When(threshold)) => Some(threshold),
            (Self::Off, _) | (Self::Account, Self::Off | Self::Account) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drop_is_told_once_and_that_it_is_over_once() {
        let threshold = Threshold::new(0.9, 3_600, 10).expect("valid");
        let mut last = None;
        for (succeeded, attempts, told) in [
            (0, 9, None),
            (9, 10, None),
            (89, 100, Some(Turn::Dropped)),
            (50, 100, None),
            (90, 100, None),
            (91, 100, None),
            (9, 9, None),
            (92, 100, Some(Turn::Back)),
            (90, 100, None),
            (89, 100, Some(Turn::Dropped)),
            (100, 100, Some(Turn::Back)),
        ] {
            let turn = threshold.judge(last, (succeeded, attempts));
            assert_eq!(turn, told, "{succeeded} of {attempts}");
            last = turn.or(last);
        }
    }

    #[test]
    fn where_nothing_may_fail_all_must_succeed_again() {
        let threshold = Threshold::new(1.0, 60, 1).expect("valid");
        assert_eq!(threshold.judge(None, (999, 1_000)), Some(Turn::Dropped));
        let dropped = Some(Turn::Dropped);
        assert_eq!(threshold.judge(dropped, (999, 1_000)), None);
        assert_eq!(threshold.judge(dropped, (1_000, 1_000)), Some(Turn::Back));
    }

    #[test]
    fn an_endpoint_may_say_otherwise_than_its_account() {
        let [own, theirs] = [0.5, 0.9].map(|below| Threshold::new(below, 60, 1).expect("valid"));
        for (endpoint, account, holds) in [
            (SuccessRateAlert::Account, SuccessRateAlert::Off, None),
            (SuccessRateAlert::Account, SuccessRateAlert::Account, None),
            (
                SuccessRateAlert::Account,
                SuccessRateAlert::When(theirs),
                Some(theirs),
            ),
            (SuccessRateAlert::Off, SuccessRateAlert::When(theirs), None),
            (
                SuccessRateAlert::When(own),
                SuccessRateAlert::When(theirs),
                Some(own),
            ),
            (
                SuccessRateAlert::When(own),
                SuccessRateAlert::Off,
                Some(own),
            ),
        ] {
            assert_eq!(endpoint.over(account), holds, "{endpoint:?} in {account:?}");
        }
    }

    #[test]
    fn what_no_alert_can_be_is_refused() {
        for (below, window_s, min_attempts, words) in [
            (0.0, 60, 1, "below is 0"),
            (f64::NAN, 60, 1, "below is NaN"),
            (95.0, 60, 1, "below is 95"),
            (0.9, 59, 1, "window_s is 59"),
            (0.9, 86_401, 1, "window_s is 86401"),
            (0.9, 60, 0, "min_attempts is 0"),
            (0.9, 60, 1_000_001, "min_attempts"),
        ] {
            let error = Threshold::new(below, window_s, min_attempts).expect_err(words);
            assert!(error.to_string().contains(words), "{error}");
        }
    }
}
