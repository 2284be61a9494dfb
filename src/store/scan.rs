//! Lists of what meets conditions that no index leads to. Each look at them walks a bounded way
//! down the list; the next page goes on from there.

use super::page::{Cursor, Page};
use super::row::Record;
use super::values::Value;
use super::{Error, Store};
use crate::model::limits::SCANNED_ROWS_MAX;

/// What is walked, and what is kept of it. The rows have an `id`, and go down by it.
pub(super) struct Scan<'a> {
    pub(super) columns: &'a str,
    /// `FROM … WHERE …`.
    pub(super) within: String,
    /// What the text above refers to.
    pub(super) arguments: Vec<Value>,
    /// What must hold of it.
    pub(super) keep: Vec<Term>,
}

/// A condition on a row that was walked over.
#[derive(Debug, Clone)]
pub(super) struct Term {
    says: &'static str,
    value: Option<Value>,
}

impl Term {
    /// A condition in which `{}` stands for the value. The row is called `walked`, its account `$1`.
    pub(super) fn with(says: &'static str, value: impl Into<Value>) -> Self {
        Self {
            says,
            value: Some(value.into()),
        }
    }

    /// A condition that needs none.
    pub(super) fn plain(says: &'static str) -> Self {
        Self { says, value: None }
    }

    /// The condition, with its value among these.
    fn spell(self, arguments: &mut Vec<Value>) -> String {
        let Some(value) = self.value else {
            return self.says.to_owned();
        };
        arguments.push(value);
        self.says.replace("{}", &format!("${}", arguments.len()))
    }
}

impl Store {
    /// A page of up to `limit` rows. It may be short and have a next one all the same.
    pub(super) async fn scan<T: Record>(
        &self,
        scan: Scan<'_>,
        limit: usize,
        id: impl Fn(&T) -> Cursor,
    ) -> Result<Page<T>, Error> {
        let Scan {
            columns,
            within,
            mut arguments,
            keep,
        } = scan;
        let walk = |rows: usize| format!("SELECT {columns} {within} ORDER BY id DESC LIMIT {rows}");
        if keep.is_empty() {
            let rows = self.fetch(&walk(limit + 1), arguments).await?;
            return Ok(Page::of(rows, limit, id));
        }
        let known = arguments.len();
        let terms = keep.into_iter().map(|term| term.spell(&mut arguments));
        let kept = terms.collect::<Vec<_>>().join(" AND ");
        let sql = format!(
            "SELECT {columns} FROM ({}) AS walked WHERE {kept} ORDER BY id DESC LIMIT {}",
            walk(SCANNED_ROWS_MAX),
            limit + 1
        );
        let rows = self.fetch(&sql, arguments.clone()).await?;
        let mut page = Page::of(rows, limit, &id);
        if page.next.is_none() {
            arguments.truncate(known);
            let last = format!("{} OFFSET {}", walk(1), SCANNED_ROWS_MAX - 1);
            let last: Vec<T> = self.fetch(&last, arguments).await?;
            page.next = last.first().map(id);
        }
        Ok(page)
    }
}
