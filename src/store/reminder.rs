//! Endpoints that stay disabled: who is to be reminded of them, and when. Told in the transaction that moves the
//! endpoint on to its next reminder, by whichever node is first: each once.

use serde_json::json;

use super::operational::{self, Alert, Topic};
use super::row::record;
use super::values::args;
use super::{Error, Store};
use crate::failure::Reminder;
use crate::model::{AccountId, EndpointId, Timestamp};

/// An endpoint that is still disabled, and of which that is to be told.
#[derive(Debug, Clone)]
pub struct DueReminder {
    /// Whose.
    pub account: AccountId,
    /// Which.
    pub endpoint: EndpointId,
    /// What it is called.
    pub name: String,
    /// `gone` or `failing`.
    pub why: String,
    /// Since when.
    pub disabled_at: Timestamp,
    /// When it was due.
    pub due_at: Timestamp,
}

record!(DueReminder {
    account: "account_id",
    endpoint: "id",
    name: "name",
    why: "disabled_why",
    disabled_at: "disabled_at_ms",
    due_at: "remind_at_ms",
});

impl Store {
    /// Up to `limit` endpoints of all accounts whose reminder is due by now, the most overdue first.
    pub async fn due_reminders(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<DueReminder>, Error> {
        self.fetch(
            "SELECT account_id, id, name, disabled_why, disabled_at_ms, remind_at_ms FROM endpoints
             WHERE remind_at_ms <= $1 ORDER BY remind_at_ms LIMIT $2",
            args![now, limit],
        )
        .await
    }

    /// When the next reminder is due.
    pub async fn next_reminder_due(&self) -> Result<Option<Timestamp>, Error> {
        let found: Option<(Timestamp,)> = self
            .fetch_optional(
                "SELECT remind_at_ms FROM endpoints WHERE remind_at_ms IS NOT NULL ORDER BY remind_at_ms LIMIT 1",
                Vec::new(),
            )
            .await?;
        Ok(found.map(|row| row.0))
    }

    /// Tells that an endpoint is still disabled, unless another node has told it, or it is not any more. Whether it
    /// was told. `None` tells nothing, and ends its reminders.
    pub async fn remind(
        &self,
        due: &DueReminder,
        reminder: Option<Reminder>,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let which = (due.account, due.endpoint);
        let next_at = reminder.and_then(|reminder| reminder.next_at);
        let mut tx = self.begin().await?;
        let moved = tx
            .execute(
                "UPDATE endpoints SET remind_at_ms = $3
                 WHERE account_id = $1 AND id = $2 AND remind_at_ms = $4 AND deleted_at_ms IS NULL",
                args![due.account, due.endpoint, next_at, due.due_at],
            )
            .await?;
        if moved == 0 {
            return Ok(false);
        }
        if let Some(reminder) = reminder {
            let says = json!({
                "name": due.name, "why": due.why, "disabled_at": due.disabled_at, "day": reminder.day,
            });
            let alert = Alert::of_endpoint(Topic::EndpointStillDisabled, which, now, says);
            operational::tell(&mut tx, self.own_holder(), vec![alert]).await?;
        }
        tx.commit().await?;
        Ok(reminder.is_some())
    }
}
