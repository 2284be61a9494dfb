//! Everything that evaluation and delivery need to know of one account, as of one revision.

use super::row::record;
use super::values::args;
use super::{
    Account, AccountConnectionRow, Endpoint, EndpointSecret, Error, KeyPairRow, Store, Variable,
    account, account_connection, endpoint, endpoint_secret, key_pair, variable,
};
use crate::automation::may_name_variables;
use crate::model::{AccountId, AutomationId, EndpointId};

/// What an account's users had published at a revision.
#[derive(Debug, Clone)]
pub struct SnapshotRows {
    /// The account itself, as it is now.
    pub account: Account,
    /// The automations that were live at the revision.
    pub automations: Vec<PublishedAutomation>,
    /// How its deliveries are connected, if that is not the usual way.
    pub connection: Option<AccountConnectionRow>,
    /// The endpoints as they are now; removed ones are missing.
    pub endpoints: Vec<Endpoint>,
    /// Their secrets.
    pub secrets: Vec<EndpointSecret>,
    /// Their key pairs.
    pub key_pairs: Vec<KeyPairRow>,
    /// Automations that have failed and not worked since.
    pub failing: Vec<AutomationId>,
    /// The variables as they are now; not read, if nothing asks for one.
    pub variables: Vec<Variable>,
}

impl SnapshotRows {
    /// Those of an account that has published nothing.
    pub fn of(account: Account) -> Self {
        Self {
            account,
            connection: None,
            automations: Vec::new(),
            endpoints: Vec::new(),
            secrets: Vec::new(),
            key_pairs: Vec::new(),
            failing: Vec::new(),
            variables: Vec::new(),
        }
    }
}

/// One live version.
#[derive(Debug, Clone)]
pub struct PublishedAutomation {
    /// Its id.
    pub id: AutomationId,
    /// For people.
    pub name: String,
    /// Set if it is an endpoint's own subscription.
    pub owner_endpoint: Option<EndpointId>,
    /// Which version is live.
    pub version: i64,
    /// JSON.
    pub definition: String,
}

record!(PublishedAutomation {
    id: "id",
    name: "name",
    owner_endpoint: "owner_endpoint_id",
    version: "version",
    definition: "definition",
});

impl Store {
    /// Reads an account as of `revision`; `None` if there is no such account. Automations have
    /// validity ranges and are read as they were; the account and its endpoints are read as they are,
    /// because an attempt must use the newest settings. All is read as of one moment, so that the
    /// account's revision is the one that its endpoints are of.
    pub async fn snapshot(
        &self,
        account: AccountId,
        revision: i64,
    ) -> Result<Option<SnapshotRows>, Error> {
        let mut tx = self.begin_reading().await?;
        let Some(row) = account::read(&mut tx, account).await? else {
            return Ok(None);
        };
        let automations: Vec<PublishedAutomation> = tx
            .fetch(
                "SELECT a.id, a.name, a.owner_endpoint_id, p.version, v.definition FROM publications p
                 JOIN automations a ON a.account_id = p.account_id AND a.id = p.automation_id
                 JOIN automation_versions v ON v.account_id = p.account_id
                   AND v.automation_id = p.automation_id AND v.version = p.version
                 WHERE p.account_id = $1 AND p.from_revision <= $2
                   AND (p.to_revision IS NULL OR p.to_revision > $2)
                 ORDER BY a.id",
                args![account, revision],
            )
            .await?;
        let failing: Vec<(AutomationId,)> = tx
            .fetch(
                "SELECT automation_id FROM automation_failures WHERE account_id = $1",
                args![account],
            )
            .await?;
        let endpoints = endpoint::live(&mut tx, account).await?;
        let connection = account_connection::read(&mut tx, account).await?;
        let proxy = connection.iter().filter_map(|row| row.proxy.as_ref());
        let mut texts = automations
            .iter()
            .map(|row| &row.definition)
            .chain(endpoints.iter().map(|row| &row.settings))
            .chain(proxy);
        let variables = if texts.any(|text| may_name_variables(text)) {
            variable::live(&mut tx, account).await?
        } else {
            Vec::new()
        };
        let rows = SnapshotRows {
            account: row,
            connection,
            automations,
            endpoints,
            secrets: endpoint_secret::live(&mut tx, account).await?,
            key_pairs: key_pair::live(&mut tx, account).await?,
            failing: failing.into_iter().map(|row| row.0).collect(),
            variables,
        };
        tx.commit().await?;
        Ok(Some(rows))
    }
}
