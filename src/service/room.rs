//! Room for bodies while they are read: so many bytes for all of them together, as they come, and so long
//! for each. What a sender only announces takes no room.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use super::{Error, Service};
use crate::model::Timestamp;

/// Bytes of all bodies that are being read, components left out.
const BYTES_MAX: usize = 64 * 1024 * 1024;
/// Components that are read, or wait to be compiled, at a time.
const UPLOADS_MAX: usize = 2;
/// How long to wait for the turn to upload.
const UPLOAD_WAIT_MS: i64 = 10_000;
/// How long any body may take.
const BODY_MS: i64 = 15_000;
/// How fast a long one must come at least: a quarter of a megabyte a second.
const BYTES_PER_MS: usize = 256;

/// What is taken, and what of it is left.
#[derive(Debug)]
pub(super) struct Rooms {
    bytes: Semaphore,
    uploads: Arc<Semaphore>,
}

impl Default for Rooms {
    fn default() -> Self {
        Self {
            bytes: Semaphore::new(BYTES_MAX),
            uploads: Arc::new(Semaphore::new(UPLOADS_MAX)),
        }
    }
}

/// The room that one body takes, until it is dropped.
#[derive(Debug)]
pub struct BodyRoom<'a> {
    rooms: &'a Rooms,
    taken: Option<SemaphorePermit<'a>>,
}

/// The turn to upload a component, until it is dropped.
#[derive(Debug, Clone)]
pub struct UploadTurn {
    _permit: Arc<OwnedSemaphorePermit>,
}

impl BodyRoom<'_> {
    /// Takes room for further bytes. [`Error::NoRoom`] if there is none.
    pub fn take(&mut self, bytes: usize) -> Result<(), Error> {
        let bytes = u32::try_from(bytes).map_err(|_| Error::NoRoom)?;
        let permit = self.rooms.bytes.try_acquire_many(bytes);
        let permit = permit.map_err(|_| Error::NoRoom)?;
        match &mut self.taken {
            Some(taken) => taken.merge(permit),
            None => self.taken = Some(permit),
        }
        Ok(())
    }
}

impl Service {
    /// Room for a body, of which nothing is taken yet.
    pub fn body_room(&self) -> BodyRoom<'_> {
        BodyRoom {
            rooms: &self.inner.rooms,
            taken: None,
        }
    }

    /// Returns once a body that may have so many bytes should have been read.
    pub async fn body_overdue(&self, bytes_max: usize) -> Error {
        let clock = &self.inner.clock;
        let ms = BODY_MS + (bytes_max / BYTES_PER_MS) as i64;
        clock.sleep_until(clock.now().plus_ms(ms)).await;
        Error::BodyOverdue { s: ms / 1000 }
    }

    /// Waits for the turn to upload a component.
    pub async fn upload_turn(&self) -> Result<UploadTurn, Error> {
        let clock = &self.inner.clock;
        let until: Timestamp = clock.now().plus_ms(UPLOAD_WAIT_MS);
        tokio::select! {
            biased;
            permit = self.inner.rooms.uploads.clone().acquire_owned() => {
                let permit = permit.map_err(|_| Error::Unavailable)?;
                Ok(UploadTurn { _permit: Arc::new(permit) })
            }
            () = clock.sleep_until(until) => Err(Error::NoRoom),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_take_room_as_they_come_and_give_it_back() {
        let rooms = Rooms::default();
        let room = || BodyRoom {
            rooms: &rooms,
            taken: None,
        };
        let (mut first, mut second) = (room(), room());
        first.take(BYTES_MAX - 10).expect("there is room");
        second.take(10).expect("there is room");
        assert!(matches!(second.take(1), Err(Error::NoRoom)));
        first.take(0).expect("nothing takes none");
        drop(first);
        second.take(BYTES_MAX - 10).expect("there is room again");
        assert!(matches!(room().take(usize::MAX), Err(Error::NoRoom)));
    }
}
