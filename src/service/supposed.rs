//! What is taken to be there while a file is checked, though it is not written yet: an automation of the file may
//! deliver to an endpoint of the file and ask for one of its variables, and nothing is written before all of it
//! was checked.
//!
//! It holds for the work that it is given to, as a [`crate::store::Whole`] does, and for nothing else.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crate::model::EndpointId;
use crate::store::Variable;

tokio::task_local! {
    static CURRENT: Arc<Supposed>;
}

/// What would be there.
#[derive(Debug, Clone, Default)]
pub(super) struct Supposed {
    /// Variables, in place of those of their names.
    pub(super) variables: Vec<Variable>,
    /// Further endpoints.
    pub(super) endpoints: HashSet<EndpointId>,
    /// The schemas of event types, by name; `None`: nothing is asked of their events.
    pub(super) schemas: HashMap<String, Option<String>>,
}

impl Supposed {
    /// Does the work as if all this were there.
    pub(super) async fn during<T>(self: &Arc<Self>, work: impl Future<Output = T>) -> T {
        CURRENT.scope(self.clone(), work).await
    }

    /// What the work under way takes to be there.
    pub(super) fn current() -> Option<Arc<Self>> {
        CURRENT.try_with(Arc::clone).ok()
    }

    /// The stored variables with these laid over them.
    pub(super) fn variables_over(&self, stored: Vec<Variable>) -> Vec<Variable> {
        let all = stored.into_iter().chain(self.variables.iter().cloned());
        let all: BTreeMap<String, Variable> = all
            .map(|variable| (variable.name.clone(), variable))
            .collect();
        all.into_values().collect()
    }

    /// The schema of the event type of this name, if something else is supposed of it than what is stored.
    #[expect(
        clippy::option_option,
        reason = "not supposed, and supposed to be none"
    )]
    pub(super) fn schema(&self, name: &str) -> Option<Option<String>> {
        self.schemas.get(name).cloned()
    }
}
