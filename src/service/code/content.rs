//! How each thing stands in a file: as the API takes it, what is usual left out, in one order. Others are named
//! by their ids here; their names are put in where somebody reads it.

use serde::Serialize;

use crate::automation::canonical;
use crate::cron::DstPolicy;
use crate::pipeline::EndpointSettings;
use crate::service::profile::{STANDARD, with_overrides};
use crate::service::{Error, Subscribe};
use crate::store::{Automation, EventTypeEntry, NamedRule, RuleKind, Schedule, Variable};
use crate::yaml::Node;

/// What a thing is.
#[derive(Debug, Clone)]
pub(super) struct Content {
    pub(super) node: Node,
    /// The same in the one spelling of JSON: equal, if it is the same.
    pub(super) text: String,
}

/// Whether an automation's newest version is not published, and whether the published one works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Course {
    pub(super) draft: bool,
    pub(super) enabled: bool,
}

impl Course {
    pub(super) fn of(row: &Automation) -> Self {
        Self {
            draft: row.published_version != Some(row.latest_version),
            enabled: row.enabled || row.published_version.is_none(),
        }
    }
}

fn unreadable(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::unreadable("what is stored", error)
}

fn node_of(value: &impl Serialize) -> Result<Node, Error> {
    let json = serde_json::to_string(value).map_err(unreadable)?;
    Node::from_json(&json).map_err(unreadable)
}

impl Content {
    pub(super) fn of(node: Node) -> Result<Self, Error> {
        let text = canonical(&node.to_json()).map_err(unreadable)?;
        Ok(Self { node, text })
    }

    pub(super) fn event_type(row: &EventTypeEntry) -> Result<Self, Error> {
        let mut node = Node::Map(Vec::new());
        node.set("name", Node::text(&row.name));
        if !row.description.is_empty() {
            node.set("description", Node::text(&row.description));
        }
        if let Some(group) = &row.group {
            node.set("group", Node::text(group));
        }
        for (field, json) in [
            ("schema", &row.schema),
            ("example", &row.example),
            ("examples", &row.examples),
        ] {
            if let Some(json) = json {
                node.set(field, Node::from_json(json).map_err(unreadable)?);
            }
        }
        node.leave_out("examples", &Node::List(Vec::new()));
        if row.archived_at.is_some() {
            node.set("archived", Node::Bool(true));
        }
        Self::of(node)
    }

    pub(super) fn variable(row: &Variable) -> Result<Self, Error> {
        let mut node = Node::Map(Vec::new());
        node.set("name", Node::text(&row.name));
        match &row.value {
            Some(json) => node.set("value", Node::from_json(json).map_err(unreadable)?),
            None => node.set("secret", Node::Bool(true)),
        }
        Self::of(node)
    }

    /// An endpoint in an account where those that name no profile get `default_profile`.
    pub(super) fn endpoint(
        (name, url): (&str, &str),
        settings: &str,
        default_profile: &str,
    ) -> Result<Self, Error> {
        let settings: EndpointSettings = serde_json::from_str(settings).map_err(unreadable)?;
        let settings = with_overrides(settings);
        let mut node = own_parts(&settings)?;
        // Left out only where every other account has the same for usual, too.
        if [settings.profile.as_str(), default_profile] != [STANDARD; 2] {
            node.set("profile", Node::text(&settings.profile));
        }
        let subscribe = Subscribe::of_stored(settings.subscribe.as_deref());
        if subscribe != Subscribe::All {
            node.set("subscribe", node_of(&subscribe)?);
        }
        node.set("name", Node::text(name));
        node.set("url", Node::text(url));
        Self::of(node.ordered(&[
            "name",
            "url",
            "profile",
            "subscribe",
            "signatures",
            "envelope",
        ]))
    }

    /// A policy, or a profile, with these settings.
    pub(super) fn rule(row: &NamedRule) -> Result<Self, Error> {
        let mut node = if row.kind == RuleKind::Profile.as_str() {
            let settings: EndpointSettings = serde_json::from_str(&row.says).map_err(unreadable)?;
            let mut node = own_parts(&settings)?;
            node.set("from", Node::text(&settings.profile));
            node.leave_out("from", &Node::text(STANDARD));
            node
        } else {
            let mut node = Node::Map(Vec::new());
            node.set("policy", Node::from_json(&row.says).map_err(unreadable)?);
            node
        };
        node.set("name", Node::text(&row.name));
        Self::of(node.ordered(&["name", "from", "policy", "signatures", "envelope"]))
    }

    pub(super) fn schedule(row: &Schedule) -> Result<Self, Error> {
        let mut node = Node::from_json(&row.definition).map_err(unreadable)?;
        let data = std::str::from_utf8(&row.payload).map_err(unreadable)?;
        node.set("data", Node::from_json(data).map_err(unreadable)?);
        leave_out_usual(&mut node)?;
        node.set("name", Node::text(&row.name));
        if row.paused {
            node.set("paused", Node::Bool(true));
        }
        Self::of(node.ordered(&["name", "cron", "seconds", "interval", "timezone", "dst"]))
    }

    /// An automation with this definition.
    pub(super) fn automation(name: &str, definition: &str, course: Course) -> Result<Self, Error> {
        let mut node = Node::from_json(definition).map_err(unreadable)?;
        if let Some(trigger) = node.get_mut("trigger")
            && let Some(mut schedule) = trigger.take("schedule")
        {
            // Its events are made by the schedule.
            leave_out_usual(&mut schedule)?;
            let schedule = schedule.ordered(&["cron", "seconds", "interval", "timezone", "dst"]);
            *trigger = Node::Map(vec![("schedule".to_owned(), schedule)]);
        }
        for transform in node
            .get_mut("transforms")
            .into_iter()
            .flat_map(Node::entries_mut)
        {
            // What was pinned for a name and its version; other accounts have their own.
            transform.take("digest");
            transform.leave_out("config", &Node::Map(Vec::new()));
            let ordered = std::mem::replace(transform, Node::Null).ordered(&["plugin", "config"]);
            *transform = ordered;
        }
        for action in node
            .get_mut("actions")
            .into_iter()
            .flat_map(Node::entries_mut)
        {
            if let Some(webhook) = action.get_mut("webhook")
                && webhook.get("url").is_some()
            {
                webhook.take("endpoint");
            }
        }
        for test in node
            .get_mut("tests")
            .into_iter()
            .flat_map(Node::entries_mut)
        {
            if let Some(event) = test.get_mut("event") {
                *event = std::mem::replace(event, Node::Null).ordered(&["type", "data"]);
            }
            let ordered = std::mem::replace(test, Node::Null).ordered(&["name", "event", "expect"]);
            *test = ordered;
        }
        node.set("name", Node::text(name));
        if !course.enabled {
            node.set("enabled", Node::Bool(false));
        }
        if course.draft {
            node.set("draft", Node::Bool(true));
        }
        Self::of(node.ordered(&[
            "name",
            "enabled",
            "draft",
            "note",
            "trigger",
            "condition",
            "flow",
            "transforms",
            "actions",
            "alert_after",
            "tests",
        ]))
    }
}

/// The parts of settings that are not those of their profile, by name.
fn own_parts(settings: &EndpointSettings) -> Result<Node, Error> {
    let mut all = node_of(settings)?;
    // What is usual is not stored.
    all.set("headers", node_of(&settings.headers)?);
    all.set("method", node_of(&settings.method)?);
    all.set("http", node_of(&settings.http)?);
    all.set("explicit_port", node_of(&settings.explicit_port)?);
    let follows = &settings.follows;
    for (field, name) in [
        ("retry_policy", &follows.retry_policy),
        ("failure_policy", &follows.failure_policy),
    ] {
        if let Some(name) = name {
            all.set(field, Node::text(name));
        }
    }
    let mut node = Node::Map(Vec::new());
    for part in settings.overrides() {
        if let Some(value) = all.take(part.as_str()) {
            node.set(part.as_str(), value);
        }
    }
    Ok(node)
}

/// Leaves out of a schedule what it would have anyway.
fn leave_out_usual(schedule: &mut Node) -> Result<(), Error> {
    let number = |digits: &str| Node::Number(digits.to_owned());
    for (field, usual) in [
        ("seconds", Node::Bool(false)),
        ("timezone", Node::text("UTC")),
        ("dst", node_of(&DstPolicy::default())?),
        ("overlap", Node::text("allow")),
        ("catch_up", Node::text("latest")),
        ("catch_up_window_s", number("86400")),
        ("spread_s", number("0")),
    ] {
        schedule.leave_out(field, &usual);
    }
    for field in ["cron", "interval", "start_at", "end_at", "data"] {
        schedule.leave_out(field, &Node::Null);
    }
    Ok(())
}
