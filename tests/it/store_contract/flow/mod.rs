//! Flow control in the store: decided once under a lock of the key, written with the plan; what waits is
//! claimed once and goes on record when it ends.

mod keys;
mod waits;

use bytes::Bytes;
use throwbar::automation::flow::{Ask, Then};
use throwbar::model::{AccountId, AutomationId, EventId, IncarnationId, Precedence, Timestamp};
use throwbar::store::{FlowRecord, Gated, NewAsk, NewEvent, NewPlan, Store, WaitKey};

use super::somebody;
use crate::support::batch;
use crate::support::making::{self, now};
use crate::support::store::ok;

/// An automation of an account, and the asks of its events.
struct Story<'a> {
    store: &'a Store,
    account: AccountId,
    automation: AutomationId,
    holder: IncarnationId,
    start: Timestamp,
}

impl<'a> Story<'a> {
    async fn begin(store: &'a Store) -> Self {
        let account = making::account(store).await;
        let new = making::automation("{}");
        ok(store.create_automation(account, &new)).await;
        Self {
            store,
            account,
            automation: new.id,
            holder: somebody(),
            start: now(),
        }
    }

    fn place(&self, event: EventId) -> WaitKey {
        WaitKey {
            account: self.account,
            automation: self.automation,
            event,
        }
    }

    /// An event that was accepted, and its plan so many ms after the start.
    async fn planned(&self, ask: &Ask, ms: i64) -> NewPlan {
        let event = making::event(self.account, format!("{ms}"));
        ok(self
            .store
            .write(self.holder, &batch::accepts(vec![event.clone()])))
        .await;
        self.plan_of(&event, ask, ms)
    }

    fn plan_of(&self, event: &NewEvent, ask: &Ask, ms: i64) -> NewPlan {
        let mut plan = making::plan(self.account, event.id, Vec::new());
        plan.evaluated_at = self.start.plus_ms(ms);
        plan.asks = vec![NewAsk {
            automation: self.automation,
            version: 1,
            ask: ask.clone(),
            precedence: Precedence::of(event.id, event.occurred_at, None),
            alert_after: Some(2),
        }];
        plan
    }

    async fn write(&self, plans: Vec<NewPlan>) -> Vec<Gated> {
        ok(self.store.write(self.holder, &batch::plans(plans)))
            .await
            .gated
    }

    /// What becomes of a new event.
    async fn take(&self, ask: &Ask, ms: i64) -> Gated {
        let plan = self.planned(ask, ms).await;
        let mut gated = self.write(vec![plan]).await;
        assert_eq!(gated.len(), 1);
        gated.remove(0)
    }

    async fn claimed(&self, ms: i64) -> Vec<EventId> {
        let at = self.start.plus_ms(ms);
        let claim = ok(self.store.claim_waits(self.holder, self.account, at, 10)).await;
        claim.waits.iter().map(|wait| wait.place.event).collect()
    }

    async fn record(&self, event: EventId) -> FlowRecord {
        let mut records = ok(self.store.flow_records(self.account, event)).await;
        assert_eq!(records.len(), 1);
        records.remove(0)
    }

    /// The plan of what has waited.
    fn late(&self, event: EventId) -> NewPlan {
        let mut plan = making::plan(self.account, event, Vec::new());
        plan.late = Some(self.automation);
        plan.verdicts = Bytes::from_static(b"[1]");
        plan
    }
}

fn dedupe(window_ms: i64) -> Ask {
    Ask {
        dedupe: Some(("k".to_owned(), window_ms)),
        then: Then::Go,
    }
}

fn then(then: Then) -> Ask {
    Ask { dedupe: None, then }
}

fn debounce() -> Ask {
    then(Then::Debounce {
        key: "k".to_owned(),
        period_ms: 100,
        longest_ms: 250,
    })
}

fn digest(events_max: i64) -> Ask {
    then(Then::Digest {
        key: "k".to_owned(),
        period_ms: 1_000,
        events_max,
        bytes_max: 1_000,
        bytes: 10,
    })
}
