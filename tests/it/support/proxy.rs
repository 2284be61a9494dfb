//! A TCP line on loopback that a test can cut and let back: between a node and its database.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What the line does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Blackhole,
    Cut,
}

/// The line. It is cut when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    state: watch::Sender<State>,
    /// The accept loop says here whether new connections are taken.
    listening: watch::Receiver<bool>,
}

impl Proxy {
    /// A line to `target`, open.
    pub async fn start(target: SocketAddr) -> Self {
        // This socket never listens. It keeps the port ours while the line is cut.
        let holder =
            socket(SocketAddr::from(([127, 0, 0, 1], 0))).expect("loopback has a free port");
        let address = holder.local_addr().expect("bound");
        let state = watch::Sender::new(State::Open);
        let (listens, listening) = watch::channel(false);
        tokio::spawn(run(holder, target, state.subscribe(), listens));
        let proxy = Self {
            address,
            state,
            listening,
        };
        proxy.until_listening(true).await;
        proxy
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Resets every connection and refuses new ones, until [`Proxy::open`]. Done when it returns.
    pub async fn cut(&self) {
        self.state.send_replace(State::Cut);
        self.until_listening(false).await;
    }

    /// Swallows every byte in both directions, without a word to either side. What is on its way
    /// arrives after [`Proxy::open`], as it would on a network that was down for a while.
    pub fn blackhole(&self) {
        self.state.send_replace(State::Blackhole);
    }

    /// Lets everything through again.
    pub async fn open(&self) {
        self.state.send_replace(State::Open);
        self.until_listening(true).await;
    }

    async fn until_listening(&self, wanted: bool) {
        let mut listening = self.listening.clone();
        super::before_hanging("the proxy", listening.wait_for(|now| *now == wanted))
            .await
            .expect("the accept loop lives as long as the proxy");
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.send_replace(State::Cut);
    }
}

/// Bound, and able to share its port with another socket of this process.
fn socket(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Ends with the proxy, whose end the closed channel tells.
async fn run(
    holder: TcpSocket,
    target: SocketAddr,
    mut state: watch::Receiver<State>,
    listens: watch::Sender<bool>,
) {
    let address = holder.local_addr().expect("bound");
    loop {
        let listener = socket(address)
            .and_then(|socket| socket.listen(1024))
            .expect("the port is held");
        listens.send_replace(true);
        accept_until_cut(&listener, target, &mut state).await;
        drop(listener);
        listens.send_replace(false);
        if state.wait_for(|now| *now != State::Cut).await.is_err() {
            return;
        }
    }
}

async fn accept_until_cut(
    listener: &TcpListener,
    target: SocketAddr,
    state: &mut watch::Receiver<State>,
) {
    let mut connections = JoinSet::new();
    let shared = state.clone();
    let cut = state.wait_for(|now| *now == State::Cut);
    tokio::pin!(cut);
    loop {
        tokio::select! {
            _ = &mut cut => break,
            Ok((stream, _)) = listener.accept() => { connections.spawn(carry(stream, target, shared.clone())); }
        }
    }
    while connections.join_next().await.is_some() {}
}

/// Carries one connection until it ends or is cut.
async fn carry(mut near: TcpStream, target: SocketAddr, mut state: watch::Receiver<State>) {
    let Ok(State::Open) = state
        .wait_for(|now| *now != State::Blackhole)
        .await
        .map(|now| *now)
    else {
        return;
    };
    let Ok(mut far) = TcpStream::connect(target).await else {
        return;
    };
    for stream in [&near, &far] {
        stream.set_nodelay(true).ok();
    }
    let cut = {
        let (near_in, near_out) = near.split();
        let (far_in, far_out) = far.split();
        let there = pump(near_in, far_out, state.clone());
        let back = pump(far_in, near_out, state.clone());
        tokio::select! {
            _ = futures_util::future::join(there, back) => false,
            _ = state.wait_for(|now| *now == State::Cut) => true,
        }
    };
    if cut {
        // Without lingering, closing sends a reset.
        for stream in [&near, &far] {
            stream.set_zero_linger().ok();
        }
    }
}

/// Copies until `from` ends, then tells `to` so.
async fn pump(mut from: ReadHalf<'_>, mut to: WriteHalf<'_>, mut state: watch::Receiver<State>) {
    let mut bytes = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        if state.wait_for(|now| *now == State::Open).await.is_err() {
            return;
        }
        if to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
    // A silent line does not tell of an end either.
    if state.wait_for(|now| *now == State::Open).await.is_ok() {
        to.shutdown().await.ok();
    }
}
