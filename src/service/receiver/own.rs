//! Deliveries to receivers of one's own account don't leave the house: they are handed over within the process, to the
//! same function that takes what comes in by the door. Nothing is dialled for them, so they need no hole in the egress
//! guard, and they arrive at a server that listens on loopback, or that can't reach itself by its public name. Only
//! the account's own receivers are reached so; any other URL, also of this server, goes out as all do.

use std::fmt;
use std::sync::{Arc, Weak};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use url::Url;

use super::{PATH, Received, ReceiverArrival};
use crate::model::AccountId;
use crate::outbound::{OwnAnswer, OwnDoor, OwnRequest, Target};
use crate::service::{Error, Inner, Service};

/// The way from deliveries to receivers. It keeps no service alive.
struct Within(Weak<Inner>);

impl fmt::Debug for Within {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Within")
    }
}

impl OwnDoor for Within {
    fn leads_to(&self, target: &Target) -> bool {
        let service = self.0.upgrade().map(|inner| Service { inner });
        service.is_some_and(|service| service.is_own(target))
    }

    fn take(&self, request: OwnRequest) -> BoxFuture<'static, Option<OwnAnswer>> {
        let service = self.0.upgrade().map(|inner| Service { inner });
        async move { service?.hand_over(request).await }.boxed()
    }
}

impl Service {
    /// From now on this is where the server is, for those who send to its receivers.
    pub fn be_at(&self, origin: Url) {
        self.inner.receivers.origin.store(Some(Arc::new(origin)));
        let within = Arc::new(Within(Arc::downgrade(&self.inner)));
        self.inner.client.hand_over_to(within);
    }

    /// Whether a URL is that of a receiver of this server, whoever's, if there is such a one.
    pub(in crate::service) fn is_own(&self, target: &Target) -> bool {
        self.own_place(target.as_str()).is_some()
    }

    /// What a URL of this server's receivers has after their common beginning.
    pub(super) fn own_place<'u>(&self, url: &'u str) -> Option<&'u str> {
        let origin = self.inner.receivers.origin.load();
        let origin = origin.as_deref()?.as_str().trim_end_matches('/');
        url.strip_prefix(origin)?.strip_prefix(PATH)
    }

    /// `None`: the account has no such receiver.
    async fn hand_over(&self, request: OwnRequest) -> Option<OwnAnswer> {
        let (token, path, query) = parts(self.own_place(request.target.as_str())?);
        let account = AccountId::from_uuid(request.on_behalf_of);
        let door = match self.receiver_door(token).await {
            Ok(door) if door.0.account == account => door,
            Ok(_) | Err(Error::NotFound(_)) => return None,
            Err(error) => return Some(OwnAnswer::Unreachable(error.to_string())),
        };
        let arrival = ReceiverArrival {
            method: request.method,
            path: path.to_owned(),
            query: query.to_owned(),
            headers: request.headers,
            body: request.body,
        };
        Some(match self.receive_at(&door, arrival).await {
            Ok(Received::Answer {
                status,
                headers,
                body,
            }) => OwnAnswer::Answer {
                status,
                headers,
                body,
            },
            Ok(Received::Nothing { class, why }) => OwnAnswer::Refused(class.into(), why),
            Err(Error::NoRoom(_)) => OwnAnswer::busy(),
            Err(error) => OwnAnswer::Unreachable(error.to_string()),
        })
    }
}

/// The token, what follows it from the slash on, and the query.
pub(super) fn parts(place: &str) -> (&str, &str, &str) {
    let (path, query) = place.split_once('?').unwrap_or((place, ""));
    let end = path.find('/').unwrap_or(path.len());
    let (token, rest) = path.split_at(end);
    (token, if rest.is_empty() { "/" } else { rest }, query)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_token_a_path_and_a_query() {
        for (place, expected) in [
            ("r_a", ("r_a", "/", "")),
            ("r_a/", ("r_a", "/", "")),
            ("r_a/b/c?d=/e", ("r_a", "/b/c", "d=/e")),
            ("r_a?x", ("r_a", "/", "x")),
        ] {
            assert_eq!(parts(place), expected);
        }
    }
}
