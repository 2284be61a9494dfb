//! Which of the account's things each entry of a file means: the one with its id, or the only one of its name.

use std::collections::{HashMap, HashSet};

use super::Section;
use super::file::{Entry, File};
use super::present::{Known, Present};
use crate::service::Error;

/// Most ids that a sentence names.
const NAMED_MAX: usize = 5;

/// For each entry the place of what it means among what is known; `None`: it is to be made.
pub(super) fn matched(file: &File, present: &Present) -> Result<Vec<Option<usize>>, Error> {
    let claimed = by_id(file, present)?;
    let mut open: HashMap<(Section, &str), Vec<usize>> = HashMap::new();
    for (place, known) in present.known.iter().enumerate() {
        let stands = !known.archived || !known.section.has_ids();
        if stands && !claimed.values().any(|claimed| *claimed == place) {
            let named = open.entry((known.section, &known.name));
            named.or_default().push(place);
        }
    }
    let mut names = HashSet::new();
    let mut matched = Vec::with_capacity(file.entries.len());
    for (no, entry) in file.entries.iter().enumerate() {
        if let Some(place) = claimed.get(&no) {
            matched.push(Some(*place));
            continue;
        }
        if !names.insert((entry.section, &entry.name)) {
            let why = "another entry has this name: give each its own, or the id of the one that it means";
            return Err(entry.wrong("/name", why));
        }
        let found = open.get(&(entry.section, entry.name.as_str()));
        matched.push(match found.map_or(&[][..], Vec::as_slice) {
            [] => {
                put_away(entry, present)?;
                None
            }
            [one] => Some(*one),
            several => {
                let ids = told(several.iter().map(|place| &present.known[*place]));
                let why = format!(
                    "the account has {} {}s of this name: {ids}: add the id of the one that is meant",
                    several.len(),
                    entry.section.noun()
                );
                return Err(entry.wrong("/name", why));
            }
        });
    }
    Ok(matched)
}

/// What the entries with ids mean.
fn by_id(file: &File, present: &Present) -> Result<HashMap<usize, usize>, Error> {
    let mut claimed = HashMap::new();
    let mut seen = HashSet::new();
    for (no, entry) in file.entries.iter().enumerate() {
        let Some(id) = &entry.id else {
            continue;
        };
        let is_meant = |known: &Known| known.section == entry.section && known.object == *id;
        let place = present.known.iter().position(is_meant);
        let place = place.filter(|place| !present.known[*place].archived);
        let Some(place) = place else {
            let noun = entry.section.noun();
            let why = format!(
                "there is no {noun} with this id in the account: leave the id out to have one made"
            );
            return Err(entry.wrong("/id", why));
        };
        if !seen.insert(place) {
            return Err(entry.wrong("/id", "another entry has this id: remove one"));
        }
        claimed.insert(no, place);
    }
    Ok(claimed)
}

/// Refuses to make a second one beside one that a file has made, and that was put away since.
fn put_away(entry: &Entry, present: &Present) -> Result<(), Error> {
    let mut archived = present.known.iter().filter(|known| {
        known.archived && known.section == entry.section && known.name == entry.name
    });
    match archived.find(|known| present.applied.contains_key(&known.key())) {
        None => Ok(()),
        Some(known) => Err(entry.within(Error::Conflict {
            code: "archived",
            why: format!(
                "it is archived ({}): POST to its /unarchive first, or take it out of the file",
                known.object
            ),
        })),
    }
}

/// Things by their ids.
pub(super) fn told<'a>(known: impl Iterator<Item = &'a Known>) -> String {
    let ids: Vec<&str> = known.map(|known| known.object.as_str()).collect();
    let told = ids.iter().take(NAMED_MAX).copied().collect::<Vec<_>>();
    match ids.len().saturating_sub(NAMED_MAX) {
        0 => told.join(", "),
        more => format!("{} and {more} more", told.join(", ")),
    }
}
