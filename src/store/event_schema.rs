//! The JSON Schemas of event types: immutable versions, one of them in force. Those that an account
//! sees are its own and the installation's, which are kept under the nil id; its own entry hides the
//! installation's of the same name, also where it has no schema.

use super::row::record;
use super::values::args;
use super::{Error, Store};
use crate::model::{AccountId, ApiKeyId, Timestamp};

/// What is asked of the payloads of an event type.
#[derive(Debug, Clone)]
pub struct SchemaInForce {
    /// Whose entry in the catalogue it is: the account's or the nil id's.
    pub owner: AccountId,
    /// The version in force; `None`: nothing is asked.
    pub version: Option<i64>,
    /// JSON, as its author wrote it.
    pub schema: Option<String>,
    /// SHA-256 of the schema's one spelling.
    pub digest: Option<Vec<u8>>,
}

record!(SchemaInForce {
    owner: "account_id",
    version: "schema_version",
    schema: "schema",
    digest: "digest",
});

/// One immutable version of an event type's schema.
#[derive(Debug, Clone)]
pub struct EventTypeVersion {
    /// Its number, from 1.
    pub version: i64,
    /// JSON, as its author wrote it.
    pub schema: String,
    /// SHA-256 of the schema's one spelling.
    pub digest: Vec<u8>,
    /// Whose key saved it.
    pub author_key: Option<ApiKeyId>,
    /// What that key was called.
    pub author_name: Option<String>,
    /// When it was saved.
    pub created_at: Timestamp,
}

record!(EventTypeVersion {
    version: "version",
    schema: "schema",
    digest: "digest",
    author_key: "author_key_id",
    author_name: "author_name",
    created_at: "created_at_ms",
});

/// One version without its schema.
#[derive(Debug, Clone)]
pub struct EventTypeVersionHead {
    /// Its number, from 1.
    pub version: i64,
    /// SHA-256 of the schema's one spelling.
    pub digest: Vec<u8>,
    /// Whose key saved it.
    pub author_key: Option<ApiKeyId>,
    /// What that key was called.
    pub author_name: Option<String>,
    /// When it was saved.
    pub created_at: Timestamp,
}

record!(EventTypeVersionHead {
    version: "version",
    digest: "digest",
    author_key: "author_key_id",
    author_name: "author_name",
    created_at: "created_at_ms",
});

impl Store {
    /// What is asked of payloads of this event type when they come in for `account`; `None`: neither the
    /// account nor the installation knows the type.
    pub async fn schema_in_force(
        &self,
        account: AccountId,
        name: &str,
    ) -> Result<Option<SchemaInForce>, Error> {
        let installation = AccountId::from_uuid(uuid::Uuid::nil());
        let found: Vec<SchemaInForce> = self
            .fetch(
                "SELECT t.account_id, t.schema_version, v.schema, v.digest FROM event_types t
                 LEFT JOIN event_type_versions v ON v.account_id = t.account_id AND v.name = t.name
                   AND v.version = t.schema_version
                 WHERE (t.account_id = $1 OR t.account_id = $2) AND t.name = $3",
                args![account, installation, name],
            )
            .await?;
        let own = found.iter().position(|row| row.owner == account);
        Ok(found.into_iter().nth(own.unwrap_or(0)))
    }

    /// One version of an event type.
    pub async fn event_type_version(
        &self,
        account: AccountId,
        name: &str,
        version: i64,
    ) -> Result<Option<EventTypeVersion>, Error> {
        self.fetch_optional(
            "SELECT version, schema, digest, author_key_id, author_name, created_at_ms
             FROM event_type_versions WHERE account_id = $1 AND name = $2 AND version = $3",
            args![account, name, version],
        )
        .await
    }

    /// Up to `limit` versions before the one of the number `before`, newest first.
    pub async fn event_type_versions(
        &self,
        account: AccountId,
        name: &str,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<EventTypeVersionHead>, Error> {
        self.fetch(
            "SELECT version, digest, author_key_id, author_name, created_at_ms
             FROM event_type_versions WHERE account_id = $1 AND name = $2 AND version < $3
             ORDER BY version DESC LIMIT $4",
            args![account, name, before.unwrap_or(i64::MAX), limit],
        )
        .await
    }
}
