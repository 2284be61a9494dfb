//! Batches of one kind.

use throwbar::store::{Batch, NewEvent, NewPlan, NewRecord, SetAside};

/// Events to be accepted.
pub fn accepts(accepts: Vec<NewEvent>) -> Batch {
    Batch {
        accepts,
        ..Batch::default()
    }
}

/// Plans to be written.
pub fn plans(plans: Vec<NewPlan>) -> Batch {
    Batch {
        plans,
        ..Batch::default()
    }
}

/// Records to be written.
pub fn records(records: Vec<NewRecord>) -> Batch {
    Batch {
        records,
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
