//! A component that has passed every check, and what it says of itself.

use std::fmt;
use std::sync::Arc;

use super::digest::Digest;
use super::error::Error;
use super::run::{Event, Outcome, RunError};
use super::schema::{ConfigError, ConfigSchema};
use super::v1;
use crate::automation::Pattern;
use crate::model::limits::{PATTERNS_MAX, PLUGIN_CONFIG_BYTES_MAX};

/// Longest name of a plugin.
const NAME_BYTES_MAX: usize = 64;
/// Longest version.
const VERSION_BYTES_MAX: usize = 64;
/// Longest summary.
const SUMMARY_BYTES_MAX: usize = 1000;
/// Most test vectors.
const VECTORS_MAX: usize = 64;

/// A compiled component, ready to run on the engine that made it. Clones are cheap.
#[derive(Clone)]
pub struct Component(Arc<Inner>);

struct Inner {
    made: Made,
    description: Description,
    schema: ConfigSchema,
}

/// What the engine has made of a component's bytes.
pub(super) struct Made {
    pub(super) digest: Digest,
    pub(super) code_bytes: usize,
    pub(super) imports: Vec<String>,
    pub(super) adapter: v1::Adapter,
}

/// A plugin in its own words, within their limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// Its name: lower-case letters, digits and hyphens.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What it does.
    pub summary: String,
    /// The JSON Schema of its configuration: valid, and without references to elsewhere.
    pub config_schema: String,
    /// The event types it understands: exact names, `prefix.*`, or `*`.
    pub event_types: Vec<String>,
    /// Its test vectors.
    pub vectors: Vec<Vector>,
}

/// An example that a plugin promises to keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vector {
    /// What it shows.
    pub name: String,
    /// The event's id.
    pub id: String,
    /// The event's type.
    pub event_type: String,
    /// The event's time.
    pub timestamp: String,
    /// The event's source.
    pub source: String,
    /// The event's payload.
    pub data: String,
    /// The configuration.
    pub config: String,
    /// What must come out. Of `Drop` and of errors the case alone counts.
    pub expected: Result<Outcome, RunError>,
}

impl Component {
    pub(super) fn new(made: Made, description: Description) -> Result<Self, Error> {
        description.check()?;
        let schema = ConfigSchema::compile(&description.config_schema).map_err(|why| {
            Error::Description {
                field: "config-schema",
                why,
            }
        })?;
        Ok(Self(Arc::new(Inner {
            made,
            description,
            schema,
        })))
    }

    /// The digest of its bytes.
    pub fn digest(&self) -> Digest {
        self.0.made.digest
    }

    /// What it says of itself.
    pub fn description(&self) -> &Description {
        &self.0.description
    }

    /// The interfaces it uses, with their versions: its capabilities.
    pub fn imports(&self) -> &[String] {
        &self.0.made.imports
    }

    /// How much memory its machine code takes.
    pub fn code_bytes(&self) -> usize {
        self.0.made.code_bytes
    }

    /// Checks a configuration against the component's schema.
    pub fn check_config(&self, json: &str) -> Result<(), ConfigError> {
        self.0.schema.check(json)
    }

    pub(super) fn adapter(&self) -> &v1::Adapter {
        &self.0.made.adapter
    }
}

impl fmt::Debug for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Component")
            .field("digest", &self.digest())
            .field("name", &self.0.description.name)
            .field("version", &self.0.description.version)
            .finish_non_exhaustive()
    }
}

impl Description {
    fn check(&self) -> Result<(), Error> {
        let bad = |field, why: String| Err(Error::Description { field, why });
        let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if !(1..=NAME_BYTES_MAX).contains(&self.name.len()) || !self.name.bytes().all(is_name) {
            let why =
                format!("1 to {NAME_BYTES_MAX} lower-case letters, digits and hyphens are wanted");
            return bad("name", why);
        }
        if !(1..=VERSION_BYTES_MAX).contains(&self.version.len())
            || !self
                .version
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && byte != b'@')
        {
            let why =
                format!("1 to {VERSION_BYTES_MAX} visible ASCII characters without '@' are wanted");
            return bad("version", why);
        }
        for (field, count, count_max, what) in [
            ("summary", self.summary.len(), SUMMARY_BYTES_MAX, "bytes"),
            (
                "config-schema",
                self.config_schema.len(),
                PLUGIN_CONFIG_BYTES_MAX,
                "bytes",
            ),
            (
                "event-types",
                self.event_types.len(),
                PATTERNS_MAX,
                "event types",
            ),
            ("vectors", self.vectors.len(), VECTORS_MAX, "vectors"),
        ] {
            if count > count_max {
                return bad(
                    field,
                    format!("it has {count} {what}, more than {count_max}"),
                );
            }
        }
        let wrong = |event_type: &String| event_type.parse::<Pattern>().err();
        match self.event_types.iter().find_map(wrong) {
            Some(error) => bad("event-types", error.to_string()),
            None => Ok(()),
        }
    }
}

impl Vector {
    /// The event it begins with.
    pub fn event(&self) -> Event<'_> {
        Event {
            id: &self.id,
            event_type: &self.event_type,
            timestamp: &self.timestamp,
            source: &self.source,
            data: &self.data,
        }
    }

    /// Whether this is what the vector promises.
    pub fn is_kept_by(&self, got: &Result<Outcome, RunError>) -> bool {
        match (&self.expected, got) {
            (Ok(Outcome::Emit(expected)), Ok(Outcome::Emit(got))) => expected == got,
            (Ok(Outcome::Drop(_)), Ok(Outcome::Drop(_))) => true,
            (Err(expected), Err(got)) => expected.word() == got.word(),
            _ => false,
        }
    }
}
