//! Retry policies and failure policies by name: the ready-made ones, and those of an account's own.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::policy_ref::Policy;
use super::principal::{MayRead, MayWrite, Principal};
use super::rule_change::{check_name, is_ready_made, noun};
use super::rulebook::Rulebook;
use super::{Error, Listed, Service};
use crate::failure::FailurePolicy;
use crate::model::{AccountId, Timestamp};
use crate::retry::RetryPolicy;
use crate::store::{NamedRule, RuleKind};

/// A retry policy to be made.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRetryPolicy {
    /// What endpoints and profiles name it by: lower-case ASCII letters, digits, `-` and `_`, beginning with a letter;
    /// 64 bytes at most.
    #[schema(example = "nightly")]
    pub name: String,
    /// What it says.
    pub policy: RetryPolicy,
}

/// What is changed of a retry policy; what is left out stays.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RetryPolicyPatch {
    /// What it says.
    pub policy: Option<RetryPolicy>,
}

/// A retry policy.
#[derive(Debug, Serialize, ToSchema)]
pub struct RetryPolicyView {
    /// What endpoints and profiles name it by.
    #[schema(example = "eight-step")]
    pub name: String,
    /// Whether every account has it, and nobody can change it.
    pub ready_made: bool,
    /// What it says; of a ready-made one its name.
    pub policy: RetryPolicy,
    /// When there are attempts, as a sentence.
    pub words: String,
    /// Milliseconds from a failure to the attempt after it.
    pub delays_ms: Vec<i64>,
    /// When it was made, RFC 3339; null, if it is ready-made.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub created_at: Option<Timestamp>,
    /// When it last changed, RFC 3339; null, if it is ready-made.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub updated_at: Option<Timestamp>,
}

/// A failure policy to be made.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewFailurePolicy {
    /// What endpoints and profiles name it by: lower-case ASCII letters, digits, `-` and `_`, beginning with a letter;
    /// 64 bytes at most.
    #[schema(example = "patient")]
    pub name: String,
    /// What it says.
    pub policy: FailurePolicy,
}

/// What is changed of a failure policy; what is left out stays.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FailurePolicyPatch {
    /// What it says.
    pub policy: Option<FailurePolicy>,
}

/// A failure policy.
#[derive(Debug, Serialize, ToSchema)]
pub struct FailurePolicyView {
    /// What endpoints and profiles name it by; `consecutive` stands for any number, and is only written out.
    #[schema(example = "ladder")]
    pub name: String,
    /// Whether every account has it, and nobody can change it.
    pub ready_made: bool,
    /// What it says; of a ready-made one its name, or how it is written, with a number that stands for any.
    pub policy: FailurePolicy,
    /// When the endpoint is disabled, and what is told before, as a sentence.
    pub words: String,
    /// When it was made, RFC 3339; null, if it is ready-made.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub created_at: Option<Timestamp>,
    /// When it last changed, RFC 3339; null, if it is ready-made.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub updated_at: Option<Timestamp>,
}

/// A policy that is listed, and how it is shown.
trait Shown: Policy {
    type View;

    /// The ready-made ones by name.
    fn all_ready_made() -> Vec<(&'static str, Self)>;

    /// It as it is shown. `row`: `None`, if it is ready-made.
    fn view(self, name: &str, row: Option<&NamedRule>) -> Self::View;
}

impl Shown for RetryPolicy {
    type View = RetryPolicyView;

    fn all_ready_made() -> Vec<(&'static str, Self)> {
        vec![
            ("eight-step", Self::EightStep),
            ("three-step", Self::ThreeStep),
        ]
    }

    fn view(self, name: &str, row: Option<&NamedRule>) -> RetryPolicyView {
        RetryPolicyView {
            name: name.to_owned(),
            ready_made: row.is_none(),
            words: self.preview(),
            delays_ms: self.delays().collect(),
            policy: self,
            created_at: row.map(|row| row.created_at),
            updated_at: row.map(|row| row.updated_at),
        }
    }
}

impl Shown for FailurePolicy {
    type View = FailurePolicyView;

    fn all_ready_made() -> Vec<(&'static str, Self)> {
        Self::EACH.map(|policy| (policy.name(), policy)).to_vec()
    }

    fn view(self, name: &str, row: Option<&NamedRule>) -> FailurePolicyView {
        FailurePolicyView {
            name: name.to_owned(),
            ready_made: row.is_none(),
            words: self.words(),
            policy: self,
            created_at: row.map(|row| row.created_at),
            updated_at: row.map(|row| row.updated_at),
        }
    }
}

fn stored<P: Shown>(row: &NamedRule) -> Result<P::View, Error> {
    let policy: P =
        serde_json::from_str(&row.says).map_err(|error| Error::unreadable("the policy", error))?;
    Ok(policy.view(&row.name, Some(row)))
}

fn text<P: Policy>(policy: &P) -> Result<String, Error> {
    serde_json::to_string(policy).map_err(|error| Error::unreadable("the policy", error))
}

/// The row of one of the account's own; that it is ready-made, or not there.
pub(super) fn own<'b>(
    book: &'b Rulebook,
    (kind, name): (RuleKind, &str),
    reserved: &[&str],
) -> Result<&'b NamedRule, Error> {
    if reserved.contains(&name) {
        return Err(is_ready_made(kind, name));
    }
    book.rule(kind, name).ok_or(Error::NotNamed(noun(kind)))
}

impl Service {
    /// All retry policies.
    pub async fn retry_policies(
        &self,
        who: &Principal<MayRead>,
    ) -> Result<Listed<RetryPolicyView>, Error> {
        self.policies::<RetryPolicy>(who.account()).await
    }

    /// The retry policy of this name.
    pub async fn retry_policy(
        &self,
        who: &Principal<MayRead>,
        name: &str,
    ) -> Result<RetryPolicyView, Error> {
        self.policy::<RetryPolicy>(who.account(), name).await
    }

    /// Makes a retry policy.
    pub async fn create_retry_policy(
        &self,
        who: &Principal<MayWrite>,
        new: NewRetryPolicy,
    ) -> Result<RetryPolicyView, Error> {
        self.make_policy(who.account(), (&new.name, &new.policy))
            .await
    }

    /// Changes a retry policy: the next attempt of everything that follows it keeps to it.
    pub async fn change_retry_policy(
        &self,
        who: &Principal<MayWrite>,
        name: &str,
        patch: RetryPolicyPatch,
    ) -> Result<RetryPolicyView, Error> {
        self.change_policy(who.account(), (name, patch.policy))
            .await
    }

    /// Removes a retry policy that nothing names.
    pub async fn delete_retry_policy(
        &self,
        who: &Principal<MayWrite>,
        name: &str,
    ) -> Result<(), Error> {
        self.delete_policy::<RetryPolicy>(who.account(), name).await
    }

    /// All failure policies.
    pub async fn failure_policies(
        &self,
        who: &Principal<MayRead>,
    ) -> Result<Listed<FailurePolicyView>, Error> {
        self.policies::<FailurePolicy>(who.account()).await
    }

    /// The failure policy of this name.
    pub async fn failure_policy(
        &self,
        who: &Principal<MayRead>,
        name: &str,
    ) -> Result<FailurePolicyView, Error> {
        self.policy::<FailurePolicy>(who.account(), name).await
    }

    /// Makes a failure policy.
    pub async fn create_failure_policy(
        &self,
        who: &Principal<MayWrite>,
        new: NewFailurePolicy,
    ) -> Result<FailurePolicyView, Error> {
        self.make_policy(who.account(), (&new.name, &new.policy))
            .await
    }

    /// Changes a failure policy: what was counted of those that follow it goes on.
    pub async fn change_failure_policy(
        &self,
        who: &Principal<MayWrite>,
        name: &str,
        patch: FailurePolicyPatch,
    ) -> Result<FailurePolicyView, Error> {
        self.change_policy(who.account(), (name, patch.policy))
            .await
    }

    /// Removes a failure policy that nothing names.
    pub async fn delete_failure_policy(
        &self,
        who: &Principal<MayWrite>,
        name: &str,
    ) -> Result<(), Error> {
        self.delete_policy::<FailurePolicy>(who.account(), name)
            .await
    }

    async fn policies<P: Shown>(&self, account: AccountId) -> Result<Listed<P::View>, Error> {
        let book = self.rulebook(account).await?;
        let ready_made = P::all_ready_made().into_iter();
        let ready_made = ready_made.map(|(name, policy)| Ok(policy.view(name, None)));
        let own = book.of_kind(P::KIND).map(stored::<P>);
        Ok(Listed::whole(
            ready_made.chain(own).collect::<Result<_, _>>()?,
        ))
    }

    async fn policy<P: Shown>(&self, account: AccountId, name: &str) -> Result<P::View, Error> {
        let mut ready_made = P::all_ready_made().into_iter();
        if let Some((name, policy)) = ready_made.find(|known| known.0 == name) {
            return Ok(policy.view(name, None));
        }
        stored::<P>(own(&self.rulebook(account).await?, (P::KIND, name), &[])?)
    }

    async fn make_policy<P: Shown>(
        &self,
        account: AccountId,
        (name, policy): (&str, &P),
    ) -> Result<P::View, Error> {
        let row = self.drafted_policy((name, policy))?;
        let mut merges = self.merges(account);
        loop {
            let book = self.rulebook(account).await?;
            let done = self.make_rule(account, (&book, &row)).await;
            if !merges.go_on(&done).await {
                done?;
                return stored::<P>(&row);
            }
        }
    }

    /// What making a policy would save.
    pub(super) fn drafted_policy<P: Policy>(
        &self,
        (name, policy): (&str, &P),
    ) -> Result<NamedRule, Error> {
        check_name(P::KIND, name, P::RESERVED)?;
        let now = self.inner.clock.now();
        Ok(NamedRule {
            kind: P::KIND.as_str().to_owned(),
            name: name.to_owned(),
            says: text(policy)?,
            created_at: now,
            updated_at: now,
        })
    }

    async fn change_policy<P: Shown>(
        &self,
        account: AccountId,
        (name, policy): (&str, Option<P>),
    ) -> Result<P::View, Error> {
        let mut merges = self.merges(account);
        loop {
            let book = self.rulebook(account).await?;
            let row = own(&book, (P::KIND, name), P::RESERVED)?;
            let mut to = row.clone();
            if let Some(policy) = &policy {
                to.says = text(policy)?;
                to.updated_at = self.inner.clock.now();
            }
            let done = self.change_rule(account, (&book, to.clone())).await;
            if !merges.go_on(&done).await {
                done?;
                return stored::<P>(&to);
            }
        }
    }

    async fn delete_policy<P: Shown>(&self, account: AccountId, name: &str) -> Result<(), Error> {
        let mut merges = self.merges(account);
        loop {
            let book = self.rulebook(account).await?;
            own(&book, (P::KIND, name), P::RESERVED)?;
            let done = self.remove_rule(account, &book, (P::KIND, name)).await;
            if !merges.go_on(&done).await {
                return done;
            }
        }
    }
}
