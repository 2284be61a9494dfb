//! What led to the events of a digest, as one cause.

use std::collections::HashMap;

use super::super::past::PastEvent;
use super::super::{Error, Store};
use crate::automation::EventType;
use crate::model::{AccountId, Cause, EventId, Member};

impl Store {
    /// What led to these events of a digest, the digest's own first; `None`: nothing that is on record. What is no
    /// longer kept has led to nothing.
    pub async fn joined_cause(
        &self,
        account: AccountId,
        events: &[EventId],
    ) -> Result<Option<Cause>, Error> {
        let found = self.past_events_of(account, events).await?;
        let found: HashMap<EventId, PastEvent> =
            found.into_iter().map(|event| (event.id, event)).collect();
        let members = events.iter().filter_map(|id| found.get(id)).map(member);
        let members: Result<Vec<_>, Error> = members.collect();
        Ok(Cause::join(members?))
    }
}

fn member(event: &PastEvent) -> Result<Member, Error> {
    let cause = event.cause.as_deref().map(Cause::parse).transpose();
    let event_type = event.r#type.parse();
    Ok(Member {
        event: event.id,
        is_operational: event_type.is_ok_and(|it: EventType| it.is_operational()),
        cause: cause.map_err(|error| Error::Corrupt {
            what: "the cause of a digest's event",
            why: error.to_string(),
        })?,
    })
}
