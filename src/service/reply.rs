//! Answers kept by idempotency key, so that a repeated write gets the first one's answer and does
//! nothing again. A key belongs to the API key that sent it: nobody gets an answer that was made
//! for somebody else. Answers are sealed, since some hold secrets.
//!
//! A write and its answer are one commit: a key without an answer means that nothing was written. A
//! request holds its key while it is at work; one whose process dies loses it within a minute, and a
//! repeat is then done. One that only came to a standstill (its process, or the database) may find
//! that a repeat has the key: then nothing of it is kept, and the repeat's answer is the one that counts.

use std::convert::Infallible;

use super::principal::Identity;
use super::{Error, Place, Service, check};
use crate::model::AccountId;
use crate::pipeline::sealing;
use crate::store::{StoredReply, Whole};
use crate::vault::random;

/// How long an answer is kept.
const REPLY_LIFE_MS: i64 = 24 * 60 * 60 * 1000;
/// How long a request holds its key without saying that it is still at work.
const HOLD_MS: i64 = 60_000;
/// How often it says so.
const HOLD_AGAIN_MS: i64 = 20_000;

/// The right to answer the first request with a key.
#[derive(Debug)]
pub struct ReplySlot {
    account: AccountId,
    key: String,
    holder: [u8; 16],
    whole: Whole,
}

/// What there is of a request with an idempotency key.
#[derive(Debug)]
pub enum Started {
    /// It is the first one: answer it, then finish or abandon the slot.
    First(ReplySlot),
    /// It came before; this is what was answered.
    Known {
        /// The answer's status.
        status: u16,
        /// The answer's body.
        body: Vec<u8>,
    },
}

impl ReplySlot {
    fn context(&self) -> Vec<u8> {
        sealing::reply(self.account, &self.key)
    }

    fn hold(&self) -> (AccountId, &str, [u8; 16]) {
        (self.account, &self.key, self.holder)
    }
}

impl Service {
    /// Begins a request with an idempotency key. `hash`: of all that must be the same in a repeat.
    pub async fn begin_reply(
        &self,
        who: &Identity,
        key: &str,
        hash: [u8; 32],
    ) -> Result<Started, Error> {
        check::client_key(key, Place::Header("Idempotency-Key"))?;
        let slot = ReplySlot {
            account: who.account(),
            key: format!("{}:{key}", who.key()),
            holder: random::bytes()?,
            whole: Whole::default(),
        };
        let now = self.inner.clock.now();
        let lives = (now, now.plus_ms(HOLD_MS));
        let known = self.inner.store.begin_reply(slot.hold(), hash, lives);
        match known.await? {
            None => Ok(Started::First(slot)),
            Some(known) if known.request_hash != hash => Err(Error::Conflict {
                code: "idempotency_key_reused",
                why: "this idempotency key was used for another request: use a new one".to_owned(),
            }),
            Some(known) => self.known_reply(&slot, known),
        }
    }

    fn known_reply(&self, slot: &ReplySlot, known: StoredReply) -> Result<Started, Error> {
        let status = known.status.and_then(|status| u16::try_from(status).ok());
        let (Some(status), Some(body)) = (status, known.body) else {
            return Err(Error::Conflict {
                code: "idempotency_key_in_use",
                why: "the first request with this idempotency key is still at work: ask again in a moment".to_owned(),
            });
        };
        let body = self.inner.vault.open(&body, &slot.context())?.to_vec();
        Ok(Started::Known { status, body })
    }

    /// Does the work of a request, of which nothing is kept before it is finished, and keeps its key from
    /// repeats meanwhile, however long it takes.
    pub async fn hold_reply<T>(&self, slot: &ReplySlot, work: impl Future<Output = T>) -> T {
        tokio::select! {
            done = slot.whole.of(work) => done,
            never = self.keep_holding(slot) => match never {},
        }
    }

    async fn keep_holding(&self, slot: &ReplySlot) -> Infallible {
        let clock = &self.inner.clock;
        let mut now = clock.now();
        loop {
            clock.sleep_until(now.plus_ms(HOLD_AGAIN_MS)).await;
            now = clock.now();
            let until = now.plus_ms(HOLD_MS);
            // If the key is lost, finishing says so; the work is under way in any case.
            if let Err(error) = self.inner.store.extend_reply(slot.hold(), until).await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    account.id = %slot.account,
                    "an idempotency key can't be held"
                );
            }
        }
    }

    /// Keeps what the request has written, and with it the answer for those who ask again. If it fails,
    /// nothing was written, unless nobody knows how the commit has ended: a repeat will see. A conflict,
    /// if a repeat has the key by now.
    pub async fn finish_reply(
        &self,
        slot: &ReplySlot,
        status: u16,
        body: &[u8],
    ) -> Result<(), Error> {
        let sealed = self.inner.vault.seal(body, &slot.context())?;
        let expires_at = self.inner.clock.now().plus_ms(REPLY_LIFE_MS);
        let answer = (status, &sealed[..]);
        let finished = self
            .inner
            .store
            .finish_reply(slot.hold(), answer, expires_at, &slot.whole);
        if finished.await? {
            return Ok(());
        }
        Err(Error::Conflict {
            code: "idempotency_key_lost",
            why: "this request came to a standstill for so long that a repeat of it was let in, and nothing of it \
                  was kept: ask again with the same key for the repeat's answer"
                .to_owned(),
        })
    }

    /// Gives up what the request has written, and gives the key back: a repeat does it.
    pub async fn abandon_reply(&self, slot: &ReplySlot) -> Result<(), Error> {
        let abandoned = self.inner.store.abandon_reply(slot.hold(), &slot.whole);
        Ok(abandoned.await?)
    }
}
