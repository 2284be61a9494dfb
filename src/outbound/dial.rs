//! Dialling: straight to a vetted address, or through a proxy that is asked for one.
//!
//! With a proxy the receiver's name is still looked up here, and what the proxy is asked for is an address that the
//! guard let through, never a name; TLS, laid over this, knows the name. The proxy itself must pass the guard, too,
//! unless it is the operator's own.

use std::error::Error as StdError;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Uri, header};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_socks::tcp::Socks5Stream;
use tower::{Service, ServiceExt as _};

use super::answer::{Problem, causes};
use super::guard::{Refused, Vetted};
use super::proxy::{Proxy, Speaks};
use super::resolver::{self, VettedResolver, on_behalf_of, party};
use crate::model::Refusal;

/// Addresses of one receiver that a proxy is asked for.
const ADDRESSES_MAX: usize = 3;
/// What a proxy answers that wants to know who asks; the first is tinyproxy's word to who is not whom it knows.
const WHO_ASKS: [u16; 2] = [401, 407];

type BoxError = Box<dyn StdError + Send + Sync>;
type Stream = TokioIo<TcpStream>;
type Dialling = Pin<Box<dyn Future<Output = Result<Stream, BoxError>> + Send>>;

/// Why a proxy leads nowhere.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// There is no connection with it.
    #[error("the proxy can't be reached")]
    Unreachable(#[source] BoxError),
    /// It is at an address that the guard refuses.
    #[error("the proxy's address must not be reached")]
    Forbidden(#[source] Refused),
    /// It asks for a user and a password, or for others.
    #[error("the proxy does not take who asks")]
    Unauthorized {
        /// What it answered, if it speaks HTTP.
        status: Option<u16>,
    },
    /// It answered `CONNECT` with another status.
    #[error("the proxy answered {0}")]
    Status(u16),
    /// It has no connection with the receiver: why, as it says.
    #[error("the proxy has no connection: {0}")]
    NoWay(&'static str),
    /// It speaks something else, or nothing.
    #[error("the proxy does not speak its protocol")]
    Protocol,
}

impl Error {
    /// Whether another address of the receiver could fare better.
    fn is_of_the_receiver(&self) -> bool {
        matches!(self, Self::NoWay(_) | Self::Status(500..=599))
    }

    /// What it is to the endpoint's owner.
    pub(super) fn problem(&self) -> Problem {
        let forbidden = "the proxy is at an address that deliveries must not reach: use a public one, or have the \
             operator put its network on the egress allow-list";
        let because = match self {
            Self::Forbidden(_) => return Problem::new(Refusal::Egress, forbidden),
            Self::Unreachable(error) => match unreachable(&**error) {
                Some(because) => because,
                None => return Problem::new(Refusal::Egress, forbidden),
            },
            Self::Unauthorized { status } => {
                let status = status.map_or_else(String::new, |status| format!(" ({status})"));
                format!(
                    "it does not take the user and password that it was given, or wants some and was given none{status}"
                )
            }
            Self::Status(status) => {
                format!("it answered {status} when it was asked for a connection to the receiver")
            }
            Self::NoWay(why) => format!("it has no connection to the receiver: {why}"),
            Self::Protocol => {
                "what answers there does not speak the protocol of the proxy's URL: check its scheme and port"
                    .to_owned()
            }
        };
        Problem::new(
            Refusal::Proxy,
            format!("the proxy does not let it through: {because}"),
        )
    }
}

/// Why there is no connection with the proxy; `None`: the guard forbids it.
fn unreachable(error: &(dyn StdError + 'static)) -> Option<String> {
    for cause in causes(error) {
        match cause.downcast_ref::<resolver::Error>() {
            Some(resolver::Error::Forbidden { .. }) => return None,
            Some(_) => return Some("its host name could not be resolved".to_owned()),
            None => {}
        }
    }
    let io = causes(error).filter_map(|cause| cause.downcast_ref::<io::Error>());
    Some(match io.last().map(io::Error::kind) {
        Some(io::ErrorKind::ConnectionRefused) => "it refused the connection".to_owned(),
        Some(io::ErrorKind::TimedOut) => "it can't be reached in time".to_owned(),
        Some(kind) => format!("it can't be reached: {kind}"),
        None => "it can't be reached".to_owned(),
    })
}

/// A proxy, and how it is dialled.
#[derive(Debug)]
pub(super) struct Detour {
    pub(super) proxy: Proxy,
    /// With the guard; or without, if it is the operator's own.
    pub(super) tcp: HttpConnector<VettedResolver>,
    /// Who judges it where its host is written as an address.
    pub(super) judge: Option<super::guard::EgressGuard>,
}

/// Opens connections for the HTTP client, over which it speaks TLS where the URL says so.
#[derive(Debug, Clone)]
pub(super) struct Dialler {
    /// Straight on.
    pub(super) tcp: HttpConnector<VettedResolver>,
    /// Names of receivers, behind the guard.
    pub(super) names: VettedResolver,
    pub(super) detour: Option<Arc<Detour>>,
}

impl Service<Uri> for Dialler {
    type Response = Stream;
    type Error = BoxError;
    type Future = Dialling;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.tcp.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Dialling {
        let Some(detour) = self.detour.clone() else {
            let dialling = self.tcp.call(uri);
            return Box::pin(async move { dialling.await.map_err(Into::into) });
        };
        let names = self.names.clone();
        // What is begun here may be finished in another task.
        let party = party();
        Box::pin(on_behalf_of(party, async move {
            through(&detour, &names, &uri).await
        }))
    }
}

/// A connection to the receiver through the proxy.
async fn through(detour: &Detour, names: &VettedResolver, uri: &Uri) -> Result<Stream, BoxError> {
    let addresses = receiver(names, uri).await?;
    if let (Some(judge), Some(address)) = (&detour.judge, detour.proxy.place().literal()) {
        judge.vet(address).map_err(Error::Forbidden)?;
    }
    let mut last = Error::Protocol;
    for address in addresses.into_iter().take(ADDRESSES_MAX) {
        let place = detour.proxy.place().uri().clone();
        let dialled = detour.tcp.clone().oneshot(place).await;
        let stream = dialled.map_err(|error| Error::Unreachable(error.into()))?;
        last = match ask(&detour.proxy, stream, address).await {
            Ok(stream) => return Ok(stream),
            Err(error) if error.is_of_the_receiver() => error,
            Err(error) => return Err(error.into()),
        };
    }
    Err(last.into())
}

/// The receiver's addresses that may be dialled, of which there is one.
async fn receiver(names: &VettedResolver, uri: &Uri) -> Result<Vec<SocketAddr>, BoxError> {
    let host = uri.host().unwrap_or_default();
    let usual = if uri.scheme_str() == Some("https") {
        443
    } else {
        80
    };
    let port = uri.port_u16().unwrap_or(usual);
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let vetted = match bare.parse::<IpAddr>() {
        // A literal address has passed the guard with the request.
        Ok(address) => vec![names.guard.vet(address)?],
        Err(_) => names.vetted(party(), host).await?,
    };
    let addresses = vetted.into_iter().map(Vetted::address);
    Ok(addresses
        .map(|address| SocketAddr::new(address, port))
        .collect())
}

/// Has the proxy connect this stream with an address.
async fn ask(proxy: &Proxy, stream: Stream, address: SocketAddr) -> Result<Stream, Error> {
    match proxy.speaks() {
        Speaks::Connect => connect(proxy, stream, address).await,
        Speaks::Socks5 => socks5(proxy, stream, address).await,
    }
}

async fn connect(proxy: &Proxy, stream: Stream, address: SocketAddr) -> Result<Stream, Error> {
    let broken = |_: hyper::Error| Error::Protocol;
    let (mut sender, connection) = http1::handshake(stream).await.map_err(broken)?;
    // Ends by itself once either side is let go.
    tokio::spawn(connection.with_upgrades());
    let mut request = http::Request::connect(address.to_string())
        .header(header::HOST, address.to_string())
        .body(Empty::<Bytes>::new())
        .map_err(|_| Error::Protocol)?;
    if let Some(who) = proxy.authorization() {
        let headers = request.headers_mut();
        headers.insert(header::PROXY_AUTHORIZATION, who);
    }
    let answer = sender.send_request(request).await.map_err(broken)?;
    match answer.status().as_u16() {
        200..=299 => {}
        status if WHO_ASKS.contains(&status) => {
            return Err(Error::Unauthorized {
                status: Some(status),
            });
        }
        status => return Err(Error::Status(status)),
    }
    let upgraded = hyper::upgrade::on(answer).await.map_err(broken)?;
    let parts = upgraded.downcast::<Stream>().map_err(|_| Error::Protocol)?;
    // Nobody has asked the receiver for anything yet: what is there already is not of it.
    if parts.read_buf.is_empty() {
        Ok(parts.io)
    } else {
        Err(Error::Protocol)
    }
}

async fn socks5(proxy: &Proxy, stream: Stream, address: SocketAddr) -> Result<Stream, Error> {
    let tcp = stream.into_inner();
    let connected = match proxy.credentials() {
        None => Socks5Stream::connect_with_socket(tcp, address).await,
        Some((user, password)) => {
            Socks5Stream::connect_with_password_and_socket(tcp, address, user, password).await
        }
    };
    connected
        .map(|stream| TokioIo::new(stream.into_inner()))
        .map_err(|error| said(&error))
}

/// What a SOCKS5 proxy means (RFC 1928, 6; RFC 1929).
fn said(error: &tokio_socks::Error) -> Error {
    use tokio_socks::Error as Said;
    match error {
        Said::NoAcceptableAuthMethods
        | Said::PasswordAuthFailure(_)
        | Said::AuthorizationRequired => Error::Unauthorized { status: None },
        Said::GeneralSocksServerFailure => Error::NoWay("it gives no reason"),
        Said::ConnectionNotAllowedByRuleset => Error::NoWay("its rules don't allow that"),
        Said::NetworkUnreachable | Said::HostUnreachable => {
            Error::NoWay("there is no route to the receiver")
        }
        Said::ConnectionRefused => Error::NoWay("the receiver refused the connection"),
        Said::TtlExpired => Error::NoWay("the receiver was not reached in time"),
        _ => Error::Protocol,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_that_leads_nowhere_is_told_as_the_proxys() {
        let io = |kind: io::ErrorKind| Error::Unreachable(io::Error::from(kind).into());
        for (error, class, words) in [
            (
                io(io::ErrorKind::ConnectionRefused),
                Refusal::Proxy,
                "refused the connection",
            ),
            (
                Error::Unauthorized { status: Some(407) },
                Refusal::Proxy,
                "was given none (407)",
            ),
            (Error::Status(403), Refusal::Proxy, "answered 403"),
            (Error::Protocol, Refusal::Proxy, "check its scheme"),
            (
                said(&tokio_socks::Error::HostUnreachable),
                Refusal::Proxy,
                "no route",
            ),
        ] {
            let problem = error.problem();
            assert_eq!(problem.refusal, class, "{}", problem.message);
            assert!(problem.message.contains(words), "{}", problem.message);
        }
    }
}
