//! What attempts mean for their endpoints: a success wipes the mark of failing, a failure sets it,
//! patience that has run out or a 410 disables. Of an endpoint that has changed since it was asked
//! (another URL, switched on again) a failure says nothing.

use std::collections::BTreeMap;

use super::Error;
use super::account::raise_revision;
use super::backend::Tx;
use super::record::{EndpointMark, NewRecord};
use super::values::{Columns, Kind, Rows, Shape, Value, args, values};
use crate::model::{AccountId, EndpointId, Timestamp};

/// An endpoint that was disabled, and why.
pub(super) type Disabled = (AccountId, EndpointId, &'static str);

/// Whose endpoint.
type Which = (AccountId, EndpointId);

const ENDPOINT_COLUMNS: Columns = &[("account_id", Kind::Uuid), ("id", Kind::Uuid)];

/// Failures of one endpoint in one batch: the first, and what its policy's patience comes to.
#[derive(Clone, Copy)]
struct Failing {
    at: Timestamp,
    disable_if_since: Option<Timestamp>,
}

/// Successes first, then failures: a success in the same batch as a failure leaves the failure's
/// mark, which the next success wipes. The endpoints that were disabled.
pub(super) async fn write(tx: &mut Tx, records: &[&NewRecord]) -> Result<Vec<Disabled>, Error> {
    let mut succeeded: Vec<Which> = Vec::new();
    let mut failed: BTreeMap<(Which, Timestamp), Failing> = BTreeMap::new();
    let mut gone: BTreeMap<(Which, Timestamp), Timestamp> = BTreeMap::new();
    for record in records {
        let which = (record.account, record.endpoint);
        match record.mark {
            EndpointMark::Succeeded => succeeded.push(which),
            EndpointMark::Gone { at, asked } => {
                gone.entry((which, asked)).or_insert(at);
            }
            EndpointMark::Untouched => {}
            EndpointMark::Failed {
                at,
                disable_if_since,
                asked,
            } => {
                let known = failed.entry((which, asked)).or_insert(Failing {
                    at,
                    disable_if_since,
                });
                known.at = known.at.min(at);
                known.disable_if_since = known.disable_if_since.max(disable_if_since);
            }
        }
    }
    wipe(tx, succeeded).await?;
    let mut disabled = Vec::new();
    for (asked, failing) in failed {
        fail(tx, asked, failing, &mut disabled).await?;
    }
    for (((account, endpoint), asked), at) in gone {
        disable(
            tx,
            "UPDATE endpoints SET state = 'disabled', disabled_why = 'gone', updated_at_ms = $4
             WHERE account_id = $1 AND id = $2 AND state = 'enabled' AND updated_at_ms = $3",
            args![account, endpoint, asked, at],
            (account, endpoint, "gone"),
            &mut disabled,
        )
        .await?;
    }
    Ok(disabled)
}

async fn wipe(tx: &mut Tx, mut succeeded: Vec<Which>) -> Result<(), Error> {
    succeeded.sort_unstable();
    succeeded.dedup();
    let mut rows = Rows::new(ENDPOINT_COLUMNS, succeeded.len());
    for (account, endpoint) in succeeded {
        rows.push(values![account, endpoint]);
    }
    tx.execute_rows(
        rows,
        Shape::Update {
            table: "endpoints",
            key: 2,
            set: "failing_since_ms = NULL",
            only_if: "failing_since_ms IS NOT NULL",
        },
    )
    .await
}

async fn fail(
    tx: &mut Tx,
    ((account, endpoint), asked): (Which, Timestamp),
    failing: Failing,
    disabled: &mut Vec<Disabled>,
) -> Result<(), Error> {
    tx.execute(
        "UPDATE endpoints SET failing_since_ms = $3
         WHERE account_id = $1 AND id = $2 AND failing_since_ms IS NULL AND updated_at_ms = $4",
        args![account, endpoint, failing.at, asked],
    )
    .await?;
    let Some(since) = failing.disable_if_since else {
        return Ok(());
    };
    disable(
        tx,
        "UPDATE endpoints SET state = 'disabled', disabled_why = 'failing', updated_at_ms = $3
         WHERE account_id = $1 AND id = $2 AND state = 'enabled' AND failing_since_ms <= $4
           AND updated_at_ms = $5",
        args![account, endpoint, failing.at, since, asked],
        (account, endpoint, "failing"),
        disabled,
    )
    .await
}

async fn disable(
    tx: &mut Tx,
    sql: &str,
    arguments: Vec<Value>,
    which: Disabled,
    disabled: &mut Vec<Disabled>,
) -> Result<(), Error> {
    if tx.execute(sql, arguments).await? > 0 {
        raise_revision(tx, which.0).await?;
        disabled.push(which);
    }
    Ok(())
}
