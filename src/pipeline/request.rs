//! The request of a delivery: the body in its envelope, the headers that its transforms added, those that are
//! its endpoint's own, and the signatures of its endpoint's keys, as of now. Pure; an attempt sends it, a trial shows it.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::plan::Content;
use super::standing::EndpointView;
use crate::envelope::{Envelope, Occurrence, Wrapped};
use crate::model::{AccountId, Origin, Timestamp};
use crate::signing::{self, Message, MessageId};

/// What a request is made from, besides its endpoint.
#[derive(Debug, Clone, Copy)]
pub(super) struct RequestParts<'a> {
    pub(super) account: AccountId,
    pub(super) envelope: Envelope,
    /// What the receiver knows it by.
    pub(super) webhook_id: &'a str,
    pub(super) content: &'a Content,
}

impl RequestParts<'_> {
    /// The body, the same in every attempt, and what its envelope has in headers; or why it can't be made.
    pub(super) fn wrapped(&self) -> Result<Wrapped, String> {
        let content = self.content;
        let origin = content.origin.as_ref().map_err(Clone::clone)?.as_deref();
        Ok(self.envelope.wrap(&Occurrence {
            account: self.account,
            id: self.webhook_id,
            event_type: &content.event_type,
            at: content.occurred_at,
            payload: &content.payload,
            came_as: origin.and_then(Origin::cloudevent),
            is_made: content.is_made,
        }))
    }

    /// Headers and body as they leave now; or why they can't: something stored can't be read, or a key is
    /// missing.
    pub(super) fn signed(
        &self,
        view: &EndpointView,
        now: Timestamp,
    ) -> Result<(HeaderMap, Bytes), String> {
        let content = self.content;
        let extra = content.headers.as_ref().map_err(Clone::clone)?;
        let own = view.headers.as_ref().map_err(Clone::clone)?;
        let Wrapped {
            body,
            content_type,
            headers: told,
        } = self.wrapped()?;
        let id = MessageId::parse(self.webhook_id).map_err(|error| error.to_string())?;
        let event_type = HeaderValue::from_str(&content.event_type)
            .map_err(|_| "the event's type can't be a header".to_owned())?;
        let mut headers = HeaderMap::with_capacity(16);
        for (name, value) in extra {
            // The sandbox has let only allowed names through.
            if let (Ok(name), Ok(value)) =
                (HeaderName::try_from(name), HeaderValue::try_from(value))
            {
                headers.insert(name, value);
            }
        }
        for (name, value) in own {
            headers.insert(name, value.clone());
        }
        headers.extend(told);
        headers.insert(header::CONTENT_TYPE, content_type);
        for scheme in &view.settings.signatures {
            let message = Message {
                id: &id,
                at: now,
                event_type: &event_type,
                body: &body,
            };
            let keys = view.keys.of(scheme, now)?;
            signing::sign(scheme, &keys, &message, &mut headers)
                .map_err(|error| error.to_string())?;
        }
        Ok((headers, body))
    }
}
