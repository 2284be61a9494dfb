//! The catalogue of event types. An account sees its own and the installation's; its own hides
//! the installation's of the same name. An operator key that names no account writes the
//! installation's.

mod catalogue;
pub(super) mod draft;
mod import;
mod schema;
mod shape;

pub use catalogue::{CatalogueView, WholeCatalogueView};
pub use import::{Import, ImportOutcome, ImportView, ImportedView};
pub use shape::{EventTypePatch, EventTypeVersionView, EventTypeView, NewEventType};

use super::principal::{MayReadCatalogue, MayWriteCatalogue, NO_ACCOUNT, Principal};
use super::vetting::apart;
use super::{AuthorView, Error, Listed, PageRequest, Service, Shelf, check};
use crate::automation::{DefinitionDigest, EventType};
use crate::model::AccountId;
use crate::store::{Authorship, EventTypeEntry, EventTypeWrite};
use draft::{Bounds, Draft, check_name};
use shape::raw;

use super::page::cursor_text;

impl Service {
    /// Adds an event type.
    pub async fn create_event_type(
        &self,
        who: &Principal<MayWriteCatalogue>,
        new: NewEventType,
    ) -> Result<EventTypeView, Error> {
        check_name(&new.name)?;
        let blank = Draft::blank(&new.name, self.inner.clock.now());
        let to = self.lay(who.account(), Draft::from(&new), blank).await?;
        match self.write_event_types(who, vec![(None, to.clone())]).await {
            Ok(()) => EventTypeView::of(who.account(), to),
            Err(Error::Store(error)) if error.is_taken() => Err(Error::Conflict {
                code: "name_taken",
                why: format!(
                    "the event type '{}' is catalogued already: PATCH it",
                    to.name
                ),
            }),
            Err(error) => Err(error),
        }
    }

    /// The event type with a draft laid over it. Schemas take a while to compile: where there may be one, on a
    /// thread of its own and in the account's turn.
    pub(super) async fn lay(
        &self,
        account: AccountId,
        draft: Draft,
        from: EventTypeEntry,
    ) -> Result<EventTypeEntry, Error> {
        let bounds = self.bounds();
        if !draft.is_dear() {
            return draft.over(&from, bounds);
        }
        let _turn = self.schema_turn(account).await?;
        apart(move || draft.over(&from, bounds)).await?
    }

    pub(super) fn bounds(&self) -> Bounds {
        Bounds {
            payload_bytes_max: self.inner.rules.payload_bytes_max,
            now: self.inner.clock.now(),
        }
    }

    /// Writes event types as the principal, each from what it was to what it is to be.
    pub(super) async fn write_event_types(
        &self,
        who: &Principal<MayWriteCatalogue>,
        writes: Vec<(Option<EventTypeEntry>, EventTypeEntry)>,
    ) -> Result<(), Error> {
        let writes: Vec<EventTypeWrite> = writes
            .into_iter()
            .map(|(from, to)| EventTypeWrite { from, to })
            .collect();
        let by = Authorship {
            author: Some(who.author()),
            at: self.inner.clock.now(),
            override_reason: None,
        };
        let store = &self.inner.store;
        store.write_event_types(who.account(), &writes, &by).await?;
        self.catalogue_changed(who.account()).await;
        Ok(())
    }

    /// A page of the event types that the principal sees, by name, without their schemas.
    pub async fn event_types(
        &self,
        who: &Principal<MayReadCatalogue>,
        which: Shelf,
        page: &PageRequest,
    ) -> Result<Listed<EventTypeView>, Error> {
        let _turn = self.list_turn(who.account()).await?;
        let (limit, after) = (page.limit()?, page.after_name()?);
        let mut rows: Vec<(AccountId, EventTypeEntry)> = Vec::new();
        let owners = owners(who.account());
        // Also those that are put away are read, where they may hide the installation's.
        let read = if owners.len() > 1 { Shelf::All } else { which };
        for owner in owners {
            let store = &self.inner.store;
            let found = store.event_types(owner, read, after.as_deref(), limit + 1);
            rows.extend(found.await?.into_iter().map(|row| (owner, row)));
        }
        // One's own first: a stable sort and a dedup leave those where both have the name.
        rows.sort_by(|(_, a), (_, b)| a.name.cmp(&b.name));
        rows.dedup_by(|(_, b), (_, a)| a.name == b.name);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = rows
            .last()
            .filter(|_| more)
            .map(|(_, row)| cursor_text(&row.name));
        let data = rows
            .into_iter()
            .filter(|(_, row)| which == Shelf::All || row.archived_at.is_none())
            .map(|(owner, row)| EventTypeView::of(owner, row))
            .collect::<Result<_, _>>()?;
        Ok(Listed { data, next_cursor })
    }

    /// The event type of this name that the principal sees.
    pub async fn event_type(
        &self,
        who: &Principal<MayReadCatalogue>,
        name: &str,
    ) -> Result<EventTypeView, Error> {
        let (owner, row) = self.seen_event_type(who.account(), name).await?;
        EventTypeView::of(owner, row)
    }

    /// The event type of this name that the account sees, and whose it is.
    async fn seen_event_type(
        &self,
        account: AccountId,
        name: &str,
    ) -> Result<(AccountId, EventTypeEntry), Error> {
        let name: EventType = check::known_by(name, Error::NotNamed("event type"))?;
        for owner in owners(account) {
            let found = self.inner.store.event_type(owner, name.as_str()).await?;
            if let Some(row) = found {
                return Ok((owner, row));
            }
        }
        Err(Error::NotNamed("event type"))
    }

    /// A page of the versions of an event type's schema, newest first, without the schemas.
    pub async fn event_type_versions(
        &self,
        who: &Principal<MayReadCatalogue>,
        name: &str,
        page: &PageRequest,
    ) -> Result<Listed<EventTypeVersionView>, Error> {
        let _turn = self.list_turn(who.account()).await?;
        let (owner, row) = self.seen_event_type(who.account(), name).await?;
        let (limit, before) = (page.limit()?, page.after_number()?);
        let versions = self
            .inner
            .store
            .event_type_versions(owner, &row.name, before, limit + 1);
        Listed::numbered(
            versions.await?,
            limit,
            |version| version.version,
            |version| {
                Ok(EventTypeVersionView {
                    version: version.version,
                    digest: digest(&version.digest)?,
                    in_force: row.schema_version == Some(version.version),
                    author: AuthorView::of(version.author_key, version.author_name),
                    created_at: version.created_at,
                    schema: None,
                })
            },
        )
    }

    /// One version of an event type's schema.
    pub async fn event_type_version(
        &self,
        who: &Principal<MayReadCatalogue>,
        (name, version): (&str, &str),
    ) -> Result<EventTypeVersionView, Error> {
        let (owner, row) = self.seen_event_type(who.account(), name).await?;
        let number: i64 = check::known_by(version, Error::NoSuchVersion)?;
        let store = &self.inner.store;
        let found = store.event_type_version(owner, &row.name, number).await?;
        let found = found.ok_or(Error::NoSuchVersion)?;
        Ok(EventTypeVersionView {
            version: found.version,
            digest: digest(&found.digest)?,
            in_force: row.schema_version == Some(found.version),
            author: AuthorView::of(found.author_key, found.author_name),
            created_at: found.created_at,
            schema: Some(raw(found.schema)?),
        })
    }

    /// Changes one of the principal's own event types.
    pub async fn change_event_type(
        &self,
        who: &Principal<MayWriteCatalogue>,
        name: &str,
        patch: EventTypePatch,
    ) -> Result<EventTypeView, Error> {
        let name: EventType = check::known_by(name, Error::NotNamed("event type"))?;
        let draft = Draft::from(&patch);
        let mut merges = self.merges(who.account());
        loop {
            let done = self.merge_event_type(who, &name, &draft).await;
            if !merges.go_on(&done).await {
                return done;
            }
        }
    }

    /// Lays the changes over the event type as it is now, unless somebody else changes it meanwhile.
    async fn merge_event_type(
        &self,
        who: &Principal<MayWriteCatalogue>,
        name: &EventType,
        draft: &Draft,
    ) -> Result<EventTypeView, Error> {
        let owner = who.account();
        let found = self.inner.store.event_type(owner, name.as_str()).await?;
        let from = found.ok_or(Error::NotNamed("event type"))?;
        let to = self.lay(owner, draft.clone(), from.clone()).await?;
        if to != from {
            let write = vec![(Some(from), to.clone())];
            self.write_event_types(who, write).await?;
        }
        EventTypeView::of(owner, to)
    }

    /// Removes one of the principal's own event types from the catalogue, with all versions of its schema.
    pub async fn delete_event_type(
        &self,
        who: &Principal<MayWriteCatalogue>,
        name: &str,
    ) -> Result<(), Error> {
        let name: EventType = check::known_by(name, Error::NotNamed("event type"))?;
        let store = &self.inner.store;
        if !store
            .delete_event_type(who.account(), name.as_str())
            .await?
        {
            return Err(Error::NotNamed("event type"));
        }
        self.catalogue_changed(who.account()).await;
        Ok(())
    }
}

/// Whose event types an account sees, those that hide others first.
pub(super) fn owners(account: AccountId) -> Vec<AccountId> {
    if account == NO_ACCOUNT {
        vec![NO_ACCOUNT]
    } else {
        vec![account, NO_ACCOUNT]
    }
}

fn digest(bytes: &[u8]) -> Result<DefinitionDigest, Error> {
    let bytes: [u8; 32] = bytes
        .try_into()
        .map_err(|error| Error::unreadable("the digest of a schema", error))?;
    Ok(DefinitionDigest::from_bytes(bytes))
}
