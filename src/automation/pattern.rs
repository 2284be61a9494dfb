//! Event type names, the patterns a trigger gives, and an index that answers "which triggers
//! does this event type meet?" in time proportional to the name's segments, however many
//! automations there are.
//!
//! A name is one or more segments joined by dots; a segment is one or more ASCII letters, digits,
//! `_` or `-`; case matters. A pattern is a name (that type alone), a name and `.*` (everything
//! under it at any depth, but not the name itself), or `*` (everything but operational events).

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::model::AutomationId;
use crate::model::limits::EVENT_TYPE_BYTES_MAX;

/// What the names of operational events begin with. No client sends such an event, and no automation makes one.
pub const OPERATIONAL_PREFIX: &str = "throwbar.";
/// What the types of events begin with that automations' own schedules make; an automation's id follows. No
/// client sends such an event, and no automation makes one.
pub const OWN_SCHEDULE_PREFIX: &str = "schedule.aut_";

/// The name of an event type: `deal.stage.changed`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventType(Box<str>);

/// Which event types a trigger wants.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Pattern {
    /// `*`: every type but those of operational events.
    All,
    /// `deal.*`: every type under `deal.`, at any depth.
    Under(EventType),
    /// `deal.updated`: this type alone.
    Exact(EventType),
}

/// A text that is neither an event type nor a pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Nothing was given.
    #[error("the event type is empty: give a name such as deal.updated")]
    Empty,
    /// Longer than [`EVENT_TYPE_BYTES_MAX`].
    #[error("the event type has {bytes} bytes: {EVENT_TYPE_BYTES_MAX} at most")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// A dot at an end, or two in a row.
    #[error("'{text}' has an empty segment: write one dot between two names, as in deal.updated")]
    EmptySegment {
        /// The text.
        text: String,
    },
    /// A character that no name may have.
    #[error(
        "'{text}' has the character {character:?}: a name has ASCII letters, digits, '_' and '-', \
         with dots between"
    )]
    Character {
        /// The text.
        text: String,
        /// The first such character.
        character: char,
    },
    /// A star that is not the whole last segment, or in a name.
    #[error(
        "'{text}' has a '*' where none may be: it stands alone (*) or for the whole end of a \
         pattern (deal.*), never in an event's own type"
    )]
    Star {
        /// The text.
        text: String,
    },
}

impl EventType {
    /// The type of the events that the automation's own schedule makes. No other automation meets them.
    pub fn of_own_schedule(automation: AutomationId) -> Self {
        Self(format!("schedule.{automation}").into())
    }

    /// Whether events of this type are made by an automation's own schedule: only its whole name meets them,
    /// no star.
    pub fn is_own_schedule(&self) -> bool {
        self.0.starts_with(OWN_SCHEDULE_PREFIX)
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is the type of an operational event, which the product itself makes.
    pub fn is_operational(&self) -> bool {
        self.0.starts_with(OPERATIONAL_PREFIX)
    }

    /// `deal` and `deal.stage` for `deal.stage.changed`: what a name is under.
    fn ancestors(&self) -> impl Iterator<Item = &str> {
        self.0.match_indices('.').map(|(dot, _)| &self.0[..dot])
    }
}

impl FromStr for EventType {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        if text.is_empty() {
            return Err(PatternError::Empty);
        }
        if text.len() > EVENT_TYPE_BYTES_MAX {
            return Err(PatternError::TooLong { bytes: text.len() });
        }
        if text.contains('*') {
            return Err(PatternError::Star {
                text: text.to_owned(),
            });
        }
        let wrong = |c: &char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
        if let Some(character) = text.chars().find(wrong) {
            return Err(PatternError::Character {
                text: text.to_owned(),
                character,
            });
        }
        if text.split('.').any(str::is_empty) {
            return Err(PatternError::EmptySegment {
                text: text.to_owned(),
            });
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Pattern {
    /// What its text takes in memory.
    pub fn text_bytes(&self) -> usize {
        match self {
            Self::All => 0,
            Self::Under(name) | Self::Exact(name) => name.0.len(),
        }
    }

    /// Whether an event of this type meets the pattern.
    pub fn matches(&self, event_type: &EventType) -> bool {
        match self {
            Self::Exact(name) => name == event_type,
            Self::All | Self::Under(_) if event_type.is_own_schedule() => false,
            Self::All => !event_type.is_operational(),
            Self::Under(name) => event_type.ancestors().any(|above| above == name.as_str()),
        }
    }
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        if text == "*" {
            return Ok(Self::All);
        }
        let parsed = match text.strip_suffix(".*") {
            Some("") => Err(PatternError::EmptySegment {
                text: text.to_owned(),
            }),
            Some(name) => name.parse().map(Self::Under),
            None => text.parse().map(Self::Exact),
        };
        // The message names the whole pattern, not the part that was left of it.
        parsed.map_err(|error| match error {
            PatternError::EmptySegment { .. } => PatternError::EmptySegment {
                text: text.to_owned(),
            },
            PatternError::Star { .. } => PatternError::Star {
                text: text.to_owned(),
            },
            PatternError::Character { character, .. } => PatternError::Character {
                text: text.to_owned(),
                character,
            },
            other => other,
        })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("*"),
            Self::Under(name) => write!(f, "{name}.*"),
            Self::Exact(name) => write!(f, "{name}"),
        }
    }
}

/// Text both ways in serde.
macro_rules! as_text {
    ($($type:ident),*) => {$(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

as_text!(EventType, Pattern);

/// Triggers by pattern.
///
/// A lookup costs one hash per segment of the event's type, plus the answers. `T` inserted under
/// several patterns is answered once **for each** that matches: the caller, who knows what makes
/// two of them the same, drops the repeats.
#[derive(Debug, Clone)]
pub struct PatternIndex<T> {
    all: Vec<T>,
    under: HashMap<Box<str>, Vec<T>>,
    exact: HashMap<Box<str>, Vec<T>>,
}

impl<T> Default for PatternIndex<T> {
    fn default() -> Self {
        Self {
            all: Vec::new(),
            under: HashMap::new(),
            exact: HashMap::new(),
        }
    }
}

impl<T> PatternIndex<T> {
    /// An index with nothing in it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds `trigger` under `pattern`.
    pub fn insert(&mut self, pattern: &Pattern, trigger: T) {
        match pattern {
            Pattern::All => self.all.push(trigger),
            Pattern::Under(name) => self.under.entry(name.0.clone()).or_default().push(trigger),
            Pattern::Exact(name) => self.exact.entry(name.0.clone()).or_default().push(trigger),
        }
    }

    /// Everything inserted under a pattern that `event_type` meets: under `*` first, then from
    /// the widest pattern to the exact name, each in the order of insertion.
    pub fn candidates<'a>(&'a self, event_type: &'a EventType) -> impl Iterator<Item = &'a T> {
        let is_own = event_type.is_own_schedule();
        let met_by_all = !is_own && !event_type.is_operational();
        let all = if met_by_all { &self.all[..] } else { &[] };
        let under = event_type
            .ancestors()
            .filter(move |_| !is_own)
            .filter_map(|above| self.under.get(above))
            .flatten();
        let exact = self.exact.get(event_type.as_str()).into_iter().flatten();
        all.iter().chain(under).chain(exact)
    }
}

#[cfg(test)]
mod tests;
