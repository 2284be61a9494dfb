//! What a check of a signature found, as values: one finding a step, in order, each with a
//! sentence for a person.

use crate::model::words;

/// The part of the check that a finding belongs to, in the order they are done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Are the headers there?
    Headers,
    /// Is the signed time near?
    Timestamp,
    /// Can the secret be used?
    Secret,
    /// Does a signature match?
    Signature,
}

words!(Step {
    Headers = "headers",
    Timestamp = "timestamp",
    Secret = "secret",
    Signature = "signature",
});

/// What a finding means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// This is as it must be.
    Passed,
    /// A receiver must refuse the message for this.
    Failed,
    /// A guess at the reason of a failure, or something worth knowing.
    Hint,
}

words!(Outcome {
    Passed = "passed",
    Failed = "failed",
    Hint = "hint",
});

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Where in the check.
    pub step: Step,
    /// What it means.
    pub outcome: Outcome,
    /// A sentence for a person. It may hold ids, times and signatures, never the secret.
    pub text: String,
}

/// Everything that was found, in order. Later steps are missing where an earlier failure leaves
/// nothing to check.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// One after the other.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether a receiver may trust the message: a signature matched and nothing failed.
    pub fn is_genuine(&self) -> bool {
        let passed = |finding: &Finding| {
            finding.step == Step::Signature && finding.outcome == Outcome::Passed
        };
        let failed = |finding: &Finding| finding.outcome == Outcome::Failed;
        self.findings.iter().any(passed) && !self.findings.iter().any(failed)
    }

    pub(super) fn passed(&mut self, step: Step, text: impl Into<String>) {
        self.add(step, Outcome::Passed, text);
    }

    pub(super) fn failed(&mut self, step: Step, text: impl Into<String>) {
        self.add(step, Outcome::Failed, text);
    }

    pub(super) fn hint(&mut self, step: Step, text: impl Into<String>) {
        self.add(step, Outcome::Hint, text);
    }

    fn add(&mut self, step: Step, outcome: Outcome, text: impl Into<String>) {
        self.findings.push(Finding {
            step,
            outcome,
            text: text.into(),
        });
    }
}
