//! Requests that don't leave the house: to URLs of this server that somebody in it takes. Nothing is dialled for them,
//! so that the guard has nothing to judge; whoever takes them decides for whom it does.

use std::fmt;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::header::{self, HeaderMap, HeaderValue};
use uuid::Uuid;

use super::target::Target;
use crate::model::Refusal;

/// Who takes requests in the house.
pub trait OwnDoor: fmt::Debug + Send + Sync {
    /// Whether a URL may be of something that it takes requests for.
    fn leads_to(&self, target: &Target) -> bool;

    /// Takes a request; `None`: it is not for this party to reach in the house, and goes out as any other.
    fn take(&self, request: OwnRequest) -> BoxFuture<'static, Option<OwnAnswer>>;
}

/// A request that may be taken in the house.
#[derive(Debug, Clone)]
pub struct OwnRequest {
    /// How.
    pub method: http::Method,
    /// Where.
    pub target: Target,
    /// All headers, as they would be on the line.
    pub headers: HeaderMap,
    /// What.
    pub body: Bytes,
    /// For whom.
    pub on_behalf_of: Uuid,
}

/// What came of it.
#[derive(Debug)]
pub enum OwnAnswer {
    /// An answer.
    Answer {
        /// The status.
        status: u16,
        /// The headers.
        headers: HeaderMap,
        /// The body.
        body: Bytes,
    },
    /// No answer, of this class, with a sentence.
    Refused(Refusal, String),
    /// It could not be taken at the moment.
    Unreachable(String),
}

/// What is answered where there is no room for a request now, over the network, too.
const NO_ROOM: u16 = 429;

impl OwnAnswer {
    /// There is no room for it now.
    pub fn busy() -> Self {
        let retry_after = (header::RETRY_AFTER, HeaderValue::from_static("1"));
        Self::Answer {
            status: NO_ROOM,
            headers: HeaderMap::from_iter([retry_after]),
            body: Bytes::new(),
        }
    }
}

/// Who takes requests in the house, once somebody does. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Own(Arc<OnceLock<Arc<dyn OwnDoor>>>);

impl Own {
    /// From now on it is this one; the first that was named stays.
    pub(super) fn set(&self, door: Arc<dyn OwnDoor>) {
        let _the_first_stays = self.0.set(door);
    }

    /// Who may take a request to this URL.
    pub(super) fn door(&self, target: &Target) -> Option<&Arc<dyn OwnDoor>> {
        self.0.get().filter(|door| door.leads_to(target))
    }
}
