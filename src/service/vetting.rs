//! What an account asks of events that come in: whether their data must fit the schema of their type, and
//! whether their type must be known. Every door that takes events from outside passes them through
//! [`Service::vet`] before they are accepted.
//!
//! An account that asks for nothing, as all do at first, costs a look into memory for each request,
//! and a read of its row every few seconds; its payloads are never parsed. For one that does, a type's schema is
//! compiled once for the whole node, whatever account it is of, and found in memory by
//! account and type. What is in memory is forgotten at once by the node that changes it, by others as
//! soon as they hear of it, and by all after a few seconds.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::intake_rules::IntakeRules;
use super::principal::NO_ACCOUNT;
use super::{Error, Service, UnknownTypes, Validation};
use crate::automation::EventType;
use crate::model::AccountId;
use crate::schema::{EventSchema, Violations};
use crate::store::{self, EventViolations, Hint};

/// How long what was read is taken for what it was: as long may another node's change be unknown here.
const KNOWN_FOR: Duration = Duration::from_secs(10);
/// Most accounts whose rules are in memory.
const ACCOUNTS_MAX: u64 = 50_000;
/// Bytes of event types in memory, about, each with its schema as if nobody shared that.
const TYPES_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// What an event type takes besides its schema, about.
const TYPE_BYTES: usize = 256;
/// Bytes of compiled schemas in memory, about.
const COMPILED_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Counters of changes: accounts share them, which only makes some of them read again.
const COUNTERS: usize = 1024;
/// So many looks of schemas are made where the request is; more, on a thread of their own.
const LOOKS_HERE_MAX: u64 = 20_000;

/// What is known of an event type.
#[derive(Debug, Clone)]
enum Known {
    /// Nobody has catalogued it.
    Nothing,
    /// It is catalogued, and nothing is asked of its data.
    Name,
    /// Its data must fit this version of its schema.
    Schema(i64, Arc<EventSchema>),
}

impl Known {
    fn bytes(&self) -> usize {
        match self {
            Self::Nothing | Self::Name => TYPE_BYTES,
            Self::Schema(_, schema) => TYPE_BYTES + schema.bytes(),
        }
    }
}

/// What of all this is in memory.
pub(super) struct Vetting {
    rules: moka::sync::Cache<(AccountId, u64), IntakeRules>,
    types: moka::sync::Cache<(AccountId, u64, EventType), Known>,
    schemas: moka::future::Cache<[u8; 32], Arc<EventSchema>>,
    changes: Box<[AtomicU64]>,
    changes_of_all: AtomicU64,
    hasher: RandomState,
}

impl Default for Vetting {
    fn default() -> Self {
        Self {
            rules: moka::sync::Cache::builder()
                .max_capacity(ACCOUNTS_MAX)
                .time_to_live(KNOWN_FOR)
                .build(),
            types: moka::sync::Cache::builder()
                .max_capacity(TYPES_BYTES_MAX)
                .weigher(|_, known: &Known| u32::try_from(known.bytes()).unwrap_or(u32::MAX))
                .time_to_live(KNOWN_FOR)
                .build(),
            schemas: moka::future::Cache::builder()
                .max_capacity(COMPILED_BYTES_MAX)
                .weigher(|_, schema: &Arc<EventSchema>| {
                    u32::try_from(schema.bytes()).unwrap_or(u32::MAX)
                })
                .build(),
            changes: (0..COUNTERS).map(|_| AtomicU64::new(0)).collect(),
            changes_of_all: AtomicU64::new(0),
            hasher: RandomState::new(),
        }
    }
}

impl Vetting {
    /// Of the account, or of everybody if it is the installation, nothing is known any more. What is being
    /// read meanwhile is kept under a number that nobody asks for again.
    pub(super) fn forget(&self, account: AccountId) {
        let counter = if account == NO_ACCOUNT {
            &self.changes_of_all
        } else {
            self.counter(account)
        };
        counter.fetch_add(1, Ordering::SeqCst);
    }

    fn counter(&self, account: AccountId) -> &AtomicU64 {
        let place = self.hasher.hash_one(account) as usize % self.changes.len();
        &self.changes[place]
    }

    /// Grows with each change that concerns the account.
    fn changes(&self, account: AccountId) -> u64 {
        let own = self.counter(account).load(Ordering::SeqCst);
        own + self.changes_of_all.load(Ordering::SeqCst)
    }
}

/// An event that must be looked at.
struct Suspect {
    place: usize,
    version: i64,
    schema: Arc<EventSchema>,
    payload: bytes::Bytes,
}

/// An event that does not fit.
#[derive(Debug)]
struct Misfit {
    place: usize,
    version: i64,
    violations: Violations,
}

impl Service {
    /// Looks at events of the account as the account wants it. Those that it does not want become errors;
    /// those that it wants marked are marked. The outer error: nothing can be said at the moment.
    pub(super) async fn vet(
        &self,
        account: AccountId,
        events: &mut [Result<store::NewEvent, Error>],
    ) -> Result<(), Error> {
        let changes = self.inner.vetting.changes(account);
        let rules = match self.inner.vetting.rules.get(&(account, changes)) {
            Some(rules) => rules,
            None => Box::pin(self.read_rules(account, changes)).await?,
        };
        if rules == IntakeRules::default() {
            return Ok(());
        }
        // Boxed: those that ask for nothing don't carry it around.
        Box::pin(self.vet_by(rules, (account, changes), events)).await
    }

    async fn vet_by(
        &self,
        rules: IntakeRules,
        (account, changes): (AccountId, u64),
        events: &mut [Result<store::NewEvent, Error>],
    ) -> Result<(), Error> {
        let mut suspects = Vec::new();
        for (place, slot) in events.iter_mut().enumerate() {
            let Ok(event) = slot else { continue };
            let known = self.known_type(account, changes, &event.event_type);
            match known.await? {
                Known::Nothing => {
                    let refuses = rules.unknown_types == UnknownTypes::Refuse;
                    if refuses && !self.inner.store.is_known_event(event).await? {
                        *slot = Err(unknown(&event.event_type));
                    }
                }
                Known::Schema(version, schema) if rules.validation != Validation::None => {
                    suspects.push(Suspect {
                        place,
                        version,
                        schema,
                        payload: event.payload.clone(),
                    });
                }
                Known::Name | Known::Schema(..) => {}
            }
        }
        for misfit in examine(suspects).await? {
            let slot = &mut events[misfit.place];
            match rules.validation {
                Validation::None => {}
                Validation::Mark => mark(slot, &misfit)?,
                Validation::Refuse => self.refuse(slot, misfit).await?,
            }
        }
        Ok(())
    }

    /// Refuses an event that does not fit, unless it is a repeat: that is answered as the first time, whatever
    /// is asked by now.
    async fn refuse(
        &self,
        slot: &mut Result<store::NewEvent, Error>,
        misfit: Misfit,
    ) -> Result<(), Error> {
        if let Ok(event) = slot
            && !self.inner.store.is_known_event(event).await?
        {
            count("refused");
            *slot = Err(Error::Nonconforming {
                event_type: event.event_type.clone(),
                version: misfit.version,
                violations: misfit.violations,
            });
        }
        Ok(())
    }

    async fn read_rules(&self, account: AccountId, changes: u64) -> Result<IntakeRules, Error> {
        // An account that is not there is told so when the event is accepted.
        let words = self.inner.store.intake_words(account).await?;
        let (validation, unknown_types) = words.unwrap_or_default();
        let rules = IntakeRules {
            validation: Validation::from_word(&validation).unwrap_or_default(),
            unknown_types: UnknownTypes::from_word(&unknown_types).unwrap_or_default(),
        };
        let vetting = &self.inner.vetting;
        vetting.rules.insert((account, changes), rules);
        Ok(rules)
    }

    async fn known_type(
        &self,
        account: AccountId,
        changes: u64,
        name: &EventType,
    ) -> Result<Known, Error> {
        let vetting = &self.inner.vetting;
        let key = (account, changes, name.clone());
        if let Some(known) = vetting.types.get(&key) {
            return Ok(known);
        }
        let found = self.inner.store.schema_in_force(account, name.as_str());
        let known = match found.await? {
            None => Known::Nothing,
            Some(found) => match (found.version, found.schema, found.digest) {
                (Some(version), Some(schema), Some(digest)) => {
                    let compiled = self.compiled(schema, &digest).await;
                    compiled.map_or(Known::Name, |schema| Known::Schema(version, schema))
                }
                _ => Known::Name,
            },
        };
        vetting.types.insert(key, known.clone());
        Ok(known)
    }

    /// The schema, compiled once whoever asks. `None`: it can't be, though it could when it was saved; then
    /// nothing is asked of events, rather than none of them taken.
    async fn compiled(&self, schema: String, digest: &[u8]) -> Option<Arc<EventSchema>> {
        let digest: [u8; 32] = digest.try_into().ok()?;
        let compile = async {
            let compiled = apart(move || EventSchema::compile(&schema)).await?;
            compiled.map(Arc::new).map_err(|error| {
                tracing::error!(%error, "the schema of an event type can't be compiled any more");
                Error::unreadable("the schema of an event type", error)
            })
        };
        let compiled = self.inner.vetting.schemas.try_get_with(digest, compile);
        compiled.await.ok()
    }

    /// What the account or the installation catalogues, or asks of events, has changed: this node knows
    /// as soon as it is durable, others as soon as they hear of it.
    pub(super) async fn catalogue_changed(&self, account: AccountId) {
        let service = self.clone();
        let told = async move {
            service.inner.vetting.forget(account);
            service.inner.store.tell(Hint::Catalogue(account));
        };
        self.inner.store.once_durable(told).await;
    }
}

/// Those that don't fit.
async fn examine(suspects: Vec<Suspect>) -> Result<Vec<Misfit>, Error> {
    let looks = suspects
        .iter()
        .map(|suspect| suspect.schema.looks_at(&suspect.payload))
        .fold(0, u64::saturating_add);
    let look = move || {
        let looked = suspects.into_iter().map(|suspect| Misfit {
            place: suspect.place,
            version: suspect.version,
            violations: suspect.schema.check(&suspect.payload),
        });
        looked
            .filter(|misfit| !misfit.violations.is_empty())
            .collect()
    };
    if looks > LOOKS_HERE_MAX {
        apart(look).await
    } else {
        Ok(look())
    }
}

/// Does what keeps a processor for a while on a thread of its own.
pub(super) async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => Ok(done),
        Err(failed) => match failed.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is shutting down.
            Err(_cancelled) => Err(Error::Unavailable),
        },
    }
}

/// Lets an event say itself what does not fit.
fn mark(slot: &mut Result<store::NewEvent, Error>, misfit: &Misfit) -> Result<(), Error> {
    let violations = serde_json::to_string(&misfit.violations.list)
        .map_err(|error| Error::unreadable("what does not fit", error))?;
    if let Ok(event) = slot {
        count("marked");
        event.violations = Some(Box::new(EventViolations {
            schema_version: misfit.version,
            violations,
        }));
    }
    Ok(())
}

fn count(outcome: &'static str) {
    metrics::counter!("throwbar_events_nonconforming_total", "outcome" => outcome).increment(1);
}

fn unknown(name: &EventType) -> Error {
    Error::Invalid {
        code: "unknown_event_type",
        at: super::Place::body("/type"),
        why: format!(
            "nobody has catalogued the event type '{name}', and this account takes no others: check its spelling, \
             or add it with POST /v1/event-types"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_a_new_number_for_whom_it_concerns() {
        let vetting = Vetting::default();
        let [one, other] = [1, 2].map(|no| AccountId::from_uuid(uuid::Uuid::from_u128(no)));
        let before = [vetting.changes(one), vetting.changes(other)];
        vetting.forget(one);
        assert!(vetting.changes(one) > before[0]);
        let between = [vetting.changes(one), vetting.changes(other)];
        vetting.forget(NO_ACCOUNT);
        assert!(vetting.changes(one) > between[0] && vetting.changes(other) > between[1]);
    }

    #[tokio::test]
    async fn many_looks_are_made_elsewhere_and_come_to_the_same() {
        let schema = r#"{"items":{"type":"integer"}}"#;
        let schema = Arc::new(EventSchema::compile(schema).expect("a schema"));
        let suspects = |count: usize| {
            let list = vec!["1"; count].join(",");
            let payloads = [format!("[{list}]"), format!("[{list},true]")];
            let suspects = payloads.into_iter().enumerate();
            let suspects = suspects.map(|(place, payload)| Suspect {
                place,
                version: 7,
                schema: schema.clone(),
                payload: payload.into(),
            });
            suspects.collect::<Vec<_>>()
        };
        for count in [1, 50_000] {
            let found = examine(suspects(count)).await.expect("looked at");
            let [misfit] = &found[..] else {
                panic!("{count}: {found:?}");
            };
            assert_eq!((misfit.place, misfit.version), (1, 7));
            assert_eq!(misfit.violations.list[0].pointer, format!("/{count}"));
        }
    }
}
