//! Every id is its own type, so that swapped arguments don't compile.
//!
//! In text an id is a prefix and 32 hexadecimal digits (`evt_0198…`); in the store it is the
//! bare UUID. Minted ids are UUIDv7 and therefore sort by time; a delivery's id is a UUIDv8
//! derived from what made the delivery (see [`DeliveryId::derive`]).

use std::fmt;
use std::str::FromStr;
use std::sync::Mutex;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::Timestamp;

/// A text that is not an id of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not an id of this kind: expected '{prefix}_' and 32 hexadecimal digits")]
pub struct IdError {
    prefix: &'static str,
    text: String,
}

/// Keeps UUIDv7s of one millisecond in the order they were minted in. Each millisecond has a context
/// of its own, because one that is kept never goes back in time, as a test's clock may.
static CONTEXT: Mutex<Option<(u64, uuid::ContextV7)>> = Mutex::new(None);

fn mint_v7(now: Timestamp) -> Uuid {
    let ms = u64::try_from(now.as_ms()).unwrap_or(0);
    let mut kept = CONTEXT
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    if kept.as_ref().is_none_or(|(last_ms, _)| *last_ms != ms) {
        *kept = None;
    }
    let (_, context) = kept.get_or_insert_with(|| (ms, uuid::ContextV7::new()));
    let nanos = u32::try_from(ms % 1000).unwrap_or(0) * 1_000_000;
    Uuid::new_v7(uuid::Timestamp::from_unix(&*context, ms / 1000, nanos))
}

fn parse(prefix: &'static str, text: &str) -> Result<Uuid, IdError> {
    text.strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix('_'))
        .filter(|hex| hex.len() == 32)
        .and_then(|hex| Uuid::try_parse(hex).ok())
        .ok_or_else(|| IdError {
            prefix,
            text: text.chars().take(80).collect(),
        })
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, sqlx::Type)]
        #[sqlx(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// What the text form begins with, without the underscore.
            pub const PREFIX: &'static str = $prefix;

            /// A new id that sorts by `now`.
            pub fn mint(now: Timestamp) -> Self {
                Self(mint_v7(now))
            }

            /// The id with this UUID.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The bare UUID, as the store keeps it.
            pub const fn uuid(self) -> Uuid {
                self.0
            }

            /// Its text, in `room`.
            fn encode(self, room: &mut [u8; $prefix.len() + 33]) -> &str {
                let (prefix, hex) = room.split_at_mut($prefix.len() + 1);
                prefix.copy_from_slice(concat!($prefix, "_").as_bytes());
                self.0.as_simple().encode_lower(hex);
                std::str::from_utf8(room).unwrap_or_default()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.encode(&mut [0; $prefix.len() + 33]))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                parse($prefix, text).map(Self)
            }
        }

        impl rusqlite::types::FromSql for $name {
            fn column_result(
                value: rusqlite::types::ValueRef<'_>,
            ) -> rusqlite::types::FromSqlResult<Self> {
                <[u8; 16]>::column_result(value).map(|bytes| Self(Uuid::from_bytes(bytes)))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.encode(&mut [0; $prefix.len() + 33]))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

ids! {
    /// The tenant that owns everything below.
    AccountId = "acc";
    /// A key to the API.
    ApiKeyId = "key";
    /// One HTTP request for a delivery.
    AttemptId = "att";
    /// A trigger with its condition, transforms and actions.
    AutomationId = "aut";
    /// What one automation failed at, kept to be run again.
    DeadLetterId = "ltr";
    /// One body that must reach one endpoint because of one evaluation.
    DeliveryId = "dlv";
    /// Where deliveries go.
    EndpointId = "ep";
    /// Work on past events, which the API calls a job.
    JobId = "job";
    /// One immutable occurrence.
    EventId = "evt";
    /// One life of one node: from its start until it stopped or was declared dead.
    IncarnationId = "inc";
    /// A WebAssembly component in immutable versions.
    PluginId = "plg";
    /// A URL of the server itself that keeps what is sent to it.
    ReceiverId = "rcv";
    /// One request that came to a receiver.
    ReceiverRequestId = "req";
    /// What makes events by the clock.
    ScheduleId = "sch";
    /// One request to a source that was refused, or several like it.
    RefusalId = "rfu";
    /// One mail about what became of an endpoint, to one address.
    MailId = "mail";
    /// One key pair of an endpoint.
    KeyPairId = "kp";
    /// One signing secret of an endpoint or a source.
    SecretId = "sec";
    /// Where others send webhooks to, which become events.
    SourceId = "src";
}

fn minted_at(uuid: Uuid) -> Timestamp {
    let mut ms = [0u8; 8];
    ms[2..].copy_from_slice(&uuid.as_bytes()[..6]);
    Timestamp::from_ms(i64::from_be_bytes(ms))
}

impl EventId {
    /// When the event was minted, in milliseconds since the Unix epoch. Of one that an automation made: when the
    /// first one was that it descends from; see [`Self::accepted_at`].
    pub fn minted_at(self) -> Timestamp {
        minted_at(self.0)
    }
}

impl RefusalId {
    /// When the first request was refused, in milliseconds since the Unix epoch.
    pub fn minted_at(self) -> Timestamp {
        minted_at(self.0)
    }
}

impl DeadLetterId {
    /// The id of what the automation failed at in evaluating the event: a UUIDv8 as a
    /// [delivery's](DeliveryId::derive) is, that begins with the time at which the event was
    /// [accepted](EventId::accepted_at).
    pub fn derive(event: EventId, accepted_at: Timestamp, automation: AutomationId) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"letter");
        hash.update(event.0.as_bytes());
        hash.update(automation.0.as_bytes());
        Self(derived(EventId::first_at(accepted_at), hash))
    }

    /// An id before all those of events that came at `at` or later, and after all others.
    pub fn first_at(at: Timestamp) -> Self {
        let ms = at.as_ms().clamp(0, (1 << 48) - 1);
        let mut bytes = [0u8; 16];
        bytes[..6].copy_from_slice(&ms.to_be_bytes()[2..]);
        Self(Uuid::from_bytes(bytes))
    }
}

/// A UUIDv8 (RFC 9562 §5.8): the 48 bits of the event's time, and a hash.
fn derived(event: EventId, hash: Sha256) -> Uuid {
    let digest = hash.finalize();
    let mut bytes = [0u8; 16];
    bytes[..6].copy_from_slice(&event.0.as_bytes()[..6]);
    bytes[6..].copy_from_slice(&digest[..10]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// What makes one delivery different from every other of the same event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliveryOrigin {
    /// The event that was evaluated.
    pub event: EventId,
    /// The automation that fired.
    pub automation: AutomationId,
    /// The action's place in the automation, from 0.
    pub action_no: u16,
    /// The endpoint the body must reach.
    pub endpoint: EndpointId,
    /// The output's place among the outputs of the transforms, from 0.
    pub output_no: u16,
}

impl ScheduleId {
    /// That of the schedule which the automation owns.
    pub const fn of(automation: AutomationId) -> Self {
        Self(automation.0)
    }
}

impl DeliveryId {
    /// The lowest and the highest id that [`Self::derive`] may give a delivery of the event.
    pub fn range_of(event: EventId) -> (Self, Self) {
        let ends = [0x00, 0xff].map(|filled| {
            let mut bytes = [filled; 16];
            bytes[..6].copy_from_slice(&event.0.as_bytes()[..6]);
            Self(Uuid::from_bytes(bytes))
        });
        (ends[0], ends[1])
    }

    /// The id of the delivery with this origin: a UUIDv8 (RFC 9562 §5.8) that begins with the 48
    /// bits of the event's time and goes on with a SHA-256 of the origin, so that planning the
    /// same evaluation twice names the same deliveries.
    pub fn derive(origin: &DeliveryOrigin) -> Self {
        let mut hash = Sha256::new();
        hash.update(origin.event.0.as_bytes());
        hash.update(origin.automation.0.as_bytes());
        hash.update(origin.action_no.to_be_bytes());
        hash.update(origin.endpoint.0.as_bytes());
        hash.update(origin.output_no.to_be_bytes());
        Self(derived(origin.event, hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        let id = EventId::mint(Timestamp::from_ms(1_790_000_000_123));
        assert_eq!(id.to_string().parse::<EventId>(), Ok(id));
        assert_eq!(id.minted_at(), Timestamp::from_ms(1_790_000_000_123));
        for wrong in [
            "",
            "evt_",
            "ep_0198f3c2b1d47c0f8a6e000000000000",
            "evt_xyz",
            "evt_-",
        ] {
            assert!(wrong.parse::<EventId>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn minted_ids_rise_within_a_millisecond() {
        let now = Timestamp::from_ms(1_790_000_000_000);
        let ids: Vec<_> = (0..1000).map(|_| EventId::mint(now)).collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn a_delivery_is_named_by_every_part_of_its_origin() {
        let now = Timestamp::from_ms(1_790_000_000_000);
        let origin = DeliveryOrigin {
            event: EventId::mint(now),
            automation: AutomationId::mint(now),
            action_no: 0,
            endpoint: EndpointId::mint(now),
            output_no: 0,
        };
        let id = DeliveryId::derive(&origin);
        assert_eq!(id, DeliveryId::derive(&origin));
        let (first, last) = DeliveryId::range_of(origin.event);
        assert!(first < id && id < last);
        assert_eq!(id.uuid().get_version_num(), 8);
        assert_eq!(
            id.uuid().as_bytes()[..6],
            origin.event.uuid().as_bytes()[..6]
        );
        for other in [
            DeliveryOrigin {
                event: EventId::mint(now),
                ..origin
            },
            DeliveryOrigin {
                automation: AutomationId::mint(now),
                ..origin
            },
            DeliveryOrigin {
                action_no: 1,
                ..origin
            },
            DeliveryOrigin {
                endpoint: EndpointId::mint(now),
                ..origin
            },
            DeliveryOrigin {
                output_no: 1,
                ..origin
            },
        ] {
            assert_ne!(id, DeliveryId::derive(&other));
        }
    }

    #[test]
    fn a_letter_is_among_those_of_the_time_at_which_its_event_came() {
        let now = Timestamp::from_ms(1_790_000_000_000);
        let (event, automation) = (EventId::mint(now), AutomationId::mint(now));
        for at in [now, now.plus_ms(7_000)] {
            let letter = DeadLetterId::derive(event, at, automation);
            assert_eq!(letter, DeadLetterId::derive(event, at, automation));
            let other = AutomationId::mint(now);
            assert_ne!(letter, DeadLetterId::derive(event, at, other));
            let (first, next) = (at, at.plus_ms(1));
            assert!(DeadLetterId::first_at(first) < letter);
            assert!(letter < DeadLetterId::first_at(next));
        }
    }
}
