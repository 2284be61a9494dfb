//! What refers to variables: seen to when it is saved, with the variables that there are or are supposed to be.

use super::supposed::Supposed;
use super::{Error, Place, Service, check};
use crate::automation::flow::Rules;
use crate::automation::{Condition, Definition, may_name_variables};
use crate::model::AccountId;
use crate::model::limits::VARIABLES_PER_ACCOUNT_MAX;
use crate::pipeline::AccountVariables;

impl Service {
    /// The account's variables, if a definition or settings may refer to them.
    pub(super) async fn variables_in(
        &self,
        account: AccountId,
        text: &str,
    ) -> Result<AccountVariables, Error> {
        let (store, vault) = (&self.inner.store, &*self.inner.vault);
        match Supposed::current() {
            Some(supposed) if may_name_variables(text) => {
                let rows = store.variables(account, None, VARIABLES_PER_ACCOUNT_MAX);
                let rows = supposed.variables_over(rows.await?);
                Ok(AccountVariables::of(account, &rows, vault))
            }
            _ => Ok(AccountVariables::named_in(text, account, (store, vault)).await?),
        }
    }

    /// Refuses a version that refers to variables which there are no more, or which are secret by now.
    pub(super) async fn check_variables(
        &self,
        account: AccountId,
        definition: &Definition,
    ) -> Result<(), Error> {
        let text = definition.canonical();
        let text = text.map_err(|error| Error::unreadable("the automation", error))?;
        let variables = self.variables_in(account, &text).await?;
        let refused = |why: String| Error::Conflict {
            code: "unknown_variable",
            why: format!("this version can't be published: {why}"),
        };
        let plain = variables.for_conditions();
        if let Some(source) = &definition.condition {
            Condition::parse_with(source, &plain).map_err(|error| refused(error.to_string()))?;
        }
        if let Some(flow) = &definition.flow {
            Rules::of(flow, &plain).map_err(|error| refused(error.to_string()))?;
        }
        for transform in &definition.transforms {
            let filled = variables.fill_config(transform.config.get());
            filled.map_err(|error| refused(error.to_string()))?;
        }
        Ok(())
    }

    /// Refuses headers that can't be made.
    pub(super) async fn check_headers(
        &self,
        account: AccountId,
        headers: &std::collections::BTreeMap<String, String>,
    ) -> Result<(), Error> {
        let texts: String = headers.values().map(String::as_str).collect();
        let variables = self.variables_in(account, &texts).await?;
        let filled = variables.fill_headers(headers);
        filled.map(drop).map_err(|(name, why)| Error::Invalid {
            code: "invalid_header",
            at: Place::body(format!("/headers/{}", check::escaped(&name))),
            why,
        })
    }
}
