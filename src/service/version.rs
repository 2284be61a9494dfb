//! The versions of an automation: saved, listed, shown whole, told apart. None ever changes.

use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::automation::published;
use super::automation_shape::AutomationPatch;
use super::automation_state::Change;
use super::condition_shape::ConditionProblemView;
use super::kept_test_shape::Override;
use super::principal::{MayRead, MayWrite, Principal};
use super::{Error, Listed, PageRequest, Place, Service, check};
use crate::automation::{Definition, DefinitionDigest, Difference, canonical, differences};
use crate::model::{AccountId, ApiKeyId, AutomationId, Timestamp};
use crate::store::{self, Publication, PublishedAutomation, StateChange};

/// Whose key did something, as it was called then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct AuthorView {
    /// The key's id.
    #[schema(value_type = String, example = "key_0198c1f0a3b27c4d8e5f60718293a4b5")]
    pub id: ApiKeyId,
    /// What the key was called.
    pub name: String,
}

impl AuthorView {
    /// The author in these two columns.
    pub(super) fn of(key: Option<ApiKeyId>, name: Option<String>) -> Option<Self> {
        let name = name.unwrap_or_default();
        key.map(|id| Self { id, name })
    }
}

/// A version of an automation in a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct VersionView {
    /// Its number, from 1.
    pub version: i64,
    /// SHA-256 of its definition in canonical JSON: `sha256:` and 64 hexadecimal digits.
    #[schema(value_type = String, example = "sha256:…")]
    pub digest: DefinitionDigest,
    /// Whether it is the published one.
    pub published: bool,
    /// Whose key saved it; null, if that is not known.
    pub author: Option<AuthorView>,
    /// Why it was saved, in its author's words; null, if they said nothing.
    pub note: Option<String>,
    /// When it was saved, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// A version of an automation.
#[derive(Debug, Serialize, ToSchema)]
pub struct WholeVersionView {
    /// What it is in a list.
    #[serde(flatten)]
    pub head: VersionView,
    /// Trigger, condition, flow, transforms (each plugin pinned by its digest) and actions, in canonical JSON: members
    /// in the order of their names' bytes, no white space. The digest is that of these bytes.
    #[schema(value_type = Object)]
    pub definition: Box<RawValue>,
}

/// What a version has that another has not.
#[derive(Debug, Serialize, ToSchema)]
pub struct DiffView {
    /// The version: it has what is told as `after`.
    pub version: i64,
    /// The one that it is compared with, which has what is told as `before`; null, if there is none before it.
    pub from: Option<i64>,
    /// Field by field, in the order of their names' bytes: 1000 at most.
    pub changes: Vec<ChangeView>,
    /// How many more there are.
    pub changes_left_out: usize,
}

/// One place at which two versions differ.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChangeView {
    /// JSON pointer into the definition.
    #[schema(example = "/trigger/events/0")]
    pub pointer: String,
    /// What is there in the version `from`; left out, if nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub before: Option<Box<RawValue>>,
    /// What is there in the version; left out, if nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub after: Option<Box<RawValue>>,
}

impl ChangeView {
    pub(super) fn of(found: Difference) -> Result<Self, Error> {
        let side = |text: Option<String>| text.map(raw).transpose();
        Ok(Self {
            pointer: found.pointer,
            before: side(found.before)?,
            after: side(found.after)?,
        })
    }
}

fn raw(json: String) -> Result<Box<RawValue>, Error> {
    RawValue::from_string(json).map_err(unreadable)
}

fn unreadable(error: serde_json::Error) -> Error {
    Error::unreadable("the automation", error)
}

/// A definition as it is stored.
pub(super) fn text(definition: &Definition) -> Result<String, Error> {
    definition.canonical().map_err(unreadable)
}

/// A version in the store, its definition in the one spelling also if it was saved in another.
pub(super) struct Saved {
    row: store::AutomationVersion,
    pub(super) text: String,
    pub(super) digest: DefinitionDigest,
}

impl Saved {
    fn of(mut row: store::AutomationVersion) -> Result<Self, Error> {
        let stored = std::mem::take(&mut row.definition);
        let text = match row.digest {
            Some(_) => stored,
            None => canonical(&stored).map_err(unreadable)?,
        };
        Ok(Self {
            digest: DefinitionDigest::of(&text),
            text,
            row,
        })
    }

    /// What it says.
    pub(super) fn definition(&self) -> Result<Definition, Error> {
        serde_json::from_str(&self.text).map_err(unreadable)
    }
}

/// The digest in a list: the stored one, or that of the text that there is instead.
fn listed_digest(row: &store::VersionHead) -> Result<DefinitionDigest, Error> {
    if let Some(stored) = &row.digest {
        let bytes = stored.as_slice().try_into();
        return bytes.map(DefinitionDigest::from_bytes).map_err(
            |error: std::array::TryFromSliceError| {
                Error::unreadable("the automation's digest", error)
            },
        );
    }
    let text = row.undigested.as_deref().unwrap_or_default();
    Ok(DefinitionDigest::of(&canonical(text).map_err(unreadable)?))
}

impl Service {
    /// A page of an automation's versions.
    pub async fn versions(
        &self,
        who: &Principal<MayRead>,
        id: &str,
        page: &PageRequest,
    ) -> Result<Listed<VersionView>, Error> {
        let _turn = self.list_turn(who.account()).await?;
        let id = check::id(id, "automation")?;
        let automation = self.automation_row(who.account(), id).await?;
        let (limit, before) = (page.limit()?, page.after_number()?);
        let rows = self
            .inner
            .store
            .automation_versions(who.account(), id, before, limit + 1)
            .await?;
        let view = |row: store::VersionHead| {
            Ok(VersionView {
                version: row.version,
                digest: listed_digest(&row)?,
                published: automation.published_version == Some(row.version),
                author: AuthorView::of(row.author_key, row.author_name),
                note: row.note,
                created_at: row.created_at,
            })
        };
        Listed::numbered(rows, limit, |row| row.version, view)
    }

    /// One version of an automation with its whole definition.
    pub async fn version(
        &self,
        who: &Principal<MayRead>,
        (id, version): (&str, &str),
    ) -> Result<WholeVersionView, Error> {
        let id = check::id(id, "automation")?;
        let automation = self.automation_row(who.account(), id).await?;
        let number = check::known_by(version, Error::NoSuchVersion)?;
        let Saved { row, text, digest } = self.saved(who.account(), id, number).await?;
        let head = VersionView {
            version: row.version,
            digest,
            published: automation.published_version == Some(row.version),
            author: AuthorView::of(row.author_key, row.author_name),
            note: row.note,
            created_at: row.created_at,
        };
        Ok(WholeVersionView {
            head,
            definition: raw(text)?,
        })
    }

    /// What a version has that `from`, or the version before it, has not.
    pub async fn version_diff(
        &self,
        who: &Principal<MayRead>,
        (id, version): (&str, &str),
        from: Option<i64>,
    ) -> Result<DiffView, Error> {
        let id = check::id(id, "automation")?;
        let account = who.account();
        let row = self.automation_row(account, id).await?;
        let number = check::known_by(version, Error::NoSuchVersion)?;
        let after = self.saved(account, id, number).await?;
        let from = from.or((number > 1).then_some(number - 1));
        let before = match from {
            None => "{}".to_owned(),
            Some(other) => {
                if !(1..=row.latest_version).contains(&other) {
                    let at = Place::Query("from".to_owned());
                    return Err(Error::no_version(at, other, row.latest_version));
                }
                self.saved(account, id, other).await?.text
            }
        };
        let found = differences(&before, &after.text).map_err(unreadable)?;
        let changes = found.shown.into_iter().map(ChangeView::of);
        Ok(DiffView {
            version: number,
            from,
            changes: changes.collect::<Result<_, _>>()?,
            changes_left_out: found.left_out,
        })
    }

    /// The newest version of an automation.
    pub(super) async fn newest(
        &self,
        account: AccountId,
        row: &store::Automation,
    ) -> Result<Saved, Error> {
        self.saved(account, row.id, row.latest_version).await
    }

    /// The version of this number.
    pub(super) async fn saved(
        &self,
        account: AccountId,
        id: AutomationId,
        version: i64,
    ) -> Result<Saved, Error> {
        let found = self.inner.store.automation_version(account, id, version);
        Saved::of(found.await?.ok_or(Error::NoSuchVersion)?)
    }

    /// Saves a version, unless it would say the same as the newest, which is published instead.
    pub(super) async fn save_version(
        &self,
        who: &Principal<MayWrite>,
        row: store::Automation,
        mut patch: AutomationPatch,
        publication: Publication,
    ) -> Result<Option<Vec<ConditionProblemView>>, Error> {
        let account = who.account();
        let newest = self.newest(account, &row).await?;
        let before = newest.definition()?;
        let asks_anew = patch.condition.is_some() || patch.trigger.is_some();
        let of = (account, row.id);
        let (next, endpoints) = self.laid_over(of, before, &mut patch).await?;
        let warnings = if asks_anew || patch.strict == Some(true) {
            let found = self.condition_warnings(account, &next, patch.strict.into());
            Some(found.await?)
        } else {
            None
        };
        let definition = text(&next)?;
        let overriding = patch.overriding;
        if DefinitionDigest::of(&definition) == newest.digest {
            let change = Change {
                name: patch.name,
                ..Change::default()
            };
            self.keep_newest(who, &row, change, (publication, overriding))
                .await?;
            return Ok(warnings);
        }
        let name = patch.name.unwrap_or_else(|| row.name.clone());
        let override_reason = if publication == Publication::Draft {
            None
        } else {
            let version = PublishedAutomation {
                id: row.id,
                name: name.clone(),
                owner_endpoint: None,
                version: row.latest_version + 1,
                definition: definition.clone(),
            };
            self.pass_tests(account, &version, &next, overriding.as_ref())
                .await?
        };
        let new = store::NewAutomation {
            id: row.id,
            name,
            owner_endpoint: None,
            definition,
            publication,
            endpoints,
            author: Some(who.author()),
            note: patch.note,
            override_reason,
            created_at: self.inner.clock.now(),
        };
        let from = row.standing();
        let saved = self.inner.store.save_version(account, &new, &from).await?;
        saved.ok_or(Error::NotFound("automation"))?;
        Ok(warnings)
    }

    /// Renames and publishes the newest version as it is; what is so already is not written again.
    async fn keep_newest(
        &self,
        who: &Principal<MayWrite>,
        row: &store::Automation,
        mut change: Change,
        (publication, overriding): (Publication, Option<Override>),
    ) -> Result<(), Error> {
        change.name = change.name.filter(|name| *name != row.name);
        let is_so = row.published_version == Some(row.latest_version)
            && published(row.enabled) == publication;
        if publication != Publication::Draft && !is_so {
            let (version, why) = (row.latest_version, overriding.as_ref());
            change.override_reason = if row.published_version == Some(version) {
                self.pass_again(who, row, (version, why)).await?
            } else {
                self.pass_saved(who, row, version, why).await?
            };
            change.course = Some(StateChange::Publish(version, publication));
        }
        if change.name.is_none() && change.course.is_none() {
            return Ok(());
        }
        self.change_row(who, row, change).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_saved_before_there_were_digests_has_one_all_the_same() {
        let row = |definition: &str, digest: Option<Vec<u8>>| store::AutomationVersion {
            version: 1,
            definition: definition.to_owned(),
            digest,
            author_key: None,
            author_name: None,
            note: None,
            created_at: Timestamp::from_ms(0),
        };
        let spelled = r#"{"actions":[],"trigger":{"events":["a"]}}"#;
        let digest = DefinitionDigest::of(spelled);
        let old = r#"{"trigger":{"events":["a"]},"actions":[]}"#;
        let old = Saved::of(row(old, None)).expect("readable");
        let new = Saved::of(row(spelled, Some(digest.as_bytes().to_vec()))).expect("readable");
        for saved in [old, new] {
            assert_eq!((saved.text.as_str(), saved.digest), (spelled, digest));
        }
    }
}
