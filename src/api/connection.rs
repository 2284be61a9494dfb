//! Connections to the doors: how many there may be, how long each may keep the house waiting, and
//! how they end.
//!
//! A connection that sends no whole head in time is closed, be it slow or idle; so is one that does
//! not take its answer. How long a body may take is the body's (`body.rs`). At the stop nobody new is
//! let in, what was asked is answered, and what was only half asked is cut off a few seconds after all
//! else has ended: a request that never ends does not keep the process.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::stall::Unstalled;
use crate::model::Clock;

/// Largest head of a request: its line and all its headers.
const HEAD_BYTES_MAX: usize = 32 * 1024;
/// Most bytes that a connection keeps in hand: of a head, or of a body on its way to whoever reads it.
const BUFFER_BYTES_MAX: usize = 128 * 1024;
/// Most connections, however many files may be open.
const CONNECTIONS_MAX: usize = 10_000;
/// How long to wait when no connection can be taken, as when no file is left.
const NO_ROOM_MS: i64 = 250;

/// What connections may cost.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// How many there may be; more wait at the system's door.
    pub connections_max: usize,
    /// How long a head may take, counted from the connection's begin or from the answer before.
    pub head_ms: u64,
    /// How long a client may take nothing of its answer.
    pub stall_ms: i64,
    /// How long after everything else has ended what was only half asked is cut off.
    pub closing_ms: i64,
}

impl Bounds {
    /// The bounds of a process that may open this many files: half of them are left to deliveries,
    /// to the database and to all else.
    pub fn within(files_max: u64) -> Self {
        let half = usize::try_from(files_max / 2).unwrap_or(usize::MAX);
        Self {
            connections_max: half.clamp(1, CONNECTIONS_MAX),
            // Above the minute after which common balancers close what is idle.
            head_ms: 75_000,
            stall_ms: 30_000,
            closing_ms: 3_000,
        }
    }
}

/// Serves connections until `stop` returns; then lets them end. `ended`: returns once nothing is under
/// way any more that an answer may be waiting for.
pub async fn serve(
    listener: TcpListener,
    router: axum::Router,
    bounds: Bounds,
    stop: impl Future<Output = ()>,
    ended: impl Future<Output = ()>,
) {
    let places = Arc::new(Semaphore::new(bounds.connections_max));
    let doors = Doors {
        http: http(&bounds),
        router: router.with_state(()),
        stall_ms: bounds.stall_ms,
        closing: CancellationToken::new(),
        cut: CancellationToken::new(),
    };
    let open = TaskTracker::new();
    let mut stop = pin!(stop);
    loop {
        let (stream, place) = tokio::select! {
            () = &mut stop => break,
            next = next(&listener, &places) => next,
        };
        let conversation = doors.clone().converse(stream, place);
        open.spawn(conversation);
    }
    drop(listener);
    doors.closing.cancel();
    open.close();
    let clock = Clock::System;
    tokio::select! {
        () = open.wait() => return,
        () = async {
            ended.await;
            clock.sleep_until(clock.now().plus_ms(bounds.closing_ms)).await;
        } => {}
    }
    tracing::info!(
        connections = open.len(),
        "requests that never came to an end are cut off"
    );
    doors.cut.cancel();
    open.wait().await;
}

fn http(bounds: &Bounds) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(bounds.head_ms))
        .max_header_size(HEAD_BYTES_MAX)
        .max_buf_size(BUFFER_BYTES_MAX);
    http
}

/// The next connection, once there is a place for it.
async fn next(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> (TcpStream, OwnedSemaphorePermit) {
    let place = match places.clone().try_acquire_owned() {
        Ok(place) => place,
        Err(_full) => {
            tracing::warn!("all connections are taken: more have to wait");
            let place = places.clone().acquire_owned().await;
            place.expect("the semaphore is never closed")
        }
    };
    loop {
        match listener.accept().await {
            Ok((stream, _from)) => return (stream, place),
            // It was gone before it was let in.
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "no connection can be taken"
                );
                let clock = Clock::System;
                clock.sleep_until(clock.now().plus_ms(NO_ROOM_MS)).await;
            }
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    )
}

/// What a connection needs.
#[derive(Clone)]
struct Doors {
    http: http1::Builder,
    router: axum::Router,
    stall_ms: i64,
    /// From now on, the answer under way is the last one.
    closing: CancellationToken,
    /// Nothing is waited for any more.
    cut: CancellationToken,
}

impl Doors {
    async fn converse(self, stream: TcpStream, _place: OwnedSemaphorePermit) {
        // Answers are small and complete: waiting for more to send only delays them.
        let _best_effort = stream.set_nodelay(true);
        let stream = Unstalled::new(stream, self.stall_ms);
        let service = TowerToHyperService::new(self.router);
        let mut conversation = pin!(self.http.serve_connection(TokioIo::new(stream), service));
        // One of its own: the tree's are polled by every connection at each step.
        let closing = self.closing.child_token();
        tokio::select! {
            biased;
            _either_way = conversation.as_mut() => return,
            () = closing.cancelled() => conversation.as_mut().graceful_shutdown(),
        }
        tokio::select! {
            biased;
            _either_way = conversation => {}
            () = self.cut.cancelled() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::sync::oneshot;
    use tokio::task::JoinHandle;

    use super::*;

    const FOREVER_MS: i64 = 3_600_000;

    /// Doors to a house that answers much, or never.
    struct House {
        address: SocketAddr,
        stop: Option<oneshot::Sender<()>>,
        served: JoinHandle<()>,
    }

    impl House {
        async fn open(bounds: Bounds) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let address = listener.local_addr().expect("an address");
            let (stop, stopped) = oneshot::channel();
            let router = axum::Router::new()
                .route("/", get("well"))
                .route("/much", get(|| async { vec![b'x'; 1024 * 1024] }));
            let served = tokio::spawn(serve(
                listener,
                router,
                bounds,
                async { drop(stopped.await) },
                std::future::ready(()),
            ));
            Self {
                address,
                stop: Some(stop),
                served,
            }
        }

        async fn connect(&self) -> TcpStream {
            TcpStream::connect(self.address)
                .await
                .expect("somebody listens")
        }

        fn stop(&mut self) {
            drop(self.stop.take());
        }
    }

    fn bounds() -> Bounds {
        Bounds {
            connections_max: 100,
            head_ms: FOREVER_MS as u64,
            stall_ms: FOREVER_MS,
            closing_ms: FOREVER_MS,
        }
    }

    async fn ask(stream: &mut TcpStream, path: &str) {
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("sent");
    }

    /// Asks for something that there is.
    async fn is_served(stream: &mut TcpStream) {
        ask(stream, "/").await;
        assert!(hear(stream).await.starts_with("HTTP/1.1 200"));
    }

    /// Reads until an answer's first words have come.
    async fn hear(stream: &mut TcpStream) -> String {
        let mut bytes = [0; 4096];
        let length = stream.read(&mut bytes).await.expect("an answer");
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    }

    #[tokio::test]
    async fn who_does_not_finish_a_head_is_shut_out() {
        let house = House::open(Bounds {
            head_ms: 1,
            ..bounds()
        })
        .await;
        let mut slow = house.connect().await;
        // The house may have closed before it is written to.
        let _ = slow.write_all(b"GET / HTTP/1.1\r\nhost: ").await;
        let mut rest = Vec::new();
        let _ = slow.read_to_end(&mut rest).await;
        assert!(!rest.starts_with(b"HTTP/1.1 200"), "{rest:?}");
    }

    #[tokio::test]
    async fn who_does_not_take_an_answer_is_shut_out() {
        let house = House::open(Bounds {
            stall_ms: 1,
            ..bounds()
        })
        .await;
        let mut deaf = house.connect().await;
        let request = b"GET /much HTTP/1.1\r\nhost: x\r\n\r\n";
        // Asks and never listens, until the house has had enough.
        while deaf.write_all(request).await.is_ok() {}
    }

    #[tokio::test]
    async fn who_finds_all_places_taken_waits_for_one() {
        let house = House::open(Bounds {
            connections_max: 1,
            ..bounds()
        })
        .await;
        let mut first = house.connect().await;
        is_served(&mut first).await;
        let mut second = house.connect().await;
        ask(&mut second, "/").await;
        is_served(&mut first).await;
        let mut byte = [0];
        let heard = second.try_read(&mut byte).map_err(|error| error.kind());
        assert_eq!(heard, Err(io::ErrorKind::WouldBlock));
        drop(first);
        assert!(hear(&mut second).await.starts_with("HTTP/1.1 200"));
    }

    #[tokio::test]
    async fn a_head_too_long_is_refused() {
        let house = House::open(bounds()).await;
        let mut long = house.connect().await;
        let head = format!("GET / HTTP/1.1\r\nx: {}", "x".repeat(HEAD_BYTES_MAX));
        let _ = long.write_all(head.as_bytes()).await;
        assert!(hear(&mut long).await.starts_with("HTTP/1.1 431"));
    }

    #[tokio::test]
    async fn a_stop_does_not_wait_for_a_request_that_never_ends() {
        let mut house = House::open(Bounds {
            closing_ms: 1,
            ..bounds()
        })
        .await;
        let mut idle = house.connect().await;
        is_served(&mut idle).await;
        let mut half = house.connect().await;
        is_served(&mut half).await;
        half.write_all(b"POST / HTTP/1.1\r\ncontent-le")
            .await
            .expect("sent");
        house.stop();
        (&mut house.served).await.expect("it ends");
        assert_eq!(idle.read(&mut [0]).await.expect("it ends"), 0);
        assert!(
            TcpStream::connect(house.address).await.is_err(),
            "nobody is let in"
        );
    }

    #[test]
    fn half_the_files_are_left_to_others() {
        for (files, connections) in [(0, 1), (1, 1), (1024, 512), (u64::MAX, CONNECTIONS_MAX)] {
            assert_eq!(Bounds::within(files).connections_max, connections);
        }
    }
}
