//! What attempts mean for their endpoints: a success wipes the mark of failing, a failure sets it,
//! patience that has run out or a 410 disables. Of an endpoint that has changed since it was asked
//! (another URL, switched on again) a failure says nothing.
//!
//! What of it is to be told: that an endpoint was disabled; that it has failed for a while, once; and that it
//! works again after that was told.

use std::collections::{BTreeMap, HashSet};

use serde_json::json;

use super::Error;
use super::account::raise_revision;
use super::backend::Tx;
use super::operational::{Alert, Topic};
use super::record::{EndpointMark, NewRecord, Tells};
use super::row::record;
use super::values::{Columns, Kind, Rows, Shape, Value, args, values};
use crate::model::limits::FAILING_ALERT_MS;
use crate::model::{AccountId, EndpointId, Timestamp};

/// An endpoint that was disabled, and why.
pub(super) type Disabled = (AccountId, EndpointId, &'static str);

/// Whose endpoint.
type Which = (AccountId, EndpointId);

const ENDPOINT_COLUMNS: Columns = &[("account_id", Kind::Uuid), ("id", Kind::Uuid)];

/// Failures of one endpoint in one batch: the first and the last, and what its policy's patience comes to.
#[derive(Clone, Copy)]
struct Failing {
    at: Timestamp,
    last_at: Timestamp,
    disable_if_since: Option<Timestamp>,
    told: bool,
}

/// What has become of endpoints.
#[derive(Default)]
pub(super) struct Marked {
    /// Those that were disabled.
    pub(super) disabled: Vec<Disabled>,
    /// What is to be told.
    pub(super) alerts: Vec<Alert>,
}

/// An endpoint of which something is told.
struct Named {
    name: String,
    failing_since: Option<Timestamp>,
}

record!(Named {
    name: "name",
    failing_since: "failing_since_ms",
});

/// An endpoint whose mark was wiped.
struct Wiped {
    account: AccountId,
    endpoint: EndpointId,
    alerted_at: Option<Timestamp>,
}

record!(Wiped {
    account: "account_id",
    endpoint: "id",
    alerted_at: "alerted_at_ms",
});

/// Successes first, then failures: a success in the same batch as a failure leaves the failure's
/// mark, which the next success wipes.
pub(super) async fn write(tx: &mut Tx, records: &[&NewRecord]) -> Result<Marked, Error> {
    let mut succeeded: BTreeMap<Which, Option<Timestamp>> = BTreeMap::new();
    let mut failed: BTreeMap<(Which, Timestamp), Failing> = BTreeMap::new();
    let mut gone: BTreeMap<(Which, Timestamp), Timestamp> = BTreeMap::new();
    for record in records {
        let which = (record.account, record.endpoint);
        let told = record.tells != Tells::Nothing;
        match record.mark {
            EndpointMark::Succeeded => {
                let at = record.next.settled_at().filter(|_| told);
                let known = succeeded.entry(which).or_default();
                *known = (*known).max(at);
            }
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
                    last_at: at,
                    disable_if_since,
                    told,
                });
                known.at = known.at.min(at);
                known.last_at = known.last_at.max(at);
                known.disable_if_since = known.disable_if_since.max(disable_if_since);
                known.told |= told;
            }
        }
    }
    let mut marked = Marked::default();
    wipe(tx, succeeded, &mut marked).await?;
    for (asked, failing) in failed {
        fail(tx, asked, failing, &mut marked).await?;
    }
    for (((account, endpoint), asked), at) in gone {
        disable(
            tx,
            "UPDATE endpoints SET state = 'disabled', disabled_why = 'gone', updated_at_ms = $4
             WHERE account_id = $1 AND id = $2 AND state = 'enabled' AND updated_at_ms = $3
             RETURNING name, failing_since_ms",
            args![account, endpoint, asked, at],
            ((account, endpoint, "gone"), at),
            &mut marked,
        )
        .await?;
    }
    Ok(marked)
}

async fn wipe(
    tx: &mut Tx,
    succeeded: BTreeMap<Which, Option<Timestamp>>,
    marked: &mut Marked,
) -> Result<(), Error> {
    let mut rows = Rows::new(ENDPOINT_COLUMNS, succeeded.len());
    for (account, endpoint) in succeeded.keys() {
        rows.push(values![*account, *endpoint]);
    }
    // As good as always nothing comes back.
    let wiped: Vec<Wiped> = tx
        .fetch_rows(
            rows,
            Shape::Update {
                table: "endpoints",
                key: 2,
                set: "failing_since_ms = NULL",
                only_if:
                    "(endpoints.failing_since_ms IS NOT NULL OR endpoints.alerted_at_ms IS NOT NULL)
                   RETURNING endpoints.account_id AS account_id, endpoints.id AS id,
                     endpoints.alerted_at_ms AS alerted_at_ms",
            },
        )
        .await?;
    let alerted: HashSet<Which> = wiped
        .iter()
        .filter(|row| row.alerted_at.is_some())
        .map(|row| (row.account, row.endpoint))
        .collect();
    for (which, at) in succeeded {
        if let Some(at) = at
            && alerted.contains(&which)
        {
            recover(tx, which, at, marked).await?;
        }
    }
    Ok(())
}

/// It works again, and that it failed was told.
async fn recover(
    tx: &mut Tx,
    which: Which,
    at: Timestamp,
    marked: &mut Marked,
) -> Result<(), Error> {
    let named: Vec<Named> = tx
        .fetch(
            "UPDATE endpoints SET alerted_at_ms = NULL
             WHERE account_id = $1 AND id = $2 AND alerted_at_ms IS NOT NULL
             RETURNING name, failing_since_ms",
            args![which.0, which.1],
        )
        .await?;
    let told = |row: Named| {
        let says = json!({ "name": row.name });
        Alert::of_endpoint(Topic::EndpointRecovered, which, at, says)
    };
    marked.alerts.extend(named.into_iter().map(told));
    Ok(())
}

async fn fail(
    tx: &mut Tx,
    ((account, endpoint), asked): (Which, Timestamp),
    failing: Failing,
    marked: &mut Marked,
) -> Result<(), Error> {
    tx.execute(
        "UPDATE endpoints SET failing_since_ms = $3
         WHERE account_id = $1 AND id = $2 AND failing_since_ms IS NULL AND updated_at_ms = $4",
        args![account, endpoint, failing.at, asked],
    )
    .await?;
    if failing.told {
        let since = failing.last_at.plus_ms(-FAILING_ALERT_MS);
        let named: Vec<Named> = tx
            .fetch(
                "UPDATE endpoints SET alerted_at_ms = $3
                 WHERE account_id = $1 AND id = $2 AND alerted_at_ms IS NULL AND state = 'enabled'
                   AND failing_since_ms <= $4 AND updated_at_ms = $5
                 RETURNING name, failing_since_ms",
                args![account, endpoint, failing.last_at, since, asked],
            )
            .await?;
        let told = |row: Named| {
            let says = json!({ "name": row.name, "failing_since": row.failing_since });
            let which = (account, endpoint);
            Alert::of_endpoint(Topic::EndpointFailing, which, failing.last_at, says)
        };
        marked.alerts.extend(named.into_iter().map(told));
    }
    let Some(since) = failing.disable_if_since else {
        return Ok(());
    };
    disable(
        tx,
        "UPDATE endpoints SET state = 'disabled', disabled_why = 'failing', updated_at_ms = $3
         WHERE account_id = $1 AND id = $2 AND state = 'enabled' AND failing_since_ms <= $4
           AND updated_at_ms = $5
         RETURNING name, failing_since_ms",
        args![account, endpoint, failing.at, since, asked],
        ((account, endpoint, "failing"), failing.at),
        marked,
    )
    .await
}

async fn disable(
    tx: &mut Tx,
    sql: &str,
    arguments: Vec<Value>,
    (which, at): (Disabled, Timestamp),
    marked: &mut Marked,
) -> Result<(), Error> {
    let named: Vec<Named> = tx.fetch(sql, arguments).await?;
    for row in named {
        raise_revision(tx, which.0).await?;
        marked.disabled.push(which);
        let says = json!({ "name": row.name, "why": which.2, "failing_since": row.failing_since });
        let endpoint = (which.0, which.1);
        let alert = Alert::of_endpoint(Topic::EndpointDisabled, endpoint, at, says);
        marked.alerts.push(alert);
    }
    Ok(())
}
