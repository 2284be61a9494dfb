//! The made-up company: its account, event types, plugins, endpoints and automations, all made
//! through the API as anybody would.

use std::collections::HashMap;

use anyhow::Context as _;
use serde_json::{Value, json};

use super::receiver::Receiver;
use super::story::{EVENT_TYPES, Place};
use crate::cli::client::{ApiClient, Body};

/// The two ready-made plugins, as they are in the repository.
const PLUGINS: [(&str, &[u8]); 2] = [
    (
        "chat-message",
        include_bytes!("../../../plugins/components/chat-message.wasm"),
    ),
    (
        "redact",
        include_bytes!("../../../plugins/components/redact.wasm"),
    ),
];
/// Short, so that a newcomer sees a retry within the second.
const RETRY_DELAYS_MS: [u64; 2] = [400, 800];

/// What listens, in the demo's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Listener {
    /// What it is called.
    pub(super) name: &'static str,
    /// The plugin in its way, if there is one.
    pub(super) plugin: &'static str,
    /// Where its deliveries go.
    pub(super) place: Place,
}

/// All of them, with what they listen to.
pub(super) const LISTENERS: [(&str, Listener); 4] = [
    (
        "proposal.accepted",
        Listener {
            name: "Tell the sales chat",
            plugin: "chat-message",
            place: Place::Chat,
        },
    ),
    (
        "proposal.accepted",
        Listener {
            name: "Report the sale",
            plugin: "redact",
            place: Place::Sales,
        },
    ),
    (
        "deal.stage.changed",
        Listener {
            name: "Won deals to the CRM",
            plugin: "",
            place: Place::Crm,
        },
    ),
    (
        "message.received",
        Listener {
            name: "Inbox subscription",
            plugin: "",
            place: Place::Inbox,
        },
    ),
];

/// The company, set up.
pub(super) struct Company {
    /// The API, acting for the company's account.
    pub(super) client: ApiClient,
    /// The account's id.
    pub(super) account: String,
    /// The automations, by id. An endpoint's own subscription is not among them.
    automations: HashMap<String, Listener>,
}

impl Company {
    /// Makes everything.
    pub(super) async fn found(operator: &ApiClient, receiver: &Receiver) -> anyhow::Result<Self> {
        let wanted = json!({ "name": "Demo", "uid": "demo" });
        let made = operator
            .post("/v1/accounts", Body::of(&wanted))
            .await
            .context("no account")?;
        let account = text(&made, "id")?;
        let client = operator.as_account(&account)?;
        let mut company = Self {
            client,
            account,
            automations: HashMap::new(),
        };
        company.catalogue().await.context("no event types")?;
        company.upload().await.context("no plugins")?;
        let reveal = company
            .client
            .post("/v1/account/signing-key/reveal", Body::empty());
        let key = reveal.await.context("no signing key")?;
        let key = text(&key, "signing_key")?;
        for place in [Place::Chat, Place::Sales] {
            receiver.trust(place, &key);
        }
        company.automate(receiver).await.context("no automations")?;
        Ok(company)
    }

    /// What listens by this automation's id. What is not known is an endpoint's own subscription:
    /// the demo has one.
    pub(super) fn listener(&self, automation: &str) -> Listener {
        self.automations
            .get(automation)
            .copied()
            .unwrap_or(LISTENERS[3].1)
    }

    async fn catalogue(&self) -> anyhow::Result<()> {
        for (name, description) in EVENT_TYPES {
            let group = name.split('.').next().unwrap_or(name);
            let wanted = json!({ "name": name, "description": description, "group": group });
            self.client
                .post("/v1/event-types", Body::of(&wanted))
                .await?;
        }
        Ok(())
    }

    async fn upload(&self) -> anyhow::Result<()> {
        for (name, component) in PLUGINS {
            self.client
                .post(&format!("/v1/plugins?name={name}"), Body::wasm(component))
                .await?;
        }
        Ok(())
    }

    async fn automate(&mut self, receiver: &Receiver) -> anyhow::Result<()> {
        let chat = self
            .endpoint(
                receiver,
                Place::Chat,
                json!({ "subscribe": "none", "profile": "account-signed" }),
            )
            .await?;
        let crm = self
            .endpoint(
                receiver,
                Place::Crm,
                json!({ "subscribe": "none", "envelope": "event" }),
            )
            .await?;
        self.endpoint(
            receiver,
            Place::Inbox,
            json!({ "subscribe": ["message.received"] }),
        )
        .await?;
        let template = "{{event.data.client.name}} ({{event.data.client.company}}) accepted \
                        {{event.data.number}}, {{event.data.title}}: {{event.data.amount}} {{event.data.currency}}";
        let wanted = [
            json!({
                "transforms": [{ "plugin": "chat-message", "config": { "template": template, "extra": { "username": "Throwbar" } } }],
                "actions": [{ "webhook": { "endpoint": chat } }],
            }),
            json!({
                "transforms": [{
                    "plugin": "redact",
                    "config": { "remove": ["/client/email", "/client/phone"], "mask": ["/signed_from"] },
                }],
                "actions": [{ "webhook": { "url": receiver.url(Place::Sales) } }],
            }),
            json!({
                "condition": "event.data.stage == \"Won\"",
                "actions": [{ "webhook": { "endpoint": crm } }],
            }),
        ];
        for ((event_type, listener), mut automation) in LISTENERS.into_iter().zip(wanted) {
            automation["name"] = listener.name.into();
            automation["trigger"] = json!({ "events": [event_type] });
            let made = self
                .client
                .post("/v1/automations", Body::of(&automation))
                .await?;
            self.automations.insert(text(&made, "id")?, listener);
        }
        Ok(())
    }

    /// Makes an endpoint; its id. Its secret, where it has one of its own, goes to the receiver.
    async fn endpoint(
        &self,
        receiver: &Receiver,
        place: Place,
        mut wanted: Value,
    ) -> anyhow::Result<String> {
        wanted["name"] = place.path().trim_start_matches('/').into();
        wanted["url"] = receiver.url(place).into();
        wanted["retry_policy"] = json!({ "delays_ms": RETRY_DELAYS_MS });
        let made = self.client.post("/v1/endpoints", Body::of(&wanted)).await?;
        if let Some(secret) = made["secret"].as_str() {
            receiver.trust(place, secret);
        }
        text(&made, "id")
    }
}

fn text(value: &Value, field: &str) -> anyhow::Result<String> {
    let text = value[field]
        .as_str()
        .with_context(|| format!("the server's answer has no {field}: {value:.200}"))?;
    Ok(text.to_owned())
}
