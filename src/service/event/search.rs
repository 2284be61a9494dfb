//! Looking for words in payloads, newest event first. No index leads there: a look goes down the list within bounds
//! and says where the next one goes on, so that nothing is missed and nobody waits for it. What is not shown is not
//! found either.

use serde_json::value::RawValue;

use crate::model::AccountId;
use crate::model::limits::SCANNED_ROWS_MAX;
use crate::pipeline::Secrets;
use crate::search::Query;
use crate::service::{Error, Service};
use crate::store::{Cursor, Event, EventFilter, EventHead, Page};

/// Most bytes of payloads that are looked at for one page.
const SEARCHED_BYTES_MAX: usize = 16 * 1024 * 1024;
/// About so many bytes of payloads are in memory at a time.
const AT_A_TIME_BYTES: usize = 512 * 1024;
/// Fewest and most events at a time.
const AT_A_TIME_EVENTS: (usize, usize) = (4, 256);

/// How far a look has come.
struct Look {
    found: Vec<EventHead>,
    after: Option<Cursor>,
    events: usize,
    bytes: usize,
}

impl Service {
    /// A page of the events in whose payloads this is found.
    pub(super) async fn search_events(
        &self,
        account: AccountId,
        (query, filter): (&Query, &EventFilter),
        (after, limit): (Option<Cursor>, usize),
    ) -> Result<Page<EventHead>, Error> {
        let hidden = self.hidden(account).await?;
        let mut look = Look {
            found: Vec::new(),
            after,
            events: 0,
            bytes: 0,
        };
        let (least, most) = AT_A_TIME_EVENTS;
        let mut at_a_time = least;
        loop {
            let store = &self.inner.store;
            let page = store.whole_events(account, filter, look.after, at_a_time);
            let page = page.await?;
            // A short page that has a next one has used up the bound of its own walk.
            let is_spent = page.rows.len() < at_a_time;
            for event in page.rows {
                look.after = Some(event.id.uuid());
                look.events += 1;
                look.bytes += event.payload.len();
                if finds(query, &event, &hidden) {
                    look.found.push(head(event));
                    if look.found.len() == limit {
                        return Ok(look.page());
                    }
                }
            }
            let Some(next) = page.next else {
                look.after = None;
                return Ok(look.page());
            };
            look.after = Some(next);
            if is_spent || look.events >= SCANNED_ROWS_MAX || look.bytes >= SEARCHED_BYTES_MAX {
                return Ok(look.page());
            }
            let mean = look.bytes / look.events.max(1);
            at_a_time = (AT_A_TIME_BYTES / mean.max(1)).clamp(least, most);
        }
    }
}

impl Look {
    fn page(self) -> Page<EventHead> {
        Page {
            rows: self.found,
            next: self.after,
        }
    }
}

/// Whether what may be shown of the event's payload has it.
pub(super) fn finds(query: &Query, event: &Event, hidden: &Secrets) -> bool {
    if hidden.is_empty() {
        return query.finds(&event.payload);
    }
    let text = String::from_utf8_lossy(&event.payload).into_owned();
    let Ok(mut shown) = RawValue::from_string(text) else {
        return false;
    };
    hidden.hide_in_json(&mut shown);
    query.finds(shown.get().as_bytes())
}

fn head(event: Event) -> EventHead {
    EventHead {
        id: event.id,
        r#type: event.r#type,
        occurred_at: event.occurred_at,
        client_id: event.client_id,
        test: event.test,
    }
}
