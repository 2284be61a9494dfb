//! Endpoints: where deliveries go. An endpoint's own subscription is an automation that it owns; a
//! bare URL of an automation is an endpoint that the automation owns.

use super::endpoint_shape::{
    EndpointPatch, EndpointView, NewEndpoint, NewEndpointView, Switch, settings_text,
    stored_settings,
};
use super::principal::{MayRead, MayWrite, Principal};
use super::profile;
use super::rulebook::Rulebook;
use super::subscription::{subscription, subscription_change};
use super::{Error, Listed, PageRequest, Service, check, endpoint_url};
use crate::model::{AccountId, AutomationId, EndpointId, SecretId, Timestamp};
use crate::outbound::Target;
use crate::pipeline::EndpointSettings;
use crate::signing::{OwnSecret, Scheme};
use crate::store::{self, EndpointChange, EndpointState, SettingsChange};
use crate::vault::random;

/// Deliveries cancelled in one transaction when an endpoint goes.
const CANCEL_CHUNK: usize = 1000;

impl Service {
    /// Makes an endpoint with its secret and its subscription.
    pub async fn create_endpoint(
        &self,
        who: &Principal<MayWrite>,
        new: NewEndpoint,
    ) -> Result<NewEndpointView, Error> {
        if new.validate {
            // What is wrong is told before anybody is asked.
            let book = self.rulebook(who.account()).await?;
            let (settings, _) = new.overrides().apply(None, &book)?;
            self.drafted_endpoint(who.account(), &new, &book).await?;
            let target = self.admit(&new.url, "/url")?;
            self.see_that_it_answers(who.account(), &target, &settings, ("/url", new.validation))
                .await?;
        }
        let mut merges = self.merges(who.account());
        loop {
            let made = Box::pin(self.make_endpoint(who, &new)).await;
            if !merges.go_on(&made).await {
                return made;
            }
        }
    }

    async fn make_endpoint(
        &self,
        who: &Principal<MayWrite>,
        new: &NewEndpoint,
    ) -> Result<NewEndpointView, Error> {
        let account = who.account();
        let book = self.rulebook(account).await?;
        let (mut row, secret) = self.drafted_endpoint(account, new, &book).await?;
        let schemes = signatures_of(&row)?;
        row.key_pairs = self.missing_pairs((account, row.id), &schemes).await?;
        let made = async {
            let store = &self.inner.store;
            store.create_endpoint(account, &row).await?;
            Ok(store.note_editor(account, row.id, who.key()).await?)
        };
        self.by_rulebook(account, &book, made).await?;
        let endpoint = self.endpoint_row(account, row.id).await?.try_into()?;
        Ok(NewEndpointView {
            endpoint,
            secret: secret.map(|secret| secret.text().to_string()),
        })
    }

    /// What making an endpoint would save, and its secret, if its deliveries are signed with one.
    pub(super) async fn drafted_endpoint(
        &self,
        account: AccountId,
        new: &NewEndpoint,
        book: &Rulebook,
    ) -> Result<(store::NewEndpoint, Option<OwnSecret>), Error> {
        let target = self.admit(&new.url, "/url")?;
        let name = new.name.clone().unwrap_or_else(|| target.host().to_owned());
        check::name(&name, "/name")?;
        let (settings, given) = new.overrides().apply(None, book)?;
        endpoint_url::check(&target, &settings, "/url")?;
        self.check_headers(account, &settings.headers).await?;
        self.check_span(account, &settings.retry_policy).await?;
        self.check_connection(account, &settings).await?;
        let now = self.inner.clock.now();
        let id = EndpointId::mint(now);
        let secret = match given {
            None if profile::needs_secret(&settings) => {
                Some(OwnSecret::from_random(random::bytes()?))
            }
            given => given,
        };
        let mut secrets = Vec::new();
        if let Some(secret) = &secret {
            let secret_id = SecretId::mint(now);
            secrets.push((secret_id, self.seal_secret(account, secret_id, secret)?));
        }
        let row = store::NewEndpoint {
            id,
            subscription: subscription(id, &name, &settings, now)?,
            name,
            url: target.as_str().to_owned(),
            settings: settings_text(&settings)?,
            owner_automation: None,
            state: EndpointState::Enabled,
            secrets,
            key_pairs: Vec::new(),
            created_at: now,
        };
        Ok((row, secret))
    }

    /// A page of the account's endpoints.
    pub async fn endpoints(
        &self,
        who: &Principal<MayRead>,
        page: &PageRequest,
    ) -> Result<Listed<EndpointView>, Error> {
        let _turn = self.list_turn(who.account()).await?;
        let rows = self
            .inner
            .store
            .endpoints(who.account(), page.after()?, page.limit()?)
            .await?;
        Listed::try_of(rows, EndpointView::try_from)
    }

    /// The endpoint with this id.
    pub async fn endpoint(
        &self,
        who: &Principal<MayRead>,
        id: &str,
    ) -> Result<EndpointView, Error> {
        self.endpoint_row(who.account(), check::id(id, "endpoint")?)
            .await?
            .try_into()
    }

    pub(super) async fn endpoint_row(
        &self,
        account: AccountId,
        id: EndpointId,
    ) -> Result<store::Endpoint, Error> {
        self.inner
            .store
            .endpoint(account, id)
            .await?
            .ok_or(Error::NotFound("endpoint"))
    }

    /// Changes an endpoint.
    pub async fn change_endpoint(
        &self,
        who: &Principal<MayWrite>,
        id: &str,
        patch: EndpointPatch,
    ) -> Result<EndpointView, Error> {
        let id = check::id(id, "endpoint")?;
        let mut merges = self.merges(who.account());
        loop {
            let done = Box::pin(self.merge_endpoint(who, id, &patch)).await;
            if !merges.go_on(&done).await {
                return done;
            }
        }
    }

    /// Lays the changes over the endpoint as it is now, unless somebody else changes it meanwhile.
    async fn merge_endpoint(
        &self,
        who: &Principal<MayWrite>,
        id: EndpointId,
        patch: &EndpointPatch,
    ) -> Result<EndpointView, Error> {
        let book = self.rulebook(who.account()).await?;
        let row = self.endpoint_row(who.account(), id).await?;
        if row.owner_automation.is_some() && (patch.url.is_some() || patch.subscribe.is_some()) {
            return Err(owned());
        }
        if let Some(name) = &patch.name {
            check::name(name, "/name")?;
        }
        let given = patch
            .url
            .as_ref()
            .map(|url| self.admit(url, "/url"))
            .transpose()?;
        let known = stored_settings(&row)?;
        let (settings, secret) = patch.overrides().apply(Some(known.clone()), &book)?;
        if secret.is_some() {
            let why =
                "a secret is not changed but rotated: POST it to the endpoint's /secrets/rotate";
            return Err(Error::field("/signatures", why));
        }
        let patched = ((&row, given.as_ref()), (&known, &settings));
        self.check_patch((who.account(), patch), patched.0, patched.1)
            .await?;
        let now = self.inner.clock.now();
        let which = (who.account(), row.id);
        let is_signed_anew = settings.signatures != known.signatures;
        let pairs = if is_signed_anew {
            self.missing_pairs(which, &settings.signatures).await?
        } else {
            Vec::new()
        };
        let name = patch.name.as_deref().unwrap_or(&row.name);
        let subscription = subscription_change((row.id, name), &known, &settings, now)?;
        let change = EndpointChange {
            url: given.map(|target| target.as_str().to_owned()),
            settings: Some(SettingsChange {
                from: row.settings,
                to: settings_text(&settings)?,
                succeeded_at: profile::assumed_success(&known, &settings, now),
            }),
            state: None,
            subscription,
            name: patch.name.clone(),
        };
        let changed = Box::pin(async {
            if is_signed_anew {
                self.see_to_secret(which, &settings.signatures).await?;
                self.keep_pairs(which, &pairs).await?;
            }
            let view = self.apply_change(which, &change).await?;
            let store = &self.inner.store;
            store.note_editor(which.0, which.1, who.key()).await?;
            Ok(view)
        });
        self.by_rulebook(who.account(), &book, changed).await
    }

    /// Makes a secret for an endpoint that needs one for these schemes and has none which signs; or says that those
    /// it has can't sign under them.
    pub(super) async fn see_to_secret(
        &self,
        (account, endpoint): (AccountId, EndpointId),
        schemes: &[Scheme],
    ) -> Result<(), Error> {
        let now = self.inner.clock.now();
        let known = self.inner.store.endpoint_secrets(account, endpoint).await?;
        let live = known.iter();
        for row in live.filter(|row| row.expires_at.is_none_or(|at| at > now)) {
            let secret = self.opened_secret(account, row)?;
            for scheme in schemes.iter().filter(|scheme| scheme.takes_own_secret()) {
                secret.check(scheme).map_err(|_| {
                    let why = format!(
                        "a secret of this endpoint is a text, which '{}' can't sign with: rotate to one that \
                         begins with whsec_, without overlap, before",
                        scheme.as_str()
                    );
                    Error::field("/signatures", why)
                })?;
            }
        }
        let needs = schemes.iter().any(Scheme::needs_own_secret);
        if !needs || known.iter().any(|row| row.expires_at.is_none()) {
            return Ok(());
        }
        let secret = OwnSecret::from_random(random::bytes()?);
        self.add_secret((account, endpoint, SecretId::mint(now)), &secret, now)
            .await
    }

    /// Lets deliveries to an endpoint go out, or holds them.
    pub async fn switch_endpoint(
        &self,
        who: &Principal<MayWrite>,
        id: &str,
        switch: Switch,
    ) -> Result<EndpointView, Error> {
        let id = check::id(id, "endpoint")?;
        let state = match switch {
            Switch::On => EndpointState::Enabled,
            Switch::Off => EndpointState::Disabled { why: "by_user" },
        };
        let change = EndpointChange {
            state: Some(state),
            ..EndpointChange::default()
        };
        self.apply_change((who.account(), id), &change).await
    }

    async fn apply_change(
        &self,
        (account, id): (AccountId, EndpointId),
        change: &EndpointChange,
    ) -> Result<EndpointView, Error> {
        let changed = self
            .inner
            .store
            .change_endpoint(account, id, change, self.inner.clock.now())
            .await?;
        changed.ok_or(Error::NotFound("endpoint"))?;
        self.wake(account, id).await;
        self.endpoint_row(account, id).await?.try_into()
    }

    /// Removes an endpoint; what was still to be delivered to it is cancelled.
    pub async fn delete_endpoint(&self, who: &Principal<MayWrite>, id: &str) -> Result<(), Error> {
        let row = self
            .endpoint_row(who.account(), check::id(id, "endpoint")?)
            .await?;
        if row.owner_automation.is_some() {
            return Err(owned());
        }
        if !self
            .inner
            .store
            .delete_endpoint(who.account(), row.id, self.inner.clock.now())
            .await?
        {
            return Err(Error::NotFound("endpoint"));
        }
        self.cancel_deliveries(who.account(), row.id).await;
        Ok(())
    }

    /// Cancels what was still to be delivered to a removed endpoint, once it is removed for good.
    pub(super) async fn cancel_deliveries(&self, account: AccountId, endpoint: EndpointId) {
        let service = self.clone();
        let cancelled = async move {
            // Whatever becomes of this: the pipeline's gate cancels, too.
            service.wake_now(account, endpoint);
            let store = &service.inner.store;
            loop {
                match store.cancel_open(account, endpoint, CANCEL_CHUNK).await {
                    Ok(0) => return,
                    Ok(_) => {}
                    Err(error) => {
                        return tracing::warn!(
                            error = &error as &dyn std::error::Error,
                            endpoint.id = %endpoint,
                            "a removed endpoint's deliveries are left to the pipeline to cancel"
                        );
                    }
                }
            }
        };
        self.inner.store.once_durable(cancelled).await;
    }
}

/// The endpoint that an automation's bare URL becomes.
pub(super) fn owned_endpoint(
    automation: AutomationId,
    target: &Target,
    now: Timestamp,
) -> Result<store::NewEndpoint, Error> {
    let ready_made = profile::ready_made(profile::ACCOUNT_SIGNED);
    let settings = EndpointSettings {
        subscribe: None,
        ..ready_made.ok_or(Error::NotNamed("profile"))?
    };
    Ok(store::NewEndpoint {
        id: EndpointId::mint(now),
        name: target.host().to_owned(),
        url: target.as_str().to_owned(),
        settings: settings_text(&settings)?,
        owner_automation: Some(automation),
        state: EndpointState::Enabled,
        secrets: Vec::new(),
        key_pairs: Vec::new(),
        subscription: None,
        created_at: now,
    })
}

/// How the deliveries of an endpoint that is to be made are signed.
pub(super) fn signatures_of(new: &store::NewEndpoint) -> Result<Vec<Scheme>, Error> {
    let settings: EndpointSettings = serde_json::from_str(&new.settings)
        .map_err(|error| Error::unreadable("the endpoint's settings", error))?;
    Ok(settings.signatures)
}

fn owned() -> Error {
    Error::Conflict {
        code: "owned_by_automation",
        why: "this endpoint is a bare URL of an automation: change the automation".to_owned(),
    }
}
