//! How accounts stand now: their switches, their endpoints, the keys that sign. Not as of an event's
//! revision, but of the newest that this node has seen, for everything that leaves: what a user was told
//! is changed, no request contradicts.
//!
//! A node sees a revision when it commits one itself, accepts an event at one, or claims. What stands
//! is loaded with the account's snapshots. While a revision is known that is not loaded, nothing stands:
//! deliveries wait in the store, and the claimer, which loads it, brings them back.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use arc_swap::ArcSwap;
use http::HeaderMap;
use serde::Deserialize;

use super::connection::{AccountConnection, Connected, Unconnectable};
use super::endpoint_keys::{EndpointKeys, OpenedKeys};
use super::failing::FailingAutomations;
use super::limited::Stated;
use super::settings::EndpointSettings;
use super::variables::AccountVariables;
use crate::envelope::Envelope;
use crate::model::{AccountId, EndpointId, Timestamp};
use crate::outbound::{Connection, Target};
use crate::store::{self, SnapshotRows, Store};
use crate::vault::Vault;

/// Most revisions of one account of which a snapshot is kept.
const REVISIONS_KEPT_MAX: usize = 4;
/// What an endpoint counts besides its texts.
const ENDPOINT_BYTES: usize = 1024;
/// What a definition has in it that names operational events.
const NAMES_OPERATIONAL: &str = "\"throwbar.";
/// What a definition has in it that keeps an order.
const NAMES_ORDER: &str = "\"order\"";
/// What a signing secret counts.
const SECRET_BYTES: usize = 256;
/// What a key pair counts.
const KEY_PAIR_BYTES: usize = 8 * 1024;

/// One account, followed as its revision rises.
#[derive(Debug)]
pub(super) struct Standing {
    seen: AtomicI64,
    loaded: ArcSwap<Current>,
    loading: tokio::sync::Mutex<()>,
    /// Revisions of which a snapshot is kept, the one that was loaded last at the end.
    kept: Mutex<VecDeque<i64>>,
    /// Which automations have failed and not worked since.
    pub(super) failing: FailingAutomations,
}

/// What stands as of one revision. Never changes.
#[derive(Debug)]
pub(super) struct Current {
    pub(super) revision: i64,
    /// The integration switch.
    pub(super) enabled: bool,
    endpoints: HashMap<EndpointId, Result<EndpointView, Unreadable>>,
    /// Whether any automation or subscription names operational events.
    pub(super) listens: bool,
    /// Whether any automation may keep an order.
    pub(super) keeps_order: bool,
    /// What it takes in memory, about.
    pub(super) bytes: usize,
}

/// What an attempt needs to know of an endpoint.
#[derive(Debug)]
pub(super) struct EndpointView {
    pub(super) enabled: bool,
    pub(super) settings: EndpointSettings,
    pub(super) target: Target,
    /// When it last changed: what tells an endpoint from itself at another URL.
    pub(super) updated_at: Timestamp,
    /// Headers of its own as they are now; or why they can't be made.
    pub(super) headers: Result<HeaderMap, String>,
    /// How its requests are connected.
    pub(super) connection: Connection,
    pub(super) keys: EndpointKeys,
}

/// An endpoint that is there and can't be read.
#[derive(Debug)]
pub(super) struct Unreadable {
    pub(super) why: String,
    /// The one of its settings that a plan needs.
    envelope: Envelope,
}

impl Default for Standing {
    fn default() -> Self {
        let nothing = Current {
            revision: -1,
            enabled: false,
            endpoints: HashMap::new(),
            listens: false,
            keeps_order: false,
            bytes: 0,
        };
        Self {
            seen: AtomicI64::new(0),
            loaded: ArcSwap::from_pointee(nothing),
            loading: tokio::sync::Mutex::default(),
            kept: Mutex::default(),
            failing: FailingAutomations::default(),
        }
    }
}

impl Standing {
    /// Remembers that the account has reached `revision`; the newest seen.
    pub(super) fn saw(&self, revision: i64) -> i64 {
        self.seen
            .fetch_max(revision, Ordering::SeqCst)
            .max(revision)
    }

    /// What stands; `None` while a newer revision is known than is loaded.
    pub(super) fn current(&self) -> Option<Arc<Current>> {
        let loaded = self.loaded.load_full();
        (loaded.revision >= self.seen.load(Ordering::SeqCst)).then_some(loaded)
    }

    /// The turn to load it: many may want to at the same moment.
    pub(super) async fn loading(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.loading.lock().await
    }

    /// Notes that a snapshot of `revision` is kept from now on; the one of which revision is not, therefore.
    /// Events on the way are of the newest ones; for an older one it is loaded again.
    pub(super) fn keeps(&self, revision: i64) -> Option<i64> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|other| *other != revision);
        kept.push_back(revision);
        if kept.len() > REVISIONS_KEPT_MAX {
            kept.pop_front()
        } else {
            None
        }
    }

    /// What stood when it was last loaded.
    pub(super) fn last_loaded(&self) -> Arc<Current> {
        self.loaded.load_full()
    }

    /// Takes what was loaded, unless something newer was.
    pub(super) fn take(&self, loaded: Current) {
        self.saw(loaded.revision);
        let loaded = Arc::new(loaded);
        self.loaded.rcu(|known| {
            if known.revision > loaded.revision {
                known.clone()
            } else {
                loaded.clone()
            }
        });
    }
}

impl Current {
    /// What stands according to these rows.
    pub(super) fn of(rows: SnapshotRows, vault: &Vault) -> Self {
        let account = rows.account.id;
        let mut keys = OpenedKeys::open(&rows, vault);
        let variables = AccountVariables::of(account, &rows.variables, vault);
        let of_account = account_connection(account, rows.connection.as_ref());
        let mut endpoints = HashMap::with_capacity(rows.endpoints.len());
        let mut bytes = rows.secrets.len() * SECRET_BYTES + rows.key_pairs.len() * KEY_PAIR_BYTES;
        for row in rows.endpoints {
            // As values, texts take about as much again.
            bytes += ENDPOINT_BYTES + 2 * (row.settings.len() + row.url.len());
            let read = read(&row).map(|(settings, target)| {
                let connected = Connected::of(account, &settings, &of_account, &variables);
                let (headers, connection) = outward(&settings, connected, &variables);
                EndpointView {
                    enabled: row.state == "enabled",
                    headers,
                    connection,
                    settings,
                    target,
                    updated_at: row.updated_at,
                    keys: keys.take(row.id),
                }
            });
            if let Err(Unreadable { why, .. }) = &read {
                tracing::error!(account.id = %account, endpoint.id = %row.id, why, "a stored endpoint can't be read");
            }
            endpoints.insert(row.id, read);
        }
        let any = |text| {
            let mut automations = rows.automations.iter();
            automations.any(|row| row.definition.contains(text))
        };
        Self {
            listens: any(NAMES_OPERATIONAL),
            keeps_order: any(NAMES_ORDER),
            revision: rows.account.revision,
            enabled: rows.account.enabled,
            endpoints,
            bytes,
        }
    }

    /// The endpoint, unless it was removed.
    pub(super) fn endpoint(&self, id: EndpointId) -> Option<&Result<EndpointView, Unreadable>> {
        self.endpoints.get(&id)
    }

    /// Whether a delivery to the endpoint may leave at once.
    pub(super) fn is_open(&self, id: EndpointId) -> bool {
        self.open(id).is_some()
    }

    /// The endpoint, if a delivery to it may leave at once.
    pub(super) fn open(&self, id: EndpointId) -> Option<&EndpointView> {
        let view = self.endpoint(id)?.as_ref().ok()?;
        (self.enabled && view.enabled).then_some(view)
    }

    /// What the endpoint states of how much it bears.
    pub(super) fn stated(&self, id: EndpointId) -> Stated {
        let view = self.endpoint(id).and_then(|view| view.as_ref().ok());
        view.map_or_else(Stated::default, |view| view.settings.stated())
    }

    /// How bodies are wrapped for the endpoint. A removed one gets none, so that any word will do.
    pub(super) fn envelope(&self, id: EndpointId) -> Envelope {
        match self.endpoint(id) {
            Some(Ok(view)) => view.settings.envelope,
            Some(Err(unreadable)) => unreadable.envelope,
            None => Envelope::default(),
        }
    }
}

/// What an endpoint's requests always have along, or why they can't; and their way.
fn outward(
    settings: &EndpointSettings,
    connected: Result<Connected, Unconnectable>,
    variables: &AccountVariables,
) -> (Result<HeaderMap, String>, Connection) {
    let connected = match connected {
        Ok(connected) => connected,
        Err(wrong) => {
            let why = format!("its setting {}: {}", wrong.pointer, wrong.why);
            return (Err(why), Connection::default());
        }
    };
    let mut headers = variables
        .fill_headers(&settings.headers)
        .map_err(|(name, why)| format!("its header {name}: {why}"));
    if let Ok(headers) = &mut headers {
        connected.add_to(headers);
    }
    (headers, connected.connection)
}

/// How the account's deliveries are connected. What can't be read there is logged, and is nothing: it was checked
/// when it was saved.
fn account_connection(
    account: AccountId,
    row: Option<&store::AccountConnectionRow>,
) -> AccountConnection {
    let Some(row) = row else {
        return AccountConnection::default();
    };
    AccountConnection::read(row).unwrap_or_else(|error| {
        let error = &error as &dyn std::error::Error;
        tracing::error!(account.id = %account, error, "the account's connection can't be read");
        AccountConnection::default()
    })
}

fn read(row: &store::Endpoint) -> Result<(EndpointSettings, Target), Unreadable> {
    /// What can be read of settings that a newer version has written.
    #[derive(Deserialize)]
    struct Wrapping {
        envelope: Envelope,
    }
    let read: Result<EndpointSettings, _> = serde_json::from_str(&row.settings);
    let settings = read.map_err(|error| {
        let wrapping = serde_json::from_str(&row.settings);
        Unreadable {
            why: error.to_string(),
            envelope: wrapping.map_or(Envelope::default(), |found: Wrapping| found.envelope),
        }
    })?;
    match Target::parse(&row.url) {
        Ok(target) => Ok((settings, target)),
        Err(error) => Err(Unreadable {
            why: error.to_string(),
            envelope: settings.envelope,
        }),
    }
}

type Known = Mutex<HashMap<AccountId, Weak<Standing>>>;

/// The accounts that are followed: those of which a snapshot is in memory. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Standings(Arc<Known>);

impl Standings {
    /// The account, followed from now on for as long as somebody holds it.
    pub(super) fn of(&self, account: AccountId) -> Arc<Standing> {
        let mut known = lock(&self.0);
        if let Some(standing) = known.get(&account).and_then(Weak::upgrade) {
            return standing;
        }
        if known.len() == known.capacity() {
            known.retain(|_, standing| standing.strong_count() > 0);
        }
        let standing = Arc::<Standing>::default();
        known.insert(account, Arc::downgrade(&standing));
        standing
    }

    /// Has the store tell of each revision that this process commits.
    pub(super) fn follow(&self, store: &Store) {
        // Weak: the store outlives the incarnation.
        let known = Arc::downgrade(&self.0);
        store.on_revision(move |account, revision| {
            let Some(known) = known.upgrade() else { return };
            let standing = lock(&known).get(&account).and_then(Weak::upgrade);
            if let Some(standing) = standing {
                standing.saw(revision);
            }
        });
    }
}

fn lock(known: &Known) -> MutexGuard<'_, HashMap<AccountId, Weak<Standing>>> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}
