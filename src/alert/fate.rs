//! What becomes of a mail by what the mail server said. Pure: times are handed in.

use std::error::Error;

use crate::model::Timestamp;
use crate::store::MailFate;

const MINUTE_MS: i64 = 60 * 1_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
/// After how long a mail is tried again, from the first time on; then it is given up. About two days.
const DELAYS_MS: [i64; 8] = [
    MINUTE_MS,
    5 * MINUTE_MS,
    15 * MINUTE_MS,
    HOUR_MS,
    3 * HOUR_MS,
    6 * HOUR_MS,
    12 * HOUR_MS,
    24 * HOUR_MS,
];
/// Room for what a mail server says.
const ANSWER_CHARS_MAX: usize = 500;
/// Permanent refusals that are of the operator's settings and not of the mail: credentials, encryption.
const OF_THE_SETTINGS: [u16; 4] = [530, 534, 535, 538];

/// What came of one try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tried {
    /// The mail server has taken it, with these words.
    Taken(String),
    /// It never will.
    Refused(String),
    /// Not now.
    NotNow(String),
}

impl Tried {
    /// By the answer's code, if there was an answer.
    pub(super) fn failed(code: Option<u16>, said: String) -> Self {
        match code {
            Some(code) if (500..600).contains(&code) && !OF_THE_SETTINGS.contains(&code) => {
                Self::Refused(said)
            }
            _ => Self::NotNow(said),
        }
    }
}

/// What becomes of a mail after its try number `no`, from 1, and what is kept of the answer.
pub(super) fn after(tried: Tried, no: i64, now: Timestamp) -> (MailFate, String) {
    match tried {
        Tried::Taken(said) => (MailFate::Sent, bounded(&said)),
        Tried::Refused(said) => (MailFate::Bounced, bounded(&said)),
        Tried::NotNow(said) => {
            let place = usize::try_from(no - 1).unwrap_or(0);
            let fate = DELAYS_MS.get(place).map_or(MailFate::GivenUp, |delay| {
                MailFate::Waiting(now.plus_ms(*delay))
            });
            (fate, bounded(&said))
        }
    }
}

/// The word of a fate.
pub(super) const fn word(fate: MailFate) -> &'static str {
    match fate {
        MailFate::Sent => "sent",
        MailFate::Bounced => "bounced",
        MailFate::GivenUp => "given_up",
        MailFate::Waiting(_) => "waiting",
    }
}

/// An error with its causes, on one line.
pub(super) fn words(error: &dyn Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !said.contains(&more) {
            said = format!("{said}: {more}");
        }
        cause = error.source();
    }
    bounded(&said)
}

fn bounded(said: &str) -> String {
    let visible = said
        .chars()
        .map(|it| if it.is_control() { ' ' } else { it });
    visible.take(ANSWER_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_790_000_000_000);

    #[test]
    fn what_is_refused_for_good_is_not_tried_again_and_all_else_is() {
        let said = || "said".to_owned();
        for (code, refused) in [
            (Some(550), true),
            (Some(554), true),
            (Some(500), true),
            (Some(535), false),
            (Some(530), false),
            (Some(451), false),
            (Some(421), false),
            (None, false),
        ] {
            let expected = if refused {
                Tried::Refused(said())
            } else {
                Tried::NotNow(said())
            };
            assert_eq!(Tried::failed(code, said()), expected, "{code:?}");
        }
    }

    #[test]
    fn delays_grow_and_then_it_is_given_up() {
        let not_now = |tries| after(Tried::NotNow("busy".to_owned()), tries, NOW).0;
        let mut last = NOW;
        for tries in 1..=8 {
            let MailFate::Waiting(at) = not_now(tries) else {
                panic!("it is tried again after {tries}");
            };
            assert!(at > last, "{tries}");
            last = at;
        }
        assert_eq!(not_now(1), MailFate::Waiting(NOW.plus_ms(MINUTE_MS)));
        assert_eq!(not_now(9), MailFate::GivenUp);
        assert_eq!(not_now(0), not_now(1));
    }

    #[test]
    fn an_answer_is_kept_on_one_line_and_bounded() {
        let long = format!("no\r\n{}", "x".repeat(1000));
        let (fate, answer) = after(Tried::Refused(long), 1, NOW);
        assert_eq!(fate, MailFate::Bounced);
        assert!(answer.starts_with("no  xxx") && answer.len() == ANSWER_CHARS_MAX);
    }
}
