//! Pages of lists: newest first, each beginning where the one before ended.

use crate::model::{EventId, Timestamp};

/// Where a page begins: the id of the last row of the page before.
pub type Cursor = uuid::Uuid;

/// One page of a list.
#[derive(Debug, Clone)]
pub struct Page<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<Cursor>,
}

impl<T> Page<T> {
    /// Makes a page of `limit` out of up to `limit + 1` rows.
    pub(super) fn of(mut rows: Vec<T>, limit: usize, id: impl Fn(&T) -> Cursor) -> Self {
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = if more { rows.last().map(id) } else { None };
        Self { rows, next }
    }

    /// The same page with other rows.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Page<U> {
        Page {
            rows: self.rows.into_iter().map(change).collect(),
            next: self.next,
        }
    }
}

/// A span of time in a list by ids, from its beginning up to but not including its end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Span {
    /// Its beginning; `None`: the beginning of time.
    pub since: Option<Timestamp>,
    /// Its end; `None`: the end of time.
    pub until: Option<Timestamp>,
}

impl Span {
    /// An id that those of the page that begins `after` come before, and the first that they may have.
    pub(super) fn ends(self, after: Option<Cursor>) -> (Cursor, Cursor) {
        let first_at = |at| EventId::first_at(at).uuid();
        let end = self.until.map_or(Cursor::max(), first_at);
        let first = self.since.map_or(Cursor::nil(), first_at);
        (start(after).min(end), first)
    }
}

/// A cursor that every id stands before.
pub(super) fn start(cursor: Option<Cursor>) -> uuid::Uuid {
    cursor.unwrap_or_else(uuid::Uuid::max)
}
