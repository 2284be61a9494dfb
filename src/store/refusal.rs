//! What sources have refused: the last of it, and how much it was.

use super::row::record;
use super::values::{Columns, Kind, Rows, Shape, args, values};
use super::{Error, Store};
use crate::model::limits::REFUSALS_PER_SOURCE_MAX;
use crate::model::{AccountId, RefusalId, SourceId};

/// A request that was refused, or several like it within a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceRefusal {
    /// Its id, which says when the first of them was.
    pub id: RefusalId,
    /// A word for programs.
    pub code: String,
    /// A sentence.
    pub why: String,
    /// The beginning of the first one's body.
    pub excerpt: String,
    /// How many they were.
    pub requests: i64,
}

record!(SourceRefusal {
    id: "id",
    code: "code",
    why: "why",
    excerpt: "excerpt",
    requests: "requests",
});

/// What one source has refused since it was last written down.
#[derive(Debug, Clone)]
pub struct NewRefusals {
    /// Whose.
    pub account: AccountId,
    /// Which source.
    pub source: SourceId,
    /// How many requests, also those that no refusal tells of.
    pub requests: i64,
    /// Some of them.
    pub refusals: Vec<SourceRefusal>,
}

const COLUMNS: Columns = &[
    ("account_id", Kind::Uuid),
    ("source_id", Kind::Uuid),
    ("id", Kind::Uuid),
    ("code", Kind::Text),
    ("why", Kind::Text),
    ("excerpt", Kind::Text),
    ("requests", Kind::Int),
];

impl Store {
    /// Writes down what sources have refused, and forgets what is more than the last
    /// [`REFUSALS_PER_SOURCE_MAX`] of each. Nothing is written of a source that is not there any more.
    pub async fn add_refusals(&self, new: &[NewRefusals]) -> Result<(), Error> {
        let mut sorted: Vec<&NewRefusals> = new.iter().collect();
        // Two nodes that write of the same sources don't wait for each other in a circle.
        sorted.sort_by_key(|new| (new.account, new.source));
        let mut tx = self.begin().await?;
        let mut rows = Rows::new(COLUMNS, 0);
        let mut there = Vec::with_capacity(sorted.len());
        for new in sorted {
            let counted = tx
                .execute(
                    "UPDATE sources SET refused = refused + $3 WHERE account_id = $1 AND id = $2",
                    args![new.account, new.source, new.requests],
                )
                .await?;
            if counted == 0 {
                continue;
            }
            there.push(new);
            for refusal in &new.refusals {
                rows.push(values![
                    new.account,
                    new.source,
                    refusal.id,
                    refusal.code.as_str(),
                    refusal.why.as_str(),
                    refusal.excerpt.as_str(),
                    refusal.requests
                ]);
            }
        }
        if !rows.is_empty() {
            let into = Shape::Insert {
                into: "source_refusals",
                tail: "",
            };
            tx.execute_rows(rows, into).await?;
        }
        for new in there {
            tx.execute(
                "DELETE FROM source_refusals WHERE account_id = $1 AND source_id = $2 AND id <= (
                   SELECT id FROM source_refusals WHERE account_id = $1 AND source_id = $2
                   ORDER BY id DESC LIMIT 1 OFFSET $3)",
                args![new.account, new.source, REFUSALS_PER_SOURCE_MAX],
            )
            .await?;
        }
        tx.commit().await
    }

    /// The last refusals of a source, newest first.
    pub async fn refusals(
        &self,
        account: AccountId,
        source: SourceId,
    ) -> Result<Vec<SourceRefusal>, Error> {
        self.fetch(
            "SELECT id, code, why, excerpt, requests FROM source_refusals
             WHERE account_id = $1 AND source_id = $2 ORDER BY id DESC LIMIT $3",
            args![account, source, REFUSALS_PER_SOURCE_MAX],
        )
        .await
    }
}
