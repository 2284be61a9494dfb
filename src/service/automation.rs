//! Automations: made, changed by new versions, switched, removed. A version never changes; what changes
//! nothing makes none.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::definition::{self, ActionRequest, TransformRequest, TriggerRequest};
use super::json::nullable;
use super::kept_test_shape::{self, Override, TestRequest, check_override};
use super::principal::{MayRead, MayWrite, Principal};
use super::version::{Saved, text};
use super::{Error, Listed, Merges, PageRequest, Service, check};
use crate::automation::{Action, Definition, DefinitionDigest, Test, Transform, Trigger};
use crate::model::{AccountId, AutomationId, Timestamp};
use crate::store::{self, Publication, PublishedAutomation, Shelf};

/// An automation to be made. It is published at once unless `draft` is true.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAutomation {
    /// A name by which people recognise it: 1 to 200 bytes, on one line.
    pub name: String,
    /// Which events it looks at.
    pub trigger: TriggerRequest,
    /// What it asks of the event, in CEL, such as `event.data.amount > 1000`: 4096 bytes at most. How one is
    /// written is told, with examples, in docs/conditions.md. Without one, every event of the trigger will do.
    pub condition: Option<String>,
    /// The plugins that reshape the payload, each given what the one before made of it: 16 at most.
    #[serde(default)]
    pub transforms: Vec<TransformRequest>,
    /// What follows if the condition holds: 32 at most, and 16 if there are transforms.
    pub actions: Vec<ActionRequest>,
    /// Whether the published version works; true, if left out.
    pub enabled: Option<bool>,
    /// True: it is saved without being published. False, if left out.
    pub draft: Option<bool>,
    /// Why it is made, for whoever reads its versions: 1 to 500 bytes.
    pub note: Option<String>,
    /// Events with what must come of them: 50 at most, of 128 KiB together. Before a version is published its tests
    /// must pass.
    #[serde(default)]
    pub tests: Vec<TestRequest>,
    /// Publishes it although its tests fail.
    #[serde(rename = "override")]
    pub overriding: Option<Override>,
}

/// What is changed of an automation; what is left out stays. Another trigger, condition, chain of transforms
/// or list of actions saves a new version, published at once unless `draft` is true. What comes to the same
/// definition as the newest version's saves none.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AutomationPatch {
    /// A name by which people recognise it: 1 to 200 bytes, on one line.
    pub name: Option<String>,
    /// Which events it looks at.
    pub trigger: Option<TriggerRequest>,
    /// What it asks of the event, in CEL, such as `event.data.amount > 1000`: 4096 bytes at most. How one is
    /// written is told, with examples, in docs/conditions.md. Null: every event of the trigger will do.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    pub condition: Option<Option<String>>,
    /// The plugins that reshape the payload, each given what the one before made of it: 16 at most.
    pub transforms: Option<Vec<TransformRequest>>,
    /// What follows if the condition holds: 32 at most, and 16 if there are transforms.
    pub actions: Option<Vec<ActionRequest>>,
    /// Whether the published version works.
    pub enabled: Option<bool>,
    /// True: the new version is saved without being published. False: the newest version is published.
    pub draft: Option<bool>,
    /// Why it is changed, for whoever reads its versions: 1 to 500 bytes. Kept with the new version; if none
    /// is saved, it is not kept.
    pub note: Option<String>,
    /// Events with what must come of them: 50 at most, of 128 KiB together. Before a version is published its tests
    /// must pass.
    pub tests: Option<Vec<TestRequest>>,
    /// Publishes it although its tests fail.
    #[serde(rename = "override")]
    pub overriding: Option<Override>,
}

/// An automation with its newest version.
#[derive(Debug, Serialize, ToSchema)]
pub struct AutomationView {
    /// The automation's id.
    #[schema(value_type = String, example = "aut_0198c1f0a3b27c4d8e5f60718293a4b5")]
    pub id: AutomationId,
    /// A name by which people recognise it: 1 to 200 bytes, on one line.
    pub name: String,
    /// Whether the published version works.
    pub enabled: bool,
    /// The number of the newest version, from 1. Trigger, condition, transforms and actions are that version's.
    pub version: i64,
    /// SHA-256 of that version's definition: `sha256:` and 64 hexadecimal digits.
    #[schema(value_type = String, example = "sha256:…")]
    pub digest: DefinitionDigest,
    /// The number of the version that events meet; null, if none was published.
    pub published_version: Option<i64>,
    /// Which events it looks at.
    #[schema(value_type = TriggerRequest)]
    pub trigger: Trigger,
    /// What it asks of the event, in CEL (docs/conditions.md); null: every event of the trigger will do.
    pub condition: Option<String>,
    /// The plugins that reshape the payload, in their order, each pinned by its digest.
    #[schema(value_type = Vec<TransformRequest>)]
    pub transforms: Vec<Transform>,
    /// What follows if the condition holds. A bare URL stands beside the endpoint that it has become.
    #[schema(value_type = Vec<ActionRequest>)]
    pub actions: Vec<Action>,
    /// Events with what must come of them, which pass before a version is published.
    #[schema(value_type = Vec<TestRequest>)]
    pub tests: Vec<Test>,
    /// When it was made, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it last changed, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    /// Since when it is archived, RFC 3339; null, if it is not.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub archived_at: Option<Timestamp>,
}

impl AutomationView {
    fn of(row: store::Automation, newest: &Saved) -> Result<Self, Error> {
        let definition = newest.definition()?;
        Ok(Self {
            id: row.id,
            name: row.name,
            enabled: row.enabled,
            version: row.latest_version,
            digest: newest.digest,
            published_version: row.published_version,
            trigger: definition.trigger,
            condition: definition.condition,
            transforms: definition.transforms,
            actions: definition.actions,
            tests: definition.tests,
            created_at: row.created_at,
            updated_at: row.updated_at,
            archived_at: row.archived_at,
        })
    }
}

impl AutomationPatch {
    fn changes_version(&self) -> bool {
        self.name.is_some()
            || self.trigger.is_some()
            || self.condition.is_some()
            || self.transforms.is_some()
            || self.actions.is_some()
            || self.tests.is_some()
            || self.draft.is_some()
    }
}

/// An automation that was checked and would be saved, by an author who is not yet named.
pub(super) struct Drafted {
    pub(super) row: store::NewAutomation,
    pub(super) definition: Definition,
}

/// What becomes of a version that is published.
pub(super) fn published(enabled: bool) -> Publication {
    if enabled {
        Publication::Live
    } else {
        Publication::Off
    }
}

/// What is said of a version besides what it is.
pub(super) fn check_said(note: Option<&str>, why: Option<&Override>) -> Result<(), Error> {
    check_override(why)?;
    note.map_or(Ok(()), |note| check::note(note, "/note"))
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
        self.automation_view(who.account(), row.id).await
    }

    /// What making it would save: whether it is made or tried, these are the checks.
    pub(super) async fn drafted(
        &self,
        account: AccountId,
        new: NewAutomation,
        now: Timestamp,
    ) -> Result<Drafted, Error> {
        check::name(&new.name, "/name")?;
        check_said(new.note.as_deref(), new.overriding.as_ref())?;
        let trigger = definition::trigger(&new.trigger)?;
        if let Some(source) = &new.condition {
            definition::condition(source)?;
        }
        definition::fits(new.transforms.len(), new.actions.len())?;
        let transforms = self.transforms(account, new.transforms).await?;
        let id = AutomationId::mint(now);
        let resolved = self.actions(account, id, &new.actions, now).await?;
        let definition = Definition {
            trigger,
            condition: new.condition,
            transforms,
            actions: resolved.actions,
            tests: kept_test_shape::tests(new.tests)?,
        };
        let draft = new.draft.unwrap_or(false);
        let row = store::NewAutomation {
            id,
            name: new.name,
            owner_endpoint: None,
            definition: text(&definition)?,
            publication: if draft {
                Publication::Draft
            } else {
                published(new.enabled.unwrap_or(true))
            },
            endpoints: resolved.endpoints,
            author: None,
            note: new.note,
            override_reason: None,
            created_at: now,
        };
        Ok(Drafted { row, definition })
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
        let mut merges = Merges::default();
        loop {
            let done = self.merge_automation(who, id, patch.clone()).await;
            if !merges.go_on(&done) {
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
                self.pass_saved(who, &row, version, patch.overriding.as_ref())
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
            self.save_version(who, row, patch, publication).await?;
            if !draft_stays {
                return self.automation_view(account, id).await;
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
        AutomationView::of(row.clone(), &self.newest(account, &row).await?)
    }
}

impl AutomationPatch {
    /// Whether the new version says the same as the one before, under another name.
    fn only_names(&self) -> bool {
        self.trigger.is_none()
            && self.condition.is_none()
            && self.transforms.is_none()
            && self.actions.is_none()
            && self.tests.is_none()
    }
}
