//! What can be wrong with a pattern, a zone or an interval.

use super::interval::EVERY_S_MAX;
use super::pattern::PATTERN_BYTES_MAX;

/// Why a pattern, a zone or an interval was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A text that no pattern needs.
    #[error("the pattern has {bytes} bytes: {PATTERN_BYTES_MAX} at most")]
    TooLong {
        /// How many it has.
        bytes: usize,
    },
    /// Too few or too many fields.
    #[error(
        "the pattern has {found} fields: write {expected}, as in '{example}', with blanks between them"
    )]
    Fields {
        /// How many there are.
        found: usize,
        /// Which there must be.
        expected: &'static str,
        /// A pattern that is right.
        example: &'static str,
    },
    /// Six fields, and nobody asked for seconds.
    #[error(
        "the pattern has 6 fields: write five (minute, hour, day of month, month, day of week), or ask for \
         seconds if the first is meant to be the second"
    )]
    SecondsNotAskedFor,
    /// A part of a field.
    #[error("the field {field}: '{part}' {why}")]
    Part {
        /// The field's name.
        field: &'static str,
        /// The part of it, as it was written.
        part: String,
        /// What is wrong with it, and what to do.
        why: String,
    },
    /// A pattern of days that do not come.
    #[error(
        "this pattern has no occurrence within five years: check that its day of month is one that its \
         months have"
    )]
    Never,
    /// A name that is not in the time zone database.
    #[error(
        "there is no time zone '{0}': write a name of the IANA database, such as Europe/Berlin or UTC"
    )]
    UnknownZone(String),
    /// An interval without length, or longer than any.
    #[error("the interval is {0} seconds: it must be 1 to {EVERY_S_MAX} seconds")]
    Interval(i64),
    /// Neither a pattern nor an interval, or both.
    #[error("give either cron or interval: one of them says when it runs")]
    NotOne,
}
