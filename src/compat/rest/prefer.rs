//! What a client prefers (`Prefer`, RFC 7240) and accepts. What is not known is passed over, but what would do
//! something else than is asked for is refused.

use http::HeaderMap;
use http::header::ACCEPT;

use super::fault::Fault;
use super::filter::shown;

const OBJECT: &str = "application/vnd.pgrst.object";

/// What a client wants to be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Wishes {
    /// The rows that are written.
    pub(super) representation: bool,
    /// How many rows there are.
    pub(super) count: bool,
    /// One row, by itself: exactly one.
    pub(super) single: bool,
}

impl Wishes {
    /// What these headers say.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Fault> {
        let mut wishes = Self::default();
        let said = headers
            .get_all("prefer")
            .iter()
            .filter_map(|value| value.to_str().ok());
        for preference in said.flat_map(|value| value.split(',')) {
            let preference = preference.split(';').next().unwrap_or_default().trim();
            match preference.to_ascii_lowercase().as_str() {
                "return=representation" => wishes.representation = true,
                "return=minimal" | "return=headers-only" => wishes.representation = false,
                "count=exact" | "count=planned" | "count=estimated" => wishes.count = true,
                "tx=rollback" => return Err(refused(preference)),
                other if other.starts_with("resolution=") => return Err(refused(preference)),
                _ => {}
            }
        }
        let accepted = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
        wishes.single = accepted.is_some_and(|accepted| accepted.trim_start().starts_with(OBJECT));
        Ok(wishes)
    }

    /// Those that are met, for `Preference-Applied`.
    pub(super) fn applied(self) -> Option<&'static str> {
        match (self.representation, self.count) {
            (true, true) => Some("return=representation, count=exact"),
            (true, false) => Some("return=representation"),
            (false, true) => Some("count=exact"),
            (false, false) => None,
        }
    }
}

fn refused(preference: &str) -> Fault {
    Fault::preference(format!(
        "the preference '{}' is not met here: leave it out",
        shown(preference)
    ))
}
