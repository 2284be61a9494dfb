//! Drift: what somebody has changed or removed since it was applied last, told from what was written down then.

use std::collections::BTreeSet;

use super::Section;
use super::decision::{Decided, Decision};
use super::present::Present;
use super::reference::Names;
use super::view::{DriftView, ObjectView, changes, id_of};
use crate::service::Error;
use crate::service::version::AuthorView;
use crate::store::Applied;
use crate::yaml::Node;

impl ObjectView {
    pub(super) fn of(section: Section, applied: &Applied) -> Self {
        Self {
            section: section.as_str(),
            name: applied.name.clone(),
            id: id_of(section, &applied.object),
            applied_at: applied.applied_at,
            applied_by: AuthorView::of(applied.author_key, applied.author_name.clone()),
        }
    }
}

impl Present {
    /// What was applied, and is not there any more.
    pub(super) fn missing(&self) -> impl Iterator<Item = (Section, &Applied)> {
        let there: BTreeSet<(Section, &str)> = self
            .known
            .iter()
            .map(|known| (known.section, known.object.as_str()))
            .collect();
        let applied = self.applied.iter();
        applied
            .filter(move |((section, object), _)| !there.contains(&(*section, object.as_str())))
            .map(|((section, _), applied)| (*section, applied))
    }
}

/// What somebody has changed of what an entry means.
pub(super) fn drift_of(
    decision: &Decision,
    present: &Present,
    names: &Names,
) -> Result<Option<DriftView>, Error> {
    let Some(place) = decision.known else {
        let mut missing = present.missing();
        let of_name = |(section, applied): &(Section, &Applied)| {
            *section == decision.section && applied.name == decision.name
        };
        return Ok(missing.find(of_name).map(|(_, applied)| DriftView {
            removed: true,
            by: None,
            at: None,
            applied_at: applied.applied_at,
            changes: Vec::new(),
        }));
    };
    let known = &present.known[place];
    let Some(applied) = present.applied.get(&known.key()) else {
        return Ok(None);
    };
    if applied.content == known.content.text {
        return Ok(None);
    }
    let before = Node::from_json(&applied.content)
        .map_err(|error| Error::unreadable("what was applied", error))?;
    let (changes, _) = changes(&before, &known.content.node, names)?;
    Ok(Some(DriftView {
        removed: false,
        by: known.by.clone(),
        at: Some(known.at),
        applied_at: applied.applied_at,
        changes,
    }))
}

/// What was applied, is not there any more, and is not in the file either.
pub(super) fn gone(decided: &Decided) -> Vec<ObjectView> {
    let made: BTreeSet<(Section, &str)> = decided
        .decisions
        .iter()
        .filter(|decision| decision.known.is_none())
        .map(|decision| (decision.section, decision.name.as_str()))
        .collect();
    let missing = decided.present.missing();
    let gone =
        missing.filter(|(section, applied)| !made.contains(&(*section, applied.name.as_str())));
    gone.map(|(section, applied)| ObjectView::of(section, applied))
        .collect()
}
