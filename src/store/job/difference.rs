//! What backtests have found: written with how far they have come, and read page by page.

use super::JobRow;
use crate::model::{AccountId, EventId, JobId};
use crate::store::backend::Tx;
use crate::store::page::{Cursor, Page, start};
use crate::store::row::record;
use crate::store::values::{Columns, Kind, Rows, Shape, args, values};
use crate::store::{Error, Store};

/// A past event that two versions don't say the same of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobDifference {
    /// Which event.
    pub event: EventId,
    /// JSON.
    pub content: Vec<u8>,
}

record!(JobDifference {
    event: "event_id",
    content: "content",
});

const DIFFERENCE_COLUMNS: Columns = &[
    ("account_id", Kind::Uuid),
    ("job_id", Kind::Uuid),
    ("event_id", Kind::Uuid),
    ("content", Kind::Bytes),
];

pub(super) async fn write_differences(
    tx: &mut Tx,
    job: &JobRow,
    differences: Vec<JobDifference>,
) -> Result<(), Error> {
    let mut rows = Rows::new(DIFFERENCE_COLUMNS, differences.len());
    for found in differences {
        rows.push(values![job.account, job.id, found.event, found.content]);
    }
    let shape = Shape::Insert {
        into: "differences",
        tail: "ON CONFLICT DO NOTHING",
    };
    tx.execute_rows(rows, shape).await
}

impl Store {
    /// A page of what a backtest has found, newest event first.
    pub async fn differences(
        &self,
        account: AccountId,
        id: JobId,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<JobDifference>, Error> {
        let rows = self
            .fetch(
                "SELECT event_id, content FROM differences
                 WHERE account_id = $1 AND job_id = $2 AND event_id < $3 ORDER BY event_id DESC LIMIT $4",
                args![account, id, start(after), limit + 1],
            )
            .await?;
        Ok(Page::of(rows, limit, |row: &JobDifference| {
            row.event.uuid()
        }))
    }
}
