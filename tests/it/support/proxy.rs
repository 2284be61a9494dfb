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
    swallowed: watch::Receiver<usize>,
}

/// One end of the line, as its connections see it.
#[derive(Debug, Clone)]
struct Switch {
    state: watch::Receiver<State>,
    /// How many bytes have come to a line that was a black hole.
    swallowed: watch::Sender<usize>,
}

impl Switch {
    /// Returns once `is_wanted` holds; `None` at the end of the line.
    async fn until(&mut self, is_wanted: impl FnMut(&State) -> bool) -> Option<State> {
        self.state.wait_for(is_wanted).await.ok().map(|now| *now)
    }
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
        let (swallows, swallowed) = watch::channel(0);
        let switch = Switch {
            state: state.subscribe(),
            swallowed: swallows,
        };
        tokio::spawn(run(holder, target, switch, listens));
        let proxy = Self {
            address,
            state,
            listening,
            swallowed,
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

    /// Returns once this many bytes have come to the line while it was a black hole.
    pub async fn until_swallowed(&self, bytes: usize) {
        let mut swallowed = self.swallowed.clone();
        super::before_hanging("the black hole", swallowed.wait_for(|now| *now >= bytes))
            .await
            .expect("the accept loop lives as long as the proxy");
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
    mut switch: Switch,
    listens: watch::Sender<bool>,
) {
    let address = holder.local_addr().expect("bound");
    loop {
        let listener = socket(address)
            .and_then(|socket| socket.listen(1024))
            .expect("the port is held");
        listens.send_replace(true);
        accept_until_cut(&listener, target, &switch).await;
        drop(listener);
        listens.send_replace(false);
        if switch.until(|now| *now != State::Cut).await.is_none() {
            return;
        }
    }
}

async fn accept_until_cut(listener: &TcpListener, target: SocketAddr, switch: &Switch) {
    let mut connections = JoinSet::new();
    let mut own = switch.clone();
    let cut = own.until(|now| *now == State::Cut);
    tokio::pin!(cut);
    loop {
        tokio::select! {
            _ = &mut cut => break,
            Ok((stream, _)) = listener.accept() => { connections.spawn(carry(stream, target, switch.clone())); }
        }
    }
    while connections.join_next().await.is_some() {}
}

/// Carries one connection until it ends or is cut.
async fn carry(mut near: TcpStream, target: SocketAddr, mut switch: Switch) {
    let Some(State::Open) = switch.until(|now| *now != State::Blackhole).await else {
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
        let there = pump(near_in, far_out, switch.clone());
        let back = pump(far_in, near_out, switch.clone());
        tokio::select! {
            _ = futures_util::future::join(there, back) => false,
            _ = switch.until(|now| *now == State::Cut) => true,
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
async fn pump(mut from: ReadHalf<'_>, mut to: WriteHalf<'_>, mut switch: Switch) {
    let mut bytes = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        if *switch.state.borrow() == State::Blackhole {
            switch.swallowed.send_modify(|bytes| *bytes += count);
        }
        if switch.until(|now| *now == State::Open).await.is_none() {
            return;
        }
        if to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
    // A silent line does not tell of an end either.
    if switch.until(|now| *now == State::Open).await.is_some() {
        to.shutdown().await.ok();
    }
}
