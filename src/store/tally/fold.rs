//! Notes become tallies: by one node at a time, in the transaction that removes the notes.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;

use super::{Kept, Noted, PLACE_COLUMNS, Place, corrupt, rate};
use crate::model::{AttemptId, Timestamp};
use crate::store::backend::Tx;
use crate::store::operational;
use crate::store::row::record;
use crate::store::values::{Columns, Kind, Rows, Shape, args, values};
use crate::store::{Error, Store};
use crate::tally::{Span, Tally};

/// Notes that are folded in one transaction.
const NOTES_MAX: usize = 64;
/// Whoever folds has this lock.
const FOLD_LOCK: i64 = 0x7461_6c6c_7966_6f6c;

struct Note {
    id: AttemptId,
    tallies: String,
}

record!(Note {
    id: "id",
    tallies: "tallies",
});

const NOTE_KEY: Columns = &[("id", Kind::Uuid)];
const TALLY_COLUMNS: Columns = &[
    ("account_id", Kind::Uuid),
    ("endpoint_id", Kind::Uuid),
    ("span_ms", Kind::Int),
    ("from_ms", Kind::Int),
    ("attempts", Kind::Int),
    ("succeeded", Kind::Int),
    ("tally", Kind::Text),
    ("expires_at_ms", Kind::Int),
];

impl Store {
    /// Folds some of what was noted of attempts into the tallies of their endpoints, and tells which success rates
    /// have dropped, or are back. Whether there is more.
    pub async fn fold_tallies(&self, now: Timestamp) -> Result<bool, Error> {
        let any: Option<(AttemptId,)> = self
            .fetch_optional("SELECT id FROM tally_notes LIMIT 1", args![])
            .await?;
        if any.is_none() {
            return Ok(false);
        }
        let mut tx = self.begin().await?;
        tx.lock(vec![FOLD_LOCK]).await?;
        let notes: Vec<Note> = tx
            .fetch(
                "SELECT id, tallies FROM tally_notes ORDER BY id LIMIT $1",
                args![NOTES_MAX],
            )
            .await?;
        let mut folded: BTreeMap<Place, Tally> = BTreeMap::new();
        let mut read = Rows::new(NOTE_KEY, notes.len());
        for note in &notes {
            read.push(values![note.id]);
            let counted: Vec<Noted> = readable(&note.tallies);
            for (account, endpoint, minute_ms, tally) in counted {
                for span in Span::ALL {
                    let from = span.from(Timestamp::from_ms(minute_ms));
                    let place = (account, endpoint, span, from);
                    folded.entry(place).or_default().add(&tally);
                }
            }
        }
        tx.execute_rows(
            read,
            Shape::Delete {
                from: "tally_notes",
            },
        )
        .await?;
        add_kept(&mut tx, &mut folded).await?;
        keep(&mut tx, &folded).await?;
        let alerts = rate::judge(&mut tx, &folded, now).await?;
        operational::tell(&mut tx, self.own_holder(), alerts).await?;
        tx.commit().await?;
        Ok(notes.len() == NOTES_MAX)
    }
}

/// Adds to what is folded what is kept of the same times.
async fn add_kept(tx: &mut Tx, folded: &mut BTreeMap<Place, Tally>) -> Result<(), Error> {
    const SQL: &str = "SELECT t.account_id, t.endpoint_id, t.span_ms, t.from_ms, t.tally
        FROM v JOIN tallies t ON t.account_id = v.account_id AND t.endpoint_id = v.endpoint_id
          AND t.span_ms = v.span_ms AND t.from_ms = v.from_ms";
    let mut places = Rows::new(PLACE_COLUMNS, folded.len());
    for (account, endpoint, span, from) in folded.keys() {
        places.push(values![*account, *endpoint, span.ms(), *from]);
    }
    let kept: Vec<Kept> = tx.fetch_rows(places, Shape::Query(SQL)).await?;
    for row in kept {
        let span = Span::ALL.into_iter().find(|span| span.ms() == row.span_ms);
        let place = span.map(|span| (row.account, row.endpoint, span, row.from));
        if let Some(tally) = place.and_then(|place| folded.get_mut(&place)) {
            tally.add(&readable(&row.tally));
        }
    }
    Ok(())
}

/// What was written down; nothing, if it can't be read: one row never stops the counting of everybody's attempts.
fn readable<T: DeserializeOwned + Default>(text: &str) -> T {
    serde_json::from_str(text).unwrap_or_else(|error| {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "what was counted of attempts can't be read, and is left out"
        );
        T::default()
    })
}

async fn keep(tx: &mut Tx, folded: &BTreeMap<Place, Tally>) -> Result<(), Error> {
    let mut rows = Rows::new(TALLY_COLUMNS, folded.len());
    for ((account, endpoint, span, from), tally) in folded {
        rows.push(values![
            *account,
            *endpoint,
            span.ms(),
            *from,
            tally.attempts().cast_signed(),
            tally.succeeded.cast_signed(),
            serde_json::to_string(tally).map_err(|error| corrupt(&error))?,
            span.expires(*from)
        ]);
    }
    let insert = Shape::Insert {
        into: "tallies",
        tail: "ON CONFLICT (account_id, endpoint_id, span_ms, from_ms) DO UPDATE SET
                 attempts = excluded.attempts, succeeded = excluded.succeeded, tally = excluded.tally",
    };
    tx.execute_rows(rows, insert).await
}
