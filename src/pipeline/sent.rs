//! The requests of past attempts, made again from what is stored: the body of the delivery, and the headers as the
//! endpoint and its keys have them. Whether those are the headers that left, an attempt's digest tells; those that
//! are not are not shown.

use std::sync::Arc;

use bytes::Bytes;

use super::claimer::content;
use super::plan::Content;
use super::request::RequestParts;
use super::secret::HIDDEN;
use super::standing::Standing;
use super::{Pipeline, Secrets, SnapshotError, shown, trace};
use crate::envelope::{Envelope, Wrapped};
use crate::model::{AccountId, EndpointId, Timestamp};
use crate::outbound;
use crate::store::{self, ClaimedDelivery};

/// Most bytes of a past request's body that are shown.
pub const SENT_BODY_BYTES_MAX: usize = 4096;

/// Why past requests can't be made again at the moment.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// How the account stands can't be loaded.
    #[error("how the account stands can't be loaded")]
    Snapshot(#[source] SnapshotError),
    /// The body can't be read.
    #[error("what was sent can't be read")]
    Store(#[source] store::Error),
}

/// What the attempts of one delivery have sent.
#[derive(Debug)]
pub struct SentDelivery {
    account: AccountId,
    endpoint: EndpointId,
    webhook_id: String,
    /// `None`: the payload is not kept any more, or the envelope can't be read.
    carried: Option<(Envelope, Arc<Content>)>,
    standing: Arc<Standing>,
}

/// One past request, as far as it can still be told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SentRequest {
    /// Its headers, `***` in place of what nobody may see; `None`: what they are made of has changed since.
    pub headers: Option<Vec<(String, String)>>,
    /// The beginning of its body, [`SENT_BODY_BYTES_MAX`] at most; `None`: it is not kept any more.
    pub body: Option<String>,
    /// How many bytes the whole body has.
    pub body_bytes: Option<usize>,
}

impl Pipeline {
    /// What a delivery to this endpoint carries, as of an account's newest revision, which `revision` is.
    pub async fn sent(
        &self,
        (account, revision): (AccountId, i64),
        endpoint: EndpointId,
        delivery: ClaimedDelivery,
    ) -> Result<SentDelivery, Error> {
        let node = &self.node;
        let standing = node.snapshots.standing(account, revision).await;
        let bodies = node.store.bodies(account, std::slice::from_ref(&delivery));
        let body = bodies.await.map_err(Error::Store)?.pop().flatten();
        let carried = body.map(|body| content(&delivery, body));
        Ok(SentDelivery {
            account,
            endpoint,
            webhook_id: delivery.webhook_id,
            carried: delivery.envelope.ok().zip(carried),
            standing: standing.map_err(Error::Snapshot)?,
        })
    }
}

impl SentDelivery {
    /// The request of the attempt that began at `at`; `digest`: that of its headers, if it is known. What is in
    /// `secrets` is hidden.
    pub fn request(&self, at: Timestamp, digest: Option<u64>, secrets: &Secrets) -> SentRequest {
        let Some((envelope, content)) = &self.carried else {
            return SentRequest::default();
        };
        let parts = RequestParts {
            account: self.account,
            envelope: *envelope,
            webhook_id: &self.webhook_id,
            content,
        };
        let Ok(Wrapped { body, .. }) = parts.wrapped() else {
            return SentRequest::default();
        };
        let mut sent = SentRequest {
            body_bytes: Some(body.len()),
            body: Some(excerpt(body, secrets)),
            headers: None,
        };
        let current = self.standing.last_loaded();
        if let Some(Ok(view)) = current.endpoint(self.endpoint)
            && let Ok((mut headers, _)) = parts.signed(view, at)
            && digest == Some(trace::digest(&headers))
        {
            outbound::complete(&mut headers);
            let shown = headers.iter().map(|(name, value)| {
                let text = if value.is_sensitive() || trace::is_private(name) {
                    HIDDEN.to_owned()
                } else {
                    let mut text = String::from_utf8_lossy(value.as_bytes()).into_owned();
                    secrets.hide(&mut text);
                    text
                };
                (name.as_str().to_owned(), text)
            });
            sent.headers = Some(shown.collect());
        }
        sent
    }
}

/// Hidden before it is cut: no part of a secret is left at the end.
fn excerpt(body: Bytes, secrets: &Secrets) -> String {
    shown::text(&secrets.hide_in_body(body), SENT_BODY_BYTES_MAX).0
}
