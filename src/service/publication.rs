//! Which version of an automation is live: published, rolled back, put away, and what was live when. Each
//! is one step that raises the account's revision; nothing that was is rewritten.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::automation::published;
use super::automation_shape::AutomationView;
use super::automation_state::Change;
use super::kept_test_shape::{Override, check_override};
use super::principal::{MayRead, MayWrite, Principal};
use super::version::AuthorView;
use super::{Error, Listed, PageRequest, Place, Service, check};
use crate::automation::Action;
use crate::model::{AccountId, AutomationId, EndpointId, Timestamp};
use crate::store::{self, LiveSpan, Publication, StateChange};

/// Which version is published.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Publish {
    /// Its number; the newest, if left out.
    pub version: Option<i64>,
    /// Publishes it although its tests fail.
    #[serde(rename = "override")]
    pub overriding: Option<Override>,
}

/// Which version is published again.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rollback {
    /// Its number: one that was live before. The last one that was live besides the present one, if left out.
    pub to: Option<i64>,
}

/// What a publication has changed.
#[derive(Debug, Serialize, ToSchema)]
pub struct PublishedView {
    /// The number of the version that is published now.
    pub version: i64,
    /// The number of the one that was published before; null, if none was.
    pub replaced: Option<i64>,
    /// Whether the two say something different. If not, events meet what they met before.
    pub changed: bool,
    /// The same as a sentence.
    pub summary: String,
    /// The account's revision from which on it holds; null, if it was so already and nothing was written.
    pub revision: Option<i64>,
    /// The ids of endpoints that the version names and that were removed since: it delivers nothing there.
    #[schema(value_type = Vec<String>)]
    pub removed_endpoints: Vec<EndpointId>,
    /// The automation with its newest version.
    pub automation: AutomationView,
}

/// A time in which a version was live.
#[derive(Debug, Serialize, ToSchema)]
pub struct PublicationView {
    /// The number of the version.
    pub version: i64,
    /// Whose key made it live, by publishing it or by switching the automation on; null, if that is not known.
    pub author: Option<AuthorView>,
    /// Why they made it live although its tests failed; null, if its tests passed, or if it was live before and was
    /// rolled back to or switched on again.
    pub override_reason: Option<String>,
    /// Since when it was live, RFC 3339; null, if that is not known.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub from: Option<Timestamp>,
    /// Until when, RFC 3339; null, if it is live, or if that is not known.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub to: Option<Timestamp>,
    /// The account's revision from which on events met it.
    pub from_revision: i64,
    /// The account's revision from which on they did not any more; null, if it is live.
    pub to_revision: Option<i64>,
}

impl From<LiveSpan> for PublicationView {
    fn from(row: LiveSpan) -> Self {
        Self {
            version: row.version,
            author: AuthorView::of(row.author_key, row.author_name),
            override_reason: row.override_reason,
            from: row.from_at,
            to: row.to_at,
            from_revision: row.from_revision,
            to_revision: row.to_revision,
        }
    }
}

/// Whether an automation is put away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Archival {
    /// It is.
    Archived,
    /// It is not.
    Open,
}

/// What a version takes the place of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Replaced {
    /// Nothing was published.
    Nothing,
    /// It is published already.
    Itself,
    /// Another one, which says the same.
    Equal(i64),
    /// Another one.
    Other(i64),
}

/// What is to be published.
#[derive(Debug)]
enum Wanted {
    /// The version that is named, or the newest, if its tests pass or somebody says why not.
    Version(Option<i64>, Option<Override>),
    /// The version that is named, or the last other one; it was live before, and goes back at once.
    Earlier(Option<i64>),
}

impl Service {
    /// Publishes a version of an automation.
    pub async fn publish_automation(
        &self,
        who: &Principal<MayWrite>,
        id: &str,
        publish: Publish,
    ) -> Result<PublishedView, Error> {
        check_override(publish.overriding.as_ref())?;
        let wanted = Wanted::Version(publish.version, publish.overriding);
        self.put_live(who, id, &wanted).await
    }

    /// Publishes a version again that was live before.
    pub async fn roll_back_automation(
        &self,
        who: &Principal<MayWrite>,
        id: &str,
        rollback: Rollback,
    ) -> Result<PublishedView, Error> {
        self.put_live(who, id, &Wanted::Earlier(rollback.to)).await
    }

    /// Puts an automation away, or takes it out again, switched off.
    pub async fn archive_automation(
        &self,
        who: &Principal<MayWrite>,
        id: &str,
        archival: Archival,
    ) -> Result<AutomationView, Error> {
        let id = check::id(id, "automation")?;
        let mut merges = self.merges(who.account());
        loop {
            let done = self.shelve(who, id, archival).await;
            if !merges.go_on(&done).await {
                return done;
            }
        }
    }

    async fn shelve(
        &self,
        who: &Principal<MayWrite>,
        id: AutomationId,
        archival: Archival,
    ) -> Result<AutomationView, Error> {
        let row = self.automation_row(who.account(), id).await?;
        let course = match (archival, row.archived_at) {
            (Archival::Archived, None) => Some(StateChange::Archive),
            (Archival::Open, Some(_)) => Some(StateChange::Unarchive),
            // It is so already.
            _ => None,
        };
        if let Some(course) = course {
            self.change_row(who, &row, Change::to(course)).await?;
        }
        self.automation_view(who.account(), id).await
    }

    /// A page of the times in which versions of the automation were live.
    pub async fn publications(
        &self,
        who: &Principal<MayRead>,
        id: &str,
        page: &PageRequest,
    ) -> Result<Listed<PublicationView>, Error> {
        let _turn = self.list_turn(who.account()).await?;
        let id = check::id(id, "automation")?;
        self.automation_row(who.account(), id).await?;
        let (limit, before) = (page.limit()?, page.after_number()?);
        let rows = self
            .inner
            .store
            .live_spans(who.account(), id, before, limit + 1)
            .await?;
        let view = |row: LiveSpan| Ok(PublicationView::from(row));
        Listed::numbered(rows, limit, |row| row.from_revision, view)
    }

    async fn put_live(
        &self,
        who: &Principal<MayWrite>,
        id: &str,
        wanted: &Wanted,
    ) -> Result<PublishedView, Error> {
        let id = check::id(id, "automation")?;
        let mut merges = self.merges(who.account());
        loop {
            let done = self.try_to_put_live(who, id, wanted).await;
            if !merges.go_on(&done).await {
                return done;
            }
        }
    }

    /// Publishes what is wanted of the automation as it is now, unless somebody changes it meanwhile.
    async fn try_to_put_live(
        &self,
        who: &Principal<MayWrite>,
        id: AutomationId,
        wanted: &Wanted,
    ) -> Result<PublishedView, Error> {
        let account = who.account();
        let row = self.open_row(account, id).await?;
        let version = self.wanted(account, &row, wanted).await?;
        let next = self.saved(account, id, version).await?;
        let definition = next.definition()?;
        self.check_variables(account, &definition).await?;
        let replaced = match row.published_version {
            None => Replaced::Nothing,
            Some(known) if known == version => Replaced::Itself,
            Some(known) => {
                let digest = self.saved(account, id, known).await?.digest;
                if digest == next.digest {
                    Replaced::Equal(known)
                } else {
                    Replaced::Other(known)
                }
            }
        };
        let publication = published(row.enabled || row.published_version.is_none());
        let mut summary = replaced.summary(version);
        if publication == Publication::Off {
            summary.push_str("; the automation is switched off, so that no event meets it");
        }
        let revision = if replaced == Replaced::Itself {
            None
        } else {
            let mut change = Change::to(StateChange::Publish(version, publication));
            if let Wanted::Version(_, overriding) = wanted {
                let why = overriding.as_ref();
                change.override_reason = self.pass_saved(who, &row, version, why).await?;
            }
            Some(self.change_row(who, &row, change).await?)
        };
        let actions = definition.actions;
        Ok(PublishedView {
            version,
            replaced: row.published_version,
            changed: matches!(replaced, Replaced::Nothing | Replaced::Other(_)),
            summary,
            revision,
            removed_endpoints: self.removed_endpoints(account, &actions).await?,
            automation: self.automation_view(account, id).await?,
        })
    }

    /// The number of the version that is wanted, which there is.
    async fn wanted(
        &self,
        account: AccountId,
        row: &store::Automation,
        wanted: &Wanted,
    ) -> Result<i64, Error> {
        let store = &self.inner.store;
        match *wanted {
            Wanted::Version(None, _) => Ok(row.latest_version),
            Wanted::Version(Some(version), _) => {
                if !(1..=row.latest_version).contains(&version) {
                    let (at, newest) = (Place::body("/version"), row.latest_version);
                    return Err(Error::no_version(at, version, newest));
                }
                Ok(version)
            }
            Wanted::Earlier(Some(version)) => {
                if !(1..=row.latest_version).contains(&version) {
                    let (at, newest) = (Place::body("/to"), row.latest_version);
                    return Err(Error::no_version(at, version, newest));
                }
                if !store.was_live(account, row.id, version).await? {
                    let why = format!("version {version} was never live: publish it instead");
                    return Err(Error::field("/to", why));
                }
                Ok(version)
            }
            Wanted::Earlier(None) => {
                let present = row.published_version.unwrap_or_default();
                let before = store.last_live_but(account, row.id, present).await?;
                before.ok_or_else(|| Error::Conflict {
                    code: "nothing_before",
                    why: "no other version of this automation was ever live: publish one"
                        .to_owned(),
                })
            }
        }
    }

    /// Those of the actions' endpoints that there are no more.
    async fn removed_endpoints(
        &self,
        account: AccountId,
        actions: &[Action],
    ) -> Result<Vec<EndpointId>, Error> {
        let mut removed = Vec::new();
        for endpoint in actions.iter().filter_map(Action::endpoint) {
            let found = self.inner.store.endpoint(account, endpoint).await?;
            if found.is_none() && !removed.contains(&endpoint) {
                removed.push(endpoint);
            }
        }
        Ok(removed)
    }

    /// An automation that may be changed.
    pub(super) async fn open_row(
        &self,
        account: AccountId,
        id: AutomationId,
    ) -> Result<store::Automation, Error> {
        let row = self.automation_row(account, id).await?;
        if row.archived_at.is_some() {
            return Err(Error::Conflict {
                code: "archived",
                why: "the automation is archived: POST to its /unarchive first".to_owned(),
            });
        }
        Ok(row)
    }

    /// An automation that a user made; an endpoint's own subscription is the endpoint's.
    pub(super) async fn automation_row(
        &self,
        account: AccountId,
        id: AutomationId,
    ) -> Result<store::Automation, Error> {
        let found = self.inner.store.automation(account, id).await?;
        found
            .filter(|row| row.owner_endpoint.is_none())
            .ok_or(Error::NotFound("automation"))
    }
}

impl Replaced {
    fn summary(self, version: i64) -> String {
        match self {
            Self::Nothing => format!("version {version} is the first one that is published"),
            Self::Itself => format!("version {version} was published already: nothing changes"),
            Self::Equal(other) => format!(
                "version {version} is published in place of version {other}, which says the same: events \
                 meet what they met before"
            ),
            Self::Other(other) => {
                format!("version {version} is published in place of version {other}")
            }
        }
    }
}
