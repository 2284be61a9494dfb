//! The ready-made catalogues of event types, and how one is installed: what an account sees already stays
//! as it is.

use serde::Serialize;
use utoipa::ToSchema;

use super::import::lay_all;
use super::owners;
use crate::model::AccountId;
use crate::schema::catalogue::{self, CATALOGUES, Catalogue, Entry};
use crate::service::principal::{MayReadCatalogue, MayWriteCatalogue, NO_ACCOUNT, Principal};
use crate::service::vetting::apart;
use crate::service::{
    Error, Import, ImportOutcome, ImportView, ImportedView, Listed, Merges, Service,
};
use crate::store::EventTypeEntry;

/// A ready-made catalogue in a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct CatalogueView {
    /// What it is installed by.
    pub name: &'static str,
    /// What it is called.
    pub title: &'static str,
    /// What it is about.
    pub description: &'static str,
    /// The names of its event types.
    pub event_types: Vec<String>,
}

/// A ready-made catalogue with all that it has.
#[derive(Debug, Serialize, ToSchema)]
pub struct WholeCatalogueView {
    /// What it is installed by.
    pub name: &'static str,
    /// What it is called.
    pub title: &'static str,
    /// What it is about.
    pub description: &'static str,
    /// Its event types, each with name, description, group, schema and examples: a list that can be imported.
    #[schema(value_type = Vec<Object>)]
    pub event_types: Vec<Entry>,
}

impl Service {
    /// Adds the event types of a ready-made catalogue that the principal does not see yet.
    pub async fn install_catalogue(
        &self,
        who: &Principal<MayWriteCatalogue>,
        name: &str,
    ) -> Result<ImportView, Error> {
        let entries = entries(found(name)?)?;
        let _turn = self.schema_turn(who.account()).await?;
        let mut merges = Merges::default();
        loop {
            let done = self.install(who, &entries).await;
            if !merges.go_on(&done).await {
                return done;
            }
        }
    }

    async fn install(
        &self,
        who: &Principal<MayWriteCatalogue>,
        entries: &[Entry],
    ) -> Result<ImportView, Error> {
        let (mut kept, mut new) = (Vec::new(), Vec::new());
        for entry in entries {
            let mut seen = None;
            for owner in owners(who.account()) {
                if seen.is_none() {
                    let row = self.inner.store.event_type(owner, &entry.name).await?;
                    seen = row.map(|row| (owner, row));
                }
            }
            match seen {
                Some((owner, row)) => kept.push(keep(owner, &row)),
                None => new.push((Ok(entry.clone()), None)),
            }
        }
        let bounds = self.bounds();
        let mut laid = apart(move || lay_all(new, bounds)).await?;
        laid.extend(kept.into_iter().map(|view| (None, view)));
        // In the catalogue's order.
        let place = |view: &ImportedView| entries.iter().position(|entry| entry.name == view.name);
        laid.sort_by_key(|(_, view)| place(view));
        self.finish(who, laid, Import::Write).await
    }

    /// The ready-made catalogues.
    pub fn catalogues(
        &self,
        _who: &Principal<MayReadCatalogue>,
    ) -> Result<Listed<CatalogueView>, Error> {
        let view = |catalogue: Catalogue| {
            let entries = entries(catalogue)?;
            Ok(CatalogueView {
                name: catalogue.name,
                title: catalogue.title,
                description: catalogue.description,
                event_types: entries.into_iter().map(|entry| entry.name).collect(),
            })
        };
        let views: Result<Vec<_>, Error> = CATALOGUES.into_iter().map(view).collect();
        Ok(Listed::whole(views?))
    }

    /// A ready-made catalogue with all that it has.
    pub fn catalogue(
        &self,
        _who: &Principal<MayReadCatalogue>,
        name: &str,
    ) -> Result<WholeCatalogueView, Error> {
        let catalogue = found(name)?;
        Ok(WholeCatalogueView {
            name: catalogue.name,
            title: catalogue.title,
            description: catalogue.description,
            event_types: entries(catalogue)?,
        })
    }
}

fn found(name: &str) -> Result<Catalogue, Error> {
    catalogue::named(name).ok_or(Error::NoSuchCatalogue)
}

fn entries(catalogue: Catalogue) -> Result<Vec<Entry>, Error> {
    catalogue
        .entries()
        .map_err(|error| Error::unreadable("a ready-made catalogue", error))
}

fn keep(owner: AccountId, row: &EventTypeEntry) -> ImportedView {
    let whose = if owner == NO_ACCOUNT {
        "the installation"
    } else {
        "the account"
    };
    ImportedView {
        name: row.name.clone(),
        outcome: ImportOutcome::Kept,
        schema_version: row.schema_version,
        pointer: None,
        why: Some(format!(
            "{whose} has an event type of this name already, and its schema stays: there is one type of a name, and \
             the first schema is kept"
        )),
    }
}
