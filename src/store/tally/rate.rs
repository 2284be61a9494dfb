//! Whether success rates have dropped, or are back: seen where tallies change, by the one who has the lock to change
//! them. So each is told once, whichever nodes have made the attempts.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use serde_json::json;

use super::{PLACE_COLUMNS, Place, Which};
use crate::model::{AccountId, EndpointId, Timestamp};
use crate::store::Error;
use crate::store::backend::Tx;
use crate::store::operational::{Alert, Topic};
use crate::store::row::record;
use crate::store::values::{Columns, Kind, Rows, Shape, values};
use crate::tally::{Span, SuccessRateAlert, Tally, Threshold, Turn};

/// What is asked of an endpoint's success rate.
struct Asked {
    account: AccountId,
    endpoint: EndpointId,
    name: String,
    settings: String,
    of_account: Option<String>,
    dropped_at: Option<Timestamp>,
}

record!(Asked {
    account: "account_id",
    endpoint: "id",
    name: "name",
    settings: "settings",
    of_account: "success_rate_alert",
    dropped_at: "rate_dropped_at_ms",
});

/// What of an endpoint's settings is read here.
#[derive(Deserialize)]
struct Says {
    #[serde(default)]
    success_rate_alert: SuccessRateAlert,
}

const ENDPOINT_COLUMNS: Columns = &[("account_id", Kind::Uuid), ("id", Kind::Uuid)];
const DROPPED_COLUMNS: Columns = &[
    ("account_id", Kind::Uuid),
    ("id", Kind::Uuid),
    ("rate_dropped_at_ms", Kind::Int),
];

/// What is to be told of the success rates of the endpoints whose tallies have changed.
pub(super) async fn judge(
    tx: &mut Tx,
    folded: &BTreeMap<Place, Tally>,
    now: Timestamp,
) -> Result<Vec<Alert>, Error> {
    const SQL: &str =
        "SELECT e.account_id, e.id, e.name, e.settings, e.rate_dropped_at_ms, a.success_rate_alert
        FROM v JOIN endpoints e ON e.account_id = v.account_id AND e.id = v.id
        JOIN accounts a ON a.id = e.account_id
        WHERE e.deleted_at_ms IS NULL";
    let mut which: Vec<Which> = folded.keys().map(|place| (place.0, place.1)).collect();
    which.dedup();
    let mut rows = Rows::new(ENDPOINT_COLUMNS, which.len());
    for (account, endpoint) in which {
        rows.push(values![account, endpoint]);
    }
    let asked: Vec<Asked> = tx.fetch_rows(rows, Shape::Query(SQL)).await?;
    let mut watched = Vec::new();
    let mut changed = Rows::new(DROPPED_COLUMNS, 0);
    for one in asked {
        match one.threshold() {
            Some(threshold) => watched.push((one, threshold)),
            // Nobody asks any more.
            None if one.dropped_at.is_some() => {
                changed.push(values![one.account, one.endpoint, None::<Timestamp>]);
            }
            None => {}
        }
    }
    let counted = counted(tx, &watched, now).await?;
    let mut alerts = Vec::new();
    for (one, threshold) in &watched {
        let (attempts, succeeded) = counted
            .get(&(one.account, one.endpoint))
            .copied()
            .unwrap_or_default();
        let last = one.dropped_at.map(|_| Turn::Dropped);
        let Some(turn) = threshold.judge(last, (succeeded, attempts)) else {
            continue;
        };
        let (topic, dropped_at) = match turn {
            Turn::Dropped => (Topic::SuccessRateDropped, Some(now)),
            Turn::Back => (Topic::SuccessRateRecovered, None),
        };
        changed.push(values![one.account, one.endpoint, dropped_at]);
        let says = json!({
            "name": one.name,
            "success_rate": succeeded as f64 / attempts as f64,
            "below": threshold.below(),
            "window_s": threshold.window_s(),
            "attempts": attempts,
            "succeeded": succeeded,
            "dropped_at": one.dropped_at.or(dropped_at),
        });
        let which = (one.account, one.endpoint);
        alerts.push(Alert::of_endpoint(topic, which, now, says));
    }
    let update = Shape::Update {
        table: "endpoints",
        key: 2,
        set: "",
        only_if: "",
    };
    tx.execute_rows(changed, update).await?;
    Ok(alerts)
}

impl Asked {
    /// What is asked; settings that can't be read ask for nothing.
    fn threshold(&self) -> Option<Threshold> {
        let own: Says = serde_json::from_str(&self.settings).ok()?;
        let of_account = self.of_account.as_deref().map(serde_json::from_str);
        let of_account = of_account
            .and_then(Result::ok)
            .unwrap_or(SuccessRateAlert::Off);
        own.success_rate_alert.over(of_account)
    }
}

/// How many attempts each had within its window, and how many of them succeeded. A window within the three hours of
/// which minutes are kept begins with a minute, a longer one with an hour.
async fn counted(
    tx: &mut Tx,
    watched: &[(Asked, Threshold)],
    now: Timestamp,
) -> Result<HashMap<Which, (i64, i64)>, Error> {
    const SQL: &str = "SELECT t.account_id, t.endpoint_id,
          CAST(SUM(t.attempts) AS BIGINT) AS attempts, CAST(SUM(t.succeeded) AS BIGINT) AS succeeded
        FROM v JOIN tallies t ON t.account_id = v.account_id AND t.endpoint_id = v.endpoint_id
          AND t.span_ms = v.span_ms AND t.from_ms >= v.from_ms
        GROUP BY t.account_id, t.endpoint_id";
    let mut rows = Rows::new(PLACE_COLUMNS, watched.len());
    for (one, threshold) in watched {
        let window_ms = threshold.window_s() * 1000;
        let by_minute = window_ms <= Span::Minute.ms() * Span::Minute.kept();
        let span = if by_minute { Span::Minute } else { Span::Hour };
        let from = span.from(now.plus_ms(-window_ms));
        rows.push(values![one.account, one.endpoint, span.ms(), from]);
    }
    let sums: Vec<(AccountId, EndpointId, i64, i64)> =
        tx.fetch_rows(rows, Shape::Query(SQL)).await?;
    Ok(sums
        .into_iter()
        .map(|(account, endpoint, attempts, succeeded)| {
            ((account, endpoint), (attempts, succeeded))
        })
        .collect())
}
