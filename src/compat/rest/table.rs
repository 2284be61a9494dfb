//! The tables that there are, their columns, and the rows of answers.

use serde_json::{Map, Value};

/// A row, by the names of its columns.
pub(super) type Row = Map<String, Value>;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text, ids among it.
    Text,
    /// True or false.
    Bool,
    /// A whole number.
    Number,
    /// A time.
    Time,
    /// Several texts.
    Texts,
}

/// A table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) columns: &'static [(&'static str, Kind)],
}

/// Endpoints.
pub(super) const CONFIGURATIONS: Table = Table {
    name: "webhook_configurations",
    columns: &[
        ("id", Kind::Text),
        ("organization_id", Kind::Text),
        ("name", Kind::Text),
        ("url", Kind::Text),
        ("events", Kind::Texts),
        ("secret", Kind::Text),
        ("is_active", Kind::Bool),
        ("created_at", Kind::Time),
        ("updated_at", Kind::Time),
    ],
};

/// Attempts.
pub(super) const LOGS: Table = Table {
    name: "webhook_logs",
    columns: &[
        ("id", Kind::Text),
        ("organization_id", Kind::Text),
        ("webhook_id", Kind::Text),
        ("event", Kind::Text),
        ("event_id", Kind::Text),
        ("delivery_id", Kind::Text),
        ("attempt", Kind::Number),
        ("status", Kind::Text),
        ("status_code", Kind::Number),
        ("error_class", Kind::Text),
        ("error_message", Kind::Text),
        ("duration_ms", Kind::Number),
        ("created_at", Kind::Time),
    ],
};

impl Table {
    /// The column of this name, as the table spells it, and what it holds.
    pub(super) fn column(self, name: &str) -> Option<(&'static str, Kind)> {
        let known = self.columns.iter();
        known.copied().find(|(column, _)| *column == name)
    }
}
