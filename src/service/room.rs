//! Room for bodies while they are read: so many bytes for all of them together, half of them for one
//! account, as they come, and so long for each. What a sender only announces takes no room.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use super::turns::Turn;
use super::{Error, Rules, Service};
use crate::model::{AccountId, Shares};
use crate::pipeline::Full;

/// Bytes of all bodies that are being read, components left out.
const BYTES_MAX: usize = 64 * 1024 * 1024;
/// How long any body may take.
const BODY_MS: i64 = 15_000;
/// How fast a long one must come at least: a quarter of a megabyte a second.
const BYTES_PER_MS: usize = 256;
/// How much of a body that is too long is still read, so that its sender gets to read the answer:
/// many only listen once they have sent everything.
const DISCARDED_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What is taken, and what of it is left.
#[derive(Debug)]
pub(super) struct Rooms {
    all: Semaphore,
    accounts: Shares<AccountId>,
    /// Of bodies that come to an account's sources.
    sources: Shares<AccountId>,
}

impl Rooms {
    /// Half of the room for an account: or more, if the operator lets bodies be so large.
    pub(super) fn new(rules: &Rules) -> Self {
        let largest = rules.batch_bytes_max.max(rules.body_bytes_max());
        let account_bytes_max = largest.max(BYTES_MAX / 2);
        Self {
            all: Semaphore::new(BYTES_MAX.max(account_bytes_max)),
            accounts: Shares::new(account_bytes_max),
            sources: Shares::new(largest.max(BYTES_MAX / 4)),
        }
    }

    fn source_room(&self, account: AccountId) -> BodyRoom<'_> {
        BodyRoom {
            all: &self.all,
            own: self.sources.of(account),
            taken: None,
        }
    }

    fn room(&self, account: AccountId) -> BodyRoom<'_> {
        BodyRoom {
            all: &self.all,
            own: self.accounts.of(account),
            taken: None,
        }
    }
}

/// The room that one body takes, until it is dropped.
#[derive(Debug)]
pub struct BodyRoom<'a> {
    all: &'a Semaphore,
    own: Arc<Semaphore>,
    taken: Option<(OwnedSemaphorePermit, SemaphorePermit<'a>)>,
}

/// The turn to upload a component, until it is dropped.
#[derive(Debug, Clone)]
pub struct UploadTurn {
    _turn: Arc<Turn>,
}

impl BodyRoom<'_> {
    /// Takes room for further bytes. [`Error::NoRoom`] if there is none.
    pub fn take(&mut self, bytes: usize) -> Result<(), Error> {
        let bytes = u32::try_from(bytes).map_err(|_| Error::NoRoom(Full::Server))?;
        let own = self.own.clone().try_acquire_many_owned(bytes);
        let own = own.map_err(|_| Error::NoRoom(Full::Account))?;
        let all = self.all.try_acquire_many(bytes);
        let all = all.map_err(|_| Error::NoRoom(Full::Server))?;
        match &mut self.taken {
            Some((taken_own, taken_all)) => {
                taken_own.merge(own);
                taken_all.merge(all);
            }
            None => self.taken = Some((own, all)),
        }
        Ok(())
    }
}

impl Service {
    /// Room for a body of this account's, of which nothing is taken yet.
    pub fn body_room(&self, account: AccountId) -> BodyRoom<'_> {
        self.inner.rooms.room(account)
    }

    /// The same for a body that anybody may send who knows the URL of one of the account's sources: a
    /// smaller share, so that strangers leave room for those who have a key.
    pub(super) fn source_room(&self, account: AccountId) -> BodyRoom<'_> {
        self.inner.rooms.source_room(account)
    }

    /// Reads a body to its end, or up to its bound, or until its time is over.
    pub async fn read_body<B: BodyExt<Data = Bytes> + Unpin>(
        &self,
        body: B,
        bytes_max: usize,
        room: Option<BodyRoom<'_>>,
    ) -> Result<Bytes, Error> {
        tokio::select! {
            biased;
            whole = gather(body, bytes_max, room) => whole,
            overdue = self.body_overdue(bytes_max) => Err(overdue),
        }
    }

    /// Returns once a body that may have so many bytes should have been read.
    async fn body_overdue(&self, bytes_max: usize) -> Error {
        let clock = &self.inner.clock;
        let ms = BODY_MS + (bytes_max / BYTES_PER_MS) as i64;
        clock.sleep_until(clock.now().plus_ms(ms)).await;
        Error::BodyOverdue { s: ms / 1000 }
    }

    /// Waits for the turn to upload a component of this account's.
    pub async fn upload_turn(&self, account: AccountId) -> Result<UploadTurn, Error> {
        let turn = self.inner.uploads.turn(&self.inner.clock, account).await;
        let turn = turn.map_err(Error::NoRoom)?;
        Ok(UploadTurn {
            _turn: Arc::new(turn),
        })
    }
}

/// The bytes of a body. One that came in one piece is not copied. Of one that is too long nothing is kept.
async fn gather<B: BodyExt<Data = Bytes> + Unpin>(
    mut body: B,
    bytes_max: usize,
    mut room: Option<BodyRoom<'_>>,
) -> Result<Bytes, Error> {
    let (mut first, mut all, mut seen) = (Bytes::new(), BytesMut::new(), 0_usize);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Error::Malformed {
            why: "the body broke off: send it again".to_owned(),
        })?;
        // What is no data is trailers, which nobody asked for.
        let Ok(piece) = frame.into_data() else {
            continue;
        };
        seen = seen.saturating_add(piece.len());
        if seen > bytes_max {
            (first, all, room) = (Bytes::new(), BytesMut::new(), None);
            if seen > bytes_max.saturating_add(DISCARDED_BYTES_MAX) {
                break;
            }
            continue;
        }
        if let Some(room) = &mut room {
            room.take(piece.len())?;
        }
        if first.is_empty() && all.is_empty() {
            first = piece;
        } else {
            all.extend_from_slice(&std::mem::take(&mut first));
            all.extend_from_slice(&piece);
        }
    }
    if seen > bytes_max {
        return Err(Error::TooLarge {
            what: "the body",
            bytes_max,
        });
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;
    use crate::service::Schemes;

    fn account(no: u128) -> AccountId {
        AccountId::from_uuid(uuid::Uuid::from_u128(no))
    }

    #[tokio::test]
    async fn a_body_in_pieces_is_put_together_and_bounded() {
        let pieces = |lengths: &[usize]| {
            let pieces: Vec<_> = lengths
                .iter()
                .map(|length| Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; *length])))
                .collect();
            Body::from_stream(futures_util::stream::iter(pieces))
        };
        for (lengths, expected) in [
            (&[][..], Some(0)),
            (&[0, 3], Some(3)),
            (&[3, 0, 4], Some(7)),
            (&[5, 5], Some(10)),
            (&[5, 6], None),
            (&[11], None),
        ] {
            let gathered = gather(pieces(lengths), 10, None).await;
            assert_eq!(
                gathered.ok().map(|bytes| bytes.len()),
                expected,
                "{lengths:?}"
            );
        }
    }

    #[test]
    fn bodies_take_room_as_they_come_and_give_it_back() {
        let rooms = Rooms::new(&Rules::default());
        let half = BYTES_MAX / 2;
        let (mut first, mut second) = (rooms.room(account(1)), rooms.room(account(1)));
        first.take(half - 10).expect("there is room");
        second.take(10).expect("there is room");
        let full = second.take(1);
        assert!(matches!(full, Err(Error::NoRoom(Full::Account))));
        let (mut other, mut third) = (rooms.room(account(2)), rooms.room(account(3)));
        other.take(half).expect("another has its own");
        let full = third.take(1);
        assert!(matches!(full, Err(Error::NoRoom(Full::Server))));
        first.take(0).expect("nothing takes none");
        drop(first);
        third.take(1).expect("there is room again");
        second.take(half - 11).expect("there is room again");
        drop((second, other, third));
        let too_large = rooms.room(account(1)).take(usize::MAX);
        assert!(matches!(too_large, Err(Error::NoRoom(_))));
        assert_eq!(rooms.all.available_permits(), BYTES_MAX);
    }

    #[test]
    fn the_largest_body_there_may_be_fits_alone() {
        for payload_bytes_max in [1, BYTES_MAX / 2, 3 * BYTES_MAX] {
            let rules = Rules::new(Schemes::Both, payload_bytes_max);
            let rooms = Rooms::new(&rules);
            let mut room = rooms.room(account(1));
            room.take(rules.body_bytes_max()).expect("alone");
        }
    }
}
