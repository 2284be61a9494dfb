//! Automations that are switched off by the server itself, because no event could go through them as they are.
//! That is told, in the same transaction.

use serde_json::json;

use super::automation::changeable;
use super::operational::{self, Alert, Topic};
use super::own_schedule::follow;
use super::publication::{Publication, publish};
use super::values::args;
use super::version::Authorship;
use super::{Error, Store, account};
use crate::model::{AccountId, AutomationId, EventId, IncarnationId, Timestamp};

/// An automation that can't work as it is.
#[derive(Debug, Clone)]
pub struct Pause {
    /// Whose.
    pub account: AccountId,
    /// Which one.
    pub automation: AutomationId,
    /// The version that can't.
    pub version: i64,
    /// The event that has shown it.
    pub event: EventId,
    /// Why: a sentence.
    pub why: String,
    /// When.
    pub at: Timestamp,
}

impl Store {
    /// Switches the automation off on behalf of `holder`, which must live, if that version is still the one that
    /// events meet. Whether it was.
    pub async fn pause_automation(
        &self,
        holder: IncarnationId,
        pause: &Pause,
    ) -> Result<bool, Error> {
        let which = (pause.account, pause.automation);
        let mut tx = self.begin_as(holder).await?;
        let revision = account::raise_revision(&mut tx, pause.account).await?;
        let known = changeable(&mut tx, pause.account, pause.automation).await?;
        let live =
            known.filter(|known| known.enabled && known.published_version == Some(pause.version));
        let Some(known) = live else {
            return Ok(false);
        };
        tx.execute(
            "UPDATE automations SET updated_at_ms = $3 WHERE account_id = $1 AND id = $2",
            args![pause.account, pause.automation, pause.at],
        )
        .await?;
        let by = Authorship {
            author: None,
            at: pause.at,
            override_reason: None,
        };
        let course = (pause.version, Publication::Off);
        publish(&mut tx, which, course, revision, &by).await?;
        follow(&mut tx, which, pause.at).await?;
        let says = json!({
            "name": known.name,
            "version": pause.version,
            "event": pause.event,
            "why": pause.why,
        });
        let alert = Alert::of_automation(Topic::AutomationPaused, which, pause.at, says);
        operational::tell(&mut tx, holder, vec![alert]).await?;
        tx.commit().await?;
        Ok(true)
    }
}
