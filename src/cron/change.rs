//! The next changes of a zone's clocks, and what each does with the runs of a pattern, in words.

use super::zone::Stretch;
use super::{Calendar, Civil, Fold, Gap};
use crate::model::Timestamp;

/// How many runs are named one by one.
const NAMED_MAX: usize = 3;
/// How many runs are counted.
const COUNTED_MAX: usize = 1000;
/// Stretches that are looked through: zones that rename themselves end some without a change.
const STRETCHES_MAX: usize = 50;

/// Which way the clocks are put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Some civil times do not come: a gap.
    Forward,
    /// Some come twice: a fold.
    Back,
}

/// A change of the clocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// When.
    pub at: Timestamp,
    /// Which way.
    pub direction: Direction,
    /// What the clocks show at that instant before they are put.
    pub from: Civil,
    /// What they show then.
    pub to: Civil,
    /// What it does with the runs.
    pub words: String,
}

impl Calendar {
    /// The next `count` changes after an instant.
    pub fn changes(&self, after: Timestamp, count: usize) -> Vec<Change> {
        let mut found = Vec::new();
        let Some(mut stretch) = self.zone.stretch(after.as_s()) else {
            return found;
        };
        for _ in 0..STRETCHES_MAX {
            if found.len() == count || !stretch.has_end() {
                break;
            }
            let Some(next) = self.zone.stretch(stretch.end_s) else {
                break;
            };
            stretch = next;
            found.extend(self.change(&stretch));
        }
        found
    }

    /// The change that a stretch begins with.
    fn change(&self, stretch: &Stretch) -> Option<Change> {
        let direction = match stretch.before_s.cmp(&stretch.offset_s) {
            std::cmp::Ordering::Less => Direction::Forward,
            std::cmp::Ordering::Greater => Direction::Back,
            std::cmp::Ordering::Equal => return None,
        };
        let (low, high) = stretch.turn();
        let (from, to) = match direction {
            Direction::Forward => (low, high),
            Direction::Back => (high, low),
        };
        let runs: Vec<Civil> = self.between(Some((low, high))).take(COUNTED_MAX).collect();
        let (way, effect) = match direction {
            Direction::Forward => ("forward", self.gap_words(&runs, to)),
            Direction::Back => ("back", self.fold_words(&runs)),
        };
        let arrival = if from.date_words() == to.date_words() {
            to.time_words()
        } else {
            format!("{} {}", to.date_words(), to.time_words())
        };
        Some(Change {
            at: Timestamp::from_ms(stretch.start_s * 1000),
            direction,
            from,
            to,
            words: format!(
                "on {} at {} the clocks go {way} to {arrival}: {effect}",
                from.date_words(),
                from.time_words()
            ),
        })
    }

    fn gap_words(&self, runs: &[Civil], end: Civil) -> String {
        let named = named(runs);
        if runs.is_empty() {
            "no run is concerned".to_owned()
        } else if self.pattern.runs_by_elapsed_time() {
            "the runs go on by elapsed time".to_owned()
        } else {
            match (self.policy.gap, runs.len()) {
                (Gap::Skip, 1) => format!("{named} is skipped"),
                (Gap::Skip, _) => format!("{named} are skipped"),
                (Gap::RunAtGapEnd, 1) => format!("{named} is made at {}", end.time_words()),
                (Gap::RunAtGapEnd, _) => {
                    format!("{named} are made once, at {}", end.time_words())
                }
            }
        }
    }

    fn fold_words(&self, runs: &[Civil]) -> String {
        let named = named(runs);
        let verb = if runs.len() == 1 { "is" } else { "are" };
        if runs.is_empty() {
            "no run is concerned".to_owned()
        } else if self.pattern.runs_by_elapsed_time() {
            "the runs go on by elapsed time, through both passes".to_owned()
        } else {
            match self.policy.fold {
                Fold::First => format!("{named} {verb} made the first time only"),
                Fold::Last => format!("{named} {verb} made the second time only"),
                Fold::Both => format!("{named} {verb} made both times"),
            }
        }
    }
}

fn named(runs: &[Civil]) -> String {
    let times: Vec<String> = runs.iter().map(|run| run.time_words()).collect();
    match times.len() {
        1 => format!("the run of {}", times[0]),
        0..=NAMED_MAX => format!("the runs of {}", super::words::listed(&times)),
        COUNTED_MAX => format!("{COUNTED_MAX} runs or more"),
        count => format!("{count} runs ({} to {})", times[0], times[count - 1]),
    }
}
