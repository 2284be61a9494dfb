//! Automations: made, changed by new versions, switched, removed. A version never changes; what changes
//! nothing makes none.

use super::automation_shape::{AutomationPatch, AutomationView, NewAutomation, check_said};
use super::condition::form_of;
use super::draft::Drafted;
use super::principal::{MayRead, MayWrite, Principal};
use super::{Error, Listed, PageRequest, Service, check};
use crate::model::{AccountId, AutomationId};
use crate::store::{Publication, PublishedAutomation, Shelf};

/// What becomes of a version that is published.
pub(super) fn published(enabled: bool) -> Publication {
    if enabled {
        Publication::Live
    } else {
        Publication::Off
    }
}

impl Service {
    /// Makes an automation.
    pub async fn create_automation(
        &self,
        who: &Principal<MayWrite>,
        new: NewAutomation,
    ) -> Result<AutomationView, Error> {
        let now = self.inner.clock.now();
        let overriding = new.overriding.clone();
        let Drafted {
            mut row,
            definition,
            warnings,
        } = self.drafted(who.account(), new, now).await?;
        if row.publication != Publication::Draft {
            let version = PublishedAutomation {
                id: row.id,
                name: row.name.clone(),
                owner_endpoint: None,
                version: 1,
                definition: row.definition.clone(),
            };
            row.override_reason = self
                .pass_tests(who.account(), &version, &definition, overriding.as_ref())
                .await?;
        }
        row.author = Some(who.author());
        self.inner
            .store
            .create_automation(who.account(), &row)
            .await?;
        let view = self.automation_view(who.account(), row.id).await?;
        Ok(AutomationView {
            warnings: Some(warnings),
            ..view
        })
    }

    /// A page of the account's automations, endpoints' own subscriptions left out.
    pub async fn automations(
        &self,
        who: &Principal<MayRead>,
        which: Shelf,
        page: &PageRequest,
    ) -> Result<Listed<AutomationView>, Error> {
        let _turn = self.list_turn(who.account()).await?;
        let rows = self
            .inner
            .store
            .automations(who.account(), which, page.after()?, page.limit()?)
            .await?;
        let mut newest = Vec::with_capacity(rows.rows.len());
        for row in &rows.rows {
            newest.push(self.newest(who.account(), row).await?);
        }
        let mut newest = newest.into_iter();
        Listed::try_of(rows, |row| {
            let newest = newest.next().ok_or(Error::NotFound("automation"))?;
            AutomationView::of(row, &newest)
        })
    }

    /// The automation with this id.
    pub async fn automation(
        &self,
        who: &Principal<MayRead>,
        id: &str,
    ) -> Result<AutomationView, Error> {
        self.automation_view(who.account(), check::id(id, "automation")?)
            .await
    }

    /// Saves a new version of an automation, or switches it.
    pub async fn change_automation(
        &self,
        who: &Principal<MayWrite>,
        id: &str,
        patch: AutomationPatch,
    ) -> Result<AutomationView, Error> {
        let id = check::id(id, "automation")?;
        let mut merges = self.merges(who.account());
        loop {
            let done = self.merge_automation(who, id, patch.clone()).await;
            if !merges.go_on(&done).await {
                return done;
            }
        }
    }

    /// Lays the changes over the automation as it is now, unless somebody else changes it meanwhile.
    async fn merge_automation(
        &self,
        who: &Principal<MayWrite>,
        id: AutomationId,
        patch: AutomationPatch,
    ) -> Result<AutomationView, Error> {
        let account = who.account();
        let row = self.open_row(account, id).await?;
        check_said(patch.note.as_deref(), patch.overriding.as_ref())?;
        let enabled = patch.enabled;
        let changes_version = patch.changes_version();
        let draft_stays = patch.draft == Some(true)
            || (patch.draft.is_none()
                && patch.only_names()
                && row.published_version != Some(row.latest_version));
        // Before anything is written: no plugin runs while others wait for that.
        let override_reason = match row.published_version {
            Some(version)
                if enabled == Some(true) && !row.enabled && (draft_stays || !changes_version) =>
            {
                self.pass_again(who, &row, (version, patch.overriding.as_ref()))
                    .await?
            }
            _ => None,
        };
        if changes_version {
            let publication = match enabled {
                _ if draft_stays => Publication::Draft,
                Some(enabled) => published(enabled),
                None => published(row.enabled || row.published_version.is_none()),
            };
            let warnings = self.save_version(who, row, patch, publication).await?;
            let view = self.automation_view(account, id).await?;
            if !draft_stays || enabled.is_none() {
                return Ok(AutomationView { warnings, ..view });
            }
        } else if patch.note.is_some() {
            let why = "a note is kept with a new version: change something with it";
            return Err(Error::field("/note", why));
        }
        if let Some(enabled) = enabled {
            self.switch(who, id, published(enabled), override_reason)
                .await?;
        }
        self.automation_view(account, id).await
    }

    /// Removes an automation; its own endpoints go with it, and what was still to be delivered to
    /// them is cancelled. Deliveries to other endpoints stay.
    pub async fn delete_automation(
        &self,
        who: &Principal<MayWrite>,
        id: &str,
    ) -> Result<(), Error> {
        let row = self
            .automation_row(who.account(), check::id(id, "automation")?)
            .await?;
        let now = self.inner.clock.now();
        let gone = self
            .inner
            .store
            .delete_automation(who.account(), row.id, now)
            .await?;
        for endpoint in gone.ok_or(Error::NotFound("automation"))? {
            self.cancel_deliveries(who.account(), endpoint).await;
        }
        Ok(())
    }

    pub(super) async fn automation_view(
        &self,
        account: AccountId,
        id: AutomationId,
    ) -> Result<AutomationView, Error> {
        let row = self.automation_row(account, id).await?;
        let view = AutomationView::of(row.clone(), &self.newest(account, &row).await?)?;
        Ok(AutomationView {
            condition_form: Some(view.condition.as_deref().and_then(form_of)),
            ..view
        })
    }
}
