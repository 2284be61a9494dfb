//! What comes to a receiver, as it comes. Whoever follows is told by a bell when something has come, on this node or on
//! another, and looks for itself now and then, as bells are not heard by all. What was written a moment late, because
//! it came to another node, is not missed: each look goes back a little.

use std::collections::{HashSet, VecDeque};

use futures_util::Stream;
use futures_util::stream::unfold;
use tokio::sync::{OwnedSemaphorePermit, broadcast};

use super::shape::ReceiverRequestView;
use super::{came_at, request_view};
use crate::model::{EventId, ReceiverId, ReceiverRequestId, Timestamp};
use crate::pipeline::Full;
use crate::service::hidden::Shown as _;
use crate::service::principal::{Principal, Right};
use crate::service::{Error, Service};
use crate::store::Receiver;

/// How long one stream lasts: whoever follows on shows its key again.
const LASTS_MS: i64 = 5 * 60_000;
/// How often it is looked, bell or no bell.
const LOOK_MS: i64 = 1_000;
/// How far a look goes back.
const BACK_MS: i64 = 10_000;
/// How far back what waits for an answer is looked for.
const UNANSWERED_MS: i64 = 60_000;
/// For how long after a look whoever forwards is taken to be there.
const THERE_MS: i64 = 15_000;
/// Requests of one look.
const PAGE: usize = 100;

/// One thing that whoever follows is told.
#[derive(Debug)]
pub enum Followed {
    /// From now on it is followed.
    Begun,
    /// Something has come.
    Request(Box<ReceiverRequestView>),
}

/// What is done with what comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// It is looked at.
    Look,
    /// It is forwarded, and answered.
    Forward,
}

/// Where a stream stands.
struct Follower {
    service: Service,
    row: Receiver,
    purpose: Purpose,
    bell: broadcast::Receiver<ReceiverId>,
    /// Nothing up to this one is told.
    after: ReceiverRequestId,
    /// The newest that was told.
    newest: ReceiverRequestId,
    /// What was told lately.
    told: HashSet<ReceiverRequestId>,
    ready: VecDeque<Followed>,
    ends_at: Timestamp,
    _place: OwnedSemaphorePermit,
}

impl Service {
    /// What comes to a receiver from now on; or after the request with the id `after`, as far as it is kept.
    pub async fn follow_receiver<R: Right>(
        &self,
        who: &Principal<R>,
        id: &str,
        after: Option<&str>,
    ) -> Result<impl Stream<Item = Followed> + Send + use<R>, Error> {
        let after = after.and_then(|text| text.parse().ok());
        let row = self.receiver_row(who.account(), id).await?;
        self.follow(row, Purpose::Look, after).await
    }

    /// The same, and the follower answers what comes, as long as it follows.
    pub async fn forward_receiver<R: Right>(
        &self,
        who: &Principal<R>,
        id: &str,
    ) -> Result<impl Stream<Item = Followed> + Send + use<R>, Error> {
        let row = self.receiver_row(who.account(), id).await?;
        self.follow(row, Purpose::Forward, None).await
    }

    async fn follow(
        &self,
        row: Receiver,
        purpose: Purpose,
        after: Option<ReceiverRequestId>,
    ) -> Result<impl Stream<Item = Followed> + Send + use<>, Error> {
        let (receivers, now) = (&self.inner.receivers, self.inner.clock.now());
        let place = receivers.streams.of(row.account).try_acquire_owned();
        let place = place.map_err(|_| Error::NoRoom(Full::Account))?;
        // What comes from here on rings.
        let bell = receivers.bell.subscribe();
        let after = after.unwrap_or_else(|| ReceiverRequestId::mint(now));
        let mut follower = Follower {
            service: self.clone(),
            row,
            purpose,
            bell,
            after,
            newest: after,
            told: HashSet::new(),
            ready: VecDeque::from([Followed::Begun]),
            ends_at: now.plus_ms(LASTS_MS),
            _place: place,
        };
        // Before anybody is told that it is followed, it is.
        follower.look().await?;
        Ok(unfold(follower, |mut follower| async move {
            let next = follower.next().await?;
            Some((next, follower))
        }))
    }
}

impl Follower {
    async fn next(&mut self) -> Option<Followed> {
        loop {
            if let Some(next) = self.ready.pop_front() {
                return Some(next);
            }
            if !self.wait().await {
                return None;
            }
            if let Err(error) = self.look().await {
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "a stream of a receiver breaks off"
                );
                return None;
            }
        }
    }

    /// Until there may be something; whether the stream goes on.
    async fn wait(&mut self) -> bool {
        let clock = self.service.inner.clock.clone();
        let look_at = clock.now().plus_ms(LOOK_MS);
        loop {
            tokio::select! {
                rung = self.bell.recv() => {
                    if !rung.is_ok_and(|rung| rung != self.row.id) {
                        break;
                    }
                }
                () = clock.sleep_until(look_at) => break,
            }
        }
        // A node that stops, or has lost its database, follows nothing.
        clock.now() < self.ends_at && self.service.pipeline().is_some()
    }

    /// Takes what has come, and says that it is there.
    async fn look(&mut self) -> Result<(), Error> {
        let (service, now) = (self.service.clone(), self.service.inner.clock.now());
        let which = (self.row.account, self.row.id);
        let store = &service.inner.store;
        let found = store.receiver(which.0, which.1).await?;
        self.row = found.ok_or(Error::NotFound("receiver"))?;
        let from = match self.purpose {
            Purpose::Look => first_at(came_at(self.newest).plus_ms(-BACK_MS)).max(self.after),
            Purpose::Forward => {
                self.is_there(now).await?;
                first_at(now.plus_ms(-UNANSWERED_MS))
            }
        };
        let mut rows = store.received_after(which, from, PAGE).await?;
        while rows.len().is_multiple_of(PAGE)
            && let Some(last) = rows.last().map(|row| row.id)
        {
            let more = store.received_after(which, last, PAGE).await?;
            if more.is_empty() {
                break;
            }
            rows.extend(more);
        }
        rows.retain(|row| {
            let is_wanted = self.purpose == Purpose::Look || row.answer.is_none();
            is_wanted && !self.told.contains(&row.id)
        });
        self.told.retain(|id| *id > from);
        if rows.is_empty() {
            return Ok(());
        }
        let verifier = service.verifier(&self.row).await?;
        let hidden = service.hidden(which.0).await?;
        for row in rows {
            self.newest = self.newest.max(row.id);
            self.told.insert(row.id);
            let view = request_view(row, &verifier)?;
            // Who forwards sends it on as it came.
            let view = match self.purpose {
                Purpose::Look => view.without(&hidden),
                Purpose::Forward => view,
            };
            self.ready.push_back(Followed::Request(Box::new(view)));
        }
        Ok(())
    }

    /// Says that somebody forwards, unless that was said a moment ago.
    async fn is_there(&self, now: Timestamp) -> Result<(), Error> {
        let said = self.row.forwarded_until;
        if said.is_some_and(|until| until > now.plus_ms(THERE_MS / 2)) {
            return Ok(());
        }
        let until = Some(now.plus_ms(THERE_MS));
        let store = &self.service.inner.store;
        Ok(store
            .forward_receiver(self.row.account, self.row.id, until)
            .await?)
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        if self.purpose == Purpose::Look {
            return;
        }
        // What comes is not kept waiting for somebody who is gone; another one who is there says so again.
        let (service, which) = (self.service.clone(), (self.row.account, self.row.id));
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let store = &service.inner.store;
                drop(store.forward_receiver(which.0, which.1, None).await);
                service.ring_for(which.1);
            });
        }
    }
}

/// What all ids of this time and after come after.
fn first_at(at: Timestamp) -> ReceiverRequestId {
    ReceiverRequestId::from_uuid(EventId::first_at(at).uuid())
}
