//! Batches of one kind.

use std::sync::Arc;

use throwbar::store::{Batch, NewEvent, NewPlan, NewRecord, SetAside};

/// Events to be accepted.
pub fn accepts(accepts: Vec<NewEvent>) -> Batch {
    Batch {
        accepts: shared(accepts),
        ..Batch::default()
    }
}

/// Plans to be written.
pub fn plans(plans: Vec<NewPlan>) -> Batch {
    Batch {
        plans: shared(plans),
        ..Batch::default()
    }
}

/// Records to be written.
pub fn records(records: Vec<NewRecord>) -> Batch {
    Batch {
        records: shared(records),
        ..Batch::default()
    }
}

/// Events to be set aside.
pub fn aside(aside: Vec<SetAside>) -> Batch {
    Batch {
        aside,
        ..Batch::default()
    }
}

/// Rows as a batch holds them: shared with whoever waits for what becomes of them.
pub fn shared<T>(rows: Vec<T>) -> Vec<Arc<T>> {
    rows.into_iter().map(Arc::new).collect()
}
