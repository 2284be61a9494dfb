//! What an earlier file had and this one has no more: it stays, or is removed where that is asked for and
//! nothing uses it.

use std::collections::BTreeSet;

use super::decision::{Decided, Decision};
use super::present::{Known, Present, Row};
use super::{Prune, Section};
use crate::automation::{Definition, EventType, Pattern, may_name_variables, references_in_json};
use crate::service::rule_change::Follower;
use crate::service::{Error, Service};

/// What there will be beside what is removed: what it is called in a sentence, and what it says.
struct Staying<'a> {
    section: Section,
    name: &'a str,
    object: &'a str,
    /// JSON: a definition, or settings.
    text: String,
    /// JSON: the same as a file has it.
    says: String,
}

impl Service {
    /// Sees what is to be removed, and that nothing uses it.
    pub(super) fn prune(
        present: Present,
        decisions: Vec<Decision>,
        followers: Vec<Follower>,
        prune: Prune,
    ) -> Result<Decided, Error> {
        let named: BTreeSet<usize> = decisions.iter().filter_map(|it| it.known).collect();
        let had = (0..present.known.len()).filter(|place| {
            let known = &present.known[*place];
            let had = present.applied.contains_key(&known.key());
            had && !known.archived && !named.contains(place)
        });
        let had: Vec<usize> = had.collect();
        let (removed, left) = match prune {
            Prune::Keep => (Vec::new(), had),
            Prune::Remove => (had, Vec::new()),
        };
        let staying = staying(&present, &decisions, &removed);
        for place in &removed {
            let known = &present.known[*place];
            if known.section == Section::Profiles && known.name == present.default_profile {
                return Err(is_default(known));
            }
            for one in &staying {
                if uses(one, known) {
                    return Err(in_use(known, one));
                }
            }
        }
        Ok(Decided {
            present,
            decisions,
            removed,
            left,
            followers,
        })
    }
}

/// The automations and endpoints that there will be.
fn staying<'a>(
    present: &'a Present,
    decisions: &'a [Decision],
    removed: &[usize],
) -> Vec<Staying<'a>> {
    if removed.is_empty() {
        return Vec::new();
    }
    let named: BTreeSet<usize> = decisions.iter().filter_map(|it| it.known).collect();
    let mut staying = Vec::new();
    for (place, known) in present.known.iter().enumerate() {
        let text = match &known.row {
            _ if named.contains(&place) || removed.contains(&place) => continue,
            Row::Automation(_, definition) => definition.clone(),
            Row::Endpoint(row) => row.settings.clone(),
            Row::Rule(row) => row.says.clone(),
            _ => continue,
        };
        staying.push(Staying {
            section: known.section,
            name: &known.name,
            object: &known.object,
            text,
            says: known.content.text.clone(),
        });
    }
    for decision in decisions {
        if !matches!(
            decision.section,
            Section::EventTypes | Section::Variables | Section::Schedules
        ) {
            staying.push(Staying {
                section: decision.section,
                name: &decision.name,
                object: &decision.object,
                text: decision.content.text.clone(),
                says: decision.content.text.clone(),
            });
        }
    }
    staying
}

/// Whether what stays uses it.
fn uses(staying: &Staying<'_>, removed: &Known) -> bool {
    let is_automation = staying.section == Section::Automations;
    match removed.section {
        Section::Automations => false,
        Section::Endpoints => is_automation && staying.text.contains(&removed.object),
        Section::EventTypes => is_automation && starts_on(&staying.text, &removed.name),
        Section::Schedules => {
            is_automation && starts_on(&staying.text, &format!("schedule.{}", removed.name))
        }
        Section::Variables => asks_for(&staying.text, &removed.name),
        Section::RetryPolicies => names(&staying.says, "retry_policy", &removed.name),
        Section::FailurePolicies => names(&staying.says, "failure_policy", &removed.name),
        Section::Profiles => names(&staying.says, "profile", &removed.name),
    }
}

/// Whether this field of it is this name.
pub(super) fn names(says: &str, field: &str, name: &str) -> bool {
    let says: Result<serde_json::Value, _> = serde_json::from_str(says);
    says.is_ok_and(|says| says.get(field).and_then(serde_json::Value::as_str) == Some(name))
}

/// Whether an automation's trigger names this type of events itself.
fn starts_on(text: &str, event_type: &str) -> bool {
    #[derive(serde::Deserialize)]
    struct Triggered {
        trigger: Events,
    }
    #[derive(serde::Deserialize)]
    struct Events {
        #[serde(default)]
        events: Vec<String>,
    }
    let Ok(event_type) = event_type.parse::<EventType>() else {
        return false;
    };
    let read: Result<Triggered, _> = serde_json::from_str(text);
    let patterns = read.into_iter().flat_map(|read| read.trigger.events);
    let mut patterns = patterns.filter_map(|text| text.parse::<Pattern>().ok());
    patterns.any(|pattern| matches!(&pattern, Pattern::Exact(exact) if *exact == event_type))
}

/// Whether it asks for the variable of this name.
fn asks_for(text: &str, name: &str) -> bool {
    if !may_name_variables(text) || !text.contains(name) {
        return false;
    }
    // A definition's conditions, and the texts of configurations and headers.
    let definition: Result<Definition, _> = serde_json::from_str(text);
    let asks = definition.is_ok_and(|definition| definition.asks_for(name));
    asks || asks_in_file(text, name)
        || references_in_json(text).is_ok_and(|named| named.contains(name))
}

/// The same of an automation as a file has it, which is not a whole definition.
fn asks_in_file(text: &str, name: &str) -> bool {
    #[derive(serde::Deserialize)]
    struct Asking {
        condition: Option<String>,
        flow: Option<crate::automation::Flow>,
    }
    let Ok(asking) = serde_json::from_str::<Asking>(text) else {
        return false;
    };
    let definition = Definition {
        trigger: crate::automation::Trigger {
            events: Vec::new(),
            schedule: None,
        },
        condition: asking.condition,
        flow: asking.flow,
        transforms: Vec::new(),
        actions: Vec::new(),
        alert_after: None,
        tests: Vec::new(),
    };
    definition.asks_for(name)
}

fn is_default(removed: &Known) -> Error {
    Error::Conflict {
        code: "in_use",
        why: format!(
            "the profile '{}' is in the file no more, and can't be removed: it is the account's default_profile: \
             change that first, or keep it in the file",
            removed.name
        ),
    }
}

fn in_use(removed: &Known, by: &Staying<'_>) -> Error {
    Error::Conflict {
        code: "in_use",
        why: format!(
            "the {} '{}' is in the file no more, and can't be removed: the {} '{}' ({}) uses it: change that first, \
             or keep it in the file",
            removed.section.noun(),
            removed.name,
            by.section.noun(),
            by.name,
            by.object
        ),
    }
}
