//! What an endpoint has missed because it did not subscribe to it then, or was not there: events that its
//! subscription of today names, and of which no subscription of its own has made a delivery. They are made what that
//! would have made of them, under the ids that it would have given: whoever does it twice has done it once.

use std::collections::HashSet;

use super::Error;
use super::work::Work;
use crate::automation::{Definition, EventType, Pattern};
use crate::envelope::Envelope;
use crate::model::{
    AutomationId, DeliveryId, DeliveryOrigin, EndpointId, EventId, Recovery, RecoveryTally,
    Timestamp,
};
use crate::store::{NewDelivery, PastEvent};

/// An endpoint's own subscription as it is now.
struct Subscription {
    automation: AutomationId,
    endpoint: EndpointId,
    envelope: Envelope,
    patterns: Vec<Pattern>,
}

/// What is known of events that a subscription names.
#[derive(Debug, Default)]
struct Known {
    /// Of these a delivery was made.
    made: HashSet<EventId>,
    /// These are still to be evaluated: nobody knows yet what follows from them.
    unplanned: HashSet<EventId>,
    /// Of these the payload is not kept any more.
    expired: HashSet<EventId>,
}

/// What a look has come to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Look {
    /// Events of which a delivery is to be made.
    pub(super) missed: Vec<EventId>,
    /// Everything up to here is done with them.
    pub(super) reached: Option<EventId>,
    pub(super) looked_at: i64,
    /// So many were missed whose payload is not kept any more.
    pub(super) expired: u64,
}

/// What comes next of it.
pub(super) enum Next {
    /// There is nothing more.
    Nothing,
    /// Deliveries that are to be made, and how far that is; there may be none among so many events.
    Some(Vec<(EventId, NewDelivery)>, Look),
    /// The next event is still to be evaluated.
    Unplanned,
}

/// Looks at the next `limit` events at most, for `burst` that were missed.
pub(super) async fn next(
    work: &Work,
    asked: &Recovery,
    tally: &RecoveryTally,
    meets: impl Fn(&EventType) -> bool,
    (limit, burst): (usize, usize),
) -> Result<Next, Error> {
    let Some(own) = Subscription::of(work, asked.endpoint).await? else {
        return Ok(Next::Nothing);
    };
    let (store, account) = (&work.node.store, work.row.account);
    let after = tally.reached_event.unwrap_or(asked.from.before());
    let events = store.past_events(account, (after, asked.before), limit);
    let events = events.await?;
    if events.is_empty() {
        return Ok(Next::Nothing);
    }
    let named = |event: &PastEvent| {
        let event_type: Option<EventType> = event.r#type.parse().ok();
        event_type.is_some_and(|name| own.names(&name) && meets(&name))
    };
    let named: HashSet<EventId> = events
        .iter()
        .filter(|event| named(event))
        .map(|event| event.id)
        .collect();
    let ids: Vec<EventId> = named.iter().copied().collect();
    let unplanned = store.unplanned(account, &ids).await?;
    let gone = events.iter().filter(|event| event.payload_bytes == 0);
    let known = Known {
        // Asked afterwards: what was planned in between is made.
        made: store
            .own_deliveries(account, asked.endpoint, &ids)
            .await?
            .into_iter()
            .collect(),
        unplanned: unplanned.into_iter().collect(),
        expired: gone.map(|event| event.id).collect(),
    };
    let ids = events.iter().map(|event| event.id);
    let look = choose(ids, &named, &known, burst);
    if look.looked_at == 0 {
        return Ok(Next::Unplanned);
    }
    let now = work.node.clock.now();
    let made = look.missed.iter().map(|event| own.delivery(*event, now));
    Ok(Next::Some(made.collect(), look))
}

/// Chooses a burst at most; what comes after it is looked at again.
fn choose(
    events: impl Iterator<Item = EventId>,
    named: &HashSet<EventId>,
    known: &Known,
    burst: usize,
) -> Look {
    let mut look = Look::default();
    for event in events {
        if look.missed.len() == burst || known.unplanned.contains(&event) {
            break;
        }
        look.looked_at += 1;
        look.reached = Some(event);
        if !named.contains(&event) || known.made.contains(&event) {
            continue;
        }
        if known.expired.contains(&event) {
            look.expired += 1;
        } else {
            look.missed.push(event);
        }
    }
    look
}

impl Subscription {
    async fn of(work: &Work, endpoint: EndpointId) -> Result<Option<Self>, Error> {
        let found = work.node.store.subscription(work.row.account, endpoint);
        let Some((automation, definition)) = found.await? else {
            return Ok(None);
        };
        let definition: Definition = serde_json::from_str(&definition)?;
        Ok(Some(Self {
            automation,
            endpoint,
            envelope: work.standing().await?.envelope(endpoint),
            patterns: definition.trigger.events,
        }))
    }

    fn names(&self, event_type: &EventType) -> bool {
        self.patterns.iter().any(|one| one.matches(event_type))
    }

    /// What it would have made of the event.
    fn delivery(&self, event: EventId, due_at: Timestamp) -> (EventId, NewDelivery) {
        let origin = DeliveryOrigin {
            event,
            automation: self.automation,
            action_no: 0,
            endpoint: self.endpoint,
            output_no: 0,
        };
        let delivery = NewDelivery {
            id: DeliveryId::derive(&origin),
            automation: self.automation,
            endpoint: self.endpoint,
            output_no: None,
            envelope: self.envelope,
            webhook_id: event.to_string(),
            due_at: Some(due_at),
            order: None,
        };
        (event, delivery)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_named_and_never_made_is_missed_up_to_what_nobody_knows_yet() {
        let ids: Vec<EventId> = (1..=6)
            .map(|ms| EventId::first_at(Timestamp::from_ms(ms)))
            .collect();
        let set = |places: &[usize]| places.iter().map(|place| ids[*place]).collect();
        let known = |made: &[usize], unplanned: &[usize]| Known {
            made: set(made),
            unplanned: set(unplanned),
            expired: set(&[5]),
        };
        let named = set(&[0, 1, 3, 4, 5]);
        for (known, burst, missed, looked_at) in [
            (known(&[], &[]), 9, vec![0, 1, 3, 4], 6),
            (known(&[], &[]), 2, vec![0, 1], 2),
            (known(&[0, 3], &[]), 9, vec![1, 4], 6),
            (known(&[0, 3], &[4]), 9, vec![1], 4),
            (known(&[], &[0]), 9, vec![], 0),
        ] {
            let look = choose(ids.iter().copied(), &named, &known, burst);
            let missed: Vec<EventId> = missed.into_iter().map(|place: usize| ids[place]).collect();
            assert_eq!(look.expired, u64::from(looked_at == 6));
            assert_eq!((look.missed, look.looked_at), (missed, looked_at));
            let last = (looked_at as usize).checked_sub(1).map(|place| ids[place]);
            assert_eq!(look.reached, last);
        }
    }
}
