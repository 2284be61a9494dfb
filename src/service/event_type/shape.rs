//! Event types as users write and read them.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::automation::DefinitionDigest;
use crate::model::{AccountId, Timestamp};
use crate::service::json::nullable;
use crate::service::principal::NO_ACCOUNT;
use crate::service::{AuthorView, Error};
use crate::store::EventTypeEntry;

/// An event type to be catalogued.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewEventType {
    /// The type's name, such as `deal.stage.changed`: names of ASCII letters, digits, `_` and `-`, joined by
    /// dots; 200 bytes at most; not `import` or `catalogues`.
    pub name: String,
    /// What it means, for people who choose among event types: 10000 bytes at most.
    #[serde(default)]
    pub description: String,
    /// The heading that it stands under: 1 to 200 bytes, on one line.
    pub group: Option<String>,
    /// An example payload: any JSON value, as large as a payload may be. It fits the schema.
    #[schema(value_type = Option<serde_json::Value>)]
    pub example: Option<Box<RawValue>>,
    /// Further example payloads, 20 at most. They fit the schema.
    #[schema(value_type = Option<Vec<serde_json::Value>>)]
    pub examples: Option<Vec<Box<RawValue>>>,
    /// What payloads must look like: JSON Schema, draft 2020-12, 64 KiB at most, with every `$ref` within it. It
    /// becomes version 1.
    #[schema(value_type = Option<serde_json::Value>)]
    pub schema: Option<Box<RawValue>>,
}

/// What can be changed of an event type.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EventTypePatch {
    /// What it means, for people who choose among event types: 10000 bytes at most.
    pub description: Option<String>,
    /// The heading that it stands under: 1 to 200 bytes, on one line; null: none.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    pub group: Option<Option<String>>,
    /// An example payload: any JSON value, as large as a payload may be; null: none.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub example: Option<Option<Box<RawValue>>>,
    /// Further example payloads, 20 at most, in place of those that there are.
    #[schema(value_type = Option<Vec<serde_json::Value>>)]
    pub examples: Option<Vec<Box<RawValue>>>,
    /// What payloads must look like from now on: JSON Schema, draft 2020-12. If it says something else than the one
    /// in force it becomes a new version. Null: nothing is asked of payloads any more; earlier versions stay.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub schema: Option<Option<Box<RawValue>>>,
    /// True puts it away: it is not listed unless asked for; its events are still taken, and still looked at. False
    /// takes it out again.
    pub archived: Option<bool>,
}

/// A catalogued event type.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventTypeView {
    /// The type's name, such as `deal.stage.changed`.
    pub name: String,
    /// What it means, for people who choose among event types.
    pub description: String,
    /// The heading that it stands under; null: none.
    pub group: Option<String>,
    /// An example payload; null: none.
    #[schema(value_type = Option<serde_json::Value>)]
    pub example: Option<Box<RawValue>>,
    /// Further example payloads.
    #[schema(value_type = Vec<serde_json::Value>)]
    pub examples: Vec<Box<RawValue>>,
    /// Which version of its schema is in force; null: nothing is asked of payloads.
    pub schema_version: Option<i64>,
    /// The JSON Schema in force; left out of lists, and where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub schema: Option<Box<RawValue>>,
    /// Whether it is put away.
    pub archived: bool,
    /// Whose entry it is: `installation` (every account sees it) or `account`.
    pub owner: &'static str,
    /// When it was made, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it last changed, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

/// A version of an event type's schema in a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventTypeVersionView {
    /// Its number, from 1.
    pub version: i64,
    /// SHA-256 of the schema in canonical JSON: `sha256:` and 64 hexadecimal digits.
    #[schema(value_type = String, example = "sha256:…")]
    pub digest: DefinitionDigest,
    /// Whether it is the one in force.
    pub in_force: bool,
    /// Whose key saved it; null, if that is not known.
    pub author: Option<AuthorView>,
    /// When it was saved, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// The JSON Schema; left out of lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub schema: Option<Box<RawValue>>,
}

impl EventTypeView {
    pub(in crate::service) fn of(owner: AccountId, row: EventTypeEntry) -> Result<Self, Error> {
        let examples = row.examples.as_deref().unwrap_or("[]");
        let examples = serde_json::from_str(examples)
            .map_err(|error| Error::unreadable("the examples of an event type", error))?;
        Ok(Self {
            name: row.name,
            description: row.description,
            group: row.group,
            example: row.example.map(raw).transpose()?,
            examples,
            schema_version: row.schema_version,
            schema: row.schema.map(raw).transpose()?,
            archived: row.archived_at.is_some(),
            owner: if owner == NO_ACCOUNT {
                "installation"
            } else {
                "account"
            },
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

/// JSON that was kept as text.
pub(in crate::service) fn raw(text: String) -> Result<Box<RawValue>, Error> {
    RawValue::from_string(text).map_err(|error| Error::unreadable("an event type", error))
}
