//! Sealing everything anew under the current master key, directly in the database: after that, older keys may go. No
//! door leads here.

use super::Error;
use crate::model::{KeyPairId, ReceiverId, SecretId, SourceId};
use crate::pipeline::sealing;
use crate::store::{Sealed, SealedName, SealedPlace, Store};
use crate::vault::Vault;

/// How many things are read at a time.
const PAGE: usize = 500;

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Resealed {
    /// How many things were sealed anew.
    pub sealed: u64,
    /// How many older master keys nothing is sealed under any more.
    pub keys: u64,
}

/// Seals everything anew that is sealed under an older key, and forgets the older keys once nothing is. Broken off, it
/// is done again: what is done stays. Every node must have the current key by then.
pub async fn reseal(store: &Store, vault: &Vault) -> Result<Resealed, Error> {
    let mut done = Resealed::default();
    loop {
        let mut found = 0;
        for place in SealedPlace::ALL {
            found += reseal_place(store, vault, place, &mut done.sealed).await?;
        }
        // What a node has sealed meanwhile is seen by going over it once more.
        if found == 0 {
            break;
        }
    }
    done.keys = store
        .forget_other_seals(vault.current_key().as_bytes())
        .await?;
    Ok(done)
}

/// How many things were found sealed under an older key; those that are no more are counted in `sealed`.
async fn reseal_place(
    store: &Store,
    vault: &Vault,
    place: SealedPlace,
    sealed: &mut u64,
) -> Result<u64, Error> {
    let mut found = 0;
    let mut last: Option<Sealed> = None;
    loop {
        let page = store.sealed(place, last.as_ref(), PAGE).await?;
        for known in page.iter().filter(|known| !vault.is_current(&known.sealed)) {
            let context = context(place, known)?;
            let plain = vault.open(&known.sealed, &context)?;
            let anew = vault.seal(&plain, &context)?;
            // Changed meanwhile, it is looked at again.
            *sealed += u64::from(store.seal_anew(place, known, anew).await?);
            found += 1;
        }
        if page.len() < PAGE {
            return Ok(found);
        }
        last = page.into_iter().last();
    }
}

/// What a thing is bound to.
fn context(place: SealedPlace, sealed: &Sealed) -> Result<Vec<u8>, Error> {
    let account = sealed.account;
    Ok(match (place, &sealed.name) {
        (SealedPlace::AccountKey | SealedPlace::NextAccountKey, _) => sealing::account_key(account),
        (SealedPlace::EndpointSecret, SealedName::Id(id)) => {
            sealing::endpoint_secret(account, SecretId::from_uuid(*id))
        }
        (SealedPlace::KeyPair, SealedName::Id(id)) => {
            sealing::key_pair(account, KeyPairId::from_uuid(*id))
        }
        (SealedPlace::SourceSecret, SealedName::Id(id)) => {
            sealing::source_secret(account, SecretId::from_uuid(*id))
        }
        (SealedPlace::SourcePath, SealedName::Id(id)) => {
            sealing::source_path(account, SourceId::from_uuid(*id))
        }
        (SealedPlace::Receiver, SealedName::Id(id)) => {
            sealing::receiver(account, ReceiverId::from_uuid(*id))
        }
        (SealedPlace::Variable, SealedName::Text(name)) => sealing::variable(account, name),
        (SealedPlace::Reply, SealedName::Text(key)) => sealing::reply(account, key),
        (_, SealedName::Id(_) | SealedName::Text(_)) => {
            return Err(Error::unreadable(
                "the name of something sealed",
                crate::vault::Error::Broken,
            ));
        }
    })
}
