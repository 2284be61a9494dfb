//! A receiver's connections, plain or TLS, each with a handle that resets it.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

/// A handle on one connection.
#[derive(Debug, Clone, Default)]
pub struct Line(Arc<AtomicBool>);

impl Line {
    /// The next byte to be written resets the connection instead.
    pub fn cut(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Connected<IncomingStream<'_, Doorway>> for Line {
    fn connect_info(stream: IncomingStream<'_, Doorway>) -> Self {
        let wire = match stream.io() {
            Either::Left(wire) => wire,
            Either::Right(tls) => tls.get_ref().0,
        };
        wire.line.clone()
    }
}

/// What HTTP is spoken over: plain, or TLS.
pub type Connection = Either<Wire, TlsStream<Wire>>;

/// The TCP stream below, which carries out the cut.
pub struct Wire {
    stream: TcpStream,
    line: Line,
}

/// Accepts connections, and shakes hands for TLS without holding up the next one.
pub struct Doorway {
    address: SocketAddr,
    accepted: mpsc::Receiver<(Connection, SocketAddr)>,
}

impl Doorway {
    /// Listens on a free port of 127.0.0.1.
    pub async fn open(tls: Option<TlsAcceptor>) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let (sender, accepted) = mpsc::channel(1024);
        tokio::spawn(async move {
            let shake =
                |stream: TcpStream, peer| shake_hands(stream, tls.clone(), peer, sender.clone());
            loop {
                tokio::select! {
                    () = sender.closed() => return,
                    Ok((stream, peer)) = listener.accept() => { tokio::spawn(shake(stream, peer)); }
                }
            }
        });
        Ok(Self { address, accepted })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

async fn shake_hands(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    peer: SocketAddr,
    sender: mpsc::Sender<(Connection, SocketAddr)>,
) {
    let line = Line::default();
    let wire = Wire { stream, line };
    let connection = match tls {
        None => Either::Left(wire),
        Some(tls) => match tls.accept(wire).into_fallible().await {
            Ok(stream) => Either::Right(stream),
            // A client that does not trust the certificate, or has none, is what some stories are about. A connection
            // that is closed with something unread is reset, and its last word may be lost.
            Err((_, mut wire)) => {
                let _ = wire.shutdown().await;
                while wire.read(&mut [0; 4096]).await.is_ok_and(|read| read > 0) {}
                return;
            }
        },
    };
    sender.send((connection, peer)).await.ok();
}

impl Listener for Doorway {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        match self.accepted.recv().await {
            Some(accepted) => accepted,
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.line.0.load(Ordering::SeqCst) {
            // Without lingering, closing sends a reset.
            self.stream.set_zero_linger()?;
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
