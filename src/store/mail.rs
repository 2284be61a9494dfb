//! The outbox of mails. A mail is sent by whose life holds it: what the dead have held, others go on with.

use super::page::{Cursor, Page, start};
use super::row::record;
use super::values::args;
use super::{Error, Store};
use crate::model::limits::MAILS_KEPT_PER_ACCOUNT_MAX;
use crate::model::{AccountId, EndpointId, MailId, Timestamp, words};

/// Most overdue mails that are looked at to find whose turn it is.
const LOOKED_AT_MAX: usize = 5_000;

/// Where a mail stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailState {
    /// It waits for its time, and counts what happens until then.
    Collecting,
    /// A node is sending it.
    Sending,
    /// The mail server could not take it: it is tried again.
    Waiting,
    /// The mail server has taken it.
    Sent,
    /// The mail server has refused it for good.
    Bounced,
    /// It was tried often enough.
    GivenUp,
}

words!(MailState {
    Collecting = "collecting",
    Sending = "sending",
    Waiting = "waiting",
    Sent = "sent",
    Bounced = "bounced",
    GivenUp = "given_up",
});

/// A mail.
#[derive(Debug, Clone)]
pub struct Mail {
    /// Whose.
    pub account: AccountId,
    /// Its id, which says when it was made.
    pub id: MailId,
    /// About which endpoint.
    pub endpoint: EndpointId,
    /// The word of a [`Topic`].
    pub topic: String,
    /// To whom.
    pub address: String,
    /// The word of a [`MailState`].
    pub state: String,
    /// How often it has happened.
    pub occurrences: i64,
    /// What was told the last time: a JSON object.
    pub says: String,
    /// When it happened first.
    pub first_at: Timestamp,
    /// When it happened last.
    pub last_at: Timestamp,
    /// When it is sent, or tried again.
    pub due_at: Option<Timestamp>,
    /// How often it was tried, the time that is under way included.
    pub tries: i64,
    /// What the mail server said last.
    pub answer: Option<String>,
    /// When it was sent, bounced or given up.
    pub settled_at: Option<Timestamp>,
}

record!(Mail {
    account: "account_id",
    id: "id",
    endpoint: "endpoint_id",
    topic: "topic",
    address: "address",
    state: "state",
    occurrences: "occurrences",
    says: "says",
    first_at: "first_at_ms",
    last_at: "last_at_ms",
    due_at: "due_at_ms",
    tries: "tries",
    answer: "answer",
    settled_at: "settled_at_ms",
});

/// What became of a mail that was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailFate {
    /// The mail server has it.
    Sent,
    /// It is refused for good.
    Bounced,
    /// That was the last try.
    GivenUp,
    /// It is tried again then.
    Waiting(Timestamp),
}

/// Which mails are wanted.
#[derive(Debug, Clone, Default)]
pub struct MailFilter {
    /// Only about this endpoint.
    pub endpoint: Option<EndpointId>,
    /// Only in this state.
    pub state: Option<MailState>,
}

const COLUMNS: &str = "account_id, id, endpoint_id, topic, address, state, occurrences, says, first_at_ms, \
     last_at_ms, due_at_ms, tries, answer, settled_at_ms";

/// Of a mail in the state `sending`: that nobody is at it any more. Its holder has ended; or it is whoever asks, who
/// takes mails in hand only when done with those before, and could not write down what came of this one.
const LEFT_BEHIND: &str = "(mails.holder = $1 OR NOT EXISTS
    (SELECT 1 FROM incarnations i WHERE i.id = mails.holder AND i.ended_at_ms IS NULL))";

impl Store {
    /// Takes up to `limit` mails in hand that are due by `now`, or that somebody has died over: of each account one
    /// after the other, the most overdue first. From now on each is this life's to settle.
    pub async fn claim_mails(&self, now: Timestamp, limit: usize) -> Result<Vec<Mail>, Error> {
        let holder = self.own_holder();
        let mut wanted: Vec<(AccountId, MailId)> = self
            .fetch(
                "SELECT account_id, id FROM (
                   SELECT account_id, id, due_at_ms,
                     ROW_NUMBER() OVER (PARTITION BY account_id ORDER BY due_at_ms, id) AS turn
                   FROM (SELECT account_id, id, due_at_ms FROM mails WHERE due_at_ms <= $1
                         ORDER BY due_at_ms LIMIT $2) AS overdue) AS in_turn
                 ORDER BY turn, due_at_ms, id LIMIT $3",
                args![now, LOOKED_AT_MAX, limit],
            )
            .await?;
        let left_behind = format!(
            "SELECT account_id, id FROM mails WHERE state = 'sending' AND {LEFT_BEHIND} LIMIT $2"
        );
        wanted.extend(
            self.fetch::<(AccountId, MailId)>(&left_behind, args![holder, limit])
                .await?,
        );
        wanted.truncate(limit);
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        // What somebody else has in hand just now, or adds to, is not waited for.
        let picked = self.backend.picked(
            "mails",
            "account_id, id",
            &format!(
                "account_id = $2 AND id = $3 AND (due_at_ms <= $4 OR (state = 'sending' AND {LEFT_BEHIND}))"
            ),
        );
        let sql = format!(
            "UPDATE mails SET state = 'sending', holder = $1, due_at_ms = NULL, tries = tries + 1
             WHERE {picked} RETURNING {COLUMNS}"
        );
        let mut tx = self.begin().await?;
        let mut claimed = Vec::with_capacity(wanted.len());
        for (account, id) in wanted {
            let taken = tx.fetch::<Mail>(&sql, args![holder, account, id, now]);
            claimed.extend(taken.await?);
        }
        tx.commit().await?;
        Ok(claimed)
    }

    /// Writes what became of a mail that this life has in hand, with what the mail server said, and forgets what is
    /// more than the account's last [`MAILS_KEPT_PER_ACCOUNT_MAX`] settled ones.
    pub async fn settle_mail(
        &self,
        (account, id): (AccountId, MailId),
        (fate, answer): (MailFate, &str),
        now: Timestamp,
    ) -> Result<(), Error> {
        let (state, due_at) = match fate {
            MailFate::Sent => (MailState::Sent, None),
            MailFate::Bounced => (MailState::Bounced, None),
            MailFate::GivenUp => (MailState::GivenUp, None),
            MailFate::Waiting(due_at) => (MailState::Waiting, Some(due_at)),
        };
        let settled_at = due_at.is_none().then_some(now);
        let mut tx = self.begin().await?;
        tx.execute(
            "UPDATE mails SET state = $3, holder = NULL, due_at_ms = $4, answer = $5, settled_at_ms = $6
             WHERE account_id = $1 AND id = $2 AND state = 'sending' AND holder = $7",
            args![
                account,
                id,
                state.as_str(),
                due_at,
                answer,
                settled_at,
                self.own_holder()
            ],
        )
        .await?;
        tx.execute(
            "DELETE FROM mails WHERE account_id = $1 AND settled_at_ms IS NOT NULL AND id <= (
               SELECT id FROM mails WHERE account_id = $1 AND settled_at_ms IS NOT NULL
               ORDER BY id DESC LIMIT 1 OFFSET $2)",
            args![account, MAILS_KEPT_PER_ACCOUNT_MAX],
        )
        .await?;
        tx.commit().await
    }

    /// When the next mail is due.
    pub async fn next_mail_due(&self) -> Result<Option<Timestamp>, Error> {
        let found: Option<(Timestamp,)> = self
            .fetch_optional(
                "SELECT due_at_ms FROM mails WHERE due_at_ms IS NOT NULL ORDER BY due_at_ms LIMIT 1",
                Vec::new(),
            )
            .await?;
        Ok(found.map(|row| row.0))
    }

    /// Forgets up to `limit` mails that were settled before then. How many.
    pub async fn forget_mails(&self, before: Timestamp, limit: usize) -> Result<u64, Error> {
        let picked = self.backend.picked(
            "mails",
            "account_id, id",
            "settled_at_ms < $1 ORDER BY settled_at_ms LIMIT $2",
        );
        self.execute(
            &format!("DELETE FROM mails WHERE {picked}"),
            args![before, limit],
        )
        .await
    }

    /// Gives up, `now`, up to `limit` mails that were due before then: no node has a mail server. How many.
    pub async fn give_up_mails(
        &self,
        before: Timestamp,
        now: Timestamp,
        limit: usize,
    ) -> Result<u64, Error> {
        let picked = self.backend.picked(
            "mails",
            "account_id, id",
            "due_at_ms < $1 ORDER BY due_at_ms LIMIT $2",
        );
        self.execute(
            &format!(
                "UPDATE mails SET state = 'given_up', due_at_ms = NULL, settled_at_ms = $3, answer = $4
                 WHERE {picked}"
            ),
            args![
                before,
                limit,
                now,
                "it was due for days, and no node has sent it: smtp_url is not set"
            ],
        )
        .await
    }

    /// A page of the account's mails, newest first.
    pub async fn mails(
        &self,
        account: AccountId,
        filter: &MailFilter,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<Mail>, Error> {
        let sql = format!(
            "SELECT {COLUMNS} FROM mails WHERE account_id = $1 AND id < $2
               AND ($3 IS NULL OR endpoint_id = $3) AND ($4 IS NULL OR state = $4)
             ORDER BY id DESC LIMIT $5"
        );
        let state = filter.state.map(MailState::as_str);
        let args = args![account, start(after), filter.endpoint, state, limit + 1];
        let rows = self.fetch(&sql, args).await?;
        Ok(Page::of(rows, limit, |row: &Mail| row.id.uuid()))
    }
}
