//! The variables that are kept with what an event's automations have said, each once.

use std::collections::BTreeSet;

use super::evaluate::AcceptedEvent;
use super::evaluation::Evaluation;
use super::snapshot::Compiled;
use crate::model::limits::VARIABLE_BYTES_PER_EVENT_MAX;

/// Those of one event so far.
#[derive(Debug, Default)]
pub(super) struct KeptVariables {
    names: BTreeSet<String>,
    bytes: usize,
}

impl KeptVariables {
    /// Keeps with the evaluation the variables that its condition has asked for, so that the way to its answer can
    /// be told later; or what there is to tell, if there is no room for them.
    pub(super) fn keep(
        &mut self,
        automation: &Compiled,
        event: &AcceptedEvent,
        evaluation: &mut Evaluation,
    ) {
        let Some(asked) = evaluation.asked.take().filter(|asked| !asked.is_empty()) else {
            return;
        };
        let new = asked.without(&self.names);
        let bytes = self.bytes + new.bytes();
        if bytes <= VARIABLE_BYTES_PER_EVENT_MAX {
            self.bytes = bytes;
            self.names.extend(new.names().map(str::to_owned));
            evaluation.variables = new;
        } else if let Some(condition) = &automation.condition {
            evaluation.tell(condition, &event.view());
        }
    }
}
