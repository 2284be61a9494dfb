//! What comes back from one request, and which class a failure is of.
//!
//! Guarantees: every way a request can end is one [`AttemptResult`], and every refusal has a
//! sentence that an endpoint's owner understands; the sentences name no URL.

use std::error::Error as StdError;
use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use http::HeaderMap;

use super::retry_after::RetryAfter;
use super::target::Target;
use super::tls::TlsFailure;
use super::{dial, resolver, tls};
use crate::model::{AttemptResult, Refusal};

/// What one request came back with.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The class.
    pub result: AttemptResult,
    /// The status, if one came; also of an answer that broke off, or was too long.
    pub status: Option<u16>,
    /// What kind of thing went wrong in the TLS handshake, if that is what did.
    pub tls: Option<TlsFailure>,
    /// The answer's headers as they came, at most `RESPONSE_HEADERS_BYTES_MAX`; empty if none came.
    pub headers: HeaderMap,
    /// The first `EXCERPT_BYTES_MAX` bytes of the body; also of one that broke off.
    pub excerpt: Bytes,
    /// The `Retry-After` header, if there was one that can be read.
    pub retry_after: Option<RetryAfter>,
    /// The address that was dialled, where something came back from it.
    pub address: Option<SocketAddr>,
    /// From the call of `send` until the answer began, if it did.
    pub first_byte_ms: Option<u32>,
    /// Why there was no usable answer, or why a redirect is none; `None` otherwise.
    pub message: Option<String>,
    /// From the call of `send` until the answer was whole, or given up.
    pub duration_ms: u32,
}

/// How far an exchange had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// There was no connection yet.
    Connecting,
    /// There was one.
    Exchanging,
}

/// No usable answer, and the sentence for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub refusal: Refusal,
    pub message: String,
    /// If it is of the class `tls`.
    pub tls: Option<TlsFailure>,
}

impl Problem {
    pub(super) fn new(refusal: Refusal, message: impl Into<String>) -> Self {
        Self {
            refusal,
            message: message.into(),
            tls: None,
        }
    }

    pub(super) fn tls(failure: TlsFailure, message: impl Into<String>) -> Self {
        Self {
            tls: Some(failure),
            ..Self::new(Refusal::Tls, message)
        }
    }

    /// The class of a failed exchange. The cause lies deep in the chain that the client hands
    /// up; the innermost error that says something of its own decides.
    pub(super) fn of(error: &(dyn StdError + 'static), phase: Phase, target: &Target) -> Self {
        let connecting = phase == Phase::Connecting;
        if let Some(problem) = causes(error).find_map(told_by_type) {
            return problem;
        }
        let late = causes(error)
            .filter_map(|cause| cause.downcast_ref::<io::Error>())
            .any(|cause| cause.kind() == io::ErrorKind::TimedOut);
        if connecting && late {
            return Self::new(
                Refusal::Timeout,
                "no connection within the connect time-out",
            );
        }
        let io = causes(error)
            .filter_map(|cause| cause.downcast_ref::<io::Error>())
            .last();
        match io.map(io::Error::kind) {
            Some(io::ErrorKind::UnexpectedEof) if connecting && target.is_https() => {
                let message = "the receiver closed the connection during the TLS handshake";
                Self::tls(TlsFailure::Protocol, message)
            }
            Some(kind) => Self::new(Refusal::Connect, connection_message(kind)),
            None => Self::new(Refusal::Connect, "the connection failed"),
        }
    }
}

fn told_by_type(cause: &(dyn StdError + 'static)) -> Option<Problem> {
    if let Some(error) = cause.downcast_ref::<dial::Error>() {
        return Some(error.problem());
    }
    if let Some(error) = cause.downcast_ref::<resolver::Error>() {
        return Some(match error {
            resolver::Error::Lookup { source, .. } => {
                Problem::new(Refusal::Dns, format!("{error}: {source}"))
            }
            resolver::Error::NoAddress { .. } => Problem::new(Refusal::Dns, error.to_string()),
            // Where the name leads is the operator's to know: told to whoever owns the endpoint, it
            // would be a map of the house inside.
            resolver::Error::Forbidden { host, source } => {
                tracing::info!(endpoint.host = %host, error = source as &dyn StdError, "nothing is sent there");
                Problem::new(Refusal::Egress, error.to_string())
            }
        });
    }
    if let Some(error) = cause.downcast_ref::<rustls::Error>() {
        let (failure, message) = tls::explain(error);
        return Some(Problem::tls(failure, message));
    }
    let error = cause.downcast_ref::<hyper::Error>()?;
    if error.is_parse_too_large() {
        return Some(Problem::new(
            Refusal::TooLarge,
            "the answer's headers are too large",
        ));
    }
    if error.is_parse() {
        return Some(Problem::new(
            Refusal::Connect,
            "what came back is not HTTP/1.1",
        ));
    }
    let broken = error.is_incomplete_message();
    let message = "the receiver closed the connection before the answer was whole";
    broken.then(|| Problem::new(Refusal::Connect, message))
}

fn connection_message(kind: io::ErrorKind) -> String {
    match kind {
        io::ErrorKind::ConnectionRefused => "the receiver refused the connection".into(),
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe => "the receiver broke off the connection".into(),
        io::ErrorKind::UnexpectedEof => {
            "the receiver closed the connection before the answer was whole".into()
        }
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            "there is no route to the receiver".into()
        }
        other => format!("the connection failed: {other}"),
    }
}

/// An error and what lies behind it. An `io::Error` hides the error that it was made of from
/// `source()`, and TLS errors travel in those.
pub(super) fn causes<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| {
        let inner = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        inner
            .map(|inner| inner as &(dyn StdError + 'static))
            .or_else(|| error.source())
    })
}
