//! Automations as they are written and as they are read.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::condition_shape::{ConditionProblemView, ConditionRequest};
use super::definition::{ActionRequest, TransformRequest, TriggerRequest};
use super::json::nullable;
use super::kept_test_shape::{Override, TestRequest, check_override};
use super::version::Saved;
use super::{Error, check};
use crate::automation::{Action, DefinitionDigest, Flow, Form, Test, Transform, Trigger};
use crate::model::limits::ALERT_AFTER_DEFAULT;
use crate::model::{AutomationId, ScheduleId, Timestamp};
use crate::store;

/// An automation to be made. It is published at once unless `draft` is true.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAutomation {
    /// A name by which people recognise it: 1 to 200 bytes, on one line.
    pub name: String,
    /// Which events it looks at.
    pub trigger: TriggerRequest,
    /// What it asks of the event, in CEL, such as `event.data.amount > 1000`, or as a form. How either is
    /// written is told, with examples, in docs/conditions.md. Without one, every event of the trigger will do.
    pub condition: Option<ConditionRequest>,
    /// True: a condition that asks for what the schemas of the trigger's event types don't have is refused.
    /// False, if left out: the answer has `warnings`.
    pub strict: Option<bool>,
    /// When what meets the condition goes on, and whether it does: at once, if left out.
    pub flow: Option<Flow>,
    /// The plugins that reshape the payload, each given what the one before made of it: 16 at most.
    #[serde(default)]
    pub transforms: Vec<TransformRequest>,
    /// What follows if the condition holds: 32 at most, and 16 if there are transforms.
    pub actions: Vec<ActionRequest>,
    /// After how many errors one after the other the event `throwbar.automation.failing` is made: 1 to 1000; 5, if
    /// left out.
    #[schema(minimum = 1, maximum = 1000)]
    pub alert_after: Option<u32>,
    /// Whether the published version works; true, if left out.
    pub enabled: Option<bool>,
    /// True: it is saved without being published. False, if left out.
    pub draft: Option<bool>,
    /// Why it is made, for whoever reads its versions: 1 to 500 bytes.
    pub note: Option<String>,
    /// Events with what must come of them: 50 at most, of 128 KiB together. Before a version is published its tests
    /// must pass.
    #[serde(default)]
    pub tests: Vec<TestRequest>,
    /// Publishes it although its tests fail.
    #[serde(rename = "override")]
    pub overriding: Option<Override>,
}

/// What is changed of an automation; what is left out stays. Another trigger, condition, flow, chain of
/// transforms or list of actions saves a new version, published at once unless `draft` is true. What comes to the same
/// definition as the newest version's saves none.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AutomationPatch {
    /// A name by which people recognise it: 1 to 200 bytes, on one line.
    pub name: Option<String>,
    /// Which events it looks at.
    pub trigger: Option<TriggerRequest>,
    /// What it asks of the event, in CEL, such as `event.data.amount > 1000`, or as a form. How either is
    /// written is told, with examples, in docs/conditions.md. Null: every event of the trigger will do.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<ConditionRequest>)]
    pub condition: Option<Option<ConditionRequest>>,
    /// True: a condition that asks for what the schemas of the trigger's event types don't have is refused.
    /// False, if left out: the answer has `warnings`.
    pub strict: Option<bool>,
    /// When what meets the condition goes on, and whether it does. Null: at once.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<Flow>)]
    pub flow: Option<Option<Flow>>,
    /// The plugins that reshape the payload, each given what the one before made of it: 16 at most.
    pub transforms: Option<Vec<TransformRequest>>,
    /// What follows if the condition holds: 32 at most, and 16 if there are transforms.
    pub actions: Option<Vec<ActionRequest>>,
    /// After how many errors one after the other the event `throwbar.automation.failing` is made: 1 to 1000.
    /// Null: 5.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    pub alert_after: Option<Option<u32>>,
    /// Whether the published version works. One that was live before is switched on as it is; one that was not must
    /// pass its tests first.
    pub enabled: Option<bool>,
    /// True: the new version is saved without being published. False: the newest version is published.
    pub draft: Option<bool>,
    /// Why it is changed, for whoever reads its versions: 1 to 500 bytes. Kept with the new version; if none
    /// is saved, it is not kept.
    pub note: Option<String>,
    /// Events with what must come of them: 50 at most, of 128 KiB together. Before a version is published its tests
    /// must pass.
    pub tests: Option<Vec<TestRequest>>,
    /// Publishes it although its tests fail.
    #[serde(rename = "override")]
    pub overriding: Option<Override>,
}

/// An automation with its newest version.
#[derive(Debug, Serialize, ToSchema)]
pub struct AutomationView {
    /// The automation's id.
    #[schema(value_type = String, example = "aut_0198c1f0a3b27c4d8e5f60718293a4b5")]
    pub id: AutomationId,
    /// A name by which people recognise it: 1 to 200 bytes, on one line.
    pub name: String,
    /// Whether the published version works.
    pub enabled: bool,
    /// The number of the newest version, from 1. Trigger, condition, flow, transforms and actions are
    /// that version's.
    pub version: i64,
    /// SHA-256 of that version's definition: `sha256:` and 64 hexadecimal digits.
    #[schema(value_type = String, example = "sha256:…")]
    pub digest: DefinitionDigest,
    /// The number of the version that events meet; null, if none was published.
    pub published_version: Option<i64>,
    /// Which events it looks at.
    #[schema(value_type = TriggerRequest)]
    pub trigger: Trigger,
    /// What it asks of the event, in CEL (docs/conditions.md); null: every event of the trigger will do.
    pub condition: Option<String>,
    /// The condition as a form; null, if no form means the same. Left out in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Form>)]
    pub condition_form: Option<Option<Form>>,
    /// What the condition asks for that the schemas of the trigger's event types don't have; only where a
    /// condition or a trigger was just saved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warnings: Option<Vec<ConditionProblemView>>,
    /// When what meets the condition goes on, and whether it does; null: at once.
    pub flow: Option<Flow>,
    /// The plugins that reshape the payload, in their order, each pinned by its digest.
    #[schema(value_type = Vec<TransformRequest>)]
    pub transforms: Vec<Transform>,
    /// What follows if the condition holds. A bare URL stands beside the endpoint that it has become.
    #[schema(value_type = Vec<ActionRequest>)]
    pub actions: Vec<Action>,
    /// After how many errors one after the other the event `throwbar.automation.failing` is made.
    pub alert_after: u32,
    /// The id of the schedule that it owns, once a version with such a trigger is published; null, if the newest
    /// version's trigger names events.
    #[schema(value_type = Option<String>)]
    pub schedule: Option<ScheduleId>,
    /// Events with what must come of them, which pass before a version is published.
    #[schema(value_type = Vec<TestRequest>)]
    pub tests: Vec<Test>,
    /// When it was made, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it last changed, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    /// Since when it is archived, RFC 3339; null, if it is not.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub archived_at: Option<Timestamp>,
}

impl AutomationView {
    pub(super) fn of(row: store::Automation, newest: &Saved) -> Result<Self, Error> {
        let definition = newest.definition()?;
        Ok(Self {
            id: row.id,
            name: row.name,
            enabled: row.enabled,
            version: row.latest_version,
            digest: newest.digest,
            published_version: row.published_version,
            schedule: (definition.trigger.schedule.as_ref()).map(|_| ScheduleId::of(row.id)),
            trigger: definition.trigger,
            condition: definition.condition,
            condition_form: None,
            warnings: None,
            flow: definition.flow,
            transforms: definition.transforms,
            actions: definition.actions,
            alert_after: definition.alert_after.unwrap_or(ALERT_AFTER_DEFAULT),
            tests: definition.tests,
            created_at: row.created_at,
            updated_at: row.updated_at,
            archived_at: row.archived_at,
        })
    }
}

impl AutomationPatch {
    pub(super) fn changes_version(&self) -> bool {
        self.name.is_some() || !self.only_names() || self.draft.is_some()
    }

    /// Whether the new version says the same as the one before, under another name.
    pub(super) fn only_names(&self) -> bool {
        self.trigger.is_none()
            && self.condition.is_none()
            && self.flow.is_none()
            && self.transforms.is_none()
            && self.actions.is_none()
            && self.alert_after.is_none()
            && self.tests.is_none()
    }
}

/// What is said of a version besides what it is.
pub(super) fn check_said(note: Option<&str>, why: Option<&Override>) -> Result<(), Error> {
    check_override(why)?;
    note.map_or(Ok(()), |note| check::note(note, "/note"))
}
