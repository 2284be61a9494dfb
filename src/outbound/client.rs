//! The HTTP client: one request out, one bounded answer in.
//!
//! What it does: HTTP/1.1 over kept-alive connections, TLS where the URL says so. The time-out
//! covers everything from the lookup, or from the fetch of an access token, to the answer's last byte. It
//! follows no redirect, keeps no cookie, unpacks nothing.
//!
//! One [`Client::send`] is at most one request that a receiver sees, with one exception: if a kept access token is
//! answered with 401, a new one is fetched, and the request goes out once more with that. The pool underneath takes
//! another connection in exactly one case: a kept-alive
//! connection turned out closed before a byte of the request was handed to it. If the receiver
//! closes while the request is on its way, nobody can know what it saw: that is a refusal of
//! class `connect`, and the retry policy decides.
//!
//! HTTP/2 is left out on purpose. It would put many deliveries on one connection, where one
//! stalled receiver's window or one black-holed connection stops its neighbours on the same
//! host, and it brings a second kind of silent repetition (refused streams). Every receiver of
//! webhooks speaks HTTP/1.1, and connections are bounded by the endpoint's slots.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::connect::HttpInfo;
use uuid::Uuid;

use super::Error;
use super::answer::{Answer, Phase, Problem};
use super::connection::Connection;
use super::guard::EgressGuard;
use super::own::{Own, OwnDoor, OwnRequest};
use super::proxy::Proxy;
use super::resolver::{self, Resolver};
use super::seen::Seen;
use super::target::Target;
use super::token::Tokens;
use super::ways::Ways;
use crate::model::Refusal;
use crate::model::header::OF_THE_CONNECTION;

/// How much of an answer's body is kept.
pub const EXCERPT_BYTES_MAX: usize = 4096;
/// Largest headers of an answer, names and values together.
pub const RESPONSE_HEADERS_BYTES_MAX: usize = 64 * 1024;
/// What is answered to a token that is not taken (any more).
const UNAUTHORIZED: u16 = 401;

const USER_AGENT: HeaderValue =
    HeaderValue::from_static(concat!("Throwbar/", env!("CARGO_PKG_VERSION")));

/// What a client is made of. The default reaches public addresses only.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Decides which addresses are dialled.
    pub guard: EgressGuard,
    /// Looks names up.
    pub resolver: Resolver,
    /// Root certificates to trust beside the machine's, as PEM; may be empty.
    pub extra_roots_pem: Vec<u8>,
    /// The operator's own proxy: what goes through no other goes through this. The guard does not judge it.
    pub proxy: Option<Proxy>,
    /// Who asks, where a receiver has to agree before: a DNS name, usually.
    pub origin: HeaderValue,
    /// Idle connections kept per scheme, host and port.
    pub pool_idle_per_host_max: usize,
    /// How long an idle connection is kept. The default is below the five seconds after which
    /// common servers (Node, Apache, uvicorn) hang up, so that a request seldom meets a
    /// connection that is just being closed.
    pub pool_idle_ms: u64,
    /// For a connection: lookup, TCP and TLS. Divided over a host's addresses, so that one that
    /// does not answer leaves time for the next.
    pub connect_timeout_ms: u64,
    /// Largest body of an answer.
    pub response_bytes_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            guard: EgressGuard::default(),
            resolver: Resolver::default(),
            extra_roots_pem: Vec::new(),
            proxy: None,
            origin: HeaderValue::from_static("throwbar"),
            pool_idle_per_host_max: 256,
            pool_idle_ms: 4_000,
            connect_timeout_ms: 10_000,
            response_bytes_max: 1024 * 1024,
        }
    }
}

/// The methods that requests use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Method {
    /// The usual one.
    #[default]
    Post,
    /// Where an endpoint says so.
    Put,
    /// To see whether anybody is there; without a body.
    Head,
    /// To ask whether requests are welcome; without a body.
    Options,
}

impl From<Method> for http::Method {
    fn from(method: Method) -> Self {
        match method {
            Method::Post => Self::POST,
            Method::Put => Self::PUT,
            Method::Head => Self::HEAD,
            Method::Options => Self::OPTIONS,
        }
    }
}

/// One request.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// How.
    pub method: Method,
    /// Where.
    pub target: &'a Target,
    /// By which way.
    pub connection: &'a Connection,
    /// Content type, signature and the endpoint's own. Those [`OF_THE_CONNECTION`] are dropped, so
    /// that no receiver is ever told of a length or a host other than the real one. Without a `user-agent` it is `Throwbar/<version>`.
    pub headers: HeaderMap,
    /// What, byte for byte.
    pub body: Bytes,
    /// From the lookup to the answer's last byte.
    pub timeout: Duration,
    /// For whom, whatever that id stands for: each has a bounded share of the lookups.
    pub on_behalf_of: Uuid,
}

/// Sends requests to vetted addresses. Cheap to clone; clones share connections.
#[derive(Debug, Clone)]
pub struct Client {
    ways: Ways,
    tokens: Tokens,
    origin: HeaderValue,
    guard: EgressGuard,
    response_bytes_max: usize,
    /// Who takes what need not leave the house.
    own: Own,
}

/// Makes the headers of a request what leaves, but for those that the connection needs.
pub fn complete(headers: &mut HeaderMap) {
    for name in OF_THE_CONNECTION {
        headers.remove(name);
    }
    headers
        .entry(header::USER_AGENT)
        .or_insert_with(|| USER_AGENT.clone());
    headers
        .entry(header::ACCEPT)
        .or_insert(HeaderValue::from_static("*/*"));
}

impl Client {
    /// A client without connections.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        Ok(Self {
            ways: Ways::new(&settings)?,
            tokens: Tokens::default(),
            origin: settings.origin,
            guard: settings.guard,
            response_bytes_max: settings.response_bytes_max,
            own: Own::default(),
        })
    }

    /// From now on requests to some URLs are taken in the house, for clones, too. Whoever is named first stays.
    pub fn hand_over_to(&self, door: Arc<dyn OwnDoor>) {
        self.own.set(door);
    }

    /// Sends one request and reads its answer. Never fails: a failure is an answer, too. May be
    /// dropped at any point; the connection is then closed.
    #[expect(
        clippy::disallowed_methods,
        reason = "a stopwatch: how long a network takes is not a time of the `Clock`'s"
    )]
    pub async fn send(&self, request: Request<'_>) -> Answer {
        let started = Instant::now();
        let timeout = request.timeout;
        let mut seen = Seen::keeping(EXCERPT_BYTES_MAX);
        let party = request.on_behalf_of;
        let exchange = self.authorized(request, &mut seen, started);
        let exchange = resolver::on_behalf_of(party, exchange);
        let outcome = match tokio::time::timeout(timeout, exchange).await {
            Ok(outcome) => outcome,
            Err(_elapsed) => Err(seen.too_late(timeout)),
        };
        seen.into_answer(outcome)
    }

    /// With an access token, where the connection has credentials for one.
    async fn authorized(
        &self,
        request: Request<'_>,
        seen: &mut Seen,
        now: Instant,
    ) -> Result<u16, Problem> {
        let Some(token) = self.token(&request, None, now).await? else {
            return self.exchange(request, seen).await;
        };
        let with = |token: &HeaderValue| {
            let mut request = request.clone();
            request.headers.insert(header::AUTHORIZATION, token.clone());
            request
        };
        let status = self.exchange(with(&token.header), seen).await?;
        if status != UNAUTHORIZED || token.is_fresh {
            return Ok(status);
        }
        // It has been taken back before its time.
        *seen = Seen::keeping(EXCERPT_BYTES_MAX);
        match self.token(&request, Some(&token.header), now).await? {
            Some(token) => self.exchange(with(&token.header), seen).await,
            None => Ok(status),
        }
    }

    /// Who asks, where a receiver has to agree before.
    pub fn origin(&self) -> &HeaderValue {
        &self.origin
    }

    pub(super) fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// One request and its answer.
    pub(super) async fn exchange(
        &self,
        request: Request<'_>,
        seen: &mut Seen,
    ) -> Result<u16, Problem> {
        let target = request.target;
        if let Some(door) = self.own.door(target) {
            let handed = door.take(own_request(&request)).await;
            if let Some(answer) = handed {
                return seen.take_own(answer);
            }
        }
        let way = self.ways.of(request.connection)?;
        let outgoing = self.outgoing(request)?;
        let response = way.request(outgoing).await.map_err(|error| {
            let phase = if error.is_connect() {
                Phase::Connecting
            } else {
                Phase::Exchanging
            };
            Problem::of(&error, phase, target)
        })?;
        let (parts, mut body) = response.into_parts();
        let status = parts.status.as_u16();
        seen.began(status, parts.extensions.get::<HttpInfo>());
        seen.take_headers(parts.headers)?;
        // The body counts as read only when it is whole; dropping it before that closes the
        // connection, so nothing beyond the limit is ever read.
        let announced = hyper::body::Body::size_hint(&body).lower();
        let mut body_bytes = 0_usize;
        if announced > self.response_bytes_max as u64 {
            return Err(self.too_large());
        }
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| Problem::of(&error, Phase::Exchanging, target))?;
            let Ok(chunk) = frame.into_data() else {
                continue;
            };
            seen.take_body(&chunk);
            body_bytes = body_bytes.saturating_add(chunk.len());
            if body_bytes > self.response_bytes_max {
                return Err(self.too_large());
            }
        }
        Ok(status)
    }

    /// The request as the client underneath wants it. It dials a literal address without asking
    /// its resolver, so such a host must pass the guard here.
    fn outgoing(&self, request: Request<'_>) -> Result<http::Request<Full<Bytes>>, Problem> {
        if let Some(address) = request.target.literal() {
            self.guard
                .vet(address)
                .map_err(|refused| Problem::new(Refusal::Egress, refused.to_string()))?;
        }
        let mut headers = request.headers;
        complete(&mut headers);
        let mut outgoing = http::Request::new(Full::new(request.body));
        *outgoing.method_mut() = request.method.into();
        *outgoing.uri_mut() = request.target.uri().clone();
        *outgoing.headers_mut() = headers;
        Ok(outgoing)
    }

    fn too_large(&self) -> Problem {
        let limit = self.response_bytes_max;
        Problem::new(
            Refusal::TooLarge,
            format!("the answer's body is longer than {limit} bytes"),
        )
    }
}

/// The request as it would arrive.
fn own_request(request: &Request<'_>) -> OwnRequest {
    let mut headers = request.headers.clone();
    complete(&mut headers);
    let authority = request.target.uri().authority();
    let host = authority.and_then(|host| HeaderValue::from_str(host.as_str()).ok());
    headers.extend(host.map(|host| (header::HOST, host)));
    headers.insert(header::CONTENT_LENGTH, request.body.len().into());
    OwnRequest {
        method: request.method.into(),
        target: request.target.clone(),
        headers,
        body: request.body.clone(),
        on_behalf_of: request.on_behalf_of,
    }
}
