//! Variables of accounts, by name. A change raises the account's revision in the same transaction, so that the
//! next event sees it. One that something asks for is not removed.

use bytes::Bytes;

use super::row::record;
use super::values::args;
use super::{Error, Store, Tx, account, account_connection};
use crate::automation::{Definition, VARIABLES_ROOT as ROOT, references_in_json};
use crate::model::limits::VARIABLES_PER_ACCOUNT_MAX;
use crate::model::{AccountId, AutomationId, EndpointId, SourceId, Timestamp};

/// A variable: one of `value` and `sealed` is there.
#[derive(Debug, Clone)]
pub struct Variable {
    /// Its name, unique in the account.
    pub name: String,
    /// JSON, of a plain one.
    pub value: Option<String>,
    /// The text of a secret one, sealed.
    pub sealed: Option<Vec<u8>>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

record!(Variable {
    name: "name",
    value: "value",
    sealed: "sealed",
    created_at: "created_at_ms",
    updated_at: "updated_at_ms",
});

/// Who asks for a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VariableUser {
    /// The condition or the flow control of a version of an automation that is published, its newest, or one with
    /// which something waits.
    Condition {
        /// Which automation.
        id: AutomationId,
        /// What it is called.
        name: String,
    },
    /// A transform's configuration in such a version.
    Config {
        /// Which automation.
        id: AutomationId,
        /// What it is called.
        name: String,
    },
    /// The configuration of the plugin that makes a source's events.
    Source {
        /// Which source.
        id: SourceId,
        /// What it is called.
        name: String,
    },
    /// A header of an endpoint, also one that its `auth` makes as it is.
    Header {
        /// Which endpoint.
        id: EndpointId,
        /// What it is called.
        name: String,
    },
    /// How an endpoint is connected; without an endpoint, how the account is.
    Connection {
        /// Which endpoint, and what it is called.
        endpoint: Option<(EndpointId, String)>,
        /// Whether it stands there for a secret.
        as_secret: bool,
    },
    /// A header of a profile.
    Profile {
        /// What it is called.
        name: String,
    },
}

/// What has come of a removal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removal {
    /// There is no such variable.
    Missing,
    /// These ask for it: it stays.
    InUse(Vec<VariableUser>),
    /// It is gone.
    Removed,
}

/// Where settings of an endpoint stand for secrets.
const CONNECTION_SECRETS: [&str; 5] = [
    "/auth/basic/password",
    "/auth/bearer/token",
    "/auth/oauth2/client_secret",
    "/client_certificate/key",
    "/proxy/password",
];

/// A text in which a variable may be asked for.
struct Candidate<I> {
    id: I,
    name: String,
    text: String,
}

record!(AutomationCandidate {
    id: "id",
    name: "name",
    text: "definition",
});
record!(EndpointCandidate {
    id: "id",
    name: "name",
    text: "settings",
});

record!(SourceCandidate {
    id: "id",
    name: "name",
    text: "settings",
});

type SourceCandidate = Candidate<SourceId>;
type AutomationCandidate = Candidate<AutomationId>;
type EndpointCandidate = Candidate<EndpointId>;

const COLUMNS: &str = "name, value, sealed, created_at_ms, updated_at_ms";

impl Store {
    /// Makes a variable. [`Error::is_taken`] if the account has one of this name.
    pub async fn create_variable(&self, account: AccountId, new: &Variable) -> Result<(), Error> {
        let mut tx = self.begin().await?;
        account::raise_revision(&mut tx, account).await?;
        tx.execute(
            "INSERT INTO variables (account_id, name, value, sealed, created_at_ms, updated_at_ms)
             VALUES ($1, $2, $3, $4, $5, $6)",
            args![
                account,
                new.name.as_str(),
                new.value.clone(),
                new.sealed.clone().map(Bytes::from),
                new.created_at,
                new.updated_at
            ],
        )
        .await?;
        let limit = ("variables", VARIABLES_PER_ACCOUNT_MAX);
        let counted = "FROM variables WHERE account_id = $1";
        account::check_count(&mut tx, account, counted, limit).await?;
        tx.commit().await
    }

    /// Gives a variable another value, if whoever asks for it can take that: `refuses` gets them. Whether
    /// there is one of this name; those who refuse it, and then nothing is changed.
    pub async fn change_variable(
        &self,
        account: AccountId,
        to: &Variable,
        refuses: impl Fn(&VariableUser) -> bool + Send,
    ) -> Result<Option<Vec<VariableUser>>, Error> {
        let mut tx = self.begin().await?;
        account::raise_revision(&mut tx, account).await?;
        let mut users = users(&mut tx, account, &to.name).await?;
        users.retain(refuses);
        if !users.is_empty() {
            return Ok(Some(users));
        }
        let changed = tx
            .execute(
                "UPDATE variables SET value = $3, sealed = $4, updated_at_ms = $5
                 WHERE account_id = $1 AND name = $2",
                args![
                    account,
                    to.name.as_str(),
                    to.value.clone(),
                    to.sealed.clone().map(Bytes::from),
                    to.updated_at
                ],
            )
            .await?;
        if changed == 0 {
            return Ok(None);
        }
        tx.commit().await?;
        Ok(Some(Vec::new()))
    }

    /// Removes a variable that nobody asks for.
    pub async fn delete_variable(&self, account: AccountId, name: &str) -> Result<Removal, Error> {
        let mut tx = self.begin().await?;
        account::raise_revision(&mut tx, account).await?;
        let changed = tx
            .execute(
                "DELETE FROM variables WHERE account_id = $1 AND name = $2",
                args![account, name],
            )
            .await?;
        if changed == 0 {
            return Ok(Removal::Missing);
        }
        let users = users(&mut tx, account, name).await?;
        if !users.is_empty() {
            return Ok(Removal::InUse(users));
        }
        tx.commit().await?;
        Ok(Removal::Removed)
    }

    /// The variable of this name.
    pub async fn variable(
        &self,
        account: AccountId,
        name: &str,
    ) -> Result<Option<Variable>, Error> {
        self.fetch_optional(
            &format!("SELECT {COLUMNS} FROM variables WHERE account_id = $1 AND name = $2"),
            args![account, name],
        )
        .await
    }

    /// The account's secret variables.
    pub async fn secret_variables(&self, account: AccountId) -> Result<Vec<Variable>, Error> {
        let sql = format!(
            "SELECT {COLUMNS} FROM variables WHERE account_id = $1 AND sealed IS NOT NULL ORDER BY name"
        );
        self.fetch(&sql, args![account]).await
    }

    /// Up to `limit` variables after `after`, by name.
    pub async fn variables(
        &self,
        account: AccountId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Variable>, Error> {
        let sql = format!(
            "SELECT {COLUMNS} FROM variables WHERE account_id = $1 AND name > $2 ORDER BY name LIMIT $3"
        );
        self.fetch(&sql, args![account, after.unwrap_or(""), limit])
            .await
    }
}

/// All variables of the account, read inside the transaction.
pub(super) async fn live(tx: &mut Tx, account: AccountId) -> Result<Vec<Variable>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM variables WHERE account_id = $1 ORDER BY name");
    tx.fetch(&sql, args![account]).await
}

/// Who asks for a variable, read inside the transaction, which has raised the revision: what is saved at
/// the same moment is either seen here or comes after it.
async fn users(tx: &mut Tx, account: AccountId, name: &str) -> Result<Vec<VariableUser>, Error> {
    // However it is spelled, this is in it; which names it asks for is the parsers' to say.
    let pattern = format!("%{ROOT}%");
    let mut users = Vec::new();
    let found: Vec<AutomationCandidate> = tx
        .fetch(
            "SELECT a.id, a.name, v.definition FROM automations a
             JOIN automation_versions v ON v.account_id = a.account_id AND v.automation_id = a.id
               AND (v.version = a.latest_version OR v.version = a.published_version
                 OR (v.automation_id, v.version) IN (
                   SELECT w.automation_id, w.version FROM flow_waits w WHERE w.account_id = $1))
             WHERE a.account_id = $1 AND a.deleted_at_ms IS NULL AND v.definition LIKE $2
             ORDER BY a.id, v.version",
            args![account, pattern.as_str()],
        )
        .await?;
    for Candidate {
        id,
        name: called,
        text,
    } in found
    {
        // One that can't be read asks for nothing that can be known.
        let Ok(definition) = serde_json::from_str::<Definition>(&text) else {
            continue;
        };
        let condition = definition.asks_for(name).then(|| VariableUser::Condition {
            id,
            name: called.clone(),
        });
        let config = definition
            .configures_with(name)
            .then_some(VariableUser::Config { id, name: called });
        for user in condition.into_iter().chain(config) {
            if !users.contains(&user) {
                users.push(user);
            }
        }
    }
    users.extend(outward_users(tx, account, (name, &pattern)).await?);
    users.extend(profiles(tx, account, name).await?);
    let found: Vec<SourceCandidate> = tx
        .fetch(
            "SELECT id, name, settings FROM sources
             WHERE account_id = $1 AND settings LIKE $2 ORDER BY id",
            args![account, pattern.as_str()],
        )
        .await?;
    let sources = found.into_iter().filter(|found| {
        let config = plugin_config(&found.text).map(|config| references_in_json(&config));
        matches!(config, Some(Ok(named)) if named.contains(name))
    });
    users.extend(sources.map(|found| VariableUser::Source {
        id: found.id,
        name: found.name,
    }));
    Ok(users)
}

/// What of the way out asks for a variable: endpoints, and the account's own connection.
async fn outward_users(
    tx: &mut Tx,
    account: AccountId,
    (name, pattern): (&str, &str),
) -> Result<Vec<VariableUser>, Error> {
    let mut users = Vec::new();
    let found: Vec<EndpointCandidate> = tx
        .fetch(
            "SELECT id, name, settings FROM endpoints
             WHERE account_id = $1 AND deleted_at_ms IS NULL AND settings LIKE $2 ORDER BY id",
            args![account, pattern],
        )
        .await?;
    for found in found {
        users.extend(endpoint_users(found, name));
    }
    let of_account = account_connection::read(tx, account).await?;
    let proxy = of_account.and_then(|row| row.proxy).unwrap_or_default();
    if names(&proxy, "", name) {
        users.push(VariableUser::Connection {
            endpoint: None,
            as_secret: names(&proxy, "/password", name),
        });
    }
    Ok(users)
}

/// Where an endpoint's settings ask for a variable.
fn endpoint_users(found: EndpointCandidate, name: &str) -> Vec<VariableUser> {
    let Candidate {
        id,
        name: called,
        text,
    } = found;
    let at = |pointer: &str| names(&text, pointer, name);
    let mut users = Vec::new();
    if ["/headers", "/auth/bearer"].iter().any(|it| at(it)) {
        users.push(VariableUser::Header {
            id,
            name: called.clone(),
        });
    }
    if ["/auth", "/client_certificate", "/proxy"]
        .iter()
        .any(|it| at(it))
    {
        users.push(VariableUser::Connection {
            endpoint: Some((id, called)),
            as_secret: CONNECTION_SECRETS.iter().any(|it| at(it)),
        });
    }
    users
}

/// Whether what stands at a place of a JSON text refers to a variable.
fn names(json: &str, pointer: &str, variable: &str) -> bool {
    let value: Option<serde_json::Value> = serde_json::from_str(json).ok();
    let part = value.as_ref().and_then(|value| value.pointer(pointer));
    let named = part.map(|part| references_in_json(&part.to_string()));
    matches!(named, Some(Ok(named)) if named.contains(variable))
}
/// The profiles with a header that asks for a variable.
async fn profiles(tx: &mut Tx, account: AccountId, name: &str) -> Result<Vec<VariableUser>, Error> {
    let found: Vec<(String, String)> = tx
        .fetch(
            "SELECT name, says FROM named_rules
             WHERE account_id = $1 AND kind = 'profile' AND says LIKE $2 ORDER BY name",
            args![account, format!("%{ROOT}%")],
        )
        .await?;
    let asks = |says: &str| references_in_json(says).is_ok_and(|named| named.contains(name));
    let asking = found.into_iter().filter(|(_, says)| asks(says));
    Ok(asking
        .map(|(name, _)| VariableUser::Profile { name })
        .collect())
}

/// The configuration of a source's plugin, which its settings have as text, if it has one.
fn plugin_config(settings: &str) -> Option<String> {
    let settings: serde_json::Value = serde_json::from_str(settings).ok()?;
    let config = settings.pointer("/plugin/config")?;
    config.as_str().map(str::to_owned)
}
