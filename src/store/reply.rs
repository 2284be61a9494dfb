//! Answers kept by idempotency key, so that a repeated request gets the first one's answer.
//!
//! While a request is at work, who is at work stands in its row where the answer's body will be. A
//! request that says nothing for long is forgotten and may be done again. Only who is at work writes
//! the answer, in one commit with all that the request has written: so there is never more than one, and
//! as long as there is none, nothing of the request was written.

use super::row::record;
use super::values::args;
use super::{Error, Store, Tx, Whole};
use crate::model::{AccountId, Timestamp};

/// What is known of a request with this key.
#[derive(Debug, Clone)]
pub struct StoredReply {
    /// SHA-256 of the request.
    pub request_hash: Vec<u8>,
    /// The answer's status; `None` while a request is at work.
    pub status: Option<i64>,
    /// The answer's body; while a request is at work, who that is.
    pub body: Option<Vec<u8>>,
}

record!(StoredReply {
    request_hash: "request_hash",
    status: "status",
    body: "body",
});

/// Whose key it is, the key, and who is at work on it: nobody else is called so.
pub type ReplyHold<'a> = (AccountId, &'a str, [u8; 16]);

/// Gives back all keys of requests at work.
pub(super) async fn forget_held(tx: &mut Tx) -> Result<(), Error> {
    tx.execute("DELETE FROM replies WHERE status IS NULL", args![])
        .await
        .map(drop)
}

impl Store {
    /// Takes the key for a request that begins now, until `lives.1`; what is known already if
    /// somebody has it.
    pub async fn begin_reply(
        &self,
        hold: ReplyHold<'_>,
        request_hash: [u8; 32],
        lives: (Timestamp, Timestamp),
    ) -> Result<Option<StoredReply>, Error> {
        let ((account, key, holder), (now, until)) = (hold, lives);
        let mut tx = self.begin().await?;
        tx.execute(
            "DELETE FROM replies WHERE account_id = $1 AND key = $2 AND expires_at_ms <= $3",
            args![account, key, now],
        )
        .await?;
        let taken = tx
            .execute(
                "INSERT INTO replies (account_id, key, request_hash, body, expires_at_ms)
                 VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
                args![account, key, request_hash, holder.to_vec(), until],
            )
            .await?;
        let known = if taken > 0 {
            None
        } else {
            tx.fetch(
                "SELECT request_hash, status, body FROM replies WHERE account_id = $1 AND key = $2",
                args![account, key],
            )
            .await?
            .into_iter()
            .next()
        };
        tx.commit().await?;
        Ok(known)
    }

    /// Keeps the key for a request that is still at work. Whether it had it still.
    pub async fn extend_reply(&self, hold: ReplyHold<'_>, until: Timestamp) -> Result<bool, Error> {
        let (account, key, holder) = hold;
        let kept = self
            .execute(
                "UPDATE replies SET expires_at_ms = $4
                 WHERE account_id = $1 AND key = $2 AND body = $3 AND status IS NULL",
                args![account, key, holder.to_vec(), until],
            )
            .await?;
        Ok(kept > 0)
    }

    /// Makes durable what a request has written, together with the answer for those who ask again.
    /// Whether it had its key still: if not, nothing of it is kept.
    pub async fn finish_reply(
        &self,
        hold: ReplyHold<'_>,
        answer: (u16, &[u8]),
        expires_at: Timestamp,
        whole: &Whole,
    ) -> Result<bool, Error> {
        let ((account, key, holder), (status, body)) = (hold, answer);
        let mut tx = match whole.lend()? {
            Some(written) => written,
            None => self.begin().await?,
        };
        let kept = tx
            .execute(
                "UPDATE replies SET status = $4, body = $5, expires_at_ms = $6
                 WHERE account_id = $1 AND key = $2 AND body = $3 AND status IS NULL",
                args![
                    account,
                    key,
                    holder.to_vec(),
                    i64::from(status),
                    body.to_vec(),
                    expires_at
                ],
            )
            .await?;
        if kept == 0 {
            return Ok(false);
        }
        tx.commit().await?;
        whole.follow().await;
        Ok(true)
    }

    /// Gives the key back, if the request has it still. Without its answer nothing of it was written, also
    /// if nobody knows how its commit has ended: one that comes to a good end after all has its answer.
    pub async fn abandon_reply(&self, hold: ReplyHold<'_>, whole: &Whole) -> Result<(), Error> {
        whole.forget();
        let (account, key, holder) = hold;
        self.execute(
            "DELETE FROM replies WHERE account_id = $1 AND key = $2 AND body = $3 AND status IS NULL",
            args![account, key, holder.to_vec()],
        )
        .await
        .map(drop)
    }

    /// Deletes up to `rows_max` answers and held keys that have expired by now; how many there were.
    pub async fn forget_replies(&self, now: Timestamp, rows_max: usize) -> Result<u64, Error> {
        let sql = self.backend.delete_expired("replies", "account_id, key");
        self.execute(&sql, args![now, rows_max]).await
    }
}
