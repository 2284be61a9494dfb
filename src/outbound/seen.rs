//! What has come of an answer so far: kept when the time is up or the connection breaks.

use std::net::SocketAddr;
use std::time::Duration;

use http::header::{self, HeaderMap};
use hyper_util::client::legacy::connect::HttpInfo;

use super::answer::{Answer, Problem};
use super::client::RESPONSE_HEADERS_BYTES_MAX;
use super::own::OwnAnswer;
use super::retry_after::RetryAfter;
use crate::model::{AttemptResult, Refusal, Stopwatch};

/// What has come of an answer so far.
pub(super) struct Seen {
    watch: Stopwatch,
    first_byte_ms: Option<u32>,
    address: Option<SocketAddr>,
    status: Option<u16>,
    headers: HeaderMap,
    pub(super) excerpt: Vec<u8>,
    excerpt_bytes_max: usize,
}

impl Seen {
    /// Nothing yet, with room for that much of a body.
    pub(super) fn keeping(excerpt_bytes_max: usize) -> Self {
        Self {
            watch: Stopwatch::start(),
            first_byte_ms: None,
            address: None,
            status: None,
            headers: HeaderMap::new(),
            excerpt: Vec::new(),
            excerpt_bytes_max,
        }
    }

    fn elapsed_ms(&self) -> u32 {
        u32::try_from(self.watch.elapsed().as_millis()).unwrap_or(u32::MAX)
    }

    pub(super) fn began(&mut self, status: u16, line: Option<&HttpInfo>) {
        self.first_byte_ms = Some(self.elapsed_ms());
        self.address = line.map(HttpInfo::remote_addr);
        self.status = Some(status);
    }

    /// What came of a request that was taken in the house.
    pub(super) fn take_own(&mut self, answer: OwnAnswer) -> Result<u16, Problem> {
        match answer {
            OwnAnswer::Answer {
                status,
                headers,
                body,
            } => {
                self.status = Some(status);
                self.headers = headers;
                self.take_body(&body);
                Ok(status)
            }
            OwnAnswer::Refused(refusal, message) => Err(Problem::new(refusal, message)),
            OwnAnswer::Unreachable(message) => Err(Problem::new(Refusal::Connect, message)),
        }
    }

    /// Keeps as much of a piece of the body as there is room for.
    pub(super) fn take_body(&mut self, piece: &[u8]) {
        let room = self.excerpt_bytes_max.saturating_sub(self.excerpt.len());
        self.excerpt
            .extend_from_slice(&piece[..piece.len().min(room)]);
    }

    pub(super) fn take_headers(&mut self, headers: HeaderMap) -> Result<(), Problem> {
        let bytes: usize = headers
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len())
            .sum();
        if bytes > RESPONSE_HEADERS_BYTES_MAX {
            return Err(Problem::new(
                Refusal::TooLarge,
                "the answer's headers are too large",
            ));
        }
        self.headers = headers;
        Ok(())
    }

    pub(super) fn too_late(&self, timeout: Duration) -> Problem {
        let within_ms = timeout.as_millis();
        let message = match self.status {
            Some(status) => format!("it answered {status}, but not wholly within {within_ms} ms"),
            None => format!("no answer within {within_ms} ms"),
        };
        Problem::new(Refusal::Timeout, message)
    }

    pub(super) fn into_answer(self, outcome: Result<u16, Problem>) -> Answer {
        let duration_ms = self.elapsed_ms();
        let (result, message, tls) = match outcome {
            Ok(status) => {
                let redirect = (300..400).contains(&status);
                let message = "redirects are not followed: give the endpoint the final URL";
                (
                    AttemptResult::Http { status },
                    redirect.then(|| message.to_owned()),
                    None,
                )
            }
            Err(problem) => (
                AttemptResult::Refused(problem.refusal),
                Some(problem.message),
                problem.tls,
            ),
        };
        Answer {
            result,
            status: self.status,
            tls,
            retry_after: self
                .headers
                .get(header::RETRY_AFTER)
                .and_then(RetryAfter::parse),
            headers: self.headers,
            excerpt: self.excerpt.into(),
            message,
            address: self.address,
            first_byte_ms: self.first_byte_ms,
            duration_ms,
        }
    }
}
