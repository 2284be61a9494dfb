//! What an account has, as a file: all of it, or one automation with what it needs.

use std::collections::{BTreeSet, HashMap};

use super::matching::told;
use super::present::{Known, Present, Row};
use super::prune::names;
use super::reference::Names;
use super::{FORMAT, Section};
use crate::automation::{Action, Definition, EventType, references_in_json};
use crate::service::principal::{MayRead, Principal};
use crate::service::{Error, Place, Service};
use crate::yaml::{self, Node};

/// What is exported, and how it is spelled.
#[derive(Debug, Clone, Default)]
pub struct ExportRequest {
    /// The name or the id of an automation: it alone, with what it needs. Everything, if left out.
    pub automation: Option<String>,
    /// How it is spelled.
    pub format: ExportFormat,
}

/// How a file is spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ExportFormat {
    /// For people and repositories.
    #[default]
    Yaml,
    /// For programs.
    Json,
}

impl Service {
    /// The account as a file. It is the same bytes as long as nothing changes.
    pub async fn export_code(
        &self,
        who: &Principal<MayRead>,
        request: &ExportRequest,
    ) -> Result<String, Error> {
        let present = self.present(who.account()).await?;
        let chosen = match &request.automation {
            Some(text) => Some(needed(&present, chosen(&present, text)?)?),
            None => None,
        };
        let node = file(&present, chosen.as_ref());
        Ok(match request.format {
            ExportFormat::Yaml => yaml::write(&node),
            ExportFormat::Json => node.to_json() + "\n",
        })
    }
}

/// What is needed: sections and what things are known by.
type Needed = BTreeSet<(Section, String)>;

fn file(present: &Present, chosen: Option<&Needed>) -> Node {
    let names = Names::of(&[], present).unambiguous();
    let mut counts: HashMap<(Section, &str), usize> = HashMap::new();
    let open = || present.known.iter().filter(|known| !known.archived);
    for known in open() {
        *counts.entry((known.section, &known.name)).or_default() += 1;
    }
    let mut file = vec![("throwbar".to_owned(), Node::Number(FORMAT.to_owned()))];
    for section in Section::ALL {
        let of_section = open().filter(|known| {
            known.section == *section && chosen.is_none_or(|chosen| chosen.contains(&known.key()))
        });
        let entries = of_section.map(|known| {
            let is_only = counts.get(&(known.section, known.name.as_str())) == Some(&1);
            let id = Some(&known.object).filter(|_| section.has_ids() && !is_only);
            entry(known, id, &names)
        });
        let entries: Vec<Node> = entries.collect();
        if !entries.is_empty() {
            file.push((section.as_str().to_owned(), Node::List(entries)));
        }
    }
    Node::Map(file)
}

/// An entry, with its id if its name is another's, too.
fn entry(known: &Known, id: Option<&String>, names: &Names) -> Node {
    let mut node = names.put_into(&known.content.node);
    if let Some(id) = id {
        node.set("id", Node::text(id));
    }
    if let Some(note) = &known.note {
        node.set("note", Node::text(note));
    }
    node.ordered(&["name", "id", "enabled", "draft", "note"])
}

/// The automation with this id or name.
fn chosen<'a>(present: &'a Present, text: &str) -> Result<&'a Known, Error> {
    let wrong = |why: String| Error::Invalid {
        code: "invalid_parameter",
        at: Place::Query("automation".to_owned()),
        why,
    };
    let mut automations = present
        .known
        .iter()
        .filter(|known| known.section == Section::Automations && !known.archived);
    if let Some(found) = automations.clone().find(|known| known.object == text) {
        return Ok(found);
    }
    let of_name: Vec<&Known> = automations
        .by_ref()
        .filter(|known| known.name == text)
        .collect();
    match of_name.as_slice() {
        [one] => Ok(one),
        [] => Err(wrong(
            "there is no automation with this name or id: check it".to_owned(),
        )),
        several => Err(wrong(format!(
            "there are {} automations of this name: {}: give the id of one",
            several.len(),
            told(several.iter().copied())
        ))),
    }
}

/// The automation, and whatever of the account it needs elsewhere.
fn needed(present: &Present, automation: &Known) -> Result<Needed, Error> {
    let Row::Automation(_, text) = &automation.row else {
        return Err(Error::NotFound("automation"));
    };
    let definition: Definition =
        serde_json::from_str(text).map_err(|error| Error::unreadable("the automation", error))?;
    let endpoints = definition.actions.iter().filter_map(Action::endpoint);
    let endpoints: BTreeSet<String> = endpoints.map(|id| id.to_string()).collect();
    let meets = |name: &str| {
        let patterns = &definition.trigger.events;
        let starts = |read: &EventType| patterns.iter().any(|pattern| pattern.matches(read));
        let made = |read: &EventType| {
            definition
                .actions
                .iter()
                .any(|it| it.emitted() == Some(read))
        };
        name.parse().is_ok_and(|read| starts(&read) || made(&read))
    };
    let in_headers = |variable: &str| {
        present.known.iter().any(|known| match &known.row {
            Row::Endpoint(row) if endpoints.contains(&known.object) => {
                references_in_json(&row.settings).is_ok_and(|named| named.contains(variable))
            }
            _ => false,
        })
    };
    let endpoints_say = |field: &str, name: &str| {
        let is_named = |known: &Known| names(&known.content.text, field, name);
        let mut needed = present
            .known
            .iter()
            .filter(|it| endpoints.contains(&it.object));
        needed.any(is_named)
    };
    let says = |field: &str, name: &str| {
        let mut profiles = present
            .known
            .iter()
            .filter(|it| it.section == Section::Profiles && endpoints_say("profile", &it.name));
        endpoints_say(field, name) || profiles.any(|it| names(&it.content.text, field, name))
    };
    let is_needed = |known: &&Known| match known.section {
        Section::Automations => known.object == automation.object,
        Section::Endpoints => endpoints.contains(&known.object),
        Section::RetryPolicies => says("retry_policy", &known.name),
        Section::FailurePolicies => says("failure_policy", &known.name),
        Section::Profiles => endpoints_say("profile", &known.name),
        Section::EventTypes => meets(&known.name),
        Section::Schedules => meets(&format!("schedule.{}", known.name)),
        Section::Variables => {
            let name = known.name.as_str();
            definition.asks_for(name) || definition.configures_with(name) || in_headers(name)
        }
    };
    Ok(present
        .known
        .iter()
        .filter(is_needed)
        .map(Known::key)
        .collect())
}
