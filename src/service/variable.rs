//! Variables of an account, plain or secret, by name. A secret one can be set and is never shown again.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::page::cursor_text;
use super::principal::{MayRead, MayWrite, Principal};
use super::{Error, Listed, PageRequest, Service};
use crate::automation::is_variable_name;
use crate::model::limits::{
    SECRET_VARIABLE_BYTES_MIN, VARIABLE_BYTES_MAX, VARIABLE_NAME_BYTES_MAX,
};
use crate::model::{AccountId, Timestamp};
use crate::pipeline::sealing;
use crate::store::{self, Removal, VariableUser};

/// Most users of a variable that a sentence names.
const USERS_NAMED_MAX: usize = 5;

/// A variable to be made.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewVariable {
    /// What it is referred to by, as in `vars.minimum`: ASCII letters, digits and `_`, not beginning with a
    /// digit, and no word that CEL keeps for itself; 64 bytes at most.
    #[schema(example = "minimum")]
    pub name: String,
    /// A text, a number, true or false: 8192 bytes at most. Of a secret one a text of 8 bytes at least.
    pub value: Value,
    /// True: its value is sealed, never shown again, and no condition may ask for it. False, if left out.
    pub secret: Option<bool>,
}

/// What is changed of a variable; what is left out stays.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VariablePatch {
    /// A text, a number, true or false: 8192 bytes at most. Of a secret one a text of 8 bytes at least.
    pub value: Option<Value>,
    /// Whether it is secret. One that was secret gets a new value with false.
    pub secret: Option<bool>,
}

/// A variable.
#[derive(Debug, Serialize, ToSchema)]
pub struct VariableView {
    /// What it is referred to by.
    pub name: String,
    /// Its value; null, if it is secret.
    pub value: Option<Value>,
    /// Whether its value is sealed, and never shown.
    pub secret: bool,
    /// When it was made, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it last changed, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

impl VariableView {
    fn of(row: store::Variable) -> Result<Self, Error> {
        let value = row.value.as_deref().map(serde_json::from_str).transpose();
        Ok(Self {
            name: row.name,
            value: value.map_err(|error| Error::unreadable("the variable", error))?,
            secret: row.sealed.is_some(),
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

/// Whether a value is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Secrecy {
    /// It is.
    Plain,
    /// It is sealed.
    Secret,
}

impl From<bool> for Secrecy {
    /// The field `secret`.
    fn from(secret: bool) -> Self {
        if secret { Self::Secret } else { Self::Plain }
    }
}

/// How a value is kept: JSON of a plain one, or sealed.
type Kept = (Option<String>, Option<Vec<u8>>);

impl Service {
    /// Makes a variable.
    pub async fn create_variable(
        &self,
        who: &Principal<MayWrite>,
        new: NewVariable,
    ) -> Result<VariableView, Error> {
        let row = self.drafted_variable(who.account(), new)?;
        match self.inner.store.create_variable(who.account(), &row).await {
            Ok(()) => VariableView::of(row),
            Err(error) if error.is_taken() => Err(Error::Conflict {
                code: "name_taken",
                why: format!("the variable '{}' is there already: PATCH it", row.name),
            }),
            Err(error) => Err(error.into()),
        }
    }

    /// What making a variable would save.
    pub(super) fn drafted_variable(
        &self,
        account: AccountId,
        new: NewVariable,
    ) -> Result<store::Variable, Error> {
        if new.name.len() > VARIABLE_NAME_BYTES_MAX || !is_variable_name(&new.name) {
            let why = format!(
                "a variable's name is of ASCII letters, digits and '_', does not begin with a digit, is no word \
                 that CEL keeps for itself, such as in, and has {VARIABLE_NAME_BYTES_MAX} bytes at most"
            );
            return Err(Error::field("/name", why));
        }
        let kept = self.sealed_or_plain(
            (account, &new.name),
            &new.value,
            new.secret.unwrap_or(false).into(),
        )?;
        let now = self.inner.clock.now();
        Ok(store::Variable {
            name: new.name,
            value: kept.0,
            sealed: kept.1,
            created_at: now,
            updated_at: now,
        })
    }

    /// The value as it is kept.
    fn sealed_or_plain(
        &self,
        (account, name): (AccountId, &str),
        value: &Value,
        secrecy: Secrecy,
    ) -> Result<Kept, Error> {
        let wrong = |why: String| Err(Error::field("/value", why));
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(_) | Value::Bool(_) => value.to_string(),
            Value::Null | Value::Array(_) | Value::Object(_) => {
                return wrong(
                    "a value is a text, a number, true or false: give one of these".to_owned(),
                );
            }
        };
        if text.len() > VARIABLE_BYTES_MAX || text.contains('\0') {
            return wrong(format!(
                "the value has {} bytes, or NUL in it: {VARIABLE_BYTES_MAX} at most, without NUL",
                text.len()
            ));
        }
        if secrecy == Secrecy::Plain {
            return Ok((Some(value.to_string()), None));
        }
        if !value.is_string() || text.len() < SECRET_VARIABLE_BYTES_MIN {
            return wrong(format!(
                "a secret value is a text of {SECRET_VARIABLE_BYTES_MIN} bytes at least: a shorter one could not \
                 be hidden where it is used"
            ));
        }
        let context = sealing::variable(account, name);
        let sealed = self.inner.vault.seal(text.as_bytes(), &context)?;
        Ok((None, Some(sealed)))
    }

    /// A page of the account's variables, by name.
    pub async fn variables(
        &self,
        who: &Principal<MayRead>,
        page: &PageRequest,
    ) -> Result<Listed<VariableView>, Error> {
        let _turn = self.list_turn(who.account()).await?;
        let (limit, after) = (page.limit()?, page.after_name()?);
        let rows = self
            .inner
            .store
            .variables(who.account(), after.as_deref(), limit + 1);
        let mut rows = rows.await?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let last = rows.last().filter(|_| more);
        Ok(Listed {
            next_cursor: last.map(|row| cursor_text(&row.name)),
            data: rows
                .into_iter()
                .map(VariableView::of)
                .collect::<Result<_, _>>()?,
        })
    }

    /// The variable of this name.
    pub async fn variable(
        &self,
        who: &Principal<MayRead>,
        name: &str,
    ) -> Result<VariableView, Error> {
        VariableView::of(self.variable_row(who.account(), name).await?)
    }

    async fn variable_row(&self, account: AccountId, name: &str) -> Result<store::Variable, Error> {
        let missing = || Error::NotNamed("variable");
        if !is_variable_name(name) {
            return Err(missing());
        }
        let found = self.inner.store.variable(account, name).await?;
        found.ok_or_else(missing)
    }

    /// Changes a variable. The next event sees it.
    pub async fn change_variable(
        &self,
        who: &Principal<MayWrite>,
        name: &str,
        patch: VariablePatch,
    ) -> Result<VariableView, Error> {
        let account = who.account();
        let row = self.variable_row(account, name).await?;
        let (row, value) = self.changed_variable(account, row, patch)?;
        self.put_variable(account, &row, value.as_ref()).await?;
        VariableView::of(row)
    }

    /// A variable with changes laid over it, and its new value; none, if that stays.
    pub(super) fn changed_variable(
        &self,
        account: AccountId,
        mut row: store::Variable,
        patch: VariablePatch,
    ) -> Result<(store::Variable, Option<Value>), Error> {
        let was_secret = row.sealed.is_some();
        let secret = patch.secret.unwrap_or(was_secret);
        let value = match (patch.value, &row.value) {
            (Some(value), _) => value,
            (None, Some(json)) => serde_json::from_str(json)
                .map_err(|error| Error::unreadable("the variable", error))?,
            (None, None) if secret => return Ok((row, None)),
            (None, None) => {
                let why = "a secret value is shown to nobody: give a new one with secret false";
                return Err(Error::field("/value", why));
            }
        };
        (row.value, row.sealed) =
            self.sealed_or_plain((account, &row.name), &value, secret.into())?;
        row.updated_at = self.inner.clock.now();
        Ok((row, Some(value)))
    }

    /// Gives a variable a new value, if all that ask for it can take that.
    pub(super) async fn put_variable(
        &self,
        account: AccountId,
        row: &store::Variable,
        value: Option<&Value>,
    ) -> Result<(), Error> {
        let Some(value) = value else {
            return Ok(());
        };
        let secret = row.sealed.is_some();
        let fits_header = value
            .as_str()
            .is_none_or(|text| http::HeaderValue::try_from(text).is_ok());
        let refuses = |user: &VariableUser| match user {
            VariableUser::Condition { .. } => secret,
            VariableUser::Connection { as_secret, .. } => *as_secret && !secret,
            VariableUser::Header { .. } | VariableUser::Profile { .. } => !fits_header,
            VariableUser::Config { .. } | VariableUser::Source { .. } => false,
        };
        let changed = self
            .inner
            .store
            .change_variable(account, row, refuses)
            .await?;
        let refusing = changed.ok_or(Error::NotNamed("variable"))?;
        if refusing.is_empty() {
            self.forget_doors(account).await;
            return Ok(());
        }
        let what = if refusing
            .iter()
            .any(|user| matches!(user, VariableUser::Condition { .. }))
        {
            "a condition may not ask for a secret, and this variable is used by"
        } else if refusing
            .iter()
            .any(|user| matches!(user, VariableUser::Connection { .. }))
        {
            "a secret has to stay one that is used as one, as this variable is by"
        } else {
            "a header can't have this value, and this variable is used by"
        };
        Err(Error::Conflict {
            code: "variable_in_use",
            why: format!("{what} {}", named(&refusing)),
        })
    }

    /// Removes a variable that nothing refers to.
    pub async fn delete_variable(
        &self,
        who: &Principal<MayWrite>,
        name: &str,
    ) -> Result<(), Error> {
        let row = self.variable_row(who.account(), name).await?;
        let removal = self
            .inner
            .store
            .delete_variable(who.account(), &row.name)
            .await?;
        match removal {
            Removal::Removed => Ok(()),
            Removal::Missing => Err(Error::NotNamed("variable")),
            Removal::InUse(users) => Err(Error::Conflict {
                code: "variable_in_use",
                why: format!(
                    "this variable is used by {}: change that first",
                    named(&users)
                ),
            }),
        }
    }
}

/// Users in words.
fn named(users: &[VariableUser]) -> String {
    let told = users.iter().take(USERS_NAMED_MAX).map(|user| match user {
        VariableUser::Condition { id, name } => format!("the condition of '{name}' ({id})"),
        VariableUser::Config { id, name } => {
            format!("the configuration of a transform of '{name}' ({id})")
        }
        VariableUser::Source { id, name } => {
            format!("the configuration of the plugin of the source '{name}' ({id})")
        }
        VariableUser::Header { id, name } => format!("a header of the endpoint '{name}' ({id})"),
        VariableUser::Connection {
            endpoint: Some((id, name)),
            ..
        } => format!("the auth, client certificate or proxy of the endpoint '{name}' ({id})"),
        VariableUser::Connection { endpoint: None, .. } => {
            "the proxy of the account (/v1/account/connection)".to_owned()
        }
        VariableUser::Profile { name } => format!("a header of the profile '{name}'"),
    });
    let told = told.collect::<Vec<_>>().join(", ");
    match users.len().saturating_sub(USERS_NAMED_MAX) {
        0 => told,
        more => format!("{told} and {more} more"),
    }
}
