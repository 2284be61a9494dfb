//! Operational events: what became of an account's endpoints, automations and deliveries, as events of that
//! account. Made in the transaction of the change, once for each, and with it the mails about it.

use serde_json::{Value, json};

use super::Error;
use super::backend::Tx;
use super::made::{self, NewMade};
use super::mail_matter::{self, Happened};
use crate::model::{AccountId, AutomationId, EndpointId, EventId, IncarnationId, Timestamp, words};

/// What can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// An endpoint is switched off, by whomever.
    EndpointDisabled,
    /// It is not switched on again yet.
    EndpointStillDisabled,
    /// An endpoint is switched on again.
    EndpointEnabled,
    /// It has failed for a while, without a success.
    EndpointFailing,
    /// Its failure policy warns.
    EndpointWarned,
    /// The first success after that it failed was told.
    EndpointRecovered,
    /// Fewer of its attempts succeed than its alert asks for.
    SuccessRateDropped,
    /// Enough of them do again.
    SuccessRateRecovered,
    /// An automation makes errors one after the other.
    AutomationFailing,
    /// It works again.
    AutomationRecovered,
    /// The server has switched it off.
    AutomationPaused,
    /// A delivery is given up.
    DeliveryFailed,
}

words!(Topic {
    EndpointDisabled = "throwbar.endpoint.disabled",
    EndpointStillDisabled = "throwbar.endpoint.still_disabled",
    EndpointEnabled = "throwbar.endpoint.enabled",
    EndpointFailing = "throwbar.endpoint.failing",
    EndpointWarned = "throwbar.endpoint.warned",
    EndpointRecovered = "throwbar.endpoint.recovered",
    SuccessRateDropped = "throwbar.endpoint.success_rate_dropped",
    SuccessRateRecovered = "throwbar.endpoint.success_rate_recovered",
    AutomationFailing = "throwbar.automation.failing",
    AutomationRecovered = "throwbar.automation.recovered",
    AutomationPaused = "throwbar.automation.paused",
    DeliveryFailed = "throwbar.delivery.failed",
});

/// Something to be told.
#[derive(Debug, Clone)]
pub(super) struct Alert {
    pub(super) account: AccountId,
    pub(super) topic: Topic,
    pub(super) at: Timestamp,
    /// About which endpoint a mail is made of it, too; `None`: none is.
    pub(super) mailed: Option<EndpointId>,
    /// A JSON object.
    pub(super) says: Value,
}

impl Alert {
    /// About an endpoint, with what else is to be said.
    pub(super) fn of_endpoint(
        topic: Topic,
        (account, endpoint): (AccountId, EndpointId),
        at: Timestamp,
        more: Value,
    ) -> Self {
        Self {
            account,
            topic,
            at,
            mailed: Some(endpoint),
            says: with(json!({ "endpoint": endpoint }), more),
        }
    }

    /// The same without a mail: somebody did it by hand, or the mail is of something else.
    pub(super) fn without_mail(self) -> Self {
        Self {
            mailed: None,
            ..self
        }
    }

    /// About an automation, with what else is to be said.
    pub(super) fn of_automation(
        topic: Topic,
        (account, automation): (AccountId, AutomationId),
        at: Timestamp,
        more: Value,
    ) -> Self {
        Self {
            account,
            topic,
            at,
            mailed: None,
            says: with(json!({ "automation": automation }), more),
        }
    }
}

fn with(mut says: Value, more: Value) -> Value {
    if let (Some(says), Value::Object(more)) = (says.as_object_mut(), more) {
        says.extend(more);
    }
    says
}

/// Tells them, once the transaction is durable. What nobody asked for costs its row and an evaluation.
pub(super) async fn tell(
    tx: &mut Tx,
    holder: IncarnationId,
    alerts: Vec<Alert>,
) -> Result<(), Error> {
    mail_matter::note(tx, alerts.iter().filter_map(happened)).await?;
    let event = |alert: Alert| NewMade {
        account: alert.account,
        id: EventId::mint(alert.at),
        event_type: alert
            .topic
            .as_str()
            .parse()
            .expect("each of them is a name of an event type"),
        occurred_at: alert.at,
        payload: with(alert.says, json!({ "at": alert.at }))
            .to_string()
            .into(),
        cause: None,
    };
    made::write(tx, holder, alerts.into_iter().map(event).collect()).await
}

fn happened(alert: &Alert) -> Option<Happened> {
    Some(Happened {
        account: alert.account,
        endpoint: alert.mailed?,
        topic: alert.topic,
        at: alert.at,
        says: alert.says.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::automation::EventType;

    #[test]
    fn every_topic_is_an_operational_event_type() {
        for topic in Topic::ALL {
            let event_type: EventType = topic.as_str().parse().expect("a name");
            assert!(event_type.is_operational(), "{event_type}");
        }
    }
}
