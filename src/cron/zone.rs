//! Time zones, as stretches of time in which the clocks do not change.

use std::fmt;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Civil, Error};

/// How much of a wrong name is shown again.
const SHOWN_CHARS_MAX: usize = 80;
/// Before and after all time, with room to add an offset.
const EVER_S: i64 = i64::MAX / 4;

/// A time zone of the IANA database.
#[derive(Debug, Clone)]
pub struct Zone {
    zone: TimeZone,
    name: String,
}

/// A stretch of time with one offset from UTC; all in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::struct_field_names,
    reason = "the unit stands last in every name"
)]
pub(super) struct Stretch {
    /// Its first second.
    pub(super) start_s: i64,
    /// The first second after it.
    pub(super) end_s: i64,
    /// Civil time less UTC in it, just before it and just after it.
    pub(super) offset_s: i64,
    pub(super) before_s: i64,
    pub(super) after_s: i64,
}

impl Stretch {
    pub(super) fn civil(&self, at_s: i64) -> Civil {
        Civil::from_s(at_s.saturating_add(self.offset_s))
    }

    /// The civil times that its start leaves out (`before_s < offset_s`) or shows again: from the
    /// smaller to the larger.
    pub(super) fn turn(&self) -> (Civil, Civil) {
        let civil = [self.before_s, self.offset_s].map(|offset_s| self.start_s + offset_s);
        (
            Civil::from_s(civil[0].min(civil[1])),
            Civil::from_s(civil[0].max(civil[1])),
        )
    }

    pub(super) fn has_end(&self) -> bool {
        self.end_s < EVER_S
    }
}

impl Zone {
    /// The zone's name, as the database spells it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The stretch with this second in it. A change of the zone's name alone ends one, too.
    pub(super) fn stretch(&self, at_s: i64) -> Option<Stretch> {
        let at = Timestamp::from_second(at_s).ok()?;
        let after = Timestamp::from_second(at_s + 1).ok()?;
        let offset_s = |at: Timestamp| i64::from(self.zone.to_offset(at).seconds());
        let start = self
            .zone
            .preceding(after)
            .next()
            .map(|turn| turn.timestamp());
        let end = self.zone.following(at).next().map(|turn| turn.timestamp());
        let before = start.and_then(|start| Timestamp::from_second(start.as_second() - 1).ok());
        Some(Stretch {
            start_s: start.map_or(-EVER_S, Timestamp::as_second),
            end_s: end.map_or(EVER_S, Timestamp::as_second),
            offset_s: offset_s(at),
            before_s: before.map_or_else(|| offset_s(at), offset_s),
            after_s: end.map_or_else(|| offset_s(at), offset_s),
        })
    }
}

impl std::str::FromStr for Zone {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let unknown = || Error::UnknownZone(name.chars().take(SHOWN_CHARS_MAX).collect());
        // Copies that some systems keep beside the zones; the first counts leap seconds.
        let lower = name.to_ascii_lowercase();
        if lower.starts_with("right/") || lower.starts_with("posix/") {
            return Err(unknown());
        }
        let zone = TimeZone::get(name).map_err(|_| unknown())?;
        let name = zone.iana_name().ok_or_else(unknown)?.to_owned();
        Ok(Self { zone, name })
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
