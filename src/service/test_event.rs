//! Test events: examples that are sent to one endpoint, to see them arrive. They go the whole way of a delivery, and
//! nothing else follows from them: no automation looks at them, and neither the endpoint's failure policy nor a
//! recovery counts them.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::definition::own_type;
use super::endpoint_shape::stored_settings;
use super::principal::{MayWrite, NO_ACCOUNT, Principal};
use super::vetting::apart;
use super::{Error, Place, Service, Shelf, check};
use crate::automation::{EventType, Pattern};
use crate::model::limits::EVENT_TYPES_PER_ACCOUNT_MAX;
use crate::model::{AccountId, DeliveryId, EventId};
use crate::pipeline::Full;
use crate::schema::EventSchema;
use crate::store::{EventTypeEntry, NewTestEvent};

/// Most test events of one call.
const TESTS_MAX: usize = 50;
/// How often an account may have tests sent.
pub(super) const PER_MINUTE_MAX: u32 = 60;
/// What an endpoint that gets everything is sent, where nothing is catalogued.
const PLAIN_TYPE: &str = "test";

/// Which examples are sent.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TestEventsRequest {
    /// Of this event type alone, be it subscribed to or not; of every one that the endpoint subscribes to, if left out.
    #[serde(rename = "type")]
    #[schema(example = "deal.won")]
    pub event_type: Option<String>,
}

/// What was sent.
#[derive(Debug, Serialize, ToSchema)]
pub struct TestEventsView {
    /// One for each type, by name.
    pub data: Vec<TestEventView>,
    /// The types of which nothing is sent.
    pub left_out: Vec<LeftOutView>,
}

/// A test event that was made.
#[derive(Debug, Serialize, ToSchema)]
pub struct TestEventView {
    /// Its type.
    #[serde(rename = "type")]
    pub event_type: String,
    /// The event's id.
    #[schema(value_type = String)]
    pub event: EventId,
    /// The id of its delivery, which tells its attempts.
    #[schema(value_type = String)]
    pub delivery: DeliveryId,
    /// What its payload was made from.
    pub made_from: MadeFrom,
}

/// A type of which nothing is sent.
#[derive(Debug, Serialize, ToSchema)]
pub struct LeftOutView {
    /// Which.
    #[serde(rename = "type")]
    pub event_type: String,
    /// Why, as a sentence.
    pub why: String,
}

/// What an example was made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MadeFrom {
    /// The type's own example.
    Example,
    /// Its JSON Schema.
    Schema,
    /// Nothing: the catalogue knows neither, and it is a plain sample.
    Nothing,
}

/// A type, and what the catalogue says of it.
type Wanted = (EventType, Option<EventTypeEntry>);

/// A payload, or why there is none.
type Payload = Result<(String, MadeFrom), String>;

impl Service {
    /// Sends examples to an endpoint.
    pub async fn test_endpoint(
        &self,
        who: &Principal<MayWrite>,
        id: &str,
        asked: TestEventsRequest,
    ) -> Result<TestEventsView, Error> {
        let account = who.account();
        let row = self
            .endpoint_row(account, check::id(id, "endpoint")?)
            .await?;
        let settings = stored_settings(&row)?;
        let named = asked.event_type.as_deref();
        let named = named.map(|name| own_type(name, "/type")).transpose()?;
        self.sees_deliveries_leave(account, &row.state).await?;
        let mut wanted = match &named {
            Some(name) => vec![self.catalogued(account, name).await?],
            None => self.subscribed(account, settings.subscribe).await?,
        };
        if !self.inner.test_pace.take(account, self.inner.clock.now()) {
            return Err(Error::Testing(Full::Account));
        }
        let beyond = wanted.split_off(wanted.len().min(TESTS_MAX));
        let (made, mut left_out) = self.examples(account, wanted).await?;
        left_out.extend(beyond.into_iter().map(|(event_type, _)| LeftOutView {
            event_type: event_type.to_string(),
            why: format!("one call sends {TESTS_MAX} at most: name this type"),
        }));
        if made.is_empty() {
            return Err(no_example(
                if named.is_some() { "/type" } else { "" },
                &left_out,
            ));
        }
        let now = self.inner.clock.now();
        let made: Vec<(NewTestEvent, MadeFrom)> = made
            .into_iter()
            .map(|(event_type, payload, from)| {
                let id = EventId::mint(now);
                let payload = Bytes::from(payload);
                let test = NewTestEvent {
                    id,
                    event_type,
                    payload,
                };
                (test, from)
            })
            .collect();
        let tests: Vec<NewTestEvent> = made.iter().map(|(test, _)| test.clone()).collect();
        let to = (row.id, settings.envelope);
        let store = &self.inner.store;
        store.create_test_events(account, to, &tests, now).await?;
        self.wake(account, row.id).await;
        let data = made.iter().map(|(test, made_from)| TestEventView {
            event_type: test.event_type.to_string(),
            event: test.id,
            delivery: test.delivery(row.id),
            made_from: *made_from,
        });
        Ok(TestEventsView {
            data: data.collect(),
            left_out,
        })
    }

    /// What the account's catalogue says of a type.
    async fn catalogued(&self, account: AccountId, name: &EventType) -> Result<Wanted, Error> {
        for owner in [account, NO_ACCOUNT] {
            let found = self.inner.store.event_type(owner, name.as_str()).await?;
            if found.is_some() {
                return Ok((name.clone(), found));
            }
        }
        Ok((name.clone(), None))
    }

    /// The types that a subscription names, by name: those of the catalogue; what it names itself; and for a pattern
    /// that the catalogue has nothing for, a name that meets it.
    async fn subscribed(
        &self,
        account: AccountId,
        subscribe: Option<Vec<String>>,
    ) -> Result<Vec<Wanted>, Error> {
        let patterns = subscribe.unwrap_or_default();
        let patterns: Vec<Pattern> = patterns.iter().filter_map(|it| it.parse().ok()).collect();
        if patterns.is_empty() {
            return Err(Error::Conflict {
                code: "not_subscribed",
                why: "the endpoint subscribes to nothing itself: name a type".to_owned(),
            });
        }
        let _turn = self.list_turn(account).await?;
        let mut known: Vec<EventTypeEntry> = Vec::new();
        for owner in [account, NO_ACCOUNT] {
            let store = &self.inner.store;
            let limit = EVENT_TYPES_PER_ACCOUNT_MAX;
            known.extend(store.event_types(owner, Shelf::All, None, limit).await?);
        }
        Ok(chosen(&patterns, known))
    }

    /// The payload of each, or why there is none.
    async fn examples(
        &self,
        account: AccountId,
        wanted: Vec<Wanted>,
    ) -> Result<(Vec<(EventType, String, MadeFrom)>, Vec<LeftOutView>), Error> {
        let (mut made, mut left_out) = (Vec::new(), Vec::new());
        for (event_type, entry) in wanted {
            let mut payload = entry.as_ref().map_or_else(|| Some(plain()), told);
            if payload.is_none() {
                payload = Some(self.made_from_schema(account, &event_type).await?);
            }
            match payload.unwrap_or_else(|| Ok(sample())) {
                Ok((payload, _)) if payload.len() > self.inner.rules.payload_bytes_max => {
                    left_out.push(LeftOutView {
                        event_type: event_type.to_string(),
                        why: "its example is longer than a payload may be".to_owned(),
                    });
                }
                Ok((payload, from)) => made.push((event_type, payload, from)),
                Err(why) => left_out.push(LeftOutView {
                    event_type: event_type.to_string(),
                    why,
                }),
            }
        }
        Ok((made, left_out))
    }

    /// What is made from the schema in force, on a thread of its own and in the account's turn: schemas take a while to
    /// compile.
    async fn made_from_schema(
        &self,
        account: AccountId,
        name: &EventType,
    ) -> Result<Payload, Error> {
        let found = self.inner.store.schema_in_force(account, name.as_str());
        let Some(schema) = found.await?.and_then(|found| found.schema) else {
            return Ok(plain());
        };
        let _turn = self.schema_turn(account).await?;
        let made = apart(move || {
            let compiled = EventSchema::compile(&schema).map_err(|error| error.to_string())?;
            compiled.example(&schema).map_err(|error| error.to_string())
        });
        let made = made.await?.map(|payload| (payload, MadeFrom::Schema));
        Ok(made.map_err(|why| {
            format!(
                "it has no example, and none can be made from its schema: {why}; give it an example"
            )
        }))
    }
}

/// What a type's entry has as an example; `None`: it may have a schema.
fn told(entry: &EventTypeEntry) -> Option<Payload> {
    let further = entry.examples.as_deref();
    let further = further.and_then(|text| serde_json::from_str::<Vec<Box<RawValue>>>(text).ok());
    let first = entry.example.clone();
    let found = first.or_else(|| Some(further?.first()?.get().to_owned()));
    match found {
        Some(payload) => Some(Ok((payload, MadeFrom::Example))),
        None if entry.schema_version.is_some() => None,
        None => Some(plain()),
    }
}

fn sample() -> (String, MadeFrom) {
    let says = "The catalogue has neither an example nor a schema of this event type.";
    let payload = json!({ "test": true, "message": says });
    (payload.to_string(), MadeFrom::Nothing)
}

#[expect(clippy::unnecessary_wraps, reason = "one of several ways to a payload")]
fn plain() -> Payload {
    Ok(sample())
}

/// The types that these patterns name. `known`: the account's own first, which hide the installation's.
fn chosen(patterns: &[Pattern], known: Vec<EventTypeEntry>) -> Vec<Wanted> {
    let mut wanted = std::collections::BTreeMap::<EventType, Option<EventTypeEntry>>::new();
    for entry in known {
        if let Ok(name) = entry.name.parse::<EventType>()
            && patterns.iter().any(|pattern| pattern.matches(&name))
        {
            wanted.entry(name).or_insert(Some(entry));
        }
    }
    wanted.retain(|_, entry| entry.as_ref().is_some_and(|it| it.archived_at.is_none()));
    for pattern in patterns {
        if wanted.keys().any(|name| pattern.matches(name)) {
            continue;
        }
        let name = match pattern {
            Pattern::Exact(name) => Some(name.clone()),
            Pattern::Under(name) => format!("{name}.{PLAIN_TYPE}").parse().ok(),
            Pattern::All => PLAIN_TYPE.parse().ok(),
        };
        // What the server itself tells is not made up.
        let made_up =
            name.filter(|name: &EventType| !name.is_operational() && !name.is_own_schedule());
        if let Some(name) = made_up {
            wanted.insert(name, None);
        }
    }
    wanted.into_iter().collect()
}

fn no_example(pointer: &str, left_out: &[LeftOutView]) -> Error {
    let why = match left_out.first() {
        Some(first) => format!("there is no example of {}: {}", first.event_type, first.why),
        None => "the endpoint subscribes to operational events alone, of which there are no examples: name another \
                 type"
            .to_owned(),
    };
    Error::Invalid {
        code: "no_example",
        at: Place::body(pointer),
        why,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    fn entry(name: &str, archived_at: Option<Timestamp>) -> EventTypeEntry {
        let at = Timestamp::from_ms(0);
        EventTypeEntry {
            name: name.to_owned(),
            description: String::new(),
            group: None,
            example: None,
            examples: None,
            latest_version: 0,
            schema_version: None,
            schema: None,
            schema_digest: None,
            archived_at,
            created_at: at,
            updated_at: at,
        }
    }

    #[test]
    fn a_subscription_is_every_type_that_it_names_and_one_for_what_nobody_has_catalogued() {
        let known = || {
            [
                ("deal.won", None),
                ("deal.old", Some(Timestamp::from_ms(1))),
                ("call.ended", None),
            ]
            .map(|(name, archived_at)| entry(name, archived_at))
            .to_vec()
        };
        for (patterns, expected) in [
            (&["*"][..], vec!["call.ended", "deal.won"]),
            (&["deal.*"], vec!["deal.won"]),
            (
                &["deal.won", "deal.*", "mail.sent"],
                vec!["deal.won", "mail.sent"],
            ),
            (&["invoice.*"], vec!["invoice.test"]),
            (&["throwbar.*"], vec![]),
        ] {
            let patterns: Vec<Pattern> =
                patterns.iter().map(|it| it.parse().expect("one")).collect();
            let found = chosen(&patterns, known());
            let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(names, expected);
        }
        let all = chosen(&["*".parse().expect("one")], Vec::new());
        assert_eq!(all[0].0.as_str(), PLAIN_TYPE);
    }
}
