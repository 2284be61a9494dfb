//! Operational events: what became of an account's endpoints, automations and deliveries, as events of that
//! account. Made in the transaction of the change, once for each.

use serde_json::{Value, json};

use super::Error;
use super::backend::Tx;
use super::made::{self, NewMade};
use crate::model::{AccountId, AutomationId, EndpointId, EventId, IncarnationId, Timestamp, words};

/// What can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Topic {
    EndpointDisabled,
    EndpointEnabled,
    EndpointFailing,
    EndpointWarned,
    EndpointRecovered,
    AutomationFailing,
    AutomationRecovered,
    AutomationPaused,
    DeliveryFailed,
}

words!(Topic {
    EndpointDisabled = "throwbar.endpoint.disabled",
    EndpointEnabled = "throwbar.endpoint.enabled",
    EndpointFailing = "throwbar.endpoint.failing",
    EndpointWarned = "throwbar.endpoint.warned",
    EndpointRecovered = "throwbar.endpoint.recovered",
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
            says: with(json!({ "endpoint": endpoint }), more),
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
