//! What came to receivers: the last of it. A request is written with its place in the order in which its receiver
//! answers, whichever node it came to.

use bytes::Bytes;

use super::page::{Cursor, Page, start};
use super::row::record;
use super::values::args;
use super::{Error, Store};
use crate::model::limits::{RECEIVED_BYTES_MAX, RECEIVED_MAX};
use crate::model::{AccountId, EventId, ReceiverId, ReceiverRequestId, Timestamp};

/// A request that came to a receiver.
#[derive(Debug, Clone)]
pub struct ReceiverRequest {
    /// Its id, which says when it came.
    pub id: ReceiverRequestId,
    /// Its method.
    pub method: String,
    /// What follows the receiver's URL, from the slash on.
    pub path: String,
    /// What follows the question mark.
    pub query: String,
    /// JSON: an array of pairs.
    pub headers: String,
    /// JSON: what it was answered; `None`: whoever forwards it has not said yet.
    pub answer: Option<String>,
    /// The body as it came.
    pub body: Vec<u8>,
}

record!(ReceiverRequest {
    id: "id",
    method: "method",
    path: "path",
    query: "query",
    headers: "headers",
    answer: "answer",
    body: "body",
});

const COLUMNS: &str = "id, method, path, query, headers, answer, body";

impl Store {
    /// Keeps a request, and forgets what is more than [`RECEIVED_MAX`] or [`RECEIVED_BYTES_MAX`] of the receiver.
    /// `answers`: what the receiver answers, each a JSON text, in their order; the last one is repeated. Which of them it
    /// was; `None`: there is no such receiver any more, and nothing is kept.
    pub async fn receive(
        &self,
        (account, receiver): (AccountId, ReceiverId),
        new: &ReceiverRequest,
        answers: &[String],
    ) -> Result<Option<usize>, Error> {
        let mut tx = self.begin().await?;
        let counted: Vec<(i64,)> = tx
            .fetch(
                "UPDATE receivers SET received = received + 1, answered = answered + 1
                 WHERE account_id = $1 AND id = $2 RETURNING answered",
                args![account, receiver],
            )
            .await?;
        let Some((answered,)) = counted.into_iter().next() else {
            return Ok(None);
        };
        let place = usize::try_from(answered - 1).unwrap_or(0);
        let place = place.min(answers.len().saturating_sub(1));
        tx.execute(
            &format!(
                "INSERT INTO receiver_requests (account_id, receiver_id, body_bytes, {COLUMNS})
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
            ),
            args![
                account,
                receiver,
                new.body.len() as i64,
                new.id,
                new.method.as_str(),
                new.path.as_str(),
                new.query.as_str(),
                new.headers.as_str(),
                answers.get(place).cloned(),
                Bytes::from(new.body.clone())
            ],
        )
        .await?;
        tx.execute(
            "DELETE FROM receiver_requests WHERE account_id = $1 AND receiver_id = $2 AND id IN (
               SELECT id FROM (
                 SELECT id, ROW_NUMBER() OVER (ORDER BY id DESC) AS place,
                   SUM(body_bytes) OVER (ORDER BY id DESC) AS bytes
                 FROM receiver_requests WHERE account_id = $1 AND receiver_id = $2) AS kept
               WHERE place > $3 OR (bytes > $4 AND place > 1))",
            args![account, receiver, RECEIVED_MAX, RECEIVED_BYTES_MAX],
        )
        .await?;
        tx.commit().await?;
        Ok(Some(place))
    }

    /// Keeps what a request was answered by whoever forwards it, once. Whether it waited for that.
    pub async fn answer_received(
        &self,
        (account, receiver): (AccountId, ReceiverId),
        id: ReceiverRequestId,
        answer: &str,
    ) -> Result<bool, Error> {
        let changed = self
            .execute(
                "UPDATE receiver_requests SET answer = $4
                 WHERE account_id = $1 AND receiver_id = $2 AND id = $3 AND answer IS NULL",
                args![account, receiver, id, answer],
            )
            .await?;
        Ok(changed > 0)
    }

    /// One request to a receiver.
    pub async fn receiver_request(
        &self,
        (account, receiver): (AccountId, ReceiverId),
        id: ReceiverRequestId,
    ) -> Result<Option<ReceiverRequest>, Error> {
        self.fetch_optional(
            &format!(
                "SELECT {COLUMNS} FROM receiver_requests
                 WHERE account_id = $1 AND receiver_id = $2 AND id = $3"
            ),
            args![account, receiver, id],
        )
        .await
    }

    /// A page of what came to a receiver, newest first.
    pub async fn receiver_requests(
        &self,
        (account, receiver): (AccountId, ReceiverId),
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<ReceiverRequest>, Error> {
        let sql = format!(
            "SELECT {COLUMNS} FROM receiver_requests
             WHERE account_id = $1 AND receiver_id = $2 AND id < $3 ORDER BY id DESC LIMIT $4"
        );
        let rows = self
            .fetch(&sql, args![account, receiver, start(after), limit + 1])
            .await?;
        Ok(Page::of(rows, limit, |row: &ReceiverRequest| row.id.uuid()))
    }

    /// Up to `limit` of what came to a receiver after this one, oldest first.
    pub async fn received_after(
        &self,
        (account, receiver): (AccountId, ReceiverId),
        after: ReceiverRequestId,
        limit: usize,
    ) -> Result<Vec<ReceiverRequest>, Error> {
        let sql = format!(
            "SELECT {COLUMNS} FROM receiver_requests
             WHERE account_id = $1 AND receiver_id = $2 AND id > $3 ORDER BY id LIMIT $4"
        );
        self.fetch(&sql, args![account, receiver, after, limit])
            .await
    }

    /// Forgets up to `limit` requests that came before this time. How many there were.
    pub async fn forget_received(&self, before: Timestamp, limit: usize) -> Result<u64, Error> {
        self.execute(
            "DELETE FROM receiver_requests WHERE (account_id, receiver_id, id) IN (
               SELECT account_id, receiver_id, id FROM receiver_requests WHERE id < $1 ORDER BY id LIMIT $2)",
            args![EventId::first_at(before), limit],
        )
        .await
    }
}
