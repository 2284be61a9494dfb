//! A scripted receiver on loopback, for this room's tests: a real socket that behaves as badly
//! as it is told to. It reads whole requests and counts what arrives.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// What the receiver does with each request.
#[derive(Clone)]
pub(super) enum Script {
    /// Answers with these bytes and keeps the connection.
    Say(Vec<u8>),
    /// Answers with these bytes and closes.
    SayAndClose(Vec<u8>),
    /// Answers with these bytes, then nothing more, with the connection open.
    SayAndHang(Vec<u8>),
    /// Answers with these bytes, then goes on with filler until the other side hangs up.
    SayForEver(Vec<u8>),
    /// Answers the first request of all with these bytes; closes on every later one.
    SayOnce(Vec<u8>),
    /// Breaks the connection off with the request unread.
    Reset,
    /// Answers with these bytes to whatever comes first, even half a request, and closes.
    Blurt(Vec<u8>),
}

impl Script {
    pub(super) fn say(answer: &str) -> Self {
        Self::Say(answer.into())
    }

    pub(super) fn ok() -> Self {
        Self::say("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
    }
}

/// A running receiver; stops when dropped.
pub(super) struct Receiver {
    pub address: SocketAddr,
    seen: Arc<Record>,
    accepting: JoinHandle<()>,
}

#[derive(Default)]
struct Record {
    connections: AtomicUsize,
    requests: Mutex<Vec<Vec<u8>>>,
    hung_up: Notify,
}

impl Receiver {
    pub(super) async fn start(script: Script) -> Self {
        Self::listen(script, None).await
    }

    pub(super) async fn start_tls(script: Script, identity: Identity) -> Self {
        Self::listen(script, Some(identity.acceptor(None))).await
    }

    /// One that asks who connects for a certificate of this authority's.
    pub(super) async fn start_mutual_tls(
        script: Script,
        identity: Identity,
        clients: &Authority,
    ) -> Self {
        Self::listen(script, Some(identity.acceptor(Some(clients)))).await
    }

    async fn listen(script: Script, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a free port");
        let address = listener.local_addr().expect("bound");
        let seen = Arc::<Record>::default();
        let record = Arc::clone(&seen);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                record.connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(
                    stream,
                    script.clone(),
                    tls.clone(),
                    Arc::clone(&record),
                ));
            }
        });
        Self {
            address,
            seen,
            accepting,
        }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(super) fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }

    /// Head and body of every request, as they came.
    pub(super) fn requests(&self) -> Vec<String> {
        let requests = self.seen.requests.lock().expect("not poisoned");
        requests
            .iter()
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
            .collect()
    }

    /// Returns once a client has hung up on [`Script::SayForEver`].
    pub(super) async fn hung_up(&self) {
        self.seen.hung_up.notified().await;
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(
    mut stream: TcpStream,
    script: Script,
    tls: Option<TlsAcceptor>,
    record: Arc<Record>,
) {
    match &script {
        Script::Reset => {
            // Closing a socket with unread bytes makes the kernel send a reset.
            let _ = stream.peek(&mut [0]).await;
            return;
        }
        Script::Blurt(answer) => {
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(answer).await;
            return;
        }
        _ => {}
    }
    match tls {
        None => act(stream, script, &record).await,
        Some(tls) => match tls.accept(stream).into_fallible().await {
            Ok(stream) => act(stream, script, &record).await,
            // A connection that is closed with something unread is reset, and its last word may be lost.
            Err((_, mut stream)) => {
                let _ = stream.shutdown().await;
                while stream.read(&mut [0; 4096]).await.is_ok_and(|read| read > 0) {}
            }
        },
    }
}

async fn act<S>(mut stream: S, script: Script, record: &Record)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(request) = read_request(&mut stream).await {
        let no = {
            let mut requests = record.requests.lock().expect("not poisoned");
            requests.push(request);
            requests.len()
        };
        let (Script::Say(answer)
        | Script::SayAndClose(answer)
        | Script::SayAndHang(answer)
        | Script::SayForEver(answer)
        | Script::SayOnce(answer)) = &script
        else {
            return;
        };
        if matches!(script, Script::SayOnce(_)) && no > 1 {
            return;
        }
        let _ = stream.write_all(answer).await;
        let _ = stream.flush().await;
        match script {
            Script::SayAndClose(_) => {
                let _ = stream.shutdown().await;
                return;
            }
            Script::SayAndHang(_) => std::future::pending().await,
            Script::SayForEver(_) => {
                while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
                record.hung_up.notify_one();
                return;
            }
            _ => {}
        }
    }
}

/// One request with a `content-length`; `None` at the end of the connection.
async fn read_request<S: AsyncRead + Unpin>(stream: &mut S) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let text = String::from_utf8_lossy(&bytes[..head]).to_lowercase();
    let body: usize = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"))
        .map_or(0, |length| length.trim().parse().expect("a number"));
    while bytes.len() < head + body {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    Some(bytes)
}

/// A certificate with its key, for `receiver.test` unless told otherwise.
pub(super) struct Identity {
    certificate: CertificateDer<'static>,
    key: KeyPair,
}

impl Identity {
    pub(super) fn params(name: &str) -> CertificateParams {
        CertificateParams::new([name.to_owned()]).expect("a name")
    }

    pub(super) fn signed(params: &CertificateParams, by: &Authority) -> Self {
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &by.0).expect("signed");
        Self {
            certificate: certificate.der().clone(),
            key,
        }
    }

    pub(super) fn self_signed(params: &CertificateParams) -> Self {
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("signed");
        Self {
            certificate: certificate.der().clone(),
            key,
        }
    }

    fn acceptor(self, clients: Option<&Authority>) -> TlsAcceptor {
        let key = PrivateKeyDer::Pkcs8(self.key.serialize_der().into());
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("versions");
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(authority.0.der().clone()).expect("a root");
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                builder.with_client_cert_verifier(verifier.build().expect("a verifier"))
            }
        };
        let config = builder
            .with_single_cert(vec![self.certificate], key)
            .expect("a certificate with its key");
        TlsAcceptor::from(Arc::new(config))
    }
}

/// A certificate authority of the test's own.
pub(super) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(super) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("signed"))
    }

    pub(super) fn pem(&self) -> Vec<u8> {
        self.0.pem().into_bytes()
    }
}
