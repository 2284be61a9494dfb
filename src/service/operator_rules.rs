//! What the operator has decided about everybody's input, and for how long it is kept.

use crate::model::{Retention, limits};

/// What an envelope may add to a payload.
const ENVELOPE_BYTES_MAX: usize = 16 * 1024;

/// What the operator has decided about everybody's input.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Which URLs an endpoint may have.
    pub schemes: Schemes,
    /// Largest payload of one event.
    pub payload_bytes_max: usize,
    /// Largest body of a batch of events.
    pub batch_bytes_max: usize,
    /// For how long accounts keep things that say nothing of it.
    pub retention: Retention,
}

/// Which URLs an endpoint may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schemes {
    /// `http` and `https`.
    Both,
    /// `https`.
    HttpsOnly,
}

impl From<bool> for Schemes {
    /// The setting `https_only`.
    fn from(https_only: bool) -> Self {
        if https_only {
            Self::HttpsOnly
        } else {
            Self::Both
        }
    }
}

impl Rules {
    /// The rules with these settings, and the product's own bounds.
    pub fn new(schemes: impl Into<Schemes>, payload_bytes_max: usize) -> Self {
        Self {
            schemes: schemes.into(),
            payload_bytes_max,
            batch_bytes_max: limits::BATCH_BYTES_MAX.max(payload_bytes_max),
            retention: Retention::default(),
        }
    }

    /// The same, where things are kept for so long.
    #[must_use]
    pub fn keeping(self, retention: Retention) -> Self {
        Self { retention, ..self }
    }

    /// Largest body of anything but a batch or a component.
    pub fn body_bytes_max(&self) -> usize {
        self.payload_bytes_max.saturating_add(ENVELOPE_BYTES_MAX)
    }
}

impl Default for Rules {
    fn default() -> Self {
        Self::new(Schemes::Both, limits::PAYLOAD_BYTES_MAX)
    }
}
