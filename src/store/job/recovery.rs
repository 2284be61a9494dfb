//! Recovering deliveries: those that were given up or held at an endpoint, walked in the order of their ids, and
//! what a recovery makes of them. One that was given up stays so: it is made again under an id that is derived
//! from the recovery's and its own. One that was held is due again. So whoever does it twice has done it once.

use super::JobRow;
use crate::model::{AccountId, DeliveryId, EndpointId, EventId, MissedState, Recovery, Timestamp};
use crate::store::backend::Tx;
use crate::store::row::record;
use crate::store::values::{Columns, Kind, Rows, Shape, Value, args, values};
use crate::store::{Error, Store};

/// Which deliveries are looked for.
#[derive(Debug, Clone, Copy)]
pub struct MissedSpan {
    /// To this endpoint.
    pub endpoint: EndpointId,
    /// Of this event and of those after it.
    pub from: EventId,
    /// Of none from this one on.
    pub before: EventId,
    /// After this one.
    pub after: Option<DeliveryId>,
}

impl MissedSpan {
    /// What a recovery has still to look at.
    pub fn of(asked: &Recovery, after: Option<DeliveryId>) -> Self {
        Self {
            endpoint: asked.endpoint,
            from: asked.from,
            before: asked.before,
            after,
        }
    }

    fn arguments(&self, account: AccountId, state: MissedState, limit: usize) -> Vec<Value> {
        // A derived id begins with its event's time; a repeat's, which may be held, with the time at which somebody
        // asked for it: nobody knows where that ends.
        let (first, _) = DeliveryId::range_of(self.from);
        let last = match state {
            MissedState::Failed => DeliveryId::range_of(self.before).1,
            MissedState::Held => DeliveryId::from_uuid(uuid::Uuid::max()),
        };
        let after = self.after.unwrap_or(first);
        args![
            account,
            self.endpoint,
            after,
            last,
            self.from,
            self.before,
            limit
        ]
    }
}

/// A delivery that was missed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missed {
    /// Which.
    pub id: DeliveryId,
    /// The type of its event; `None`: that is not kept any more.
    pub event_type: Option<String>,
    /// Why it was given up, if it was.
    pub failure: Option<String>,
    /// Whether a repeat of it was delivered, or is on its way.
    pub repeated: bool,
    /// A repeat of it that is held.
    pub held: Option<DeliveryId>,
}

record!(Missed {
    id: "id",
    event_type: "type",
    failure: "failure",
    repeated: "repeated",
    held: "held",
});

/// A delivery that is sent after all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recovered {
    /// Which.
    pub delivery: DeliveryId,
    /// How it stands until then.
    pub state: MissedState,
    /// When it is due.
    pub due_at: Timestamp,
}

const REPEAT_COLUMNS: Columns = &[
    ("account_id", Kind::Uuid),
    ("id", Kind::Uuid),
    ("again", Kind::Uuid),
    ("due_at_ms", Kind::Int),
];

const REPEAT_SQL: &str = "
    INSERT INTO deliveries (account_id, id, event_id, automation_id, endpoint_id, output_no, envelope,
      webhook_id, rerun_id, resend_of, state, due_at_ms, attempts_made, created_at_ms)
    SELECT d.account_id, v.again, d.event_id, d.automation_id, d.endpoint_id, d.output_no, d.envelope,
      d.webhook_id, d.rerun_id, d.id, 'pending', v.due_at_ms, 0, v.due_at_ms
    FROM v JOIN deliveries d ON d.account_id = v.account_id AND d.id = v.id WHERE d.state = 'failed'
    ON CONFLICT DO NOTHING";

const RELEASE_COLUMNS: Columns = &[
    ("account_id", Kind::Uuid),
    ("id", Kind::Uuid),
    ("due_at_ms", Kind::Int),
];

/// Writes what a recovery has come to. What does not stand any more as it did is left alone.
pub(super) async fn write_recovered(
    tx: &mut Tx,
    job: &JobRow,
    recovered: Vec<Recovered>,
) -> Result<(), Error> {
    let mut repeats = Rows::new(REPEAT_COLUMNS, 0);
    let mut released = Rows::new(RELEASE_COLUMNS, 0);
    for one in recovered {
        let (id, due_at) = (one.delivery, one.due_at);
        match one.state {
            MissedState::Failed => {
                repeats.push(values![job.account, id, id.again(job.id), due_at]);
            }
            MissedState::Held => released.push(values![job.account, id, due_at]),
        }
    }
    let release = Shape::Update {
        table: "deliveries",
        key: 2,
        set: "state = 'pending'",
        only_if: "deliveries.state = 'held'",
    };
    for (rows, shape) in [(repeats, Shape::Query(REPEAT_SQL)), (released, release)] {
        if !rows.is_empty() {
            tx.execute_rows(rows, shape).await?;
        }
    }
    Ok(())
}

impl Store {
    /// Up to `limit` deliveries that were missed, in the order of their ids.
    pub async fn missed(
        &self,
        account: AccountId,
        span: &MissedSpan,
        state: MissedState,
        limit: usize,
    ) -> Result<Vec<Missed>, Error> {
        let sql = self.missed_sql(state);
        let mut found: Vec<Missed> = self
            .fetch(&sql, span.arguments(account, state, limit))
            .await?;
        found.sort_by_key(|missed| missed.id);
        Ok(found)
    }

    /// The ids of the same.
    pub async fn missed_ids(
        &self,
        account: AccountId,
        span: &MissedSpan,
        state: MissedState,
        limit: usize,
    ) -> Result<Vec<DeliveryId>, Error> {
        let sql = format!("SELECT d.id FROM ({}) AS d", self.within(state));
        let found: Vec<(DeliveryId,)> = self
            .fetch(&sql, span.arguments(account, state, limit))
            .await?;
        let mut ids: Vec<DeliveryId> = found.into_iter().map(|row| row.0).collect();
        ids.sort_unstable();
        Ok(ids)
    }

    /// The plan of the look for what was missed, for the test that pins it.
    pub async fn explain_missed(
        &self,
        account: AccountId,
        span: &MissedSpan,
        state: MissedState,
    ) -> Result<String, Error> {
        let arguments = span.arguments(account, state, 100);
        self.backend
            .explain(&self.missed_sql(state), arguments)
            .await
    }

    /// Repeats are counted one by one: of an EXISTS PostgreSQL would read those of everybody, if its statistics are old.
    fn missed_sql(&self, state: MissedState) -> String {
        format!(
            "SELECT d.id, d.failure, e.type, (SELECT COUNT(*) FROM deliveries r {}
               WHERE r.account_id = d.account_id AND r.event_id = d.event_id AND r.resend_of IS NOT NULL
                 AND r.resend_of = d.id AND r.state <> 'failed' AND r.state <> 'cancelled' AND r.state <> 'held') > 0
                 AS repeated,
               (SELECT r.id FROM deliveries r {}
               WHERE r.account_id = d.account_id AND r.event_id = d.event_id AND r.resend_of IS NOT NULL
                 AND r.resend_of = d.id AND r.state = 'held' ORDER BY r.id LIMIT 1) AS held
             FROM ({}) AS d
             LEFT JOIN events e ON e.account_id = d.account_id AND e.id = d.event_id",
            self.backend.through("deliveries_resent"),
            self.backend.through("deliveries_resent"),
            self.within(state)
        )
    }

    /// Those that are missed, by their index; of tests nothing is. A repeat that was given up is not looked at: the first one is.
    fn within(&self, state: MissedState) -> String {
        let (which, index) = match state {
            MissedState::Failed => (
                "state = 'failed' AND resend_of IS NULL",
                "deliveries_failed",
            ),
            MissedState::Held => ("state = 'held'", "deliveries_held"),
        };
        format!(
            "SELECT account_id, id, event_id, failure FROM deliveries {}
             WHERE account_id = $1 AND endpoint_id = $2 AND {which} AND id > $3 AND id <= $4 AND test IS NULL
               AND event_id >= $5 AND event_id < $6
             ORDER BY id LIMIT $7",
            self.backend.through(index)
        )
    }
}
