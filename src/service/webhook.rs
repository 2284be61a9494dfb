//! Webhook configurations: endpoints as a table has them, for clients that are written for one. A row is an endpoint of
//! the profile `event-envelope` that no automation owns, whichever way it was made; what is written to it is written to
//! the endpoint, with all that is checked there. `https` only.
//!
//! What several rows are written at once is written in one commit, or not at all.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::endpoint_shape::{EndpointPatch, NewEndpoint, Switch, stored_settings};
use super::principal::{Identity, MayAdminister, MayRead, MayWrite, Principal};
use super::profile::EVENT_ENVELOPE;
use super::secret::Rotation;
use super::{Error, Service, Subscribe};
use crate::model::{EndpointId, Timestamp};
use crate::outbound::UrlRule;
use crate::store;

/// Most rows that are written at once.
pub const WEBHOOKS_WRITTEN_MAX: usize = 100;
/// Rows that are read at a time.
const CHUNK: usize = 1_000;

/// A webhook configuration to be made.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewWebhook {
    /// Whose; checked by whoever authenticates.
    pub organization_id: Option<String>,
    /// A name; the URL's host, if left out.
    pub name: Option<String>,
    /// Where requests are sent: `https://` only.
    pub url: String,
    /// Event types and patterns; all, if left out or empty.
    pub events: Option<Vec<String>>,
    /// What signs: 1 to 512 bytes of text; nothing is signed without one.
    pub secret: Option<String>,
    /// Whether deliveries go out; they do, if left out.
    pub is_active: Option<bool>,
}

/// What is changed of a webhook configuration; what is left out or null stays.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookPatch {
    /// Whose; checked by whoever authenticates.
    pub organization_id: Option<String>,
    /// A name.
    pub name: Option<String>,
    /// Where requests are sent: `https://` only.
    pub url: Option<String>,
    /// Event types and patterns; all, if empty.
    pub events: Option<Vec<String>>,
    /// What signs from now on; the one before signs no more.
    pub secret: Option<String>,
    /// Whether deliveries go out.
    pub is_active: Option<bool>,
}

/// A webhook configuration.
#[derive(Debug, Clone, Serialize)]
pub struct WebhookView {
    /// The endpoint's id.
    pub id: EndpointId,
    /// What it is called.
    pub name: String,
    /// Where requests are sent.
    pub url: String,
    /// Event types and patterns; `*` is all.
    pub events: Vec<String>,
    /// The secret, in the answer to who has just written it; else null.
    pub secret: Option<String>,
    /// Whether deliveries go out.
    pub is_active: bool,
    /// When it was made, RFC 3339.
    pub created_at: Timestamp,
    /// When it last changed, RFC 3339.
    pub updated_at: Timestamp,
}

impl WebhookView {
    /// The row that an endpoint is; `None`, if it is none.
    fn of(row: store::Endpoint) -> Result<Option<Self>, Error> {
        let settings = stored_settings(&row)?;
        if row.owner_automation.is_some() || settings.profile != EVENT_ENVELOPE {
            return Ok(None);
        }
        Ok(Some(Self {
            id: row.id,
            name: row.name,
            url: row.url,
            events: settings.subscribe.unwrap_or_default(),
            secret: None,
            is_active: row.state == "enabled",
            created_at: row.created_at,
            updated_at: row.updated_at,
        }))
    }
}

impl NewWebhook {
    /// What the native API would be asked for.
    fn endpoint(&self) -> Result<NewEndpoint, Error> {
        let mut signature = json!({"scheme": "event-header"});
        if let Some(secret) = &self.secret {
            signature["secret"] = json!(secret);
        }
        let asked = json!({
            "url": self.url,
            "name": self.name,
            "profile": EVENT_ENVELOPE,
            "subscribe": self.events.clone().map(subscribed),
            "signatures": [signature],
            "http": "refused",
        });
        serde_json::from_value(asked).map_err(|error| Error::Malformed {
            why: error.to_string(),
        })
    }
}

fn subscribed(events: Vec<String>) -> Subscribe {
    match events.as_slice() {
        [] => Subscribe::All,
        [all] if all == "*" => Subscribe::All,
        _ => Subscribe::To(events),
    }
}

impl Service {
    /// The account's webhook configurations, newest first; of these ids only, if there are any given.
    pub async fn webhooks(
        &self,
        who: &Principal<MayRead>,
        ids: Option<&[EndpointId]>,
    ) -> Result<Vec<WebhookView>, Error> {
        let _turn = self.list_turn(who.account()).await?;
        let store = &self.inner.store;
        let mut found = Vec::new();
        if let Some(ids) = ids {
            for id in ids {
                let row = store.endpoint(who.account(), *id).await?;
                found.extend(row.map(WebhookView::of).transpose()?.flatten());
            }
            return Ok(found);
        }
        let mut after = None;
        loop {
            let page = store.endpoints(who.account(), after, CHUNK).await?;
            for row in page.rows {
                found.extend(WebhookView::of(row)?);
            }
            after = page.next;
            if after.is_none() {
                return Ok(found);
            }
        }
    }

    /// Makes these, all or none of them.
    pub async fn create_webhooks(
        &self,
        who: &Identity,
        new: Vec<NewWebhook>,
    ) -> Result<Vec<WebhookView>, Error> {
        let who: Principal<MayWrite> = who.grant()?;
        check_count(new.len())?;
        let made = async {
            let mut made = Vec::with_capacity(new.len());
            for one in new {
                let created = self.create_endpoint(&who, one.endpoint()?).await?;
                let id = created.endpoint.id;
                if one.is_active == Some(false) {
                    let id = id.to_string();
                    self.switch_endpoint(&who, &id, Switch::Off).await?;
                }
                made.push(self.webhook(&who, id, one.secret).await?);
            }
            Ok::<_, Error>(made)
        };
        Box::pin(self.inner.store.in_one(made)).await
    }

    /// Changes these, all or none of them. Another secret takes somebody who may administer.
    pub async fn change_webhooks(
        &self,
        who: &Identity,
        ids: &[EndpointId],
        patch: &WebhookPatch,
    ) -> Result<Vec<WebhookView>, Error> {
        let administers: Option<Principal<MayAdminister>> = match patch.secret {
            Some(_) => Some(who.grant()?),
            None => None,
        };
        let who: Principal<MayWrite> = who.grant()?;
        check_count(ids.len())?;
        let changed = async {
            let mut changed = Vec::with_capacity(ids.len());
            for id in ids {
                let named = id.to_string();
                if patch.name.is_some() || patch.url.is_some() || patch.events.is_some() {
                    let change = EndpointPatch {
                        name: patch.name.clone(),
                        url: patch.url.clone(),
                        subscribe: patch.events.clone().map(subscribed),
                        http: patch.url.as_ref().map(|_| UrlRule::Refused),
                        ..EndpointPatch::default()
                    };
                    self.change_endpoint(&who, &named, change).await?;
                }
                if let Some(who) = &administers {
                    let rotation = Rotation {
                        overlap_s: Some(0),
                        secret: patch.secret.clone(),
                    };
                    self.rotate_secret(who, &named, rotation).await?;
                }
                if let Some(is_active) = patch.is_active {
                    let switch = if is_active { Switch::On } else { Switch::Off };
                    self.switch_endpoint(&who, &named, switch).await?;
                }
                changed.push(self.webhook(&who, *id, patch.secret.clone()).await?);
            }
            Ok::<_, Error>(changed)
        };
        Box::pin(self.inner.store.in_one(changed)).await
    }

    /// Removes these, all or none of them.
    pub async fn delete_webhooks(&self, who: &Identity, ids: &[EndpointId]) -> Result<(), Error> {
        let who: Principal<MayWrite> = who.grant()?;
        check_count(ids.len())?;
        let deleted = async {
            for id in ids {
                self.delete_endpoint(&who, &id.to_string()).await?;
            }
            Ok::<_, Error>(())
        };
        self.inner.store.in_one(deleted).await
    }

    async fn webhook(
        &self,
        who: &Principal<MayWrite>,
        id: EndpointId,
        secret: Option<String>,
    ) -> Result<WebhookView, Error> {
        let row = self.endpoint_row(who.account(), id).await?;
        let view = WebhookView::of(row)?.ok_or(Error::NotFound("webhook configuration"))?;
        Ok(WebhookView { secret, ..view })
    }
}

fn check_count(count: usize) -> Result<(), Error> {
    if count > WEBHOOKS_WRITTEN_MAX {
        return Err(Error::Malformed {
            why: format!(
                "{count} rows would be written: {WEBHOOKS_WRITTEN_MAX} at most at once, so write them in parts"
            ),
        });
    }
    Ok(())
}
