//! What was live when an event came: as of which revision it is evaluated, and what an automation, or an
//! endpoint's own subscription, was at that revision.

use super::row::record;
use super::values::args;
use super::{Error, Store};
use crate::model::{AccountId, AutomationId, EndpointId, EventId};

/// A version that was live from one revision to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveVersion {
    /// Its number, from 1.
    pub version: i64,
    /// The first revision at which it was not live any more; `None`: it still is.
    pub to_revision: Option<i64>,
}

record!(LiveVersion {
    version: "version",
    to_revision: "to_revision",
});

impl LiveVersion {
    /// Whether it was live at this revision, which is not before it went live.
    pub fn is_live_at(&self, revision: i64) -> bool {
        self.to_revision.is_none_or(|to| to > revision)
    }
}

impl Store {
    /// As of which revision of its account an event was evaluated, or will be; `None` if neither is on
    /// record.
    pub async fn event_revision(
        &self,
        account: AccountId,
        event: EventId,
    ) -> Result<Option<i64>, Error> {
        let found: Option<(i64,)> = self
            .fetch_optional(
                "SELECT revision FROM evaluations WHERE account_id = $1 AND event_id = $2
                 UNION ALL
                 SELECT revision FROM inbox WHERE account_id = $1 AND event_id = $2",
                args![account, event],
            )
            .await?;
        Ok(found.map(|row| row.0))
    }

    /// The version of an automation that was the last to go live by `revision`, whether it was still live
    /// then or not.
    pub async fn live_by(
        &self,
        account: AccountId,
        automation: AutomationId,
        revision: i64,
    ) -> Result<Option<LiveVersion>, Error> {
        self.fetch_optional(
            "SELECT version, to_revision FROM publications
             WHERE account_id = $1 AND automation_id = $2 AND from_revision <= $3
             ORDER BY from_revision DESC LIMIT 1",
            args![account, automation, revision],
        )
        .await
    }

    /// The revision at which the first version of an automation went live; `None`: none ever was.
    pub async fn first_live_revision(
        &self,
        account: AccountId,
        automation: AutomationId,
    ) -> Result<Option<i64>, Error> {
        let found: Option<(i64,)> = self
            .fetch_optional(
                "SELECT from_revision FROM publications
                 WHERE account_id = $1 AND automation_id = $2 ORDER BY from_revision LIMIT 1",
                args![account, automation],
            )
            .await?;
        Ok(found.map(|row| row.0))
    }

    /// The automation that was an endpoint's own subscription at `revision`, and its version.
    pub async fn subscription_at(
        &self,
        account: AccountId,
        endpoint: EndpointId,
        revision: i64,
    ) -> Result<Option<(AutomationId, i64)>, Error> {
        self.fetch_optional(
            "SELECT a.id, p.version FROM automations a
             JOIN publications p ON p.account_id = a.account_id AND p.automation_id = a.id
             WHERE a.account_id = $1 AND a.owner_endpoint_id = $2 AND p.from_revision <= $3
               AND (p.to_revision IS NULL OR p.to_revision > $3)",
            args![account, endpoint, revision],
        )
        .await
    }
}
