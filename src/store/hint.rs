//! Hints from node to node over PostgreSQL's `NOTIFY`: sent after a commit, never inside one, because
//! `NOTIFY` puts the commits of a whole server in a row. Hints may be lost: whoever hears none is
//! right all the same, only later.

use serde::{Deserialize, Serialize};
use sqlx::postgres::{PgListener, PgPool};

use super::backend::Backend;
use super::postgres::Runs;
use super::{Error, Store};
use crate::model::{AccountId, ApiKeyId, AutomationId, ReceiverId};

const CHANNEL: &str = "throwbar";

/// What other nodes may want to know at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hint {
    /// An account has reached this revision.
    Revision(AccountId, i64),
    /// An API key does not work any more.
    Revoked(ApiKeyId),
    /// It was told that an automation is failing: whoever sees it work tells that, too.
    Failing(AccountId, AutomationId),
    /// What the account, or the installation (the nil id), catalogues or asks of events has changed.
    Catalogue(AccountId),
    /// Something has come to a receiver, or was answered there.
    Received(ReceiverId),
    /// Something that nobody has in hand may be due.
    Look,
}

/// The other nodes, if there can be any. Clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Others(Option<PgPool>);

impl Others {
    pub(super) fn of(backend: &Backend) -> Self {
        Self(match backend {
            Backend::Sqlite(_) => None,
            Backend::Postgres(postgres) => Some(postgres.pool.clone()),
        })
    }

    /// Tells them, without waiting for it.
    pub(super) fn tell(&self, hint: Hint) {
        let Some(pool) = self.0.clone() else { return };
        tokio::spawn(async move { tell(&pool, hint).await });
    }
}

/// Tells all nodes over this connection, if it can.
pub(super) async fn tell<'c>(on: impl Runs<'c>, hint: Hint) {
    let text = serde_json::to_string(&hint).unwrap_or_default();
    let told = sqlx::query("SELECT pg_notify($1, $2)")
        .bind(CHANNEL)
        .bind(text)
        .execute(on)
        .await;
    if let Err(error) = told {
        tracing::debug!(
            error = &error as &dyn std::error::Error,
            "other nodes were not told"
        );
    }
}

/// Hears what other nodes tell, and this one, too.
#[derive(Debug)]
pub struct Listener(PgListener);

impl Listener {
    /// The next hint. After a line that was lost it is [`Hint::Look`], as something may have been
    /// missed.
    pub async fn next(&mut self) -> Result<Hint, Error> {
        loop {
            let Some(heard) = self.0.try_recv().await? else {
                return Ok(Hint::Look);
            };
            // A newer node may say what this one does not know.
            if let Ok(hint) = serde_json::from_str(heard.payload()) {
                return Ok(hint);
            }
        }
    }
}

impl Store {
    /// Tells other nodes, without waiting for it.
    pub fn tell(&self, hint: Hint) {
        self.others.tell(hint);
    }

    /// Begins to hear hints; `None` where there are no other nodes.
    pub async fn listen(&self) -> Result<Option<Listener>, Error> {
        let Backend::Postgres(postgres) = &self.backend else {
            return Ok(None);
        };
        let mut listener = PgListener::connect_with(&postgres.pool).await?;
        listener.listen(CHANNEL).await?;
        Ok(Some(Listener(listener)))
    }

    /// Another node has let the account reach this revision.
    pub fn heard_of(&self, account: AccountId, revision: i64) {
        self.revisions.heard(account, revision);
    }
}
