//! Why the server does not run.

use crate::{alert, config, outbound, plugin, service, store, telemetry, vault};

/// Why the server does not run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting can't be used.
    #[error("a setting can't be used")]
    Config(#[source] config::Error),
    /// The data directory or a file in it can't be used.
    #[error("{path} can't be used")]
    Data {
        /// Which.
        path: String,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// The master key can't be read.
    #[error("the master key can't be used")]
    MasterKey(#[source] vault::Error),
    /// There is no master key, and the database was made with one.
    #[error(
        "the database holds secrets, and there is no master key to open them: put back {path}, or set \
         master_key (THROWBAR_MASTER_KEY) to the key that it was made with"
    )]
    NoMasterKey {
        /// Where it would be.
        path: String,
    },
    /// The master keys are not all of those that the database was made with.
    #[error(
        "the master key does not open this database's secrets: start with the key it was made with, and keep \
         older keys in the list (one a line, the newest first): nothing is sealed anew under a new one"
    )]
    WrongMasterKey(#[source] vault::Error),
    /// Accounts, and nothing that says under which key their secrets are sealed.
    #[error(
        "the database has accounts, and nothing in it says which master key opens their secrets: restore it \
         whole from a backup"
    )]
    NoSeals,
    /// The database can't be used.
    #[error("the database can't be used")]
    Store(#[source] store::Error),
    /// The plugin engine does not start.
    #[error("the plugin engine does not start")]
    Plugins(#[source] plugin::Error),
    /// The way out can't be set up.
    #[error("the HTTP client can't be set up")]
    Client(#[source] outbound::Error),
    /// The first key or account can't be made.
    #[error("the first start's set-up failed")]
    SetUp(#[source] service::Error),
    /// The address can't be listened on.
    #[error("can't listen on {address}")]
    Listen {
        /// Which.
        address: String,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// The way to the mail server can't be set up.
    #[error("the mail server can't be used")]
    Smtp(#[source] alert::Error),
    /// Figures can't be kept.
    #[error("telemetry can't be set up")]
    Telemetry(#[source] telemetry::Error),
}
