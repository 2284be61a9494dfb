//! What an account has at a moment: everything that a file may have, and how it was applied last.

use std::collections::{BTreeMap, HashMap};

use super::Section;
use super::content::{Content, Course};
use crate::model::limits::{
    AUTOMATIONS_PER_ACCOUNT_MAX, ENDPOINTS_PER_ACCOUNT_MAX, EVENT_TYPES_PER_ACCOUNT_MAX,
    SCHEDULES_PER_ACCOUNT_MAX, VARIABLES_PER_ACCOUNT_MAX,
};
use crate::model::{AccountId, Timestamp};
use crate::service::version::AuthorView;
use crate::service::{Error, Service};
use crate::store::{self, Applied, EventTypeEntry, NamedRule, RuleKind, Schedule, Shelf, Variable};

/// Something that the account has.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) section: Section,
    /// Its id; the name of what has no id.
    pub(super) object: String,
    pub(super) name: String,
    pub(super) content: Content,
    /// Whether it is put away.
    pub(super) archived: bool,
    /// Whose key changed it last, if that is known.
    pub(super) by: Option<AuthorView>,
    /// When it last changed.
    pub(super) at: Timestamp,
    /// What the author of its newest version said of it.
    pub(super) note: Option<String>,
    pub(super) row: Row,
}

/// As it is stored.
#[derive(Debug)]
pub(super) enum Row {
    EventType(Box<EventTypeEntry>),
    Variable(Box<Variable>),
    /// A policy or a profile.
    Rule(Box<NamedRule>),
    Endpoint(Box<store::Endpoint>),
    Schedule(Box<Schedule>),
    /// With the definition of its newest version.
    Automation(Box<store::Automation>, String),
}

/// What an account has.
#[derive(Debug)]
pub(super) struct Present {
    /// As of which revision.
    pub(super) revision: i64,
    /// The profile of endpoints that name none.
    pub(super) default_profile: String,
    pub(super) known: Vec<Known>,
    /// How it was applied last, by section and what it is known by.
    pub(super) applied: BTreeMap<(Section, String), Applied>,
}

impl Known {
    fn new(section: Section, (object, name): (String, &str), content: Content, row: Row) -> Self {
        let at = match &row {
            Row::EventType(row) => row.updated_at,
            Row::Variable(row) => row.updated_at,
            Row::Rule(row) => row.updated_at,
            Row::Endpoint(row) => row.updated_at,
            Row::Schedule(row) => row.updated_at,
            Row::Automation(row, _) => row.updated_at,
        };
        Self {
            section,
            object,
            name: name.to_owned(),
            content,
            archived: false,
            by: None,
            at,
            note: None,
            row,
        }
    }

    pub(super) fn key(&self) -> (Section, String) {
        (self.section, self.object.clone())
    }
}

impl Service {
    /// Reads it. What changes meanwhile either raises the revision or is noticed when it is written.
    pub(super) async fn present(&self, account: AccountId) -> Result<Present, Error> {
        let _turn = self.list_turn(account).await?;
        let store = &self.inner.store;
        let book = store.rulebook(account).await?;
        let book = book.ok_or(Error::NotFound("account"))?;
        let (revision, default_profile) = (book.revision, book.default_profile);
        let mut known = known_rules(book.rules)?;
        for row in store
            .whole_event_types(account, EVENT_TYPES_PER_ACCOUNT_MAX)
            .await?
        {
            let content = Content::event_type(&row)?;
            let archived = row.archived_at.is_some();
            let named = (row.name.clone(), &*row.name.clone());
            let row = Row::EventType(Box::new(row));
            known.push(Known {
                archived,
                ..Known::new(Section::EventTypes, named, content, row)
            });
        }
        for row in store
            .variables(account, None, VARIABLES_PER_ACCOUNT_MAX)
            .await?
        {
            let content = Content::variable(&row)?;
            let named = (row.name.clone(), &*row.name.clone());
            let row = Row::Variable(Box::new(row));
            known.push(Known::new(Section::Variables, named, content, row));
        }
        let endpoints = store
            .endpoints(account, None, ENDPOINTS_PER_ACCOUNT_MAX)
            .await?
            .rows;
        for row in endpoints
            .into_iter()
            .filter(|row| row.owner_automation.is_none())
        {
            let content =
                Content::endpoint((&row.name, &row.url), &row.settings, &default_profile)?;
            let named = (row.id.to_string(), &*row.name.clone());
            let row = Row::Endpoint(Box::new(row));
            known.push(Known::new(Section::Endpoints, named, content, row));
        }
        // Those of automations are as many again.
        let schedules = store
            .schedules(account, None, 2 * SCHEDULES_PER_ACCOUNT_MAX)
            .await?
            .rows;
        for row in schedules.into_iter().filter(|row| row.owner.is_none()) {
            let content = Content::schedule(&row)?;
            let named = (row.id.to_string(), &*row.name.clone());
            let row = Row::Schedule(Box::new(row));
            known.push(Known::new(Section::Schedules, named, content, row));
        }
        known.extend(self.present_automations(account).await?);
        known.sort_by(|a, b| (a.section, &a.name, &a.object).cmp(&(b.section, &b.name, &b.object)));
        let applied = store.applied(account).await?.into_iter().filter_map(|row| {
            let section = Section::from_word(&row.section)?;
            Some(((section, row.object.clone()), row))
        });
        Ok(Present {
            revision,
            default_profile,
            known,
            applied: applied.collect(),
        })
    }

    async fn present_automations(&self, account: AccountId) -> Result<Vec<Known>, Error> {
        let store = &self.inner.store;
        let newest = store.newest_versions(account).await?;
        let mut newest: HashMap<_, _> = newest.into_iter().map(|row| (row.id, row)).collect();
        let rows = store
            .automations(account, Shelf::All, None, AUTOMATIONS_PER_ACCOUNT_MAX)
            .await?;
        let mut known = Vec::new();
        for row in rows.rows {
            let Some(version) = newest.remove(&row.id) else {
                continue;
            };
            let content = Content::automation(&row.name, &version.definition, Course::of(&row))?;
            let archived = row.archived_at.is_some();
            let named = (row.id.to_string(), &*row.name.clone());
            let row = Row::Automation(Box::new(row), version.definition);
            known.push(Known {
                archived,
                by: AuthorView::of(version.author_key, version.author_name),
                note: version.note,
                ..Known::new(Section::Automations, named, content, row)
            });
        }
        Ok(known)
    }
}

/// Policies and profiles.
fn known_rules(rules: Vec<NamedRule>) -> Result<Vec<Known>, Error> {
    let known = rules.into_iter().filter_map(|row| {
        let section = Section::of_rules(RuleKind::from_word(&row.kind)?);
        Some((section, row))
    });
    let known = known.map(|(section, row)| {
        let content = Content::rule(&row)?;
        let named = (row.name.clone(), &*row.name.clone());
        let row = Row::Rule(Box::new(row));
        Ok(Known::new(section, named, content, row))
    });
    known.collect()
}
