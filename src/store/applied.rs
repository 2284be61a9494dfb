//! What was applied last from a file, object by object, and what an apply is decided on: the account's
//! revision, which must still be the same when it is written, and the newest versions of all automations.

use super::row::record;
use super::values::{Columns, Kind, Rows, Shape, args, values};
use super::{Error, Store};
use crate::model::{AccountId, ApiKeyId, AutomationId, Timestamp};

/// How an object was applied last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Which kind of object, as the file's section is called.
    pub section: String,
    /// Its id; the name of what has no id.
    pub object: String,
    /// What it was called.
    pub name: String,
    /// What it was, JSON.
    pub content: String,
    /// When.
    pub applied_at: Timestamp,
    /// Whose key did it, if that is known.
    pub author_key: Option<ApiKeyId>,
    /// What that key was called.
    pub author_name: Option<String>,
}

record!(Applied {
    section: "section",
    object: "object",
    name: "name",
    content: "content",
    applied_at: "applied_at_ms",
    author_key: "author_key_id",
    author_name: "author_name",
});

/// The newest version of an automation.
#[derive(Debug, Clone)]
pub struct NewestVersion {
    /// Which automation.
    pub id: AutomationId,
    /// JSON.
    pub definition: String,
    /// Whose key saved it, if that is known.
    pub author_key: Option<ApiKeyId>,
    /// What that key was called.
    pub author_name: Option<String>,
    /// What its author said of it.
    pub note: Option<String>,
    /// When it was saved.
    pub created_at: Timestamp,
}

record!(NewestVersion {
    id: "id",
    definition: "definition",
    author_key: "author_key_id",
    author_name: "author_name",
    note: "note",
    created_at: "created_at_ms",
});

const COLUMNS: Columns = &[
    ("account_id", Kind::Uuid),
    ("section", Kind::Text),
    ("object", Kind::Text),
    ("name", Kind::Text),
    ("content", Kind::Text),
    ("applied_at_ms", Kind::Int),
    ("author_key_id", Kind::Uuid),
    ("author_name", Kind::Text),
];
const KEY: usize = 3;

impl Store {
    /// How all objects were applied last.
    pub async fn applied(&self, account: AccountId) -> Result<Vec<Applied>, Error> {
        self.fetch(
            "SELECT section, object, name, content, applied_at_ms, author_key_id, author_name FROM applied
             WHERE account_id = $1 ORDER BY section, object",
            args![account],
        )
        .await
    }

    /// Writes down how objects are applied, and forgets others: their sections and what they are known by.
    pub async fn note_applied(
        &self,
        account: AccountId,
        applied: &[Applied],
        forgotten: &[(String, String)],
    ) -> Result<(), Error> {
        let mut tx = self.begin().await?;
        if !forgotten.is_empty() {
            let mut rows = Rows::new(&COLUMNS[..KEY], forgotten.len());
            for (section, object) in forgotten {
                rows.push(values![account, section.as_str(), object.as_str()]);
            }
            tx.execute_rows(rows, Shape::Delete { from: "applied" })
                .await?;
        }
        if !applied.is_empty() {
            let mut rows = Rows::new(COLUMNS, applied.len());
            for row in applied {
                rows.push(values![
                    account,
                    row.section.as_str(),
                    row.object.as_str(),
                    row.name.as_str(),
                    row.content.as_str(),
                    row.applied_at,
                    row.author_key,
                    row.author_name.clone()
                ]);
            }
            let into = Shape::Insert {
                into: "applied",
                tail:
                    "ON CONFLICT (account_id, section, object) DO UPDATE SET name = excluded.name,
                   content = excluded.content, applied_at_ms = excluded.applied_at_ms,
                   author_key_id = excluded.author_key_id, author_name = excluded.author_name",
            };
            tx.execute_rows(rows, into).await?;
        }
        tx.commit().await
    }

    /// Keeps the account as it is at this revision, to the end of the whole that this is a part of.
    /// [`Error::Raced`] if it has another by now.
    pub async fn hold_revision(&self, account: AccountId, revision: i64) -> Result<(), Error> {
        let held = self
            .execute(
                "UPDATE accounts SET revision = revision WHERE id = $1 AND revision = $2",
                args![account, revision],
            )
            .await?;
        if held == 0 {
            return Err(Error::Raced);
        }
        Ok(())
    }

    /// The newest version of each automation of the account, endpoints' own subscriptions left out.
    pub async fn newest_versions(&self, account: AccountId) -> Result<Vec<NewestVersion>, Error> {
        self.fetch(
            "SELECT a.id, v.definition, v.author_key_id, v.author_name, v.note, v.created_at_ms
             FROM automations a JOIN automation_versions v ON v.account_id = a.account_id
               AND v.automation_id = a.id AND v.version = a.latest_version
             WHERE a.account_id = $1 AND a.deleted_at_ms IS NULL AND a.owner_endpoint_id IS NULL",
            args![account],
        )
        .await
    }
}
