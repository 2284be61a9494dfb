//! An automation as it is written, and how it becomes what is stored: patterns and the condition
//! checked, plugins pinned by digest, configurations checked against the plugins, endpoints looked up.

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::endpoint::owned_endpoint;
use super::{Error, Place, Service, TriggerSchedule, check, subscribe};
use crate::automation::{
    Action, EventType, OPERATIONAL_PREFIX, OWN_SCHEDULE_PREFIX, OnError, Pattern, Trigger,
};
use crate::model::limits::{
    ACTIONS_MAX, ALERT_AFTER_MAX, DELIVERIES_PER_EVALUATION_MAX, OUTPUTS_MAX,
};
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
    /// A schedule of the automation's own, in place of `events`. Only the automation meets its events, whose type
    /// is `schedule.` and the automation's id.
    pub schedule: Option<TriggerSchedule>,
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
    /// What becomes of an event for which the plugin fails: `fail` (it is kept as a dead letter, and the
    /// automation is paused if the plugin refuses its configuration; what is done if this is left out), `skip` (the plugin is left out, and what went into it goes on) or `drop` (what went into it
    /// does not go on).
    #[schema(example = "fail")]
    pub on_error: Option<OnError>,
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
    /// Each output of the last plugin, or the payload if there is none, becomes a new event.
    pub emit: Option<EmitRequest>,
}

/// The events that an automation makes. They meet automations as any event does; one that descends from an
/// automation's own output, that automation refuses.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EmitRequest {
    /// Their type, such as `deal.flagged`; not one that begins with `throwbar.` or `schedule.aut_`.
    #[serde(rename = "type")]
    #[schema(example = "deal.flagged")]
    pub event_type: String,
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

/// Reads a trigger that names events.
pub(super) fn trigger(request: &TriggerRequest) -> Result<Trigger, Error> {
    let texts = request.events.as_deref().unwrap_or_default();
    let events: Vec<Pattern> = subscribe::patterns(texts, "/trigger/events")?;
    if events.is_empty() {
        let why = "nothing would start it: name event types or patterns, such as deal.*, or * for all, or give a schedule";
        return Err(Error::field("/trigger/events", why));
    }
    Ok(Trigger {
        events,
        schedule: None,
    })
}

/// Sees that a type may be given to events by others than the product itself.
pub(super) fn own_type(text: &str, pointer: &str) -> Result<EventType, Error> {
    let event_type: EventType = text.parse().map_err(|error| Error::field(pointer, error))?;
    let why = if event_type.is_operational() {
        format!(
            "types that begin with {OPERATIONAL_PREFIX} are of operational events, which the server itself makes: choose another"
        )
    } else if event_type.is_own_schedule() {
        format!(
            "types that begin with {OWN_SCHEDULE_PREFIX} are of automations' own schedules, which alone make such events: choose another, or run the schedule now"
        )
    } else {
        return Ok(event_type);
    };
    Err(Error::Invalid {
        code: "reserved_type",
        at: Place::body(pointer),
        why,
    })
}

/// Checks after how many errors it is told that an automation fails.
pub(super) fn alert_after(errors: Option<u32>) -> Result<Option<u32>, Error> {
    if errors.is_some_and(|errors| !(1..=ALERT_AFTER_MAX).contains(&errors)) {
        let why = format!("it is told after 1 to {ALERT_AFTER_MAX} errors: give a number of them");
        return Err(Error::field("/alert_after", why));
    }
    Ok(errors)
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
            let webhook = match wanted(request, &at)? {
                Wanted::Webhook(webhook) => webhook,
                Wanted::Emit(event_type) => {
                    resolved.actions.push(Action::Emit { event_type });
                    continue;
                }
            };
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

/// What an action does.
enum Wanted<'a> {
    Webhook(&'a WebhookRequest),
    Emit(EventType),
}

fn wanted<'a>(request: &'a ActionRequest, at: &str) -> Result<Wanted<'a>, Error> {
    match (&request.webhook, &request.emit) {
        (Some(webhook), None) => Ok(Wanted::Webhook(webhook)),
        (None, Some(emit)) => {
            own_type(&emit.event_type, &format!("{at}/emit/type")).map(Wanted::Emit)
        }
        _ => {
            let why = "an action does one thing: give webhook or emit";
            Err(Error::field(at, why))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> TriggerRequest {
        serde_json::from_str(text).expect(text)
    }

    #[test]
    fn a_trigger_names_events_that_it_may_meet() {
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
                r#"{"events":["deal.*","schedule.aut_1"]}"#,
                "invalid_field",
                "/trigger/events/1",
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
    fn an_action_does_one_thing_and_makes_no_operational_event() {
        let action = |text: &str| {
            let request: ActionRequest = serde_json::from_str(text).expect(text);
            wanted(&request, "/actions/0").map(drop)
        };
        for fine in [
            r#"{"emit":{"type":"deal.flagged"}}"#,
            r#"{"webhook":{"url":"https://example.test"}}"#,
        ] {
            assert!(action(fine).is_ok(), "{fine}");
        }
        for (text, code, at) in [
            ("{}", "invalid_field", "/actions/0"),
            (
                r#"{"emit":{"type":"a"},"webhook":{}}"#,
                "invalid_field",
                "/actions/0",
            ),
            (
                r#"{"emit":{"type":"a.*"}}"#,
                "invalid_field",
                "/actions/0/emit/type",
            ),
            (
                r#"{"emit":{"type":"throwbar.endpoint.disabled"}}"#,
                "reserved_type",
                "/actions/0/emit/type",
            ),
            (
                r#"{"emit":{"type":"schedule.aut_1"}}"#,
                "reserved_type",
                "/actions/0/emit/type",
            ),
        ] {
            let error = action(text).expect_err(text);
            assert_eq!(error.code(), code, "{text}");
            assert_eq!(error.place(), Some(&Place::body(at)), "{text}");
        }
        for (errors, fine) in [
            (None, true),
            (Some(1), true),
            (Some(0), false),
            (Some(1001), false),
        ] {
            assert_eq!(alert_after(errors).is_ok(), fine, "{errors:?}");
        }
    }

    #[test]
    fn outputs_times_actions_are_bounded() {
        assert!(fits(0, ACTIONS_MAX).is_ok() && fits(0, ACTIONS_MAX + 1).is_err());
        assert!(fits(1, 16).is_ok() && fits(1, 17).is_err());
    }
}
