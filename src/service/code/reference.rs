//! Endpoints by name, as a file has them, and by id, as everything else has.

use std::collections::{BTreeSet, HashMap};

use super::Section;
use super::decision::Decision;
use super::file::Entry;
use super::matching::told;
use super::present::{Known, Present};
use crate::model::EndpointId;
use crate::service::Error;
use crate::yaml::Node;

/// The endpoints that a file's automations may name.
pub(super) struct Endpoints<'a> {
    /// Those of the file.
    own: HashMap<&'a str, Vec<&'a str>>,
    /// Those that the account has beside them.
    others: HashMap<&'a str, Vec<&'a Known>>,
}

impl<'a> Endpoints<'a> {
    /// Those of what was decided so far, and the others.
    pub(super) fn of(decisions: &'a [Decision], present: &'a Present) -> Self {
        let of_file = decisions
            .iter()
            .filter(|it| it.section == Section::Endpoints);
        let mut own: HashMap<_, Vec<_>> = HashMap::new();
        let mut named = BTreeSet::new();
        for decision in of_file {
            let known = own.entry(decision.name.as_str()).or_default();
            known.push(decision.object.as_str());
            named.insert(decision.object.as_str());
        }
        let mut others: HashMap<_, Vec<_>> = HashMap::new();
        let beside = present.known.iter().filter(|known| {
            known.section == Section::Endpoints && !named.contains(known.object.as_str())
        });
        for known in beside {
            let of_name = others.entry(known.name.as_str()).or_default();
            of_name.push(known);
        }
        Self { own, others }
    }

    fn id(&self, text: &str) -> Result<String, String> {
        let several = |count: usize, ids: String| {
            format!(
                "there are {count} endpoints of this name: {ids}: name the id of the one that is meant"
            )
        };
        match self.own.get(text).map_or(&[][..], Vec::as_slice) {
            [] => {}
            [one] => return Ok((*one).to_owned()),
            ids => return Err(several(ids.len(), ids.join(", "))),
        }
        match self.others.get(text).map_or(&[][..], Vec::as_slice) {
            [one] => Ok(one.object.clone()),
            [] if text.parse::<EndpointId>().is_ok() => Ok(text.to_owned()),
            [] => Err("neither the file nor the account has an endpoint of this name: add it to the file, or mend \
                 the name"
                .to_owned()),
            known => Err(several(known.len(), told(known.iter().copied()))),
        }
    }

    /// The entry with the ids of endpoints in place of their names.
    pub(super) fn resolved(&self, entry: &Entry) -> Result<Entry, Error> {
        let mut entry = entry.clone();
        let mut wrong = None;
        each_endpoint(&mut entry.node, |place, endpoint| {
            let Some(text) = endpoint.as_text() else {
                return;
            };
            match self.id(text) {
                Ok(id) => *endpoint = Node::Text(id),
                Err(why) => {
                    wrong.get_or_insert((place, why));
                }
            }
        });
        match wrong {
            None => Ok(entry),
            Some((place, why)) => {
                Err(entry.wrong(&format!("/actions/{place}/webhook/endpoint"), why))
            }
        }
    }
}

/// What endpoints are called, by id.
pub(super) struct Names(HashMap<String, String>);

impl Names {
    /// Of everything that there is and that will be.
    pub(super) fn of(decisions: &[Decision], present: &Present) -> Self {
        let known = present
            .known
            .iter()
            .map(|known| (known.section, &known.object, &known.name));
        let decided = decisions
            .iter()
            .map(|it| (it.section, &it.object, &it.name));
        let endpoints = known.chain(decided).filter(|it| it.0 == Section::Endpoints);
        Self(
            endpoints
                .map(|(_, object, name)| (object.clone(), name.clone()))
                .collect(),
        )
    }

    /// Those of which there is only one, so that a file may name them.
    pub(super) fn unambiguous(&self) -> Self {
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for name in self.0.values() {
            *counts.entry(name).or_default() += 1;
        }
        let only = self.0.iter().filter(|(_, name)| {
            // One that looks like an id would be taken for that.
            counts.get(name.as_str()) == Some(&1) && name.parse::<EndpointId>().is_err()
        });
        Self(only.map(|(id, name)| (id.clone(), name.clone())).collect())
    }

    /// What this automation, or whatever else it is, says with names in place of ids.
    pub(super) fn put_into(&self, node: &Node) -> Node {
        let mut named = node.clone();
        each_endpoint(&mut named, |_, endpoint| {
            if let Some(name) = endpoint.as_text().and_then(|id| self.0.get(id)) {
                *endpoint = Node::text(name);
            }
        });
        named
    }
}

/// Each endpoint that an automation delivers to, and the place of the action.
fn each_endpoint(automation: &mut Node, mut each: impl FnMut(usize, &mut Node)) {
    let actions = automation.get_mut("actions").into_iter();
    for (place, action) in actions.flat_map(Node::entries_mut).enumerate() {
        let webhook = action.get_mut("webhook");
        if let Some(endpoint) = webhook.and_then(|webhook| webhook.get_mut("endpoint")) {
            each(place, endpoint);
        }
    }
}
