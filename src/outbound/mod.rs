//! Floor 2: the guarded way out.
//!
//! ```text
//! Target::admit ─► endpoint saved ─► Client::send ─► name: resolver ─► guard ─► dial ─► Answer
//!   (guard)                            (token)       address: guard ──────────┘ (proxy)
//! ```
//!
//! Guarantees: a connection is only ever opened to an address that the [`EgressGuard`] vetted, at
//! that very dial; a request is sent at most once per [`Client::send`]; an answer is read up to a
//! bound in size and time; every end of it is one class ([`crate::model::AttemptResult`]).
//!
//! It signs nothing, retries nothing and writes nothing down.

mod answer;
mod certificate;
mod client;
mod connection;
mod deadline;
mod dial;
mod guard;
mod lookup;
mod own;
mod proxy;
mod resolver;
mod retry_after;
mod seen;
mod special;
mod target;
mod tls;
mod token;
mod url_rule;
mod verifier;
mod ways;

#[cfg(test)]
mod receiver;
#[cfg(test)]
mod tests;

pub use answer::Answer;
pub use certificate::{CertificateError, CertificateFacts, authorities, chain};
pub use client::{
    Client, EXCERPT_BYTES_MAX, Method, RESPONSE_HEADERS_BYTES_MAX, Request, Settings, complete,
};
pub use connection::{ClientCertificate, Connection, ConnectionParts};
pub use guard::{EgressGuard, Refused, Vetted};
pub use own::{OwnAnswer, OwnDoor, OwnRequest};
pub use proxy::{Proxy, ProxyError, basic};
pub use resolver::{Resolver, ScriptedResolver, SystemResolver};
pub use retry_after::RetryAfter;
pub use target::{Target, TargetError};
pub use tls::TlsFailure;
pub use token::{ClientCredentials, SecretPlace};
pub use url_rule::{UrlRule, UrlRules, UrlWarning};

/// Why there is no client. Only settings and the machine can be at fault.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The extra roots are not PEM.
    #[error("reading the extra root certificates")]
    ExtraRootsPem(#[source] rustls::pki_types::pem::Error),
    /// One of them is no certificate.
    #[error("taking in an extra root certificate")]
    ExtraRoot(#[source] rustls::Error),
    /// There is none in what was given.
    #[error("the extra root certificates contain no certificate: expected PEM")]
    NoExtraRoots,
    /// The roots can't be judged by.
    #[error("setting up the trusted root certificates")]
    Roots(#[source] rustls::client::VerifierBuilderError),
    /// The TLS library and its provider don't fit.
    #[error("setting up TLS")]
    Tls(#[from] rustls::Error),
}
