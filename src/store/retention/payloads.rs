//! The first that goes: what events say, and what transforms have made of it. The event stays, with what became of
//! it; what was still to be sent of it is given up, since there is nothing to send.

use bytes::Bytes;

use super::super::backend::Tx;
use super::super::values::{Columns, Kind, Rows, Shape, values};
use super::super::{Error, Store};
use super::close::{Which, find};
use super::{Stretch, Swept, delete_of};
use crate::model::{AccountId, EventId, Timestamp};

/// What tells the payload, beside the event's own row.
const TABLES: [&str; 2] = ["bodies", "event_violations"];

const PAYLOAD_COLUMNS: Columns = &[
    ("account_id", Kind::Uuid),
    ("id", Kind::Uuid),
    ("payload", Kind::Bytes),
];

impl Store {
    /// Takes the payloads of the events. If they have too many open deliveries for one step, some of those are given
    /// up, and the walk has not come further.
    pub(super) async fn sweep_payloads(
        &self,
        tx: &mut Tx,
        account: AccountId,
        stretch: &mut Stretch,
        now: Timestamp,
    ) -> Result<Swept, Error> {
        let found = find(tx, account, &stretch.events, Which::Open).await?;
        let times = (stretch.before, now);
        let (expired, due) = self.expire(tx, account, &found, times).await?;
        let mut swept = Swept {
            expired,
            due,
            ..Swept::default()
        };
        if !found.is_whole() && expired > 0 {
            stretch.stay();
            return Ok(swept);
        }
        found.spare(&mut stretch.events, stretch.before);
        erase_payloads(tx, account, &stretch.events).await?;
        swept.payloads = stretch.events.len() as u64;
        Ok(swept)
    }
}

/// Takes the payloads of these events, whatever is open of them.
async fn erase_payloads(tx: &mut Tx, account: AccountId, events: &[EventId]) -> Result<(), Error> {
    let mut emptied = Rows::new(PAYLOAD_COLUMNS, events.len());
    for event in events {
        emptied.push(values![account, *event, Bytes::new()]);
    }
    let empty = Shape::Update {
        table: "events",
        key: 2,
        set: "",
        only_if: "",
    };
    tx.execute_rows(emptied, empty).await?;
    delete_of(tx, account, events, &TABLES).await
}
