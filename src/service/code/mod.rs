//! As code: what an account has, in a file that lives in a repository and goes from staging to production.
//!
//! A file names what it has by name and says it as the API takes it; what is left out is as the API has it. It is
//! compared with what is there (a plan), and applied whole or not at all: everything is checked before the
//! first write, and all writes are one commit, on the condition that the account is still what was looked at.
//!
//! What was applied is written down, object by object. So a later plan tells what somebody has changed in between
//! (drift), and what an earlier file had and this one has no more; that is removed only where it is asked for.
//! What no file ever named is never touched. Nothing secret is in a file, in a plan, or written down.

mod apply;
mod automation;
mod backtest;
mod content;
mod decide;
mod decision;
mod drift;
mod export;
mod file;
mod matching;
mod present;
mod prune;
mod reference;
mod rule;
mod view;

pub use export::{ExportFormat, ExportRequest};
pub use file::{CodeFile, CodeVariable};
pub use view::{DriftView, ObjectView, OthersView, PlanView, StepView};

use crate::model::words;
use crate::store::RuleKind;

/// The version of the file's format.
const FORMAT: &str = "1";

/// A part of a file: one kind of thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Section {
    /// The catalogue.
    EventTypes,
    /// Variables, secret ones without their values.
    Variables,
    /// Retry policies of the account's own.
    RetryPolicies,
    /// Failure policies of the account's own.
    FailurePolicies,
    /// Profiles of the account's own.
    Profiles,
    /// Endpoints that stand for themselves.
    Endpoints,
    /// Schedules that stand for themselves.
    Schedules,
    /// Automations, with the endpoints and the schedule that are theirs.
    Automations,
}

words!(Section {
    EventTypes = "event_types",
    Variables = "variables",
    RetryPolicies = "retry_policies",
    FailurePolicies = "failure_policies",
    Profiles = "profiles",
    Endpoints = "endpoints",
    Schedules = "schedules",
    Automations = "automations",
});

impl Section {
    /// One of them, in a sentence.
    fn noun(self) -> &'static str {
        match self {
            Self::EventTypes => "event type",
            Self::Variables => "variable",
            Self::RetryPolicies => "retry policy",
            Self::FailurePolicies => "failure policy",
            Self::Profiles => "profile",
            Self::Endpoints => "endpoint",
            Self::Schedules => "schedule",
            Self::Automations => "automation",
        }
    }

    /// Whether two of them may have the same name, and have ids to tell them apart.
    fn has_ids(self) -> bool {
        matches!(self, Self::Endpoints | Self::Schedules | Self::Automations)
    }

    /// Whether it is one of policies or of profiles.
    fn is_of_rules(self) -> bool {
        RuleKind::ALL
            .iter()
            .any(|kind| Self::of_rules(*kind) == self)
    }

    /// The one of policies, or profiles, of this kind.
    fn of_rules(kind: RuleKind) -> Self {
        match kind {
            RuleKind::RetryPolicy => Self::RetryPolicies,
            RuleKind::FailurePolicy => Self::FailurePolicies,
            RuleKind::Profile => Self::Profiles,
        }
    }
}

/// What becomes of what an earlier file had and this one has no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Prune {
    /// It stays.
    #[default]
    Keep,
    /// It is removed.
    Remove,
}

impl From<Option<bool>> for Prune {
    /// The parameter `prune`.
    fn from(prune: Option<bool>) -> Self {
        if prune == Some(true) {
            Self::Remove
        } else {
            Self::Keep
        }
    }
}

/// How a file is planned or applied.
#[derive(Debug, Clone, Default)]
pub struct Wishes {
    /// What becomes of what the file has no more.
    pub prune: Prune,
    /// How many past events each changed automation is compared on with its published version; on none, if left
    /// out.
    pub backtest: Option<usize>,
    /// The plan that was looked at: nothing else is done.
    pub plan: Option<String>,
    /// Why automations are published although their tests fail.
    pub override_reason: Option<String>,
}
