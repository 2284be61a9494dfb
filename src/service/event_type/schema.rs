//! What is asked of the payloads of an event type, for those who want to know it: the schema in force, as
//! JSON.

use std::sync::Arc;

use serde_json::Value;

use crate::model::AccountId;
use crate::service::{Error, Service};

impl Service {
    /// The newest JSON Schema (draft 2020-12) of the event type of this name as the account sees it: its own
    /// entry's, or, if it has none of this name, the installation's. `None`: nobody knows the type, or
    /// it has no schema. It is within the bounds of `crate::schema`, and every `$ref` in it is within the
    /// document.
    pub async fn newest_schema(
        &self,
        account: AccountId,
        name: &str,
    ) -> Result<Option<Arc<Value>>, Error> {
        let found = self.inner.store.schema_in_force(account, name).await?;
        let Some(text) = found.and_then(|found| found.schema) else {
            return Ok(None);
        };
        let schema = serde_json::from_str(&text)
            .map_err(|error| Error::unreadable("the schema of an event type", error))?;
        Ok(Some(Arc::new(schema)))
    }
}
