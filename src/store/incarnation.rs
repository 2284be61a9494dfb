//! Whose life a node's writes belong to, and who may say that it has ended.
//!
//! In PostgreSQL an incarnation is a row, and its life is a session-level advisory lock on a
//! connection of its own: the database, not a clock, says who is dead. Whoever gets a dead one's
//! lock marks the row ended; the update waits for a commit under way, and every later one of the
//! dead node finds its row ended (see [`Store::begin_as`](super::Store)). In SQLite one process
//! holds a lock beside the file, so that every earlier incarnation is dead at the start. A holder
//! without a row is dead on both: whoever lives has had one since before it held anything.
//!
//! The row stays until what it held has been taken over, so that a sweeper's own death loses nothing.

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::{ConnectOptions, Connection};

use super::backend::Backend;
use super::hint::{self, Hint};
use super::values::args;
use super::{EngineError, Error, Own, Store};
use crate::model::{IncarnationId, Timestamp};

/// About as long as PostgreSQL waits before it gives up a session whose node does not answer.
const SESSION_PATIENCE: Duration = Duration::from_secs(5);

/// The proof that this node lives. Dropping it ends the life without a word: others take over.
#[derive(Debug)]
pub struct Life {
    id: IncarnationId,
    proof: Proof,
}

#[derive(Debug)]
enum Proof {
    File(#[expect(dead_code, reason = "held for its lock, which ends with it")] Arc<File>),
    Session(Box<PgConnection>),
}

impl Life {
    /// Whose life it is.
    pub fn id(&self) -> IncarnationId {
        self.id
    }
}

impl Store {
    /// Begins a life. From now on this store's writes are fenced by it.
    pub async fn begin_life(&self, now: Timestamp) -> Result<Life, Error> {
        let id = IncarnationId::mint(now);
        let lock_key = lock_key(id);
        let proof = match &self.backend {
            Backend::Sqlite(sqlite) => Proof::File(sqlite.lock()?),
            Backend::Postgres(postgres) => {
                let session = answered(async {
                    let mut session = postgres.options.connect().await?;
                    // The lock before the row: a row without its lock is somebody dead.
                    sqlx::query("SELECT pg_advisory_lock($1)")
                        .bind(lock_key)
                        .execute(&mut session)
                        .await?;
                    Ok(session)
                });
                Proof::Session(Box::new(session.await?))
            }
        };
        // Not behind the fence of the process's life before, which may have been declared dead.
        let mut tx = self.begin_unfenced().await?;
        if !self.is_shared() {
            tx.execute(
                "UPDATE incarnations SET ended_at_ms = $1 WHERE ended_at_ms IS NULL",
                args![now],
            )
            .await?;
            // Who was at work on them was this file's only process, which is gone.
            if self.own.load().is_none() {
                super::reply::forget_held(&mut tx).await?;
            }
        }
        tx.execute(
            "INSERT INTO incarnations (id, lock_key, started_at_ms) VALUES ($1, $2, $3)",
            args![id, lock_key, now],
        )
        .await?;
        tx.commit().await?;
        self.own.store(Some(Arc::new(Own::Life(id))));
        Ok(Life { id, proof })
    }

    /// Sees that the life is still held. In PostgreSQL: that its session answers, and that nobody has
    /// declared it dead; [`Error::Fenced`] if somebody has.
    pub async fn check_life(&self, life: &mut Life) -> Result<(), Error> {
        let Proof::Session(session) = &mut life.proof else {
            return Ok(());
        };
        let own =
            sqlx::query_as("SELECT TRUE FROM incarnations WHERE id = $1 AND ended_at_ms IS NULL")
                .bind(life.id)
                .fetch_optional(&mut **session);
        let alive: Option<(bool,)> = answered(own).await?;
        alive.map(drop).ok_or(Error::Fenced)
    }

    /// Ends a life in good order, after everything that it held was finished or handed back.
    pub async fn end_life(&self, life: Life, now: Timestamp) -> Result<(), Error> {
        self.execute(
            "UPDATE incarnations SET ended_at_ms = $2 WHERE id = $1",
            args![life.id, now],
        )
        .await?;
        self.own.store(Some(Arc::new(Own::Ended)));
        if let Proof::Session(mut session) = life.proof {
            // What it has handed back is the others' now.
            hint::tell(&mut *session, Hint::Look).await;
            answered(session.close()).await?;
        }
        Ok(())
    }

    /// Declares dead whoever's lock can be had. The ended lives that still hold something.
    pub async fn find_ended(
        &self,
        life: &mut Life,
        now: Timestamp,
    ) -> Result<Vec<IncarnationId>, Error> {
        if let Proof::Session(session) = &mut life.proof {
            let others = sqlx::query_as(
                "SELECT id, lock_key FROM incarnations WHERE ended_at_ms IS NULL AND id <> $1",
            )
            .bind(life.id)
            .fetch_all(&mut **session);
            let others: Vec<(IncarnationId, i64)> = answered(others).await?;
            for (other, key) in others {
                let free = sqlx::query_as("SELECT pg_try_advisory_lock($1)")
                    .bind(key)
                    .fetch_one(&mut **session);
                let (free,): (bool,) = answered(free).await?;
                if free {
                    self.execute(
                        "UPDATE incarnations SET ended_at_ms = $2 WHERE id = $1 AND ended_at_ms IS NULL",
                        args![other, now],
                    )
                    .await?;
                    let unlock = sqlx::query("SELECT pg_advisory_unlock($1)")
                        .bind(key)
                        .execute(&mut **session);
                    answered(unlock).await?;
                }
            }
        }
        let ended: Vec<(IncarnationId,)> = self
            .fetch(
                "SELECT id FROM incarnations WHERE ended_at_ms IS NOT NULL ORDER BY id",
                Vec::new(),
            )
            .await?;
        Ok(ended.into_iter().map(|(id,)| id).collect())
    }

    /// The lives that have not ended, as far as anybody has seen, in the order of their ids.
    pub async fn living(&self) -> Result<Vec<IncarnationId>, Error> {
        let sql = "SELECT id FROM incarnations WHERE ended_at_ms IS NULL ORDER BY id";
        let living: Vec<(IncarnationId,)> = self.fetch(sql, Vec::new()).await?;
        Ok(living.into_iter().map(|(id,)| id).collect())
    }

    /// Holders of events or deliveries that have no incarnation at all, as after a restored backup. They
    /// are dead, and what they hold is to be taken over.
    pub async fn find_ownerless(&self) -> Result<Vec<IncarnationId>, Error> {
        let found: Vec<(IncarnationId,)> = self
            .fetch(
                "SELECT holder FROM inbox WHERE set_aside IS NULL
                   AND NOT EXISTS (SELECT 1 FROM incarnations i WHERE i.id = inbox.holder)
                 UNION SELECT holder FROM deliveries WHERE state = 'claimed'
                   AND NOT EXISTS (SELECT 1 FROM incarnations i WHERE i.id = deliveries.holder)
                 UNION SELECT holder FROM flow_waits WHERE state = 'claimed'
                   AND NOT EXISTS (SELECT 1 FROM incarnations i WHERE i.id = flow_waits.holder)",
                Vec::new(),
            )
            .await?;
        Ok(found.into_iter().map(|(id,)| id).collect())
    }

    /// Forgets an ended life of which nothing is left to take over. Whether it was forgotten.
    pub async fn forget_life(&self, ended: IncarnationId) -> Result<bool, Error> {
        let gone = self
            .execute(
                "DELETE FROM incarnations WHERE id = $1 AND ended_at_ms IS NOT NULL
                   AND NOT EXISTS (SELECT 1 FROM inbox WHERE holder = $1 AND set_aside IS NULL)
                   AND NOT EXISTS (SELECT 1 FROM deliveries WHERE holder = $1 AND state = 'claimed')
                   AND NOT EXISTS (SELECT 1 FROM flow_waits WHERE holder = $1 AND state = 'claimed')",
                args![ended],
            )
            .await?;
        Ok(gone > 0)
    }
}

/// What the session says, if it says anything in time: a node whose line has gone silent can't know
/// that it lives.
async fn answered<T>(asked: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, Error> {
    let answer = match tokio::time::timeout(SESSION_PATIENCE, asked).await {
        Ok(answer) => answer.map_err(EngineError::from),
        Err(_elapsed) => Err(EngineError::silence()),
    };
    answer.map_err(Error::Unavailable)
}

/// The random part of the id, as the number that PostgreSQL locks.
fn lock_key(id: IncarnationId) -> i64 {
    let mut low = [0u8; 8];
    low.copy_from_slice(&id.uuid().as_bytes()[8..]);
    i64::from_be_bytes(low)
}
