//! An account's variables, opened: what conditions, configurations and headers refer to. They are as they
//! stand when they are loaded, which is with the account's newest revision, as endpoints are; an event that
//! still waits is evaluated with what stands by then.
//!
//! Secret ones go into configurations and headers only. Whatever could show one, such as what a plugin says,
//! goes through [`Secrets`].

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use zeroize::Zeroizing;

use super::secret::{Secret, Secrets};
use crate::automation::flow::Rules;
use crate::automation::{
    Condition, Flow, ReferenceError, Variables, fill, fill_json, may_name_variables,
};
use crate::model::AccountId;
use crate::model::limits::VARIABLES_PER_ACCOUNT_MAX;
use crate::store::{self, Store};
use crate::vault::Vault;

/// The variables of an account.
#[derive(Debug, Default)]
pub struct AccountVariables {
    known: BTreeMap<String, Known>,
    /// Another one, whenever one of them is another.
    fingerprint: u64,
}

#[derive(Debug)]
enum Known {
    Plain(Value),
    /// Or why it can't be opened.
    Secret(Result<Secret, String>),
}

/// A text with its references filled. Not shown by `Debug`.
#[derive(Clone)]
pub struct Filled {
    text: Zeroizing<String>,
    pub(super) secrets: Secrets,
}

impl fmt::Debug for Filled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Filled").finish_non_exhaustive()
    }
}

impl Filled {
    /// For a configuration that can't be filled, and is given to nobody.
    pub(super) fn nothing() -> Self {
        Self {
            text: Zeroizing::default(),
            secrets: Secrets::default(),
        }
    }

    /// The text itself.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl AccountVariables {
    /// The variables in these rows.
    pub fn of(account: AccountId, rows: &[store::Variable], vault: &Vault) -> Self {
        let mut hash = DefaultHasher::new();
        let mut known = BTreeMap::new();
        for row in rows {
            (&row.name, &row.value, &row.sealed).hash(&mut hash);
            let value = match (&row.value, &row.sealed) {
                (Some(json), _) => serde_json::from_str(json)
                    .map_or_else(|error| Known::Secret(Err(error.to_string())), Known::Plain),
                (None, sealed) => {
                    let sealed = sealed.as_deref().unwrap_or_default();
                    let secret = open(account, (&row.name, sealed), vault);
                    if let Err(why) = &secret {
                        tracing::error!(account.id = %account, variable.name = %row.name, why, "a secret variable can't be opened");
                    }
                    Known::Secret(secret)
                }
            };
            known.insert(row.name.clone(), value);
        }
        Self {
            known,
            fingerprint: hash.finish(),
        }
    }

    /// Those that a definition or settings may refer to: all, or none.
    pub async fn named_in(
        text: &str,
        account: AccountId,
        (store, vault): (&Store, &Vault),
    ) -> Result<Self, store::Error> {
        if !may_name_variables(text) {
            return Ok(Self::default());
        }
        let rows = store.variables(account, None, VARIABLES_PER_ACCOUNT_MAX);
        Ok(Self::of(account, &rows.await?, vault))
    }

    /// What tells a definition that refers to them from the same one with others; 0, if it refers to none.
    pub(super) fn mark_of(&self, definition: &str) -> u64 {
        if may_name_variables(definition) {
            self.fingerprint
        } else {
            0
        }
    }

    /// A condition as it stands with them; or why it is none.
    pub(super) fn condition(&self, source: &str) -> Result<Condition, String> {
        let condition = if may_name_variables(source) {
            Condition::parse_with(source, &self.for_conditions())
        } else {
            Condition::parse(source)
        };
        condition.map_err(|error| error.to_string())
    }

    /// Flow control as it stands with them; or why it is none.
    pub(super) fn flow(&self, flow: &Flow) -> Result<Rules, String> {
        let rules = if flow.sources().any(may_name_variables) {
            Rules::of(flow, &self.for_conditions())
        } else {
            Rules::of(flow, &Variables::default())
        };
        rules.map_err(|error| error.to_string())
    }

    /// What conditions may know of them.
    pub fn for_conditions(&self) -> Variables {
        let mut variables = Variables::default();
        for (name, known) in &self.known {
            match known {
                Known::Plain(value) if variables.add_plain(name, value) => {}
                _ => variables.add_secret(name),
            }
        }
        variables
    }

    /// Those that are secret, as far as they can be opened.
    pub fn secrets(&self) -> Secrets {
        let mut secrets = Secrets::default();
        for known in self.known.values() {
            if let Known::Secret(Ok(secret)) = known {
                secrets.add(secret);
            }
        }
        secrets
    }

    /// A configuration with its references filled.
    pub fn fill_config(&self, config: &str) -> Result<Filled, ReferenceError> {
        let mut secrets = Secrets::default();
        let text = if may_name_variables(config) {
            fill_json(config, |name| self.look_up(name, &mut secrets))?
        } else {
            config.to_owned()
        };
        Ok(Filled {
            text: Zeroizing::new(text),
            secrets,
        })
    }

    /// A text with its references filled; or a sentence.
    pub fn fill_text(&self, text: &str) -> Result<Filled, String> {
        let mut secrets = Secrets::default();
        let text = fill(text, |name| self.look_up(name, &mut secrets));
        Ok(Filled {
            text: Zeroizing::new(text.map_err(|error| error.to_string())?),
            secrets,
        })
    }

    /// Headers with the references in their values filled. Those with a secret in them are marked as
    /// sensitive.
    pub fn fill_headers(
        &self,
        headers: &BTreeMap<String, String>,
    ) -> Result<HeaderMap, (String, String)> {
        let mut filled = HeaderMap::new();
        for (name, text) in headers {
            let wrong = |why: String| (name.clone(), why);
            let mut secrets = Secrets::default();
            let value = fill(text, |variable| self.look_up(variable, &mut secrets));
            let value = Zeroizing::new(value.map_err(|error| wrong(error.to_string()))?);
            let header = HeaderName::try_from(name.as_str());
            let header = header.map_err(|error| wrong(error.to_string()))?;
            let mut value = HeaderValue::try_from(value.as_str()).map_err(|_| {
                let why = "the value has characters that a header can't have: use visible ASCII";
                wrong(why.to_owned())
            })?;
            value.set_sensitive(!secrets.is_empty());
            filled.insert(header, value);
        }
        Ok(filled)
    }

    fn look_up(&self, name: &str, secrets: &mut Secrets) -> Result<Value, String> {
        match self.known.get(name) {
            Some(Known::Plain(value)) => Ok(value.clone()),
            Some(Known::Secret(Ok(secret))) => {
                secrets.add(secret);
                Ok(secret.text().into())
            }
            Some(Known::Secret(Err(why))) => {
                Err(format!("the variable `{name}` can't be read: {why}"))
            }
            None => Err(format!(
                "this account has no variable `{name}`: make it with POST /v1/variables"
            )),
        }
    }
}

fn open(
    account: AccountId,
    (name, sealed): (&str, &[u8]),
    vault: &Vault,
) -> Result<Secret, String> {
    let context = super::sealing::variable(account, name);
    let plain = vault.open(sealed, &context);
    let plain = plain.map_err(|error| error.to_string())?;
    let text = std::str::from_utf8(&plain).map_err(|error| error.to_string())?;
    Ok(Secret::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;
    use crate::vault::MasterKey;

    const SECRET: &str = "s3cret \"token\"";

    fn variables() -> AccountVariables {
        let vault = Vault::new(MasterKey::from_random([1; 32]), Vec::new());
        let at = Timestamp::from_ms(0);
        let account = AccountId::mint(at);
        let row = |name: &str, value: Option<&str>, sealed| store::Variable {
            name: name.to_owned(),
            value: value.map(str::to_owned),
            sealed,
            created_at: at,
            updated_at: at,
        };
        let context = super::super::sealing::variable(account, "token");
        let sealed = vault.seal(SECRET.as_bytes(), &context).expect("sealed");
        let rows = [
            row("least", Some("5"), None),
            row("token", None, Some(sealed.clone())),
            // Copied from another one's place, it does not open.
            row("other", None, Some(sealed)),
        ];
        AccountVariables::of(account, &rows, &vault)
    }

    #[test]
    fn what_is_secret_is_used_and_never_shown() {
        let variables = variables();
        let config = r#"{"token":"{{vars.token}}","least":"{{vars.least}}"}"#;
        let filled = variables.fill_config(config).expect("filled");
        assert_eq!(filled.text(), r#"{"token":"s3cret \"token\"","least":5}"#);
        for shown in [format!("{variables:?}"), format!("{filled:?}")] {
            assert!(!shown.contains("s3cret"), "{shown}");
        }
        let mut said = format!("no {SECRET}");
        filled.secrets.hide(&mut said);
        assert_eq!(said, "no ***");
        said = format!("no {SECRET}");
        variables.secrets().hide(&mut said);
        assert_eq!(said, "no ***");
    }

    #[test]
    fn headers_know_what_must_not_be_shown() {
        let variables = variables();
        let headers = |value: &str| [("x-a".to_owned(), value.to_owned())].into();
        for (value, filled, sensitive) in [
            ("plain", "plain", false),
            ("{{vars.least}}/s", "5/s", false),
            ("Bearer {{vars.token}}", "Bearer s3cret \"token\"", true),
        ] {
            let found = variables.fill_headers(&headers(value)).expect("filled");
            assert_eq!(found["x-a"], filled);
            assert_eq!(found["x-a"].is_sensitive(), sensitive);
        }
        for (value, words) in [
            ("{{vars.none}}", "no variable `none`"),
            ("{{vars.other}}", "can't be read"),
            ("{{vars.}}", "begins as a reference"),
            ("a\nb", "characters"),
        ] {
            let (name, why) = variables.fill_headers(&headers(value)).expect_err(value);
            assert!(name == "x-a" && why.contains(words), "{why}");
        }
    }

    #[test]
    fn a_fingerprint_is_of_names_and_values() {
        let known = variables();
        assert_eq!(
            AccountVariables::default().fingerprint,
            AccountVariables::default().fingerprint
        );
        assert_ne!(known.fingerprint, 0);
        let conditions = known.for_conditions();
        let asks = |source: &str| crate::automation::Condition::parse_with(source, &conditions);
        assert!(asks("event.data.a > vars.least").is_ok());
        for (source, words) in [
            ("event.data.a == vars.token", "is secret"),
            ("event.data.a == vars.none", "no variable `none`"),
            ("event.data.a == vars", "by its name"),
        ] {
            let error = asks(source).expect_err(source);
            assert!(error.to_string().contains(words), "{error}");
        }
    }
}
