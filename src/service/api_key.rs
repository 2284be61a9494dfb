//! API keys of an account: made, shown once, listed, revoked.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::principal::{MayAdminister, Principal, Scope};
use super::{Error, Listed, Service, check};
use crate::model::{ApiKeyId, Timestamp};
use crate::store::{self, Hint};
use crate::vault::{ApiKey, random};

/// A key to be made.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewApiKey {
    /// A name by which people recognise it: 1 to 200 bytes, on one line.
    pub name: String,
    /// What the key may do; at least one.
    pub scopes: Vec<Scope>,
    /// The mail address of whose key it is, to whom alerts go about endpoints that it makes or changes; to nobody, if
    /// left out.
    #[schema(example = "dev@example.com")]
    pub owner_mail: Option<String>,
}

/// A key, without its text.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ApiKeyView {
    /// The key's id.
    #[schema(value_type = String, example = "key_0198c1f0a3b27c4d8e5f60718293a4b5")]
    pub id: ApiKeyId,
    /// A name by which people recognise it: 1 to 200 bytes, on one line.
    pub name: String,
    /// What the key may do.
    pub scopes: Vec<Scope>,
    /// The mail address of whose key it is; null, if it was given none.
    pub owner_mail: Option<String>,
    /// When it was made, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

impl From<store::ApiKey> for ApiKeyView {
    fn from(row: store::ApiKey) -> Self {
        Self {
            id: row.id,
            name: row.name,
            scopes: Scope::from_words(&row.scopes),
            owner_mail: row.owner_mail,
            created_at: row.created_at,
        }
    }
}

/// A key that was just made.
#[derive(Serialize, ToSchema)]
pub struct NewApiKeyView {
    /// The key's id.
    #[schema(value_type = String, example = "key_0198c1f0a3b27c4d8e5f60718293a4b5")]
    pub id: ApiKeyId,
    /// The key itself, which is shown this once: what requests send after `Bearer `.
    #[schema(example = "tb_…")]
    pub key: String,
    /// A name by which people recognise it: 1 to 200 bytes, on one line.
    pub name: String,
    /// What the key may do.
    pub scopes: Vec<Scope>,
    /// The mail address of whose key it is; null, if it was given none.
    pub owner_mail: Option<String>,
    /// When it was made, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

impl Service {
    /// Makes a key of the principal's account.
    pub async fn create_api_key(
        &self,
        who: &Principal<MayAdminister>,
        new: NewApiKey,
    ) -> Result<NewApiKeyView, Error> {
        check::name(&new.name, "/name")?;
        if new.scopes.is_empty() {
            return Err(Error::field(
                "/scopes",
                "a key without scopes can do nothing: give admin, author, send or read",
            ));
        }
        if let Some(mail) = &new.owner_mail {
            check::mail(mail, "/owner_mail")?;
        }
        let now = self.inner.clock.now();
        let key = ApiKey::from_random(random::bytes()?);
        let mut words: Vec<_> = new.scopes.iter().map(|scope| scope.as_str()).collect();
        words.sort_unstable();
        words.dedup();
        let row = store::NewApiKey {
            id: ApiKeyId::mint(now),
            account: Some(who.account()),
            name: new.name,
            hash: *key.hash().as_bytes(),
            scopes: words.join(" "),
            owner_mail: new.owner_mail,
            created_at: now,
        };
        self.inner.store.create_api_key(&row).await?;
        tracing::info!(account.id = %who.account(), key.id = %who.key(), made.id = %row.id, "an API key was made");
        Ok(NewApiKeyView {
            id: row.id,
            key: key.text().to_owned(),
            name: row.name,
            scopes: Scope::from_words(&row.scopes),
            owner_mail: row.owner_mail,
            created_at: now,
        })
    }

    /// The keys of the principal's account that work.
    pub async fn api_keys(
        &self,
        who: &Principal<MayAdminister>,
    ) -> Result<Listed<ApiKeyView>, Error> {
        let rows = self.inner.store.api_keys(who.account()).await?;
        Ok(Listed::whole(
            rows.into_iter().map(ApiKeyView::from).collect(),
        ))
    }

    /// Revokes a key: on this node at once, on others as soon as they hear of it, and within seconds if
    /// they don't.
    pub async fn revoke_api_key(
        &self,
        who: &Principal<MayAdminister>,
        id: &str,
    ) -> Result<(), Error> {
        let id: ApiKeyId = check::id(id, "API key")?;
        if !self
            .inner
            .store
            .revoke_api_key(who.account(), id, self.inner.clock.now())
            .await?
        {
            return Err(Error::NotFound("API key"));
        }
        let service = self.clone();
        let revoked = async move {
            service.inner.known.revoke(id);
            service.inner.store.tell(Hint::Revoked(id));
        };
        self.inner.store.once_durable(revoked).await;
        tracing::info!(account.id = %who.account(), key.id = %who.key(), revoked.id = %id, "an API key was revoked");
        Ok(())
    }
}
