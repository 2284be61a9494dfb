//! Rows for the store, with everything filled in that a test does not care for.

use bytes::Bytes;
use throwbar::envelope::Envelope;
use throwbar::model::{
    AccountId, AutomationId, Clock, DeliveryId, DeliveryOrigin, EndpointId, EventId, SecretId,
    Timestamp,
};
use throwbar::store::{
    Authorship, AutomationChange, Consequences, EndpointState, Error, EventTypeEntry,
    EventTypeWrite, KeyOf, NewAccount, NewAutomation, NewDelivery, NewEndpoint, NewEvent, NewKey,
    NewPlan, Publication, StateChange, Store,
};

/// The present, which ids are minted from.
pub fn now() -> Timestamp {
    Clock::System.now()
}

/// An account.
pub fn new_account() -> NewAccount {
    NewAccount {
        id: AccountId::mint(now()),
        uid: None,
        name: "Zoë & Söhne".to_owned(),
        signing_key: Bytes::from_static(b"sealed"),
        owner_mail: None,
        created_at: now(),
    }
}

/// An account in the store.
pub async fn account(store: &Store) -> AccountId {
    let new = new_account();
    store.create_account(&new).await.expect("it is new");
    new.id
}

/// An enabled endpoint without a subscription.
pub fn endpoint() -> NewEndpoint {
    NewEndpoint {
        id: EndpointId::mint(now()),
        name: "an endpoint".to_owned(),
        url: "https://example.test/hook".to_owned(),
        settings: "{}".to_owned(),
        owner_automation: None,
        state: EndpointState::Enabled,
        secrets: vec![(SecretId::mint(now()), Bytes::from_static(b"sealed secret"))],
        key_pairs: Vec::new(),
        subscription: None,
        created_at: now(),
    }
}

/// An enabled endpoint in the store.
pub async fn stored_endpoint(store: &Store, account: AccountId) -> EndpointId {
    let new = endpoint();
    store
        .create_endpoint(account, &new)
        .await
        .expect("it is new");
    new.id
}

/// An automation that is live at once.
pub fn automation(definition: &str) -> NewAutomation {
    NewAutomation {
        id: AutomationId::mint(now()),
        name: "an automation".to_owned(),
        owner_endpoint: None,
        definition: definition.to_owned(),
        publication: Publication::Live,
        endpoints: Vec::new(),
        author: None,
        note: None,
        override_reason: None,
        created_at: now(),
    }
}

/// Somebody without a key, now.
pub fn authorship() -> Authorship {
    Authorship {
        author: None,
        at: now(),
        override_reason: None,
    }
}

/// Switches an automation on or off, by publishing its published version again. Whether it has one.
pub async fn switch(
    store: &Store,
    account: AccountId,
    id: AutomationId,
    to: Publication,
) -> Result<bool, Error> {
    let Some(row) = store.automation(account, id).await? else {
        return Ok(false);
    };
    let Some(version) = row.published_version else {
        return Ok(false);
    };
    let change = AutomationChange {
        name: None,
        course: Some(StateChange::Publish(version, to)),
        by: authorship(),
    };
    let from = row.standing();
    let changed = store.change_automation(account, id, &change, &from).await?;
    Ok(changed.is_some())
}

/// A catalogued name, with this version of a schema in force; 0: with none.
pub fn event_type(name: &str, version: i64) -> EventTypeEntry {
    EventTypeEntry {
        name: name.to_owned(),
        description: "Über alles Mögliche".to_owned(),
        group: Some("deals".to_owned()),
        example: Some(r#"{"a":"\u0000"}"#.to_owned()),
        examples: None,
        latest_version: version,
        schema_version: (version > 0).then_some(version),
        schema: (version > 0).then(|| format!("{{\"minProperties\":{version}}}")),
        schema_digest: (version > 0).then(|| vec![version as u8; 32]),
        archived_at: None,
        created_at: Timestamp::from_ms(1),
        updated_at: Timestamp::from_ms(2),
    }
}

/// Writes one event type, from what it was, if it was there, to what it is to be.
pub async fn write_event_type(
    store: &Store,
    owner: AccountId,
    from: Option<&EventTypeEntry>,
    to: &EventTypeEntry,
) -> Result<(), Error> {
    let write = EventTypeWrite {
        from: from.cloned(),
        to: to.clone(),
    };
    store
        .write_event_types(owner, &[write], &authorship())
        .await
}

/// An event without keys.
pub fn event(account: AccountId, payload: impl Into<Bytes>) -> NewEvent {
    NewEvent {
        account,
        id: EventId::mint(now()),
        event_type: "deal.updated".parse().expect("a name"),
        occurred_at: now(),
        payload: payload.into(),
        origin: None,
        keys: Vec::new(),
        body_hash: [0; 32],
        violations: None,
    }
}

/// An event with one key, whose body is told by one byte.
pub fn keyed(account: AccountId, key: &str, body: u8) -> NewEvent {
    let mut new = event(account, format!("{body}"));
    new.keys = vec![NewKey {
        kind: KeyOf::Sender,
        key: key.to_owned(),
        expires_at: None,
    }];
    new.body_hash = [body; 32];
    new
}

/// A delivery of an event's payload, waiting since `due_at`; claimed at once if there is none.
pub fn delivery(event: EventId, endpoint: EndpointId, due_at: Option<Timestamp>) -> NewDelivery {
    let automation = AutomationId::mint(now());
    let origin = DeliveryOrigin {
        event,
        automation,
        action_no: 0,
        endpoint,
        output_no: 0,
    };
    NewDelivery {
        id: DeliveryId::derive(&origin),
        automation,
        endpoint,
        output_no: None,
        envelope: Envelope::Raw,
        webhook_id: event.to_string(),
        due_at,
        order: None,
    }
}

/// A plan with these deliveries.
pub fn plan(account: AccountId, event: EventId, deliveries: Vec<NewDelivery>) -> NewPlan {
    NewPlan {
        account,
        event,
        revision: 1,
        verdicts: Bytes::from_static(b"[]"),
        evaluated_at: now(),
        bodies: Vec::new(),
        deliveries,
        asks: Vec::new(),
        late: None,
        consequences: Consequences::default(),
    }
}
