//! A stored event as evaluation sees it.

use std::sync::Arc;

use super::{Error, Service};
use crate::model::{AccountId, Origin};
use crate::pipeline::AcceptedEvent;
use crate::store;

impl Service {
    /// A stored event as evaluation sees it. Refused, if its payload is not kept any more.
    pub(super) async fn accepted(
        &self,
        account: AccountId,
        row: store::Event,
    ) -> Result<AcceptedEvent, Error> {
        if !row.has_payload() {
            return Err(Error::payload_expired());
        }
        let cause = self.inner.store.cause(account, row.id).await?;
        Ok(AcceptedEvent {
            id: row.id,
            event_type: row
                .r#type
                .parse()
                .map_err(|error| Error::unreadable("the event's type", error))?,
            occurred_at: row.occurred_at,
            payload: row.payload.into(),
            origin: origin(row.origin.as_deref())?.map(Arc::new),
            cause: cause.map(Arc::new),
        })
    }
}

/// What is stored of an event's way in.
pub(super) fn origin(text: Option<&str>) -> Result<Option<Origin>, Error> {
    let read = text.map(Origin::parse).transpose();
    read.map_err(|error| Error::unreadable("the event's way in", error))
}
