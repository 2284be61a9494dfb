//! What is to become of one entry of a file, and how it is written.

use serde_json::Value;

use super::Section;
use super::content::Content;
use super::file::Entry;
use super::present::{Known, Present};
use crate::model::{AutomationId, EndpointId};
use crate::service::ConditionProblemView;
use crate::service::rule_change::Follower;
use crate::signing::Scheme;
use crate::store::{
    AutomationStanding, EndpointChange, EventTypeWrite, NamedRule, NewAutomation, NewEndpoint,
    Schedule, StateChange, Variable,
};

/// What is to become of one entry.
#[derive(Debug)]
pub(super) struct Decision {
    pub(super) section: Section,
    /// The place of what it means among what is known; `None`: it is to be made.
    pub(super) known: Option<usize>,
    /// What it is known by, also if it is to be made.
    pub(super) object: String,
    pub(super) name: String,
    /// What it will be.
    pub(super) content: Content,
    /// `None`: it is so already.
    pub(super) write: Option<Write>,
    /// What its condition asks for that no event has.
    pub(super) warnings: Vec<ConditionProblemView>,
}

/// How an entry is written.
#[derive(Debug)]
pub(super) enum Write {
    EventType(Box<EventTypeWrite>),
    NewVariable(Box<Variable>),
    /// With its new value, if that is not the old one.
    Variable(Box<Variable>, Option<Value>),
    NewRule(Box<NamedRule>),
    Rule(Box<NamedRule>),
    NewEndpoint(Box<NewEndpoint>),
    Endpoint(Box<EndpointWrite>),
    NewSchedule(Box<Schedule>),
    /// From what it was to what it will be.
    Schedule(Box<(Schedule, Schedule)>),
    NewAutomation(Box<NewAutomation>),
    Automation(Box<AutomationWrite>),
}

/// How an endpoint is changed.
#[derive(Debug)]
pub(super) struct EndpointWrite {
    pub(super) id: EndpointId,
    pub(super) change: EndpointChange,
    /// How its deliveries are signed from then on, if that changes.
    pub(super) signatures: Option<Vec<Scheme>>,
}

/// How an automation is changed.
#[derive(Debug)]
pub(super) struct AutomationWrite {
    pub(super) id: AutomationId,
    /// How it stood when this was decided.
    pub(super) standing: AutomationStanding,
    /// A further version.
    pub(super) version: Option<NewAutomation>,
    /// What else becomes of it.
    pub(super) course: Option<StateChange>,
    /// What it is called from now on.
    pub(super) name: Option<String>,
    /// Why a version goes live although its tests fail.
    pub(super) override_reason: Option<String>,
}

/// Everything that was decided on a file.
#[derive(Debug)]
pub(super) struct Decided {
    pub(super) present: Present,
    pub(super) decisions: Vec<Decision>,
    /// The places, among what is known, of what is to be removed.
    pub(super) removed: Vec<usize>,
    /// The same of what an earlier file had and this one has not, and which stays.
    pub(super) left: Vec<usize>,
    /// Endpoints that the file does not change, and that follow a policy or a profile which it changes.
    pub(super) followers: Vec<Follower>,
}

/// An entry, and what it means.
#[derive(Clone, Copy)]
pub(super) struct Meant<'a> {
    pub(super) entry: &'a Entry,
    pub(super) known: Option<(usize, &'a Known)>,
}

impl Meant<'_> {
    /// That it comes to this: `object`, if it is to be made.
    pub(super) fn comes_to(&self, object: String, content: Content, write: Write) -> Decision {
        let is_so = self
            .known
            .is_some_and(|(_, known)| known.content.text == content.text);
        let write = Some(write).filter(|_| !is_so);
        Decision {
            section: self.entry.section,
            known: self.known.map(|(place, _)| place),
            object: self.known.map_or(object, |(_, known)| known.object.clone()),
            name: self.entry.name.clone(),
            content,
            write,
            warnings: Vec::new(),
        }
    }

    /// That everything stays, if the entry says word for word what there is.
    pub(super) fn stays(&self) -> Result<Option<Decision>, crate::service::Error> {
        let Some((place, known)) = self.known else {
            return Ok(None);
        };
        if self.entry.says()? != known.content.text {
            return Ok(None);
        }
        Ok(Some(Decision {
            section: self.entry.section,
            known: Some(place),
            object: known.object.clone(),
            name: known.name.clone(),
            content: known.content.clone(),
            write: None,
            warnings: Vec::new(),
        }))
    }
}
