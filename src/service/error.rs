//! Why something was not done, for all doors: a stable code, the place in what was sent, and a
//! sentence that says what to do. No message repeats a secret or a whole URL.

use std::fmt;

use super::kept_test_shape::TestView;
use super::place::Place;
use crate::automation::EventType;
use crate::model::EventId;
use crate::pipeline::Full;
use crate::schema::Violations;
use crate::schema::catalogue::CATALOGUES;
use crate::store;
use crate::vault;

/// Why something was not done. Nothing of it was kept.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody says who asks.
    #[error("no key was sent: send one in the header Authorization, as in 'Bearer tb_…'")]
    NoKey,
    /// A key that there is not, or not any more.
    #[error("this key does not work: it is not known, or was revoked")]
    UnknownKey,
    /// A key without the right.
    #[error("this key may not do that: it takes a key with the scope {needs}")]
    Forbidden {
        /// Which scopes have the right.
        needs: &'static str,
    },
    /// An operator key, and no account.
    #[error(
        "an operator key acts for an account: name it in the header Throwbar-Account, by its id or \
         its uid"
    )]
    AccountNotNamed,
    /// There is none in the account, whatever other accounts have.
    #[error("there is no such {0} here: check the id, and which account the key acts for")]
    NotFound(&'static str),
    /// There is none of this name in the account, whatever other accounts have.
    #[error(
        "there is no {0} of this name here: check how it is spelled, and which account the key acts for"
    )]
    NotNamed(&'static str),
    /// There is no version of this number.
    #[error("there is no version of this number: list the versions to see which there are")]
    NoSuchVersion,
    /// There is no ready-made catalogue of this name.
    #[error(
        "there is no ready-made catalogue of this name: there are {}",
        catalogues()
    )]
    NoSuchCatalogue,
    /// What was sent can't be read at all.
    #[error("{why}")]
    Malformed {
        /// A sentence.
        why: String,
    },
    /// A field is wrong.
    #[error("{why}")]
    Invalid {
        /// Which kind of wrong.
        code: &'static str,
        /// Where.
        at: Place,
        /// What is wrong with it, and what to do.
        why: String,
    },
    /// A version is not published because its tests fail.
    #[error("{why}")]
    TestsFailed {
        /// What failed, and what to do.
        why: String,
        /// Each test that did.
        failed: Vec<TestView>,
    },
    /// An event whose data does not fit the schema of its type.
    #[error(
        "the data does not fit version {version} of the schema of {event_type}: {}",
        misfits(violations)
    )]
    Nonconforming {
        /// Which type.
        event_type: EventType,
        /// Which version of its schema.
        version: i64,
        /// What does not fit.
        violations: Violations,
    },
    /// A request to a source that is not taken, whatever it says.
    #[error("{why}")]
    NotTaken {
        /// Which kind.
        code: &'static str,
        /// Why, and what to do.
        why: String,
    },
    /// A request to a source that its plugin makes no event of. Its sender is not told why.
    #[error(
        "this source can't make an event of the request: what stands in the way, its owner is told"
    )]
    Unmapped {
        /// Why: for the source's owner.
        why: String,
    },
    /// Too many bytes.
    #[error("{what} is longer than {bytes_max} bytes: send less")]
    TooLarge {
        /// What of it.
        what: &'static str,
        /// How much it may be.
        bytes_max: usize,
    },
    /// Something else has the name, or is in a state that forbids it.
    #[error("{why}")]
    Conflict {
        /// Which kind.
        code: &'static str,
        /// What stands in the way, and what to do.
        why: String,
    },
    /// Another event has the same client id or idempotency key.
    #[error("the event {event} has this id or idempotency key and another content: use a new one")]
    EventConflict {
        /// The first one.
        event: EventId,
    },
    /// Too many events wait to be evaluated.
    #[error("too many events of {} are waiting to be evaluated: send them again in a moment", whose(*.0))]
    Busy(Full),
    /// Too many bodies are being read.
    #[error("{} has too much under way to take this body: send it again in a moment", whose(*.0))]
    NoRoom(Full),
    /// Too many requests to sources wait for their plugins.
    #[error("{} has too many requests under way of which plugins make events: send it again in a moment", whose(*.0))]
    Mapping(Full),
    /// Too many key pairs are being made.
    #[error("{} has too many key pairs being made: ask again in a moment", whose(*.0))]
    MakingKeys(Full),
    /// A body that comes too slowly.
    #[error("the body was not there after {s} seconds: send it faster, or less of it")]
    BodyOverdue {
        /// How long was waited.
        s: i64,
    },
    /// Too many lists of the account are being read.
    #[error(
        "too many lists of this account are being read: ask again in a moment, for one after the other"
    )]
    Crowded,
    /// Too many trials are under way.
    #[error("{} has a trial under way that takes long: ask again in a moment", whose(*.0))]
    Trying(Full),
    /// A trial that does not come to an end.
    #[error(
        "the trial had no verdict after {s} seconds: ask again in a moment, or try fewer plugins"
    )]
    TrialOverdue {
        /// How long was waited.
        s: i64,
    },
    /// Too many URLs are pinged.
    #[error(
        "{} has too many URLs validated: ask again in a minute, for one after the other",
        whose(*.0)
    )]
    Validating(Full),
    /// Too many examples are sent.
    #[error("{} has too many examples sent: ask again in a minute", whose(*.0))]
    Testing(Full),
    /// The database would be kept busy for too long.
    #[error(
        "the database gave this up, it took too long: ask for less, such as fewer rows, or those of one event or \
         endpoint, or try again in a moment"
    )]
    TooSlow(#[source] store::Error),
    /// The database does not answer, or the node starts or stops.
    #[error("this can't be stored at the moment: try again in a moment")]
    Unavailable,
    /// The store could not.
    #[error("this can't be read or stored")]
    Store(#[source] store::Error),
    /// A secret could not be sealed or opened.
    #[error("a secret can't be sealed or opened")]
    Vault(#[source] vault::Error),
    /// What is stored, or was just made, can't be used.
    #[error("{what} can't be read")]
    Unreadable {
        /// Which thing.
        what: &'static str,
        /// Why.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// The first thing that does not fit, and how many more there are.
fn misfits(violations: &Violations) -> String {
    let first = violations.list.first();
    let first = first.map(ToString::to_string).unwrap_or_default();
    match violations.list.len() {
        0 | 1 if !violations.more => first,
        count => {
            let more = count.saturating_sub(1);
            let at_least = if violations.more { "or more " } else { "" };
            format!("{first}; and {more} {at_least}other places, see violations")
        }
    }
}

/// The names of all ready-made catalogues.
fn catalogues() -> String {
    CATALOGUES.map(|catalogue| catalogue.name).join(", ")
}

fn whose(full: Full) -> &'static str {
    match full {
        Full::Account => "this account",
        Full::Server => "this server",
    }
}

impl Error {
    /// A field of the body with a value that it can't have.
    pub(super) fn field(pointer: impl Into<String>, why: impl fmt::Display) -> Self {
        Self::Invalid {
            code: "invalid_field",
            at: Place::body(pointer),
            why: why.to_string(),
        }
    }

    /// A number, at this place, that none of the automation's versions has.
    pub(super) fn no_version(at: Place, version: i64, newest: i64) -> Self {
        Self::Invalid {
            code: "unknown_version",
            at,
            why: format!("the automation has no version {version}: its newest is {newest}"),
        }
    }

    /// There is nothing to send or to look at any more.
    pub(super) fn payload_expired() -> Self {
        Self::Conflict {
            code: "payload_expired",
            why: "the event's payload is not kept any more: nothing can be made of it".to_owned(),
        }
    }

    /// A field whose capability there is not yet.
    pub(super) fn not_built(pointer: impl Into<String>, what: &str) -> Self {
        Self::Invalid {
            code: "not_built",
            at: Place::body(pointer),
            why: format!("{what} is not built yet: leave it out"),
        }
    }

    /// What is stored and can't be read back.
    pub(super) fn unreadable(
        what: &'static str,
        cause: impl std::error::Error + Send + Sync + 'static,
    ) -> Self {
        Self::Unreadable {
            what,
            cause: Box::new(cause),
        }
    }

    /// A word for programs, which does not change.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoKey => "no_key",
            Self::UnknownKey => "unknown_key",
            Self::Forbidden { .. } => "forbidden",
            Self::AccountNotNamed => "account_not_named",
            Self::NotFound(_) | Self::NotNamed(_) | Self::NoSuchVersion | Self::NoSuchCatalogue => {
                "not_found"
            }
            Self::Malformed { .. } => "malformed",
            Self::TestsFailed { .. } => "tests_failed",
            Self::Unmapped { .. } => "mapping_failed",
            Self::TooLarge { .. } => "too_large",
            Self::Nonconforming { .. } => "schema_violation",
            Self::Invalid { code, .. }
            | Self::Conflict { code, .. }
            | Self::NotTaken { code, .. } => code,
            Self::EventConflict { .. } => "event_conflict",
            Self::Busy(Full::Account) => "account_busy",
            Self::Busy(Full::Server) => "server_busy",
            Self::NoRoom(Full::Account) => "account_full",
            Self::NoRoom(Full::Server) => "server_full",
            Self::MakingKeys(Full::Account) => "account_making_keys",
            Self::MakingKeys(Full::Server) => "server_making_keys",
            Self::Mapping(Full::Account) => "account_mapping",
            Self::Mapping(Full::Server) => "server_mapping",
            Self::BodyOverdue { .. } => "body_overdue",
            Self::Crowded => "account_reading",
            Self::Trying(Full::Account) => "account_trying",
            Self::Trying(Full::Server) => "server_trying",
            Self::TrialOverdue { .. } => "trial_overdue",
            Self::Validating(Full::Account) => "account_validating",
            Self::Validating(Full::Server) => "server_validating",
            Self::Testing(Full::Account) => "account_testing",
            Self::Testing(Full::Server) => "server_testing",
            Self::TooSlow(_) => "too_slow",
            Self::Unavailable => "unavailable",
            Self::Store(error) if is_passing(error) => "unavailable",
            Self::Store(_) | Self::Vault(_) | Self::Unreadable { .. } => "internal",
        }
    }

    /// The sentence for whoever owns what could not do it.
    pub(super) fn for_owner(&self) -> String {
        match self {
            Self::Unmapped { why } => why.clone(),
            error => error.to_string(),
        }
    }

    /// Where in the request it is, if it is at one place.
    pub fn place(&self) -> Option<&Place> {
        match self {
            Self::Invalid { at, .. } => Some(at),
            _ => None,
        }
    }

    /// Whether the same request may succeed in a moment.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unavailable
            | Self::Busy(_)
            | Self::NoRoom(_)
            | Self::MakingKeys(_)
            | Self::Mapping(_)
            | Self::Crowded
            | Self::Trying(_)
            | Self::TrialOverdue { .. }
            | Self::Validating(_)
            | Self::Testing(_)
            | Self::TooSlow(_) => true,
            Self::Store(error) => is_passing(error),
            _ => false,
        }
    }
}

fn is_passing(error: &store::Error) -> bool {
    use store::Error as E;
    matches!(
        error,
        E::Unavailable(_) | E::OutcomeUnknown(_) | E::Fenced | E::Raced
    )
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::TooSlow(_) => Self::TooSlow(error),
            store::Error::TooMany { what, .. } => Self::Conflict {
                code: "too_many",
                why: format!("{error}: remove {what} that are not needed, or use another account"),
            },
            error => Self::Store(error),
        }
    }
}

impl From<vault::Error> for Error {
    fn from(error: vault::Error) -> Self {
        Self::Vault(error)
    }
}
