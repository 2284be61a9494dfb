//! Operator keys: made, listed and revoked directly in the database, by the first start and by the
//! command line. No door leads here.

use zeroize::Zeroizing;

use super::principal::BOOTSTRAP;
use super::{ApiKeyView, Error, Place, check};
use crate::model::{ApiKeyId, Timestamp};
use crate::store::{self, Store};
use crate::vault::{ApiKey, ApiKeyHash, random};

/// Makes an operator key; its text, which is known to nobody else. The bootstrap key's name is not to
/// be had: it has more rights than others.
pub async fn make_operator_key(
    store: &Store,
    name: &str,
    now: Timestamp,
) -> Result<Zeroizing<String>, Error> {
    check::name(name, "/name")?;
    if name == BOOTSTRAP {
        return Err(Error::Invalid {
            code: "reserved_name",
            at: Place::body("/name"),
            why: format!(
                "the name {BOOTSTRAP} is the key's that the settings name: choose another"
            ),
        });
    }
    let key = ApiKey::from_random(random::bytes()?);
    store.create_api_key(&row(name, key.hash(), now)).await?;
    Ok(Zeroizing::new(key.text().to_owned()))
}

/// The operator keys that work, newest first.
pub async fn operator_keys(store: &Store) -> Result<Vec<ApiKeyView>, Error> {
    let rows = store.operator_keys().await?;
    Ok(rows.into_iter().map(ApiKeyView::from).collect())
}

/// Makes an operator key stop working: here at once, on a running node within seconds.
pub async fn revoke_operator_key(store: &Store, id: ApiKeyId, now: Timestamp) -> Result<(), Error> {
    if store.revoke_operator_key(id, now).await? {
        Ok(())
    } else {
        Err(Error::NotFound("operator key"))
    }
}

/// Sees that the bootstrap key of the settings works, and no earlier one.
pub(super) async fn keep_bootstrap_key(
    store: &Store,
    text: &str,
    now: Timestamp,
) -> Result<(), Error> {
    let new = row(BOOTSTRAP, ApiKeyHash::of(text), now);
    Ok(store.keep_bootstrap_key(&new).await?)
}

fn row(name: &str, hash: ApiKeyHash, now: Timestamp) -> store::NewApiKey {
    store::NewApiKey {
        id: ApiKeyId::mint(now),
        account: None,
        name: name.to_owned(),
        hash: *hash.as_bytes(),
        // An operator's key needs none: it may do everything.
        scopes: String::new(),
        owner_mail: None,
        created_at: now,
    }
}
