//! What becomes of a file: each entry checked as the API checks it, and compared with what there is. Nothing is
//! written, and no transaction is open: plugins' tests run here.

use std::sync::Arc;

use super::content::Content;
use super::decision::{Decided, Decision, EndpointWrite, Meant, Write};
use super::file::{CodeVariable, File};
use super::matching::matched;
use super::present::{Present, Row};
use super::reference::Endpoints;
use super::{Section, Wishes};
use crate::model::AccountId;
use crate::model::ScheduleId;
use crate::pipeline::EndpointSettings;
use crate::service::endpoint_shape::stored_settings;
use crate::service::event_type::draft::{Draft, check_name};
use crate::service::principal::{MayWrite, Principal};
use crate::service::profile::assumed_success;
use crate::service::rulebook::Rulebook;
use crate::service::schedule::definition;
use crate::service::schedule::state::goes_on;
use crate::service::subscription::subscription_change;
use crate::service::supposed::Supposed;
use crate::service::{
    Error, NewEndpoint, NewEventType, NewSchedule, NewVariable, Place, Service, VariablePatch,
};
use crate::store::{EndpointChange, EventTypeWrite, Schedule, SettingsChange};

impl Service {
    /// Decides what becomes of a file, as the account is now.
    pub(super) async fn decide(
        &self,
        who: &Principal<MayWrite>,
        file: &File,
        wishes: &Wishes,
    ) -> Result<Decided, Error> {
        let account = who.account();
        let present = self.present(account).await?;
        let pairs = meant(file, &present)?;
        let of = |section: Section| {
            pairs
                .iter()
                .filter(move |meant| meant.entry.section == section)
        };
        let mut supposed = Supposed::default();
        let mut decisions = Vec::with_capacity(pairs.len());
        for meant in of(Section::EventTypes) {
            let decision = self.decide_event_type(account, meant).await;
            let decision = decision.map_err(|error| meant.entry.within(error))?;
            if let Some(Write::EventType(write)) = &decision.write {
                let to = &write.to;
                supposed.schemas.insert(to.name.clone(), to.schema.clone());
            }
            decisions.push(decision);
        }
        let variables = of(Section::Variables).copied().collect::<Vec<_>>();
        for decision in self.decide_variables(account, &variables)? {
            if let Some(Write::NewVariable(row) | Write::Variable(row, _)) = &decision.write {
                supposed.variables.push((**row).clone());
            }
            decisions.push(decision);
        }
        let with_variables = Arc::new(supposed.clone());
        let decided = with_variables.during(self.decide_rules(account, &pairs));
        let (book, rules) = decided.await?;
        decisions.extend(rules);
        for meant in of(Section::Endpoints) {
            let decided = with_variables
                .during(self.decide_endpoint(account, &book, meant))
                .await;
            let decision = decided.map_err(|error| meant.entry.within(error))?;
            if let Some(Write::NewEndpoint(new)) = &decision.write {
                supposed.endpoints.insert(new.id);
            }
            decisions.push(decision);
        }
        for meant in of(Section::Schedules) {
            let decision = self.decide_schedule(account, meant);
            decisions.push(decision.map_err(|error| meant.entry.within(error))?);
        }
        let supposed = Arc::new(supposed);
        let mut automations = Vec::new();
        let endpoints = Endpoints::of(&decisions, &present);
        for meant in of(Section::Automations) {
            let entry = endpoints.resolved(meant.entry)?;
            let meant = Meant {
                entry: &entry,
                ..*meant
            };
            let decided = supposed
                .during(Box::pin(self.decide_automation(who, &meant, wishes)))
                .await;
            automations.push(decided.map_err(|error| entry.within(error))?);
        }
        drop(endpoints);
        decisions.extend(automations);
        let followers = self.other_followers(account, &book, &decisions).await?;
        Self::prune(present, decisions, followers, wishes.prune)
    }

    async fn decide_event_type(
        &self,
        account: AccountId,
        meant: &Meant<'_>,
    ) -> Result<Decision, Error> {
        if let Some(stays) = meant.stays()? {
            return Ok(stays);
        }
        let new: NewEventType = meant.entry.read()?;
        check_name(&new.name)?;
        let known = match meant.known.map(|(_, known)| &known.row) {
            Some(Row::EventType(row)) => Some((**row).clone()),
            _ => None,
        };
        let from = known
            .clone()
            .unwrap_or_else(|| Draft::blank(&new.name, self.inner.clock.now()));
        let mut draft = Draft::from(&new);
        // What is left out is not there.
        draft.examples.get_or_insert_default();
        draft.archived = Some(false);
        let to = self.lay(account, draft, from).await?;
        let content = Content::event_type(&to)?;
        let write = Write::EventType(Box::new(EventTypeWrite { from: known, to }));
        Ok(meant.comes_to(new.name, content, write))
    }

    /// All secret variables that are missing are told at once.
    fn decide_variables(
        &self,
        account: AccountId,
        all: &[Meant<'_>],
    ) -> Result<Vec<Decision>, Error> {
        let mut decisions = Vec::with_capacity(all.len());
        let mut missing = Vec::new();
        for meant in all {
            let decided = self.decide_variable(account, meant);
            match decided.map_err(|error| meant.entry.within(error))? {
                Some(decision) => decisions.push(decision),
                None => missing.push(meant.entry),
            }
        }
        let Some(first) = missing.first() else {
            return Ok(decisions);
        };
        let commands: Vec<String> = missing
            .iter()
            .map(|entry| format!("throwbar variable set {} @FILE --secret", entry.name))
            .collect();
        Err(Error::Invalid {
            code: "missing_secret",
            at: Place::body(first.pointer()),
            why: format!(
                "a file has no secrets, and the account has no secret variable of this name yet: set it first: {}",
                commands.join("; ")
            ),
        })
    }

    /// `None`: it is secret, and missing.
    fn decide_variable(
        &self,
        account: AccountId,
        meant: &Meant<'_>,
    ) -> Result<Option<Decision>, Error> {
        if let Some(stays) = meant.stays()? {
            return Ok(Some(stays));
        }
        let asked: CodeVariable = meant.entry.read()?;
        let known = match meant.known.map(|(_, known)| &known.row) {
            Some(Row::Variable(row)) => Some((**row).clone()),
            _ => None,
        };
        let is_secret = asked.secret == Some(true);
        let write = match (is_secret, asked.value, known) {
            (true, Some(_), _) => {
                let why = "a file has no secrets: leave the value out, and set it with throwbar variable set";
                return Err(Error::field("/value", why));
            }
            (false, None, _) => {
                let why = "a variable has a value: give one, or secret: true";
                return Err(Error::field("/value", why));
            }
            (true, None, None) => return Ok(None),
            (false, Some(value), None) => {
                let new = NewVariable {
                    name: asked.name,
                    value,
                    secret: None,
                };
                Write::NewVariable(Box::new(self.drafted_variable(account, new)?))
            }
            (_, value, Some(row)) => {
                let patch = VariablePatch {
                    value,
                    secret: Some(is_secret),
                };
                let (row, value) = self.changed_variable(account, row, patch)?;
                Write::Variable(Box::new(row), value)
            }
        };
        let (Write::NewVariable(row) | Write::Variable(row, _)) = &write else {
            return Ok(None);
        };
        let content = Content::variable(row)?;
        Ok(Some(meant.comes_to(row.name.clone(), content, write)))
    }

    async fn decide_endpoint(
        &self,
        account: AccountId,
        book: &Rulebook,
        meant: &Meant<'_>,
    ) -> Result<Decision, Error> {
        if let Some(stays) = meant.stays()? {
            return Ok(stays);
        }
        let mut new: NewEndpoint = meant.entry.read()?;
        let signatures = new.signatures.iter().flatten();
        if let Some(place) = signatures.clone().position(|it| it.secret.is_some()) {
            let why = "a file has no secrets: leave it out; a new endpoint gets a secret of its own, which an \
                 admin can reveal and rotate";
            return Err(Error::field(format!("/signatures/{place}/secret"), why));
        }
        if new.validate {
            let why = "a file is decided without asking anybody: leave it out, and POST the URL to \
                 /v1/endpoints/validate";
            return Err(Error::field("/validate", why));
        }
        new.name = Some(meant.entry.name.clone());
        let (drafted, _) = self.drafted_endpoint(account, &new, book).await?;
        let named = (drafted.name.as_str(), drafted.url.as_str());
        let content = Content::endpoint(named, &drafted.settings, &book.default_profile)?;
        let Some(Row::Endpoint(row)) = meant.known.map(|(_, known)| &known.row) else {
            let object = drafted.id.to_string();
            return Ok(meant.comes_to(object, content, Write::NewEndpoint(Box::new(drafted))));
        };
        let settings: EndpointSettings = serde_json::from_str(&drafted.settings)
            .map_err(|error| Error::unreadable("the endpoint's settings", error))?;
        let known = stored_settings(row)?;
        let now = self.inner.clock.now();
        let named = (row.id, drafted.name.as_str());
        let change = EndpointChange {
            subscription: subscription_change(named, &known, &settings, now)?,
            name: Some(drafted.name),
            url: Some(drafted.url),
            settings: Some(SettingsChange {
                from: row.settings.clone(),
                to: drafted.settings,
                succeeded_at: assumed_success(&known, &settings, now),
            }),
            state: None,
        };
        let write = Write::Endpoint(Box::new(EndpointWrite {
            id: row.id,
            change,
            signatures: (settings.signatures != known.signatures).then_some(settings.signatures),
        }));
        Ok(meant.comes_to(row.id.to_string(), content, write))
    }

    fn decide_schedule(&self, account: AccountId, meant: &Meant<'_>) -> Result<Decision, Error> {
        if let Some(stays) = meant.stays()? {
            return Ok(stays);
        }
        let mut new: NewSchedule = meant.entry.read()?;
        let known: Option<&Schedule> = match meant.known.map(|(_, known)| &known.row) {
            Some(Row::Schedule(row)) => Some(row),
            _ => None,
        };
        if let (Some(row), Some(every)) = (known, &mut new.interval) {
            // One that is as long as before is counted from what it was counted from.
            let before = definition(row)?.interval;
            let same = before.filter(|before| before.every_s == every.every_s);
            every.from = every.from.or(same.and_then(|before| before.from));
        }
        let mut to = self.drafted_schedule(account, new)?;
        let Some(from) = known else {
            let content = Content::schedule(&to)?;
            let object = ScheduleId::to_string(&to.id);
            return Ok(meant.comes_to(object, content, Write::NewSchedule(Box::new(to))));
        };
        to.id = from.id;
        to.created_at = from.created_at;
        goes_on(from, &mut to, self.inner.clock.now())?;
        let content = Content::schedule(&to)?;
        let write = Write::Schedule(Box::new((from.clone(), to)));
        Ok(meant.comes_to(from.id.to_string(), content, write))
    }
}

/// The entries of a file, each with what it means.
fn meant<'a>(file: &'a File, present: &'a Present) -> Result<Vec<Meant<'a>>, Error> {
    let known = matched(file, present)?;
    let known = known
        .into_iter()
        .map(|place| place.map(|place| (place, &present.known[place])));
    let pairs = file.entries.iter().zip(known);
    Ok(pairs.map(|(entry, known)| Meant { entry, known }).collect())
}
