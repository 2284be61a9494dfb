//! The log of webhook configurations: attempts as a table has them.

use serde::Serialize;

use super::hidden::Shown;
use super::principal::{MayRead, Principal};
use super::{Error, Service};
use crate::model::{AttemptId, DeliveryId, EndpointId, EventId, Timestamp};
use crate::pipeline::Secrets;
use crate::store::{self, AttemptWalk};

/// One attempt.
#[derive(Debug, Clone, Serialize)]
pub struct WebhookLogView {
    /// The attempt's id.
    pub id: AttemptId,
    /// The endpoint's id.
    pub webhook_id: EndpointId,
    /// The type of the event; null, if the event is not kept any more.
    pub event: Option<String>,
    /// The event's id.
    pub event_id: EventId,
    /// The delivery's id.
    pub delivery_id: DeliveryId,
    /// The attempt's number within the delivery, from 1.
    pub attempt: i64,
    /// `success` or `failed`.
    pub status: &'static str,
    /// The answer's HTTP status; null, if there was no answer.
    pub status_code: Option<i64>,
    /// Why there was none; null, if there was one.
    pub error_class: Option<String>,
    /// A sentence about what went wrong; null, if there is nothing to add.
    pub error_message: Option<String>,
    /// How long it took, in milliseconds.
    pub duration_ms: i64,
    /// When it began, RFC 3339.
    pub created_at: Timestamp,
}

impl From<store::LoggedAttempt> for WebhookLogView {
    fn from(row: store::LoggedAttempt) -> Self {
        let succeeded = row
            .status_code
            .is_some_and(|code| (200..300).contains(&code));
        Self {
            id: row.id,
            webhook_id: row.endpoint,
            event: row.event_type,
            event_id: row.event,
            delivery_id: row.delivery,
            attempt: row.no,
            status: if succeeded { "success" } else { "failed" },
            status_code: row.status_code,
            error_class: row.error_class,
            error_message: row.message,
            duration_ms: row.duration_ms,
            created_at: row.started_at,
        }
    }
}

impl Shown for WebhookLogView {
    fn hide(&mut self, secrets: &Secrets) {
        if let Some(message) = &mut self.error_message {
            secrets.hide(message);
        }
    }
}

impl Service {
    /// The attempts of the account's last deliveries, newest delivery first: of one endpoint and before a time only, if
    /// that is said. [`SCANNED_ROWS_MAX`](crate::model::limits::SCANNED_ROWS_MAX) deliveries are looked at.
    pub async fn webhook_logs(
        &self,
        who: &Principal<MayRead>,
        walk: &AttemptWalk,
    ) -> Result<Vec<WebhookLogView>, Error> {
        let _turn = self.list_turn(who.account()).await?;
        let rows = self
            .inner
            .store
            .logged_attempts(who.account(), walk)
            .await?;
        let secrets = self.hidden(who.account()).await?;
        let view = |row| WebhookLogView::from(row).without(&secrets);
        Ok(rows.into_iter().map(view).collect())
    }
}
