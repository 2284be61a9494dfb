//! Floor 3: alerts. A loop that reminds of endpoints that stay disabled, and sends the mails of the outbox.
//!
//! # What holds
//!
//! - A mail is written in the transaction in which its matter is told: it is never lost, and never told of what did
//!   not happen.
//! - One life holds a mail while it is sent, and writes down what came of it behind its fence. Who dies between the
//!   mail server's answer and that line is the only one who has a mail sent twice, with the same `Message-ID`.
//! - What the mail server can't take now is tried again after growing delays; what it refuses for good is not. Both
//!   keep its answer.
//! - A reminder is told once, by whichever node is first. After a long stand-still the newest one is, and no other.
//! - Nothing here is on the way of an event or a delivery: a mail server that hangs holds up mails, and nothing else.
//! - However many mails wait, accounts take turns.

mod compose;
mod fate;
mod letter;
mod smtp;

use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use futures_util::StreamExt as _;

pub use smtp::{Error, Smtp, SmtpSettings};

use crate::failure;
use crate::model::{Clock, Timestamp};
use crate::store::{self, Mail, MailFate, Store};
use fate::Tried;

/// How long something that is due may be unknown here, and how soon what could not be done is tried again.
const LOOK_MS: i64 = 1_000;
/// The least time between two rounds: what is due now and could not be done is somebody else's just then.
const REST_MS: i64 = 100;
/// Mails that are taken in hand at a time.
const MAILS_IN_HAND_MAX: usize = 16;
/// Connections to the mail server at a time.
const CONNECTIONS_MAX: usize = 4;
/// How long a stop waits for mails that are being sent.
const STOP_PATIENCE: Duration = Duration::from_secs(5);
/// Reminders that are read at a time.
const REMINDERS_AT_ONCE_MAX: usize = 100;
/// How often old mails are forgotten.
const FORGET_EVERY_MS: i64 = 60 * 60 * 1_000;
/// How long a mail is kept once it is sent, bounced or given up: 30 days.
const KEPT_MS: i64 = 30 * 24 * 60 * 60 * 1_000;
/// How overdue a mail may be that nobody has sent, because no node has a mail server: 3 days.
const OVERDUE_MS_MAX: i64 = 3 * 24 * 60 * 60 * 1_000;
/// Mails that are forgotten in one transaction.
const FORGOTTEN_AT_ONCE_MAX: usize = 1_000;

/// Whether this text is a mail address on its own, in ASCII.
pub fn is_address(text: &str) -> bool {
    text.is_ascii()
        && !text.chars().any(|it| it.is_ascii_control() || it == '"')
        && text.parse::<lettre::Address>().is_ok()
}

/// The loop's hands: the outbox, the clock, and the mail server if there is one.
#[derive(Debug)]
pub struct Alerts {
    store: Store,
    clock: Clock,
    smtp: Option<Smtp>,
    closing: AtomicBool,
    forgotten_at_ms: AtomicI64,
}

impl Alerts {
    /// Over this database, by this clock. With a mail server, this process makes mails of what it tells from now on;
    /// without one it only reminds, by operational events.
    pub fn new(store: Store, clock: Clock, smtp: Option<Smtp>) -> Self {
        if smtp.is_some() {
            store.make_mails();
        }
        Self {
            store,
            clock,
            smtp,
            closing: AtomicBool::new(false),
            forgotten_at_ms: AtomicI64::new(i64::MIN),
        }
    }

    /// Does what is due, round after round, until `stop` returns; then it finishes what is being sent, for
    /// [`STOP_PATIENCE`] at most. May be dropped at any point: what was in hand is another life's.
    pub async fn go_on(&self, stop: impl Future<Output = ()>) {
        let mut stop = pin!(stop);
        loop {
            let mut round = pin!(self.round());
            let next = tokio::select! {
                done = &mut round => done.unwrap_or_else(|error| {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "a round of the alerts was not finished"
                    );
                    None
                }),
                () = &mut stop => {
                    self.closing.store(true, Ordering::SeqCst);
                    // Whether it was finished or not: what is left is taken over.
                    drop(tokio::time::timeout(STOP_PATIENCE, round).await);
                    return;
                }
            };
            let now = self.clock.now();
            let look_at = now.plus_ms(LOOK_MS);
            let wake_at = next.map_or(look_at, |next| next.clamp(now.plus_ms(REST_MS), look_at));
            tokio::select! {
                () = self.clock.sleep_until(wake_at) => {}
                () = &mut stop => return,
            }
        }
    }

    /// Tells the reminders that are due, sends the mails that are, and forgets old ones. When the next is due.
    pub async fn round(&self) -> Result<Option<Timestamp>, store::Error> {
        self.remind().await?;
        self.forget().await?;
        let mut next = self.store.next_reminder_due().await?;
        if let Some(smtp) = &self.smtp {
            // However long mails take, reminders are in time.
            while self.send_due(smtp).await? > 0 {
                self.remind().await?;
            }
            let mail = self.store.next_mail_due().await?;
            next = next.into_iter().chain(mail).min();
        }
        Ok(next)
    }

    async fn remind(&self) -> Result<(), store::Error> {
        loop {
            let now = self.clock.now();
            let due = self.store.due_reminders(now, REMINDERS_AT_ONCE_MAX).await?;
            for one in &due {
                let reminder = failure::reminder(one.disabled_at, now);
                if self.store.remind(one, reminder, now).await? {
                    tracing::info!(account.id = %one.account, endpoint.id = %one.endpoint, "an endpoint is still disabled");
                }
            }
            if due.len() < REMINDERS_AT_ONCE_MAX {
                return Ok(());
            }
        }
    }

    async fn forget(&self) -> Result<(), store::Error> {
        let now = self.clock.now();
        let last = Timestamp::from_ms(self.forgotten_at_ms.load(Ordering::SeqCst));
        if now.ms_since(last) < FORGET_EVERY_MS {
            return Ok(());
        }
        if self.smtp.is_none() {
            let overdue = now.plus_ms(-OVERDUE_MS_MAX);
            self.store
                .give_up_mails(overdue, now, FORGOTTEN_AT_ONCE_MAX)
                .await?;
        }
        let old = now.plus_ms(-KEPT_MS);
        while self.store.forget_mails(old, FORGOTTEN_AT_ONCE_MAX).await? > 0 {}
        self.forgotten_at_ms.store(now.as_ms(), Ordering::SeqCst);
        Ok(())
    }

    /// Takes some mails in hand and sends them. How many they were.
    async fn send_due(&self, smtp: &Smtp) -> Result<usize, store::Error> {
        if self.closing.load(Ordering::SeqCst) {
            return Ok(0);
        }
        let now = self.clock.now();
        let mails = self.store.claim_mails(now, MAILS_IN_HAND_MAX).await?;
        let count = mails.len();
        let mut sending = futures_util::stream::iter(mails)
            .map(|mail| self.send(smtp, mail))
            .buffer_unordered(CONNECTIONS_MAX);
        // All of them come to their end: one that broke off would be sent twice.
        let mut all = Ok(count);
        while let Some(sent) = sending.next().await {
            all = all.and_then(|count| sent.map(|()| count));
        }
        all
    }

    /// Sends a mail that this life has in hand, and writes down what came of it.
    async fn send(&self, smtp: &Smtp, mail: Mail) -> Result<(), store::Error> {
        if self.closing.load(Ordering::SeqCst) {
            return Ok(());
        }
        let which = (mail.account, mail.id);
        let endpoint = (mail.account, mail.endpoint);
        let Some(facts) = self.store.mail_facts(endpoint.0, endpoint.1).await? else {
            let why = "the endpoint was removed before the mail was sent";
            let fate = (MailFate::GivenUp, why);
            return self.store.settle_mail(which, fate, self.clock.now()).await;
        };
        let answers = self.store.last_answers(endpoint.0, endpoint.1).await?;
        let letter = compose::letter(&mail, &facts, &answers);
        let tried = match smtp.message(&mail, &letter, self.clock.now()) {
            Ok(message) => smtp.send(message).await,
            Err(error) => Tried::Refused(fate::words(&error)),
        };
        let now = self.clock.now();
        let (fate, answer) = fate::after(tried, mail.tries, now);
        metrics::counter!("throwbar_mails_total", "outcome" => fate::word(fate)).increment(1);
        if fate != MailFate::Sent {
            tracing::warn!(account.id = %mail.account, mail.id = %mail.id, mail.tries, answer, outcome = fate::word(fate), "a mail was not sent");
        }
        self.store.settle_mail(which, (fate, &answer), now).await
    }
}
