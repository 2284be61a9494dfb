//! What becomes of an automation of a file: drafted as the API drafts it, its tests run as before any publication.

use super::Wishes;
use super::content::{Content, Course};
use super::decision::{AutomationWrite, Decision, Meant, Write};
use super::present::Row;
use crate::automation::Definition;
use crate::service::automation::published;
use crate::service::automation_shape::{AutomationPatch, check_said};
use crate::service::draft::Drafted;
use crate::service::kept_test_shape::check_override;
use crate::service::principal::{MayWrite, Principal};
use crate::service::version::text;
use crate::service::{Error, NewAutomation, Override, Service};
use crate::store::{self, Publication, PublishedAutomation, StateChange};

impl Service {
    /// Endpoints stand in the entry by their ids.
    pub(super) async fn decide_automation(
        &self,
        who: &Principal<MayWrite>,
        meant: &Meant<'_>,
        wishes: &Wishes,
    ) -> Result<Decision, Error> {
        if let Some(stays) = meant.stays()? {
            return Ok(stays);
        }
        let mut new: NewAutomation = meant.entry.read()?;
        if new.overriding.is_none() {
            new.overriding = wishes
                .override_reason
                .clone()
                .map(|reason| Override { reason });
        }
        match meant.known.map(|(_, known)| &known.row) {
            Some(Row::Automation(row, definition)) => {
                self.change_as(who, meant, (row, definition), new).await
            }
            _ => self.make_as(who, meant, new).await,
        }
    }

    async fn make_as(
        &self,
        who: &Principal<MayWrite>,
        meant: &Meant<'_>,
        new: NewAutomation,
    ) -> Result<Decision, Error> {
        let (account, now) = (who.account(), self.inner.clock.now());
        let overriding = new.overriding.clone();
        let drafted = self.drafted(account, new, now).await?;
        let Drafted {
            mut row,
            definition,
            warnings,
        } = drafted;
        let is_draft = row.publication == Publication::Draft;
        let course = Course {
            draft: is_draft,
            enabled: is_draft || row.publication == Publication::Live,
        };
        if !is_draft {
            let version = PublishedAutomation {
                id: row.id,
                name: row.name.clone(),
                owner_endpoint: None,
                version: 1,
                definition: row.definition.clone(),
            };
            let passed = self.pass_tests(account, &version, &definition, overriding.as_ref());
            row.override_reason = passed.await?;
        }
        row.author = Some(who.author());
        let content = Content::automation(&row.name, &row.definition, course)?;
        let object = row.id.to_string();
        let decision = meant.comes_to(object, content, Write::NewAutomation(Box::new(row)));
        Ok(Decision {
            warnings,
            ..decision
        })
    }

    async fn change_as(
        &self,
        who: &Principal<MayWrite>,
        meant: &Meant<'_>,
        (row, before): (&store::Automation, &str),
        new: NewAutomation,
    ) -> Result<Decision, Error> {
        let account = who.account();
        check_said(new.note.as_deref(), new.overriding.as_ref())?;
        check_override(new.overriding.as_ref())?;
        let known: Definition = serde_json::from_str(before)
            .map_err(|error| Error::unreadable("the automation", error))?;
        let mut patch = replacing(&new);
        let (next, endpoints) = self.laid_over((account, row.id), known, &mut patch).await?;
        let strict = new.strict.into();
        let warnings = self.condition_warnings(account, &next, strict).await?;
        let definition = text(&next)?;
        let is_other = !says_the_same(&definition, before)?;
        let was = Course::of(row);
        let draft = new.draft == Some(true) && (is_other || was.draft);
        let enabled = new.enabled.unwrap_or(true) || (draft && row.published_version.is_none());
        let course = Course { draft, enabled };
        let content = Content::automation(&new.name, &definition, course)?;
        let version = row.latest_version + i64::from(is_other);
        let mut write = AutomationWrite {
            id: row.id,
            standing: row.standing(),
            version: None,
            course: course_to(row, course, version, is_other.into()),
            name: Some(new.name.clone()).filter(|name| *name != row.name),
            override_reason: None,
        };
        // What goes live is tested: the file's version, or the one that was published before.
        let goes_live = !draft && (is_other || was.draft || (enabled && !was.enabled));
        if goes_live {
            let tested = PublishedAutomation {
                id: row.id,
                name: new.name.clone(),
                owner_endpoint: None,
                version,
                definition: definition.clone(),
            };
            let passed = self.pass_tests(account, &tested, &next, new.overriding.as_ref());
            write.override_reason = passed.await?;
        } else if let (true, Some(number)) = (enabled && !was.enabled, row.published_version) {
            let passed = self.pass_saved(who, row, number, new.overriding.as_ref());
            write.override_reason = passed.await?;
        }
        if is_other {
            write.version = Some(store::NewAutomation {
                id: row.id,
                name: new.name,
                owner_endpoint: None,
                definition,
                publication: if draft {
                    Publication::Draft
                } else {
                    published(enabled)
                },
                endpoints,
                author: Some(who.author()),
                note: new.note,
                override_reason: write.override_reason.clone(),
                created_at: self.inner.clock.now(),
            });
        }
        let write = Write::Automation(Box::new(write));
        let decision = meant.comes_to(row.id.to_string(), content, write);
        Ok(Decision {
            warnings,
            ..decision
        })
    }
}

/// Whether a further version is saved.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    /// It is.
    Further,
    /// The newest stays it.
    Same,
}

impl From<bool> for Version {
    fn from(is_other: bool) -> Self {
        if is_other { Self::Further } else { Self::Same }
    }
}

/// What becomes of an automation besides a further version, which is published as it is saved.
fn course_to(
    row: &store::Automation,
    to: Course,
    version: i64,
    saved: Version,
) -> Option<StateChange> {
    let was = Course::of(row);
    let switched = was.enabled != to.enabled;
    match (to.draft, saved) {
        (true, _) => row
            .published_version
            .filter(|_| switched)
            .map(|live| StateChange::Publish(live, published(to.enabled))),
        (false, Version::Further) => None,
        (false, Version::Same) => {
            (was.draft || switched).then_some(StateChange::Publish(version, published(to.enabled)))
        }
    }
}

/// All of an automation in place of what there is.
fn replacing(new: &NewAutomation) -> AutomationPatch {
    AutomationPatch {
        name: Some(new.name.clone()),
        trigger: Some(new.trigger.clone()),
        condition: Some(new.condition.clone()),
        strict: new.strict,
        flow: Some(new.flow.clone()),
        transforms: Some(new.transforms.clone()),
        actions: Some(new.actions.clone()),
        alert_after: Some(new.alert_after),
        enabled: None,
        draft: None,
        note: None,
        tests: Some(new.tests.clone()),
        overriding: None,
    }
}

/// Whether two definitions say the same; the stored one may be in an older spelling.
fn says_the_same(definition: &str, stored: &str) -> Result<bool, Error> {
    let spelled = crate::automation::canonical(stored);
    let spelled = spelled.map_err(|error| Error::unreadable("the automation", error))?;
    Ok(spelled == definition)
}
