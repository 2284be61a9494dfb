//! An automation as it is written, and how it becomes what is stored: patterns and the condition
//! checked, plugins pinned by digest, configurations checked against the plugins, endpoints looked up.

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::automation_shape::AutomationPatch;
use super::endpoint::owned_endpoint;
use super::{Error, Service, check, kept_test_shape, subscribe};
use crate::automation::{Action, Definition, Pattern, Trigger};
use crate::model::limits::{ACTIONS_MAX, DELIVERIES_PER_EVALUATION_MAX, OUTPUTS_MAX};
use crate::model::{AccountId, AutomationId, EndpointId, Timestamp, counted};
use crate::outbound::Target;
use crate::store;

/// What starts an automation.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TriggerRequest {
    /// Event types, patterns such as `deal.*`, or `*` for all: 1 to 100, of which one must match.
    #[schema(example = json!(["proposal.accepted"]))]
    pub events: Option<Vec<String>>,
    #[serde(skip_serializing)]
    #[schema(ignore)]
    schedule: Option<IgnoredAny>,
}

/// One run of a plugin.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TransformRequest {
    /// `name@version`, `name` (its newest version when this is saved, which then stays), or a digest, `sha256:…`.
    #[schema(example = "redact@1.0.0")]
    pub plugin: Option<String>,
    /// The plugin's configuration, as its own schema wants it: 64 KiB at most; `{}`, if left out.
    #[schema(value_type = Option<serde_json::Value>)]
    pub config: Option<Box<RawValue>>,
    #[serde(skip_serializing)]
    #[schema(ignore)]
    pub(super) javascript: Option<IgnoredAny>,
}

/// What follows from an event that meets the condition.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ActionRequest {
    /// Each output of the last plugin, or the payload if there is none, is delivered to an endpoint.
    pub webhook: Option<WebhookRequest>,
    #[serde(skip_serializing)]
    #[schema(ignore)]
    emit: Option<IgnoredAny>,
}

/// Where a webhook goes: one of the two.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookRequest {
    /// The id of an endpoint of the account.
    #[schema(value_type = Option<String>, example = "ep_0198c1f0a3b27c4d8e5f60718293a4b5")]
    pub endpoint: Option<String>,
    /// A bare URL: it becomes an endpoint of the automation's own, with the profile `account-signed`.
    pub url: Option<String>,
}

/// Reads a trigger.
pub(super) fn trigger(request: &TriggerRequest) -> Result<Trigger, Error> {
    if request.schedule.is_some() {
        return Err(Error::not_built(
            "/trigger/schedule",
            "a schedule as trigger",
        ));
    }
    let texts = request.events.as_deref().unwrap_or_default();
    let events: Vec<Pattern> = subscribe::patterns(texts, "/trigger/events")?;
    if events.is_empty() {
        let why =
            "nothing would start it: name event types or patterns, such as deal.*, or * for all";
        return Err(Error::field("/trigger/events", why));
    }
    Ok(Trigger { events })
}

/// Sees that all deliveries of one evaluation fit into one plan.
pub(super) fn fits(transforms: usize, actions: usize) -> Result<(), Error> {
    let actions_max = if transforms == 0 {
        ACTIONS_MAX
    } else {
        DELIVERIES_PER_EVALUATION_MAX / OUTPUTS_MAX
    };
    let actions_max = actions_max.min(ACTIONS_MAX);
    if actions > actions_max {
        let why = format!(
            "there are {actions} actions: with {} {actions_max} at most",
            counted(transforms, "transform")
        );
        return Err(Error::field("/actions", why));
    }
    Ok(())
}

/// Actions, and the endpoints that their bare URLs still have to become.
pub(super) struct Actions {
    pub(super) actions: Vec<Action>,
    pub(super) endpoints: Vec<store::NewEndpoint>,
}

impl Service {
    /// A definition with changes laid over it, and the endpoints that its new bare URLs have to become.
    pub(super) async fn laid_over(
        &self,
        (account, automation): (AccountId, AutomationId),
        mut next: Definition,
        patch: &mut AutomationPatch,
    ) -> Result<(Definition, Vec<store::NewEndpoint>), Error> {
        if let Some(name) = &patch.name {
            check::name(name, "/name")?;
        }
        if let Some(request) = &patch.trigger {
            next.trigger = trigger(request)?;
        }
        if let Some(said) = &patch.condition {
            next.condition = match said {
                Some(said) => Some(self.said_condition(account, said).await?),
                None => None,
            };
        }
        if let Some(requests) = patch.transforms.take() {
            next.transforms = self.transforms(account, requests).await?;
        }
        if let Some(requests) = patch.tests.take() {
            next.tests = kept_test_shape::tests(requests)?;
        }
        let mut endpoints = Vec::new();
        if let Some(requests) = &patch.actions {
            let now = self.inner.clock.now();
            let resolved = self.actions(account, automation, requests, now).await?;
            next.actions = resolved.actions;
            endpoints = resolved.endpoints;
        }
        fits(next.transforms.len(), next.actions.len())?;
        Ok((next, endpoints))
    }

    /// Resolves actions: endpoints must be the account's and no other automation's; a bare URL is the
    /// automation's own endpoint, an existing one if it had that URL before.
    pub(super) async fn actions(
        &self,
        account: AccountId,
        automation: AutomationId,
        requests: &[ActionRequest],
        now: Timestamp,
    ) -> Result<Actions, Error> {
        if requests.is_empty() {
            let why = "nothing would follow: add an action, such as {\"webhook\":{\"url\":\"https://…\"}}";
            return Err(Error::field("/actions", why));
        }
        if requests.len() > ACTIONS_MAX {
            let why = format!(
                "there are {} actions: {ACTIONS_MAX} at most",
                requests.len()
            );
            return Err(Error::field("/actions", why));
        }
        let mut owned = self
            .inner
            .store
            .owned_endpoints(account, automation)
            .await?;
        let mut resolved = Actions {
            actions: Vec::with_capacity(requests.len()),
            endpoints: Vec::new(),
        };
        for (place, request) in requests.iter().enumerate() {
            let at = format!("/actions/{place}");
            let webhook = wanted(request, &at)?;
            let at = format!("{at}/webhook");
            let action = match (&webhook.endpoint, &webhook.url) {
                (Some(id), None) => {
                    let endpoint = self
                        .own_or_free(account, automation, id, &format!("{at}/endpoint"))
                        .await?;
                    Action::Webhook {
                        endpoint,
                        url: None,
                    }
                }
                (None, Some(url)) => {
                    let target: Target = self.admit(url, &format!("{at}/url"))?;
                    let known = owned.iter().find(|(_, known)| known == target.as_str());
                    let endpoint = if let Some((id, _)) = known {
                        *id
                    } else {
                        let new = owned_endpoint(automation, &target, now)?;
                        owned.push((new.id, new.url.clone()));
                        resolved.endpoints.push(new);
                        resolved.endpoints[resolved.endpoints.len() - 1].id
                    };
                    Action::Webhook {
                        endpoint,
                        url: Some(url.clone()),
                    }
                }
                _ => {
                    return Err(Error::field(
                        at,
                        "a webhook goes to one place: give endpoint or url",
                    ));
                }
            };
            resolved.actions.push(action);
        }
        Ok(resolved)
    }

    async fn own_or_free(
        &self,
        account: AccountId,
        automation: AutomationId,
        text: &str,
        pointer: &str,
    ) -> Result<EndpointId, Error> {
        let missing = || {
            Error::field(
                pointer,
                "there is no such endpoint in this account: check its id",
            )
        };
        let id: EndpointId = check::id(text, "endpoint").map_err(|_| missing())?;
        let row = self
            .inner
            .store
            .endpoint(account, id)
            .await?
            .ok_or_else(missing)?;
        if row
            .owner_automation
            .is_some_and(|owner| owner != automation)
        {
            let why = "this endpoint is another automation's bare URL, and goes with it: name the URL, or make an endpoint";
            return Err(Error::field(pointer, why));
        }
        Ok(id)
    }
}

/// The webhook of an action.
fn wanted<'a>(request: &'a ActionRequest, at: &str) -> Result<&'a WebhookRequest, Error> {
    if request.emit.is_some() {
        return Err(Error::not_built(format!("{at}/emit"), "emitting an event"));
    }
    let webhook = request.webhook.as_ref();
    webhook.ok_or_else(|| Error::field(at, "an action says what to do: add webhook"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> TriggerRequest {
        serde_json::from_str(text).expect(text)
    }

    #[test]
    fn a_trigger_names_events_and_nothing_unbuilt() {
        assert!(trigger(&read(r#"{"events":["deal.*","*"]}"#)).is_ok());
        for (text, code, at) in [
            ("{}", "invalid_field", "/trigger/events"),
            (r#"{"events":[]}"#, "invalid_field", "/trigger/events"),
            (
                r#"{"events":["a","b c"]}"#,
                "invalid_field",
                "/trigger/events/1",
            ),
            (
                r#"{"schedule":{"cron":"* * * * *"}}"#,
                "not_built",
                "/trigger/schedule",
            ),
        ] {
            let error = trigger(&read(text)).expect_err(text);
            assert_eq!(error.code(), code, "{text}");
            assert_eq!(
                error.place().map(ToString::to_string).as_deref(),
                Some(at),
                "{text}"
            );
        }
    }

    #[test]
    fn outputs_times_actions_are_bounded() {
        assert!(fits(0, ACTIONS_MAX).is_ok() && fits(0, ACTIONS_MAX + 1).is_err());
        assert!(fits(1, 16).is_ok() && fits(1, 17).is_err());
    }
}
