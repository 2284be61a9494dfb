//! Answers kept by idempotency key, so that a repeated write gets the first one's answer and does
//! nothing again. A key belongs to the API key that sent it: nobody gets an answer that was made
//! for somebody else. Answers are sealed, since some hold secrets.

use super::principal::Identity;
use super::{Error, Place, Service, check};
use crate::model::AccountId;

/// How long an answer is kept.
const REPLY_LIFE_MS: i64 = 24 * 60 * 60 * 1000;

/// The right to answer the first request with a key.
#[derive(Debug)]
pub struct ReplySlot {
    account: AccountId,
    key: String,
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
        format!("reply:{}:{}", self.account, self.key).into_bytes()
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
        };
        let now = self.inner.clock.now();
        let lives = (now, now.plus_ms(REPLY_LIFE_MS));
        let Some(known) = self
            .inner
            .store
            .begin_reply(slot.account, &slot.key, hash, lives)
            .await?
        else {
            return Ok(Started::First(slot));
        };
        if known.request_hash != hash {
            return Err(Error::Invalid {
                code: "idempotency_key_reused",
                at: Place::Header("Idempotency-Key"),
                why: "this idempotency key was used for another request: use a new one".to_owned(),
            });
        }
        match (known.status.and_then(|status| u16::try_from(status).ok()), known.body) {
            (Some(status), Some(body)) => {
                let body = self.inner.vault.open(&body, &slot.context())?.to_vec();
                Ok(Started::Known { status, body })
            }
            _ => Err(Error::Conflict {
                code: "idempotency_key_in_use",
                why: "the first request with this idempotency key is still at work: ask again in a moment".to_owned(),
            }),
        }
    }

    /// Keeps the answer for those who ask again.
    pub async fn finish_reply(
        &self,
        slot: &ReplySlot,
        status: u16,
        body: &[u8],
    ) -> Result<(), Error> {
        let sealed = self.inner.vault.seal(body, &slot.context())?;
        Ok(self
            .inner
            .store
            .finish_reply(slot.account, &slot.key, status, &sealed)
            .await?)
    }

    /// Gives the key back: nothing was done.
    pub async fn abandon_reply(&self, slot: &ReplySlot) -> Result<(), Error> {
        Ok(self
            .inner
            .store
            .abandon_reply(slot.account, &slot.key)
            .await?)
    }
}
