//! Why an expression has no value, and the steps an evaluation may take.
//!
//! The evaluation is bounded by counting, not by a clock, so that the same event meets the same
//! bound on every machine and in every replay.

/// Most steps of one evaluation: one for each node evaluated, each entry of a list looked at, and
/// each [`BYTES_PER_STEP`] bytes of text touched. About 1.5 ms on one core.
pub(super) const STEPS_MAX: usize = 75_000;
/// Most steps of all sentences about one evaluation.
pub(super) const SAID_STEPS_MAX: usize = STEPS_MAX / 2;
/// How many bytes of text are touched for one step.
const BYTES_PER_STEP: usize = 32;

/// Why there is no value.
#[derive(Debug)]
pub(super) enum Fault {
    /// The sentence that says it.
    Said(String),
    /// The steps are used up. Unlike a `Said` one, nothing can make up for it: not the other
    /// side of an `||`, and not the next entry of a list.
    Spent,
}

impl Fault {
    pub(super) fn said(sentence: String) -> Self {
        Self::Said(sentence)
    }

    pub(super) fn into_sentence(self) -> String {
        match self {
            Self::Said(sentence) => sentence,
            Self::Spent => format!(
                "the condition takes more than {STEPS_MAX} steps on this event: compare shorter \
                 texts or shorter lists"
            ),
        }
    }
}

/// What is left of the steps.
#[derive(Debug)]
pub(super) struct Steps(usize);

impl Steps {
    pub(super) fn new() -> Self {
        Self(STEPS_MAX)
    }

    /// For sentences.
    pub(super) fn of_telling() -> Self {
        Self(SAID_STEPS_MAX)
    }

    #[inline]
    pub(super) fn charge(&mut self, steps: usize) -> Result<(), Fault> {
        let left = self.0.checked_sub(steps);
        self.0 = left.unwrap_or(0);
        left.map(drop).ok_or(Fault::Spent)
    }

    #[cfg(test)]
    pub(super) fn taken(&self) -> usize {
        STEPS_MAX - self.0
    }

    /// For touching this much text.
    pub(super) fn charge_bytes(&mut self, bytes: usize) -> Result<(), Fault> {
        self.charge(bytes / BYTES_PER_STEP)
    }
}
