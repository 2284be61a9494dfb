//! Answers kept by idempotency key, so that a repeated request gets the first one's answer.

use super::row::record;
use super::values::args;
use super::{Error, Store};
use crate::model::{AccountId, Timestamp};

/// What is known of a request with this key.
#[derive(Debug, Clone)]
pub struct StoredReply {
    /// SHA-256 of the request.
    pub request_hash: Vec<u8>,
    /// The answer's status; `None` while the first request is at work.
    pub status: Option<i64>,
    /// The answer's body.
    pub body: Option<Vec<u8>>,
}

record!(StoredReply {
    request_hash: "request_hash",
    status: "status",
    body: "body",
});

impl Store {
    /// Takes the key for a request; what is known already if somebody has it.
    pub async fn begin_reply(
        &self,
        account: AccountId,
        key: &str,
        request_hash: [u8; 32],
        lives: (Timestamp, Timestamp),
    ) -> Result<Option<StoredReply>, Error> {
        let (now, expires_at) = lives;
        let mut tx = self.begin().await?;
        tx.execute(
            "DELETE FROM replies WHERE account_id = $1 AND key = $2 AND expires_at_ms <= $3",
            args![account, key, now],
        )
        .await?;
        let taken = tx
            .execute(
                "INSERT INTO replies (account_id, key, request_hash, expires_at_ms)
                 VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
                args![account, key, request_hash, expires_at],
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

    /// Keeps the answer for those who ask again.
    pub async fn finish_reply(
        &self,
        account: AccountId,
        key: &str,
        status: u16,
        body: &[u8],
    ) -> Result<(), Error> {
        self.execute(
            "UPDATE replies SET status = $3, body = $4 WHERE account_id = $1 AND key = $2",
            args![account, key, i64::from(status), body.to_vec()],
        )
        .await
        .map(drop)
    }

    /// Gives the key back: nothing was done.
    pub async fn abandon_reply(&self, account: AccountId, key: &str) -> Result<(), Error> {
        self.execute(
            "DELETE FROM replies WHERE account_id = $1 AND key = $2 AND status IS NULL",
            args![account, key],
        )
        .await
        .map(drop)
    }
}
