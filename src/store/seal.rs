//! A word sealed under each master key that ever sealed something in this database, so that a start
//! can see whether it has them all.

use super::values::args;
use super::{Error, Store};

impl Store {
    /// The sealed words.
    pub async fn seals(&self) -> Result<Vec<Vec<u8>>, Error> {
        let rows: Vec<(Vec<u8>,)> = self
            .fetch("SELECT sealed FROM seals ORDER BY key_id", Vec::new())
            .await?;
        Ok(rows.into_iter().map(|row| row.0).collect())
    }

    /// Keeps the word that was sealed under a key, unless there is one.
    pub async fn keep_seal(&self, key: &[u8], sealed: &[u8]) -> Result<(), Error> {
        self.execute(
            "INSERT INTO seals (key_id, sealed) VALUES ($1, $2) ON CONFLICT (key_id) DO NOTHING",
            args![key.to_vec(), sealed.to_vec()],
        )
        .await
        .map(drop)
    }
}
