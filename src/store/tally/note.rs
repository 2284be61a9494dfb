//! What a batch of attempts came to, noted with it: one row.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::corrupt;
use crate::model::{AccountId, AttemptResult, EndpointId, Timestamp};
use crate::store::Error;
use crate::store::backend::Tx;
use crate::store::record::NewRecord;
use crate::store::values::{Columns, Kind, Rows, Shape, values};
use crate::tally::{Span, Tally};

const NOTE_COLUMNS: Columns = &[("id", Kind::Uuid), ("tallies", Kind::Text)];

/// Notes what the attempts of a batch came to.
pub(in crate::store) async fn note(tx: &mut Tx, records: &[Arc<NewRecord>]) -> Result<(), Error> {
    let mut tallies: BTreeMap<(AccountId, EndpointId, Timestamp), Tally> = BTreeMap::new();
    // No two notes have the same: each attempt is recorded once.
    let mut id = None;
    for record in records {
        let Some(attempt) = &record.attempt else {
            continue;
        };
        // A test says nothing of its endpoint, and one that was interrupted neither.
        if record.mark.is_none() || attempt.result == AttemptResult::Interrupted {
            continue;
        }
        id = id.or(Some(attempt.id));
        let ended = attempt.started_at.plus_ms(attempt.duration_ms);
        let minute = (record.account, record.endpoint, Span::Minute.from(ended));
        let tally = tallies.entry(minute).or_default();
        tally.count(attempt.result, attempt.duration_ms);
    }
    let Some(id) = id else { return Ok(()) };
    let noted: Vec<_> = tallies
        .iter()
        .map(|((account, endpoint, minute), tally)| (account, endpoint, minute.as_ms(), tally))
        .collect();
    let text = serde_json::to_string(&noted).map_err(|error| corrupt(&error))?;
    let mut rows = Rows::new(NOTE_COLUMNS, 1);
    rows.push(values![id, text]);
    let insert = Shape::Insert {
        into: "tally_notes",
        tail: "",
    };
    tx.execute_rows(rows, insert).await
}
