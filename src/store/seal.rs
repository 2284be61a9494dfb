//! What is sealed under master keys: a word under each key that ever sealed something in this database, so that a
//! start can see whether it has them all; and every place that has something sealed, so that it can be sealed anew.

use uuid::Uuid;

use super::row::record;
use super::values::{Value, args};
use super::{Error, Store};
use crate::model::{AccountId, SecretId, Timestamp};

/// Where something is sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealedPlace {
    /// The signing keys of accounts.
    AccountKey,
    /// Those that they are rotated to.
    NextAccountKey,
    /// Signing secrets of endpoints.
    EndpointSecret,
    /// Private halves of key pairs.
    KeyPair,
    /// Secrets of sources.
    SourceSecret,
    /// The last parts of the URLs of sources.
    SourcePath,
    /// The last parts of the URLs of receivers, and what those verify by.
    Receiver,
    /// Secret variables.
    Variable,
    /// Answers that are kept for those who ask again.
    Reply,
}

impl SealedPlace {
    /// All of them. A rotation moves a key from the first to the second: whoever goes over them in this order meets it.
    pub const ALL: [Self; 9] = [
        Self::NextAccountKey,
        Self::AccountKey,
        Self::EndpointSecret,
        Self::KeyPair,
        Self::SourceSecret,
        Self::SourcePath,
        Self::Receiver,
        Self::Variable,
        Self::Reply,
    ];

    fn columns(self) -> Columns {
        let of = |table, id, sealed| Columns {
            table,
            account: "account_id",
            id,
            sealed,
        };
        let of_account = |sealed| Columns {
            account: "id",
            ..of("accounts", "id", sealed)
        };
        match self {
            Self::AccountKey => of_account("signing_key"),
            Self::NextAccountKey => of_account("next_signing_key"),
            Self::EndpointSecret => of("endpoint_secrets", "id", "sealed"),
            Self::KeyPair => of("key_pairs", "id", "sealed"),
            Self::SourceSecret => of("source_secrets", "id", "sealed"),
            Self::SourcePath => of("sources", "id", "path_sealed"),
            Self::Receiver => of("receivers", "id", "sealed"),
            Self::Variable => of("variables", "name", "sealed"),
            Self::Reply => of("replies", "key", "body"),
        }
    }

    /// Which of the rows have something sealed. The answer of a request that is at work is none yet.
    fn which(self) -> &'static str {
        match self {
            Self::Reply => "status IS NOT NULL",
            _ => "TRUE",
        }
    }

    fn is_named(self) -> bool {
        matches!(self, Self::Variable | Self::Reply)
    }
}

/// What the parts of a sealed thing are called in its table.
struct Columns {
    table: &'static str,
    account: &'static str,
    id: &'static str,
    sealed: &'static str,
}

/// What a sealed thing is known by within its account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SealedName {
    /// An id.
    Id(Uuid),
    /// A name.
    Text(String),
}

impl SealedName {
    fn value(&self) -> Value {
        match self {
            Self::Id(id) => Value::Uuid(Some(*id)),
            Self::Text(name) => Value::Text(Some(name.clone())),
        }
    }
}

/// Something sealed.
#[derive(Debug, Clone)]
pub struct Sealed {
    /// Whose.
    pub account: AccountId,
    /// Which.
    pub name: SealedName,
    /// The sealed bytes.
    pub sealed: Vec<u8>,
}

struct ById {
    account: AccountId,
    /// Of whatever kind: it is but the UUID that counts.
    id: SecretId,
    sealed: Vec<u8>,
}

record!(ById {
    account: "account",
    id: "id",
    sealed: "sealed",
});

struct ByText {
    account: AccountId,
    id: String,
    sealed: Vec<u8>,
}

record!(ByText {
    account: "account",
    id: "id",
    sealed: "sealed",
});

impl From<ById> for Sealed {
    fn from(row: ById) -> Self {
        Self {
            account: row.account,
            name: SealedName::Id(row.id.uuid()),
            sealed: row.sealed,
        }
    }
}

impl From<ByText> for Sealed {
    fn from(row: ByText) -> Self {
        Self {
            account: row.account,
            name: SealedName::Text(row.id),
            sealed: row.sealed,
        }
    }
}

impl Store {
    /// The sealed words.
    pub async fn seals(&self) -> Result<Vec<Vec<u8>>, Error> {
        let rows: Vec<(Vec<u8>,)> = self
            .fetch("SELECT sealed FROM seals ORDER BY key_id", Vec::new())
            .await?;
        Ok(rows.into_iter().map(|row| row.0).collect())
    }

    /// Keeps the word that was sealed under a key, unless there is one.
    pub async fn keep_seal(&self, key: &[u8], sealed: &[u8], now: Timestamp) -> Result<(), Error> {
        self.execute(
            "INSERT INTO seals (key_id, sealed, kept_at_ms) VALUES ($1, $2, $3)
             ON CONFLICT (key_id) DO NOTHING",
            args![key.to_vec(), sealed.to_vec(), now],
        )
        .await
        .map(drop)
    }

    /// How many nodes live that began before the word under this key was kept: they may seal under another.
    pub async fn lives_without(&self, key: &[u8]) -> Result<i64, Error> {
        let sql = "SELECT COUNT(*) FROM incarnations WHERE ended_at_ms IS NULL AND started_at_ms <
             (SELECT COALESCE(MAX(kept_at_ms), 0) FROM seals WHERE key_id = $1)";
        let rows: Vec<(i64,)> = self.fetch(sql, args![key.to_vec()]).await?;
        Ok(rows.first().map_or(0, |row| row.0))
    }

    /// Forgets the words under all keys but this one. How many there were.
    pub async fn forget_other_seals(&self, key: &[u8]) -> Result<u64, Error> {
        self.execute("DELETE FROM seals WHERE key_id <> $1", args![key.to_vec()])
            .await
    }

    /// Up to `limit` of the things that are sealed in a place, in order, those after `after`.
    pub async fn sealed(
        &self,
        place: SealedPlace,
        after: Option<&Sealed>,
        limit: usize,
    ) -> Result<Vec<Sealed>, Error> {
        let Columns {
            table,
            account,
            id,
            sealed,
        } = place.columns();
        let which = place.which();
        let mut arguments = args![limit];
        let mut beyond = "";
        if let Some(after) = after {
            beyond = "AND (account, id) > ($2, $3)";
            arguments.push(after.account.into());
            arguments.push(after.name.value());
        }
        let sql = format!(
            "SELECT account, id, sealed FROM (
               SELECT {account} AS account, {id} AS id, {sealed} AS sealed FROM {table} WHERE {which}) s
             WHERE sealed IS NOT NULL {beyond} ORDER BY account, id LIMIT $1"
        );
        if place.is_named() {
            let rows: Vec<ByText> = self.fetch(&sql, arguments).await?;
            Ok(rows.into_iter().map(Sealed::from).collect())
        } else {
            let rows: Vec<ById> = self.fetch(&sql, arguments).await?;
            Ok(rows.into_iter().map(Sealed::from).collect())
        }
    }

    /// Puts what was sealed anew in the place of what it was before. Whether that still stood there.
    pub async fn seal_anew(
        &self,
        place: SealedPlace,
        known: &Sealed,
        anew: Vec<u8>,
    ) -> Result<bool, Error> {
        let Columns {
            table,
            account,
            id,
            sealed,
        } = place.columns();
        let sql = format!(
            "UPDATE {table} SET {sealed} = $4 WHERE {account} = $1 AND {id} = $2 AND {sealed} = $3"
        );
        let arguments = args![
            known.account,
            known.name.value(),
            known.sealed.clone(),
            anew
        ];
        Ok(self.execute(&sql, arguments).await? > 0)
    }
}
