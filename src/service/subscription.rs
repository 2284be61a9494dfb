//! The automation that runs an endpoint's own subscription.

use super::{Error, subscribe};
use crate::automation::{Action, Definition, Trigger};
use crate::model::{AutomationId, EndpointId, Timestamp};
use crate::pipeline::EndpointSettings;
use crate::store::{self, Publication, SubscriptionChange};

/// What becomes of an endpoint's own subscription when its settings change.
pub(super) fn subscription_change(
    (endpoint, name): (EndpointId, &str),
    known: &EndpointSettings,
    settings: &EndpointSettings,
    now: Timestamp,
) -> Result<Option<SubscriptionChange>, Error> {
    if settings.subscribe == known.subscribe {
        return Ok(None);
    }
    let begin = subscription(endpoint, name, settings, now)?
        .map(|new| SubscriptionChange::Begin(Box::new(new)));
    Ok(Some(begin.unwrap_or(SubscriptionChange::End)))
}

/// The automation that runs an endpoint's own subscription, if its settings name one.
pub(super) fn subscription(
    endpoint: EndpointId,
    name: &str,
    settings: &EndpointSettings,
    now: Timestamp,
) -> Result<Option<store::NewAutomation>, Error> {
    let Some(patterns) = &settings.subscribe else {
        return Ok(None);
    };
    let definition = Definition {
        trigger: Trigger {
            events: subscribe::patterns(patterns, "/subscribe")?,
            schedule: None,
        },
        condition: None,
        flow: None,
        transforms: Vec::new(),
        actions: vec![Action::Webhook {
            endpoint,
            url: None,
        }],
        alert_after: None,
        tests: Vec::new(),
    };
    Ok(Some(store::NewAutomation {
        id: AutomationId::mint(now),
        name: name.to_owned(),
        owner_endpoint: Some(endpoint),
        definition: definition
            .canonical()
            .map_err(|error| Error::unreadable("the subscription", error))?,
        publication: Publication::Live,
        endpoints: Vec::new(),
        author: None,
        note: None,
        override_reason: None,
        created_at: now,
    }))
}
