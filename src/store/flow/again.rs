//! A place in a rate limit that was missed, and asked for again: what was kept back beyond its window, because its
//! automation was switched off or no node lived, has none in any that follows.

use std::collections::BTreeMap;

use super::super::values::args;
use super::super::{Error, Store};
use super::due::Wait;
use super::keys::{self, FlowKey, Memory};
use super::{desk, verdict};
use crate::automation::flow::{Arrival, Ask, Move, decide};
use crate::model::limits::FLOW_WAIT_MS_MAX;
use crate::model::{IncarnationId, Timestamp};

impl Store {
    /// Takes a new place for what `holder` has claimed, which must live. `None`: it is a present one, and it goes
    /// on; else it waits again, until then.
    pub async fn ask_again(
        &self,
        holder: IncarnationId,
        wait: &Wait,
        ask: &Ask,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, Error> {
        let place = wait.place;
        let own = keys::of_ask(place.account, place.automation, ask);
        let named = own.iter().cloned().map(|key| (key, Memory::default()));
        let mut keys: BTreeMap<FlowKey, Memory> = named.collect();
        let mut tx = self.begin_as(holder).await?;
        keys::lock(&mut tx, &mut keys, now).await?;
        let arrival = Arrival {
            event: place.event,
            version: wait.version,
            now,
            ask,
        };
        let decision = decide(arrival, &desk::known(&keys, &BTreeMap::new(), &own));
        if let Some((used, until)) = decision.used {
            let memory = Memory {
                event: None,
                at: Some(used.since),
                events: Some(used.events),
                expires_at: Some(until),
            };
            for known in keys.values_mut() {
                *known = memory;
            }
        }
        keys::write(&mut tx, &keys).await?;
        let later = match decision.moves {
            Move::Go => None,
            Move::Wait(at) => Some(at),
            // There is no place within the longest wait: it asks again then.
            _ => Some(now.plus_ms(FLOW_WAIT_MS_MAX)),
        };
        let (state, holds, due_at) = match later {
            None => ("claimed", Some(holder), now),
            Some(at) => ("waiting", None, at),
        };
        let which = args![
            place.account,
            place.automation,
            place.event,
            holder,
            state,
            holds,
            due_at
        ];
        tx.execute(
            "UPDATE flow_waits SET state = $5, holder = $6, due_at_ms = $7
             WHERE account_id = $1 AND automation_id = $2 AND event_id = $3 AND holder = $4",
            which,
        )
        .await?;
        if let Some(at) = later {
            let missed = wait.due_at;
            let note = format!(
                "its turn was at {missed}, and its window was over before it could go: it goes at {at}"
            );
            verdict::note(&mut tx, place, &note).await?;
        }
        tx.commit().await?;
        Ok(later)
    }
}
