//! The end of what waited: what came of it goes on record, and it waits no longer.

use std::sync::Arc;

use super::super::Error;
use super::super::backend::Tx;
use super::super::plan::NewPlan;
use super::super::values::{Columns, Kind, Rows, Shape, values};
use super::wait::PLACE_COLUMNS;

const END_COLUMNS: Columns = &[
    ("account_id", Kind::Uuid),
    ("automation_id", Kind::Uuid),
    ("event_id", Kind::Uuid),
    ("late", Kind::Bytes),
    ("settled_at_ms", Kind::Int),
];

const ENTRY_COLUMNS: Columns = &[
    ("account_id", Kind::Uuid),
    ("automation_id", Kind::Uuid),
    ("digest_event_id", Kind::Uuid),
];

/// Writes the ends of those plans that are of what waited.
pub(in super::super) async fn write(tx: &mut Tx, plans: &[Arc<NewPlan>]) -> Result<(), Error> {
    let late = plans.iter().filter_map(|plan| Some((plan, plan.late?)));
    let mut late: Vec<_> = late.collect();
    if late.is_empty() {
        return Ok(());
    }
    late.sort_by_key(|(plan, automation)| (plan.account, *automation, plan.event));
    let mut ends = Rows::new(END_COLUMNS, late.len());
    let mut waits = Rows::new(PLACE_COLUMNS, late.len());
    let mut entries = Rows::new(ENTRY_COLUMNS, late.len());
    for (plan, automation) in late {
        let (account, event) = (plan.account, plan.event);
        ends.push(values![
            account,
            automation,
            event,
            plan.verdicts.clone(),
            plan.evaluated_at
        ]);
        waits.push(values![account, automation, event]);
        entries.push(values![account, automation, event]);
    }
    let update = Shape::Update {
        table: "flow_verdicts",
        key: 3,
        set: "",
        only_if: "",
    };
    let delete = |from| Shape::Delete { from };
    tx.execute_rows(ends, update).await?;
    tx.execute_rows(waits, delete("flow_waits")).await?;
    tx.execute_rows(entries, delete("flow_entries")).await
}
