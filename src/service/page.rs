//! Lists: which page of one is wanted, and a page of one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Error, Place};
use crate::model::limits::{PAGE_ITEMS_DEFAULT, PAGE_ITEMS_MAX};
use crate::store::{Cursor, Page};

/// Which page of a list is wanted, as it was asked for.
#[derive(Debug, Clone, Default)]
pub struct PageRequest {
    /// How many rows at most.
    pub limit: Option<usize>,
    /// The `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// One page of a list, in the order of the list.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Listed<T> {
    /// The entries of this page.
    pub data: Vec<T>,
    /// What to send as `cursor` for the next page; null on the last one, and only there.
    pub next_cursor: Option<String>,
}

impl PageRequest {
    /// How many rows.
    pub(super) fn limit(&self) -> Result<usize, Error> {
        let limit = self.limit.unwrap_or(PAGE_ITEMS_DEFAULT);
        if (1..=PAGE_ITEMS_MAX).contains(&limit) {
            Ok(limit)
        } else {
            let why = format!("limit is {limit}: it must be 1 to {PAGE_ITEMS_MAX}");
            Err(Error::Invalid {
                code: "invalid_limit",
                at: Place::Query("limit".to_owned()),
                why,
            })
        }
    }

    /// After which row, in lists by id.
    pub(super) fn after(&self) -> Result<Option<Cursor>, Error> {
        let bytes = self.bytes()?;
        bytes
            .map(|bytes| Cursor::from_slice(&bytes).map_err(|_| bad_cursor()))
            .transpose()
    }

    /// After which row, in lists by name.
    pub(super) fn after_name(&self) -> Result<Option<String>, Error> {
        let bytes = self.bytes()?;
        let name = |bytes| match String::from_utf8(bytes) {
            Ok(name) if !name.contains('\0') => Ok(name),
            _ => Err(bad_cursor()),
        };
        bytes.map(name).transpose()
    }

    /// After which row, in lists by number.
    pub(super) fn after_number(&self) -> Result<Option<i64>, Error> {
        let bytes = self.bytes()?;
        let number = |bytes: Vec<u8>| {
            let bytes = bytes.try_into().map_err(|_| bad_cursor())?;
            Ok(i64::from_be_bytes(bytes))
        };
        bytes.map(number).transpose()
    }

    fn bytes(&self) -> Result<Option<Vec<u8>>, Error> {
        let decode = |text: &String| URL_SAFE_NO_PAD.decode(text).map_err(|_| bad_cursor());
        self.cursor.as_ref().map(decode).transpose()
    }
}

fn bad_cursor() -> Error {
    Error::Invalid {
        code: "invalid_cursor",
        at: Place::Query("cursor".to_owned()),
        why: "this is not a cursor of this list: send the next_cursor of the page before, or none \
              to begin anew"
            .to_owned(),
    }
}

/// The cursor for what comes after this row.
pub(super) fn cursor_text(row: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(row)
}

impl<T> Listed<T> {
    /// A list that has one page only.
    pub(super) fn whole(data: Vec<T>) -> Self {
        Self {
            data,
            next_cursor: None,
        }
    }

    /// A page of the store's, each row turned into what a user reads.
    pub(super) fn of<U>(page: Page<U>, view: impl FnMut(U) -> T) -> Self {
        Self {
            next_cursor: page.next.map(cursor_text),
            data: page.rows.into_iter().map(view).collect(),
        }
    }

    /// A page of up to `limit` out of up to `limit + 1` rows that have numbers, and may be unreadable.
    pub(super) fn numbered<U>(
        mut rows: Vec<U>,
        limit: usize,
        number: impl Fn(&U) -> i64,
        view: impl FnMut(U) -> Result<T, Error>,
    ) -> Result<Self, Error> {
        let more = rows.len() > limit;
        rows.truncate(limit);
        let last = rows.last().filter(|_| more).map(number);
        Ok(Self {
            next_cursor: last.map(|number| cursor_text(number.to_be_bytes())),
            data: rows.into_iter().map(view).collect::<Result<_, _>>()?,
        })
    }

    /// A page of the store's whose rows may be unreadable.
    pub(super) fn try_of<U>(
        page: Page<U>,
        view: impl FnMut(U) -> Result<T, Error>,
    ) -> Result<Self, Error> {
        Ok(Self {
            next_cursor: page.next.map(cursor_text),
            data: page.rows.into_iter().map(view).collect::<Result<_, _>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_went_out() {
        let row = Cursor::from_u128(7);
        let request = PageRequest {
            cursor: Some(cursor_text(row)),
            limit: None,
        };
        assert_eq!(request.after().expect("valid"), Some(row));
        let named = PageRequest {
            cursor: Some(cursor_text("deal.won")),
            limit: Some(1),
        };
        assert_eq!(
            named.after_name().expect("valid").as_deref(),
            Some("deal.won")
        );
        assert_eq!(PageRequest::default().after().expect("none"), None);
        let numbered = Listed::numbered(vec![9, 8, 7], 2, |row| *row, Ok).expect("readable");
        assert_eq!(numbered.data, [9, 8]);
        let next = PageRequest {
            cursor: numbered.next_cursor,
            limit: None,
        };
        assert_eq!(next.after_number().expect("valid"), Some(8));
        let last = Listed::numbered(vec![7], 2, |row| *row, Ok).expect("readable");
        assert_eq!(last.next_cursor, None);
    }

    #[test]
    fn what_is_not_a_cursor_or_a_limit_is_told() {
        for cursor in ["", "x", "deal.won", "!!", &cursor_text("short")] {
            let request = PageRequest {
                cursor: Some(cursor.to_owned()),
                limit: None,
            };
            assert_eq!(request.after().expect_err(cursor).code(), "invalid_cursor");
            assert!(request.after_number().is_err(), "{cursor}");
        }
        let with_nul = PageRequest {
            cursor: Some(cursor_text("a\0")),
            limit: None,
        };
        assert_eq!(
            with_nul.after_name().expect_err("no name").code(),
            "invalid_cursor"
        );
        for limit in [0, PAGE_ITEMS_MAX + 1] {
            let request = PageRequest {
                cursor: None,
                limit: Some(limit),
            };
            assert_eq!(
                request.limit().expect_err("out of range").code(),
                "invalid_limit"
            );
        }
    }
}
