//! A SQLite file written anew without the room that is free in it. What is let go leaves free pages, which what comes
//! next fills: without this a file stays as long as it was at its longest.

use super::backend::Backend;
use super::engine::EngineError;
use super::sqlite::{Turn, blocking};
use super::{Error, Store};

/// What is free goes, and the file is written by way of another one beside it, never by way of the memory.
const COMPACT: &str = "PRAGMA temp_store = file; VACUUM; PRAGMA wal_checkpoint(TRUNCATE);";
const LENGTH: &str =
    "SELECT c.page_count * s.page_size FROM pragma_page_count() AS c, pragma_page_size() AS s";

impl Store {
    /// Gives back the room that is free in the file: how many bytes it had before, and has now. `None`: the database is
    /// PostgreSQL's, which sees to it by itself. It takes as long as writing the whole file, in which nobody
    /// else writes, and as much room beside it.
    pub async fn compact(&self) -> Result<Option<(i64, i64)>, Error> {
        let Backend::Sqlite(sqlite) = &self.backend else {
            return Ok(None);
        };
        let turn = sqlite.turn().await;
        let done = blocking(move || {
            let before = length(&turn)?;
            turn.execute_batch(COMPACT)?;
            Ok::<_, EngineError>((before, length(&turn)?))
        });
        Ok(Some(done.await?))
    }
}

fn length(turn: &Turn) -> Result<i64, EngineError> {
    Ok(turn.query_row(LENGTH, [], |row| row.get(0))?)
}
