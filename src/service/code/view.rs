//! A plan as it is told: what becomes of each entry of a file, field by field, and what the file does not name.

use serde::Serialize;
use utoipa::ToSchema;

use super::Section;
use super::decision::{Decided, Decision, Write};
use super::drift::{drift_of, gone};
use super::file::File;
use super::present::Known;
use super::reference::Names;
use crate::automation::{DefinitionDigest, differences};
use crate::model::{JobId, Timestamp};
use crate::service::version::ChangeView;
use crate::service::{AuthorView, ConditionProblemView, Error};
use crate::yaml::Node;

/// What applying a file would do, or what it has done.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Plan)]
pub struct PlanView {
    /// What names this plan: sent to `/apply` as `plan`, only this is done, or nothing.
    #[schema(example = "sha256:…")]
    pub plan: String,
    /// Whether it was done.
    pub applied: bool,
    /// How much of it there is, as a sentence.
    #[schema(example = "1 to create, 2 to change, 5 unchanged")]
    pub summary: String,
    /// How many steps there are but for those that are `unchanged`.
    pub changes: usize,
    /// What becomes of each entry of the file, and of what is removed.
    pub steps: Vec<StepView>,
    /// What an earlier file had and this one has not: it stays, unless `prune` is true.
    pub left: Vec<ObjectView>,
    /// What an earlier file had, and somebody has removed since.
    pub gone: Vec<ObjectView>,
    /// How many other things there are that no file has named. They are never touched.
    pub others: Vec<OthersView>,
}

/// What becomes of one thing.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlanStep)]
pub struct StepView {
    /// The section of the file: `event_types`, `variables`, `retry_policies`, `failure_policies`, `profiles`, `endpoints`,
    /// `schedules` or `automations`.
    pub section: &'static str,
    /// What it is called.
    pub name: String,
    /// Its id; null, if it has none, or is not made yet.
    pub id: Option<String>,
    /// `create`, `change`, `remove` or `unchanged`.
    pub action: &'static str,
    /// Field by field, what it is and what it will be: 1000 at most. Endpoints stand there by their names.
    pub changes: Vec<ChangeView>,
    /// How many more there are.
    pub changes_left_out: usize,
    /// What somebody has changed since it was applied last; null, if nothing, or if it never was.
    pub drift: Option<DriftView>,
    /// What the condition asks for that the schemas of the trigger's event types don't have.
    pub warnings: Vec<ConditionProblemView>,
    /// The id of the job that compares the file's version with the published one on past events; null, if there is
    /// none.
    #[schema(value_type = Option<String>)]
    pub backtest: Option<JobId>,
}

/// What somebody has changed since a thing was applied last.
#[derive(Debug, Serialize, ToSchema)]
pub struct DriftView {
    /// Whether they have removed it.
    pub removed: bool,
    /// Whose key it was; null, if that is not known.
    pub by: Option<AuthorView>,
    /// When, RFC 3339; null, if that is not known.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub at: Option<Timestamp>,
    /// When it was applied last, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub applied_at: Timestamp,
    /// Field by field, what was applied (`before`) and what it is (`after`).
    pub changes: Vec<ChangeView>,
}

/// Something that an earlier file had.
#[derive(Debug, Serialize, ToSchema)]
pub struct ObjectView {
    /// The section that it was in.
    pub section: &'static str,
    /// What it is, or was, called.
    pub name: String,
    /// Its id; null, if it has none.
    pub id: Option<String>,
    /// When it was applied last, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub applied_at: Timestamp,
    /// Whose key did it; null, if that is not known.
    pub applied_by: Option<AuthorView>,
}

/// How much there is of what no file has named.
#[derive(Debug, Serialize, ToSchema)]
pub struct OthersView {
    /// The section that it would be in.
    pub section: &'static str,
    /// How many.
    pub count: usize,
}

/// The id of a thing that has one.
pub(super) fn id_of(section: Section, object: &str) -> Option<String> {
    section.has_ids().then(|| object.to_owned())
}

/// What two contents differ in, with endpoints by name.
pub(super) fn changes(
    before: &Node,
    after: &Node,
    names: &Names,
) -> Result<(Vec<ChangeView>, usize), Error> {
    let told = |node: &Node| names.put_into(node).to_json();
    let found = differences(&told(before), &told(after))
        .map_err(|error| Error::unreadable("the plan", error))?;
    let shown = found.shown.into_iter().map(ChangeView::of);
    Ok((shown.collect::<Result<_, _>>()?, found.left_out))
}

impl Decided {
    /// How it is told before it is done.
    pub(super) fn view(&self, file: &File) -> Result<PlanView, Error> {
        let names = Names::of(&self.decisions, &self.present);
        let mut steps = Vec::with_capacity(self.decisions.len());
        for decision in &self.decisions {
            steps.push(self.step(decision, &names)?);
        }
        for place in &self.removed {
            steps.push(removal(&self.present.known[*place]));
        }
        let left = self.left.iter().filter_map(|place| {
            let known = &self.present.known[*place];
            let applied = self.present.applied.get(&known.key())?;
            Some(ObjectView::of(known.section, applied))
        });
        Ok(PlanView {
            plan: self.digest(file)?.to_string(),
            applied: false,
            summary: summary(&steps, &["to create", "to change", "to remove"]),
            changes: steps
                .iter()
                .filter(|step| step.action != "unchanged")
                .count(),
            left: left.collect(),
            gone: gone(self),
            others: self.others(),
            steps,
        })
    }

    /// Another one, whenever the file says something else, there is something else, or something else comes of it. Not
    /// of what comes with every try: the ids of what is made, and the time from which an interval is counted.
    fn digest(&self, file: &File) -> Result<DefinitionDigest, Error> {
        let mut text = String::new();
        for (decision, entry) in self.decisions.iter().zip(&file.entries) {
            let known = decision.known.map(|place| &self.present.known[place]);
            let pinned = decision.content.node.get("transforms").map(Node::to_json);
            for part in [
                entry.section.as_str(),
                known.map_or("", |known| &known.object),
                known.map_or("", |known| &known.content.text),
                if decision.write.is_some() {
                    "written"
                } else {
                    ""
                },
                &entry.says()?,
                &pinned.unwrap_or_default(),
            ] {
                text.push_str(part);
                text.push('\n');
            }
        }
        for place in &self.removed {
            let known = &self.present.known[*place];
            text.push_str(&known.object);
            text.push_str(&known.content.text);
        }
        Ok(DefinitionDigest::of(&text))
    }

    /// How it is told once it is done.
    pub(super) fn done(&self, view: PlanView) -> PlanView {
        let mut steps = view.steps;
        for (step, decision) in steps.iter_mut().zip(&self.decisions) {
            step.id = id_of(decision.section, &decision.object);
        }
        PlanView {
            applied: true,
            summary: summary(&steps, &["created", "changed", "removed"]),
            steps,
            ..view
        }
    }

    fn step(&self, decision: &Decision, names: &Names) -> Result<StepView, Error> {
        let known = decision.known.map(|place| &self.present.known[place]);
        let (action, (changes, changes_left_out)) = match (known, &decision.write) {
            (None, _) => {
                let mut after = decision.content.node.clone();
                after.take("name");
                let new = changes(&Node::Map(Vec::new()), &after, names)?;
                ("create", new)
            }
            (Some(_), None) => ("unchanged", (Vec::new(), 0)),
            (Some(known), Some(_)) => {
                let between = changes(&known.content.node, &decision.content.node, names)?;
                ("change", between)
            }
        };
        Ok(StepView {
            section: decision.section.as_str(),
            name: decision.name.clone(),
            id: known.and_then(|known| id_of(known.section, &known.object)),
            action,
            changes,
            changes_left_out,
            drift: drift_of(decision, &self.present, names)?,
            warnings: decision.warnings.clone(),
            backtest: None,
        })
    }

    /// What no file has named, nor does this one.
    fn others(&self) -> Vec<OthersView> {
        let named: std::collections::BTreeSet<usize> =
            self.decisions.iter().filter_map(|it| it.known).collect();
        let is_other = |(place, known): &(usize, &Known)| {
            let had = self.present.applied.contains_key(&known.key());
            !had && !known.archived && !named.contains(place)
        };
        let others = self.present.known.iter().enumerate().filter(is_other);
        let others: Vec<Section> = others.map(|(_, known)| known.section).collect();
        let counted = Section::ALL.iter().map(|section| OthersView {
            section: section.as_str(),
            count: others.iter().filter(|other| *other == section).count(),
        });
        counted.filter(|others| others.count > 0).collect()
    }
}

fn removal(known: &Known) -> StepView {
    StepView {
        section: known.section.as_str(),
        name: known.name.clone(),
        id: id_of(known.section, &known.object),
        action: "remove",
        changes: Vec::new(),
        changes_left_out: 0,
        drift: None,
        warnings: Vec::new(),
        backtest: None,
    }
}

/// The counts, with a word for each of what is done.
fn summary(steps: &[StepView], words: &[&str; 3]) -> String {
    let count = |action: &str| steps.iter().filter(|step| step.action == action).count();
    let done = ["create", "change", "remove"].into_iter().zip(words);
    let mut told: Vec<String> = done
        .filter(|(action, _)| count(action) > 0)
        .map(|(action, word)| format!("{} {word}", count(action)))
        .collect();
    if told.is_empty() {
        told.push("nothing to do".to_owned());
    }
    told.push(format!("{} unchanged", count("unchanged")));
    told.join(", ")
}

impl Decision {
    /// The version that its automation gets, if it gets one.
    pub(super) fn further_version(&self) -> Option<&crate::store::NewAutomation> {
        match &self.write {
            Some(Write::Automation(write)) => write.version.as_ref(),
            _ => None,
        }
    }
}
