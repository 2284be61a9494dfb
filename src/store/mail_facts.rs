//! What a mail about an endpoint tells beside its matter: how the endpoint stands when the mail is sent.

use super::row::record;
use super::values::args;
use super::{Error, Store};
use crate::model::{AccountId, EndpointId, Timestamp};

/// How many of the endpoint's newest deliveries are looked at for its last answers.
const DELIVERIES_LOOKED_AT_MAX: usize = 100;
/// How many answers are told.
const ANSWERS_MAX: usize = 3;
/// Beyond so many held deliveries it is only told that they are more.
const HELD_COUNTED_MAX: usize = 10_000;

/// An endpoint, and its account's name.
#[derive(Debug, Clone)]
pub struct MailFacts {
    /// What its account is called.
    pub account_name: String,
    /// What it is called.
    pub name: String,
    /// Where requests are sent.
    pub url: String,
    /// The profile's parts as JSON.
    pub settings: String,
    /// `enabled` or `disabled`.
    pub state: String,
    /// The first failure since the last success.
    pub failing_since: Option<Timestamp>,
    /// Failed attempts since the last success.
    pub failed_attempts: i64,
    /// The last warning of its failure policy since then, by its number.
    pub warning: Option<i64>,
    /// When that was.
    pub warned_at: Option<Timestamp>,
    /// When the product disabled it.
    pub disabled_at: Option<Timestamp>,
    /// When it is told next that it is still disabled.
    pub remind_at: Option<Timestamp>,
    /// How many deliveries wait for it to be enabled, counted up to one more than 10,000.
    pub held: i64,
}

record!(MailFacts {
    account_name: "account_name",
    name: "name",
    url: "url",
    settings: "settings",
    state: "state",
    failing_since: "failing_since_ms",
    failed_attempts: "failed_attempts",
    warning: "warning",
    warned_at: "warned_at_ms",
    disabled_at: "disabled_at_ms",
    remind_at: "remind_at_ms",
    held: "held",
});

/// What came of an attempt.
#[derive(Debug, Clone)]
pub struct LastAnswer {
    /// The HTTP status, if there was one.
    pub status_code: Option<i64>,
    /// Else what went wrong, as a word.
    pub error_class: Option<String>,
    /// A sentence about a failure.
    pub message: Option<String>,
    /// When it began.
    pub started_at: Timestamp,
}

record!(LastAnswer {
    status_code: "status_code",
    error_class: "error_class",
    message: "message",
    started_at: "started_at_ms",
});

impl Store {
    /// How an endpoint stands; `None`: it was removed.
    pub async fn mail_facts(
        &self,
        account: AccountId,
        endpoint: EndpointId,
    ) -> Result<Option<MailFacts>, Error> {
        self.fetch_optional(
            "SELECT a.name AS account_name, e.name, e.url, e.settings, e.state, e.failing_since_ms,
               e.failed_attempts, e.warning, e.warned_at_ms, e.disabled_at_ms, e.remind_at_ms,
               (SELECT COUNT(*) FROM (SELECT 1 FROM deliveries d
                  WHERE d.account_id = $1 AND d.endpoint_id = $2 AND d.state = 'held' LIMIT $3) AS counted) AS held
             FROM endpoints e JOIN accounts a ON a.id = e.account_id
             WHERE e.account_id = $1 AND e.id = $2 AND e.deleted_at_ms IS NULL",
            args![account, endpoint, HELD_COUNTED_MAX + 1],
        )
        .await
    }

    /// What came of the endpoint's last attempts, newest first: of those for its newest deliveries.
    pub async fn last_answers(
        &self,
        account: AccountId,
        endpoint: EndpointId,
    ) -> Result<Vec<LastAnswer>, Error> {
        self.fetch(
            "SELECT t.status_code, t.error_class, t.message, t.started_at_ms
             FROM (SELECT account_id, id FROM deliveries WHERE account_id = $1 AND endpoint_id = $2
                   ORDER BY id DESC LIMIT $3) AS d
             JOIN attempts t ON t.account_id = d.account_id AND t.delivery_id = d.id
             ORDER BY t.started_at_ms DESC, t.id DESC LIMIT $4",
            args![account, endpoint, DELIVERIES_LOOKED_AT_MAX, ANSWERS_MAX],
        )
        .await
    }
}
