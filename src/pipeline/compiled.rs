//! One version of an automation, ready to be evaluated; or why it never will be.

use serde::Deserialize;

use super::secret::Secrets;
use super::variables::{AccountVariables, Filled};
use crate::automation::flow::Rules;
use crate::automation::{
    Action, Condition, Definition, EventType, Flow, Formula, OnError, Pattern, Trigger,
};
use crate::model::limits::ALERT_AFTER_DEFAULT;
use crate::model::{AutomationId, EndpointId};
use crate::plugin::Component;
use crate::store::PublishedAutomation;

/// What a version counts besides its texts.
const VERSION_BYTES: usize = 512;
/// What flow control counts: two expressions, which are mostly short.
const FLOW_BYTES: usize = 8192;
/// What the type of the events that it makes counts.
const EMIT_BYTES: usize = 128;
/// What each byte of a condition becomes as a tree.
const TREE_BYTES_PER_BYTE: usize = 32;

/// A live automation version, ready to run.
#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) id: AutomationId,
    pub(super) version: i64,
    /// Set if it is an endpoint's own subscription.
    pub(super) owner_endpoint: Option<EndpointId>,
    /// Why its stored definition can't be read, if it can't.
    pub(super) unreadable: Option<String>,
    pub(super) condition: Option<Result<Condition, String>>,
    /// When what meets the condition goes on; or why that can't be said.
    pub(super) flow: Option<Result<Box<Rules>, String>>,
    /// What its deliveries keep their order by; or why that can't be said.
    pub(super) order: Option<Result<Box<Formula>, String>>,
    pub(super) transforms: Vec<Transform>,
    /// What the configurations have that nobody may see.
    pub(super) secrets: Secrets,
    pub(super) endpoints: Vec<EndpointId>,
    /// The types of the events that it makes.
    pub(super) emits: Vec<EventType>,
    /// After how many errors one after the other it is told that it fails.
    pub(super) alert_after: u32,
    pub(super) patterns: Vec<Pattern>,
    /// What it takes in memory, about.
    pub(super) bytes: usize,
}

/// One transform, ready to run; or why it never will be.
#[derive(Debug)]
pub(super) struct Transform {
    pub(super) plugin: String,
    /// As the version pins it.
    pub(super) digest: String,
    pub(super) config: Filled,
    pub(super) on_error: OnError,
    pub(super) component: Result<Component, String>,
}

/// What its deliveries keep their order by, and what decides when it goes on. What has passed that goes on without
/// it; but never without the order.
type Ordered = (
    Option<Result<Box<Formula>, String>>,
    Option<Result<Box<Rules>, String>>,
);

fn flow_of(flow: &Flow, variables: &AccountVariables) -> Ordered {
    match variables.flow(flow) {
        Ok(rules) => {
            let (order, rules) = rules.split();
            let order = order.map(|order| Ok(Box::new(order)));
            (order, rules.map(|rules| Ok(Box::new(rules))))
        }
        Err(why) => {
            let order = Rules::order(flow, &variables.for_conditions()).transpose();
            let order = order.map(|order| order.map(Box::new).map_err(|error| error.to_string()));
            (order, Some(Err(why)))
        }
    }
}

impl Compiled {
    pub(super) fn runs_plugins(&self) -> bool {
        !self.transforms.is_empty()
    }

    /// Whether its trigger names the type.
    pub(super) fn meets(&self, event_type: &EventType) -> bool {
        let mut patterns = self.patterns.iter();
        patterns.any(|pattern| pattern.matches(event_type))
    }

    pub(super) fn of(
        row: &PublishedAutomation,
        definition: Definition,
        transforms: Vec<Transform>,
        variables: &AccountVariables,
    ) -> Self {
        let emits = definition.actions.iter().filter_map(Action::emitted);
        let mut secrets = Secrets::default();
        for transform in &transforms {
            secrets.join(&transform.config.secrets);
        }
        let (order, flow) = match &definition.flow {
            None => (None, None),
            Some(flow) => flow_of(flow, variables),
        };
        Self {
            id: row.id,
            version: row.version,
            owner_endpoint: row.owner_endpoint,
            unreadable: None,
            condition: definition
                .condition
                .map(|source| variables.condition(&source)),
            flow,
            order,
            transforms,
            secrets,
            endpoints: definition
                .actions
                .iter()
                .filter_map(Action::endpoint)
                .collect(),
            emits: emits.cloned().collect(),
            alert_after: definition.alert_after.unwrap_or(ALERT_AFTER_DEFAULT),
            patterns: definition.trigger.events,
            bytes: 0,
        }
        .weighed()
    }

    /// An automation whose definition can't be read: a candidate for what its trigger names, or, if that
    /// can't be read either, for everything. It fires for nothing and says why.
    pub(super) fn unreadable(row: &PublishedAutomation, why: String) -> Self {
        /// What can be read of a definition that a newer version has written.
        #[derive(Deserialize)]
        struct Triggered {
            trigger: Trigger,
        }
        let patterns = match serde_json::from_str(&row.definition) {
            Ok(Triggered { trigger }) => trigger.events,
            Err(_) => vec![Pattern::All],
        };
        Self {
            id: row.id,
            version: row.version,
            owner_endpoint: row.owner_endpoint,
            unreadable: Some(why),
            condition: None,
            flow: None,
            order: None,
            transforms: Vec::new(),
            secrets: Secrets::default(),
            endpoints: Vec::new(),
            emits: Vec::new(),
            alert_after: ALERT_AFTER_DEFAULT,
            patterns,
            bytes: 0,
        }
        .weighed()
    }

    fn weighed(mut self) -> Self {
        let condition = self
            .condition
            .as_ref()
            .map_or(0, |condition| match condition {
                Ok(condition) => {
                    // They stand in the tree and beside it.
                    let variables = 2 * condition.variables().bytes();
                    condition.source().len() * TREE_BYTES_PER_BYTE + variables
                }
                Err(why) => why.len(),
            });
        let transforms = self.transforms.iter();
        let transforms =
            transforms.map(|it| VERSION_BYTES + it.plugin.capacity() + it.config.text().len());
        let patterns = self.patterns.iter().map(Pattern::text_bytes);
        let has_flow = self.flow.is_some() || self.order.is_some();
        let flow = if has_flow { FLOW_BYTES } else { 0 };
        self.bytes = VERSION_BYTES
            + flow
            + condition
            + transforms.sum::<usize>()
            + patterns.sum::<usize>()
            + size_of_val(&*self.endpoints)
            + self.emits.len() * EMIT_BYTES;
        self
    }
}
