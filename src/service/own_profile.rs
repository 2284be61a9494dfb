//! Profiles by name: the ready-made ones, and those of an account's own, each made from a ready-made one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::endpoint_shape::settings_text;
use super::own_policy::own;
use super::policy_ref::{FailurePolicyRef, PolicyRef, RetryPolicyRef};
use super::principal::{MayRead, MayWrite, Principal};
use super::profile::{Overrides, READY_MADE, STANDARD, ready_made};
use super::rule_change::check_name;
use super::rulebook::Rulebook;
use super::signature::SignatureRequest;
use super::{Error, Listed, Service};
use crate::envelope::Envelope;
use crate::model::{AccountId, Timestamp};
use crate::outbound::UrlRule;
use crate::pipeline::{DeliveryMethod, EndpointSettings, Part};
use crate::signing::Scheme;
use crate::store::{NamedRule, RuleKind};

const KIND: RuleKind = RuleKind::Profile;

/// A profile to be made. What is left out comes from the ready-made one that it is made from.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewProfile {
    /// What endpoints name it by: lower-case ASCII letters, digits, `-` and `_`, beginning with a letter; 64 bytes at
    /// most.
    #[schema(example = "partners")]
    pub name: String,
    /// The ready-made profile that it is made from: `standard`, if this is left out, `event-envelope`,
    /// `account-signed` or `rsa-signed`.
    pub from: Option<String>,
    /// How the body is wrapped.
    pub envelope: Option<Envelope>,
    /// How deliveries are signed: 1 to 4 schemes, without secrets, which are each endpoint's own.
    pub signatures: Option<Vec<SignatureRequest>>,
    /// When a failed delivery is tried again.
    pub retry_policy: Option<RetryPolicyRef>,
    /// When an endpoint is given up.
    pub failure_policy: Option<FailurePolicyRef>,
    /// The time for one whole attempt in milliseconds, 10 to 60000.
    pub timeout_ms: Option<u64>,
    /// Headers, by name: 20 at most, of 4096 bytes each. `{{vars.name}}` in a value stands for a variable of the
    /// account.
    pub headers: Option<BTreeMap<String, String>>,
    /// The method of requests: `POST` or `PUT`.
    pub method: Option<DeliveryMethod>,
    /// What becomes of a URL that is not `https://`.
    pub http: Option<UrlRule>,
    /// What becomes of a URL in which a port is written out.
    pub explicit_port: Option<UrlRule>,
}

/// What is changed of a profile; what is left out stays.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProfilePatch {
    /// The ready-made profile that it is made from; replaces everything but headers.
    pub from: Option<String>,
    /// How the body is wrapped.
    pub envelope: Option<Envelope>,
    /// How deliveries are signed: 1 to 4 schemes, without secrets.
    pub signatures: Option<Vec<SignatureRequest>>,
    /// When a failed delivery is tried again.
    pub retry_policy: Option<RetryPolicyRef>,
    /// When an endpoint is given up.
    pub failure_policy: Option<FailurePolicyRef>,
    /// The time for one whole attempt in milliseconds, 10 to 60000.
    pub timeout_ms: Option<u64>,
    /// Headers, by name: 20 at most, of 4096 bytes each.
    pub headers: Option<BTreeMap<String, String>>,
    /// The method of requests: `POST` or `PUT`.
    pub method: Option<DeliveryMethod>,
    /// What becomes of a URL that is not `https://`.
    pub http: Option<UrlRule>,
    /// What becomes of a URL in which a port is written out.
    pub explicit_port: Option<UrlRule>,
    /// The parts that it says itself, besides those that are given here; all others are from now on those of the
    /// profile that it is made from.
    pub overrides: Option<Vec<Part>>,
}

/// A profile.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProfileView {
    /// What endpoints name it by.
    #[schema(example = "event-envelope")]
    pub name: String,
    /// Whether every account has it, and nobody can change it.
    pub ready_made: bool,
    /// The ready-made profile that it is made from; null, if it is one.
    pub from: Option<String>,
    /// The parts that it says itself; all others are those of the profile that it is made from.
    pub overrides: Vec<Part>,
    /// How the body is wrapped.
    pub envelope: Envelope,
    /// How deliveries are signed.
    pub signatures: Vec<Scheme>,
    /// When a failed delivery is tried again.
    pub retry_policy: RetryPolicyRef,
    /// When a failed delivery is tried again, as a sentence.
    pub retry_schedule: String,
    /// When an endpoint is given up.
    pub failure_policy: FailurePolicyRef,
    /// The time for one whole attempt, in milliseconds.
    pub timeout_ms: u64,
    /// Headers, by name in lower case, as they were written.
    pub headers: BTreeMap<String, String>,
    /// The method of requests.
    pub method: DeliveryMethod,
    /// What becomes of a URL that is not `https://`.
    pub http: UrlRule,
    /// What becomes of a URL in which a port is written out.
    pub explicit_port: UrlRule,
    /// When it was made, RFC 3339; null, if it is ready-made.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub created_at: Option<Timestamp>,
    /// When it last changed, RFC 3339; null, if it is ready-made.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub updated_at: Option<Timestamp>,
}

impl ProfileView {
    /// `row`: `None`, if it is ready-made.
    fn of(settings: EndpointSettings, name: &str, row: Option<&NamedRule>) -> Self {
        let follows = &settings.follows;
        Self {
            name: name.to_owned(),
            ready_made: row.is_none(),
            overrides: settings.overrides().collect(),
            envelope: settings.envelope,
            retry_schedule: settings.retry_policy.preview(),
            retry_policy: PolicyRef::of(follows.retry_policy.as_ref(), &settings.retry_policy),
            failure_policy: PolicyRef::of(
                follows.failure_policy.as_ref(),
                &settings.failure_policy,
            ),
            signatures: settings.signatures,
            timeout_ms: settings.timeout_ms,
            headers: settings.headers,
            method: settings.method,
            http: settings.http,
            explicit_port: settings.explicit_port,
            from: row.map(|_| settings.profile),
            created_at: row.map(|row| row.created_at),
            updated_at: row.map(|row| row.updated_at),
        }
    }
}

impl NewProfile {
    /// What it says itself.
    fn overrides(&self) -> Overrides {
        Overrides {
            profile: Some(self.from.clone().unwrap_or_else(|| STANDARD.to_owned())),
            envelope: self.envelope,
            signatures: self.signatures.clone(),
            retry_policy: self.retry_policy.clone(),
            failure_policy: self.failure_policy.clone(),
            timeout_ms: self.timeout_ms,
            headers: self.headers.clone(),
            method: self.method,
            http: self.http,
            explicit_port: self.explicit_port,
            ..Overrides::default()
        }
    }
}

impl ProfilePatch {
    fn overrides(&self) -> Overrides {
        Overrides {
            profile: self.from.clone(),
            envelope: self.envelope,
            signatures: self.signatures.clone(),
            retry_policy: self.retry_policy.clone(),
            failure_policy: self.failure_policy.clone(),
            timeout_ms: self.timeout_ms,
            headers: self.headers.clone(),
            method: self.method,
            http: self.http,
            explicit_port: self.explicit_port,
            own_parts: self.overrides.clone(),
            ..Overrides::default()
        }
    }
}

impl Service {
    /// All profiles.
    pub async fn profiles(&self, who: &Principal<MayRead>) -> Result<Listed<ProfileView>, Error> {
        let book = self.rulebook(who.account()).await?;
        let ready = READY_MADE
            .into_iter()
            .filter_map(ready_made)
            .map(|settings| {
                let name = settings.profile.clone();
                ProfileView::of(settings, &name, None)
            });
        let own = book.of_kind(KIND).filter_map(|row| shown(&book, row));
        Ok(Listed::whole(ready.chain(own).collect()))
    }

    /// The profile of this name.
    pub async fn profile(
        &self,
        who: &Principal<MayRead>,
        name: &str,
    ) -> Result<ProfileView, Error> {
        if let Some(settings) = ready_made(name) {
            return Ok(ProfileView::of(settings, name, None));
        }
        let book = self.rulebook(who.account()).await?;
        shown(&book, own(&book, (KIND, name), &[])?).ok_or(Error::NotNamed("profile"))
    }

    /// Makes a profile.
    pub async fn create_profile(
        &self,
        who: &Principal<MayWrite>,
        new: NewProfile,
    ) -> Result<ProfileView, Error> {
        let account = who.account();
        let mut merges = self.merges(account);
        loop {
            let book = self.rulebook(account).await?;
            let row = self.drafted_profile(account, &book, &new).await?;
            let done = self.make_rule(account, (&book, &row)).await;
            if !merges.go_on(&done).await {
                done?;
                let book = book.with([row.clone()])?;
                return shown(&book, &row).ok_or(Error::NotNamed("profile"));
            }
        }
    }

    /// What making a profile would save.
    pub(super) async fn drafted_profile(
        &self,
        account: AccountId,
        book: &Rulebook,
        new: &NewProfile,
    ) -> Result<NamedRule, Error> {
        check_name(KIND, &new.name, &READY_MADE)?;
        let says = self
            .profile_says(account, (book, None), new.overrides())
            .await?;
        let now = self.inner.clock.now();
        Ok(NamedRule {
            kind: KIND.as_str().to_owned(),
            name: new.name.clone(),
            says,
            created_at: now,
            updated_at: now,
        })
    }

    /// A profile as it is stored.
    async fn profile_says(
        &self,
        account: AccountId,
        (book, known): (&Rulebook, Option<&EndpointSettings>),
        overrides: Overrides,
    ) -> Result<String, Error> {
        if let Some(from) = overrides
            .profile
            .as_deref()
            .filter(|it| ready_made(it).is_none())
        {
            let shown: String = from.chars().take(80).collect();
            let ready_made = READY_MADE.join(", ");
            let why = format!(
                "a profile is made from a ready-made one, and '{shown}' is none: take one of {ready_made}"
            );
            return Err(Error::field("/from", why));
        }
        let signatures = overrides.signatures.iter().flatten();
        if let Some(place) = signatures.clone().position(|it| it.secret.is_some()) {
            let why = "a profile has no secrets, which are each endpoint's own: leave it out";
            return Err(Error::field(format!("/signatures/{place}/secret"), why));
        }
        let (mut settings, _) = overrides.apply(known.cloned(), book)?;
        settings.subscribe = None;
        self.check_headers(account, &settings.headers).await?;
        settings_text(&settings)
    }

    /// Changes a profile: the next attempt to every endpoint that follows it keeps to it.
    pub async fn change_profile(
        &self,
        who: &Principal<MayWrite>,
        name: &str,
        patch: ProfilePatch,
    ) -> Result<ProfileView, Error> {
        let account = who.account();
        let mut merges = self.merges(account);
        loop {
            let book = self.rulebook(account).await?;
            let known = (&book, book.own_profile(name));
            let row = own(&book, (KIND, name), &READY_MADE)?;
            let to = NamedRule {
                says: self.profile_says(account, known, patch.overrides()).await?,
                updated_at: self.inner.clock.now(),
                ..row.clone()
            };
            let done = self.change_rule(account, (&book, to.clone())).await;
            if !merges.go_on(&done).await {
                done?;
                let book = book.with([to.clone()])?;
                return shown(&book, &to).ok_or(Error::NotNamed("profile"));
            }
        }
    }

    /// Has endpoints that are made from now on and name no profile get this one.
    pub(super) async fn set_default_profile(
        &self,
        account: AccountId,
        name: &str,
    ) -> Result<(), Error> {
        let mut merges = self.merges(account);
        loop {
            let book = self.rulebook(account).await?;
            book.profile(name, "/default_profile")?;
            let store = &self.inner.store;
            let set = async { Ok(store.set_default_profile(account, name).await?) };
            let done = self.by_rulebook(account, &book, set).await;
            if !merges.go_on(&done).await {
                return done;
            }
        }
    }

    /// Removes a profile that no endpoint names, and that is not the account's default.
    pub async fn delete_profile(&self, who: &Principal<MayWrite>, name: &str) -> Result<(), Error> {
        let account = who.account();
        let mut merges = self.merges(account);
        loop {
            let book = self.rulebook(account).await?;
            own(&book, (KIND, name), &READY_MADE)?;
            let done = self.remove_rule(account, &book, (KIND, name)).await;
            if !merges.go_on(&done).await {
                return done;
            }
        }
    }
}

fn shown(book: &Rulebook, row: &NamedRule) -> Option<ProfileView> {
    let settings = book.own_profile(&row.name)?.clone();
    Some(ProfileView::of(settings, &row.name, Some(row)))
}
