//! What a scripted receiver answers, and the gates that hold an answer back until the test opens
//! them.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::response::Response;
use futures_util::stream::{self, Stream};
use tokio::sync::watch;

use super::line::Line;

/// One answer of the script.
#[derive(Debug, Clone)]
pub struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    ending: Ending,
    gate: Option<Gate>,
}

#[derive(Debug, Clone)]
enum Ending {
    Whole(Bytes),
    Endless,
    CutShort,
    Reset,
    Hang,
}

impl Answer {
    /// An answer with this status and no body.
    pub fn status(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            ending: Ending::Whole(Bytes::new()),
            gate: None,
        }
    }

    /// 302 and the like, to `location`.
    pub fn redirect(status: u16, location: &str) -> Self {
        Self::status(status).header("location", location)
    }

    /// The connection is reset after the request was read.
    pub fn reset() -> Self {
        Self {
            ending: Ending::Reset,
            ..Self::status(200)
        }
    }

    /// No answer at all, for as long as the client cares to wait.
    pub fn hang() -> Self {
        Self {
            ending: Ending::Hang,
            ..Self::status(200)
        }
    }

    /// 200 and a body that does not end.
    pub fn endless() -> Self {
        Self {
            ending: Ending::Endless,
            ..Self::status(200)
        }
    }

    /// 200 and the beginning of a body, after which the connection is closed.
    pub fn cut_short() -> Self {
        Self {
            ending: Ending::CutShort,
            ..Self::status(200)
        }
    }

    /// The same with one header more, such as `retry-after`.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same with this body.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.ending = Ending::Whole(body.into());
        self
    }

    /// The same, given once `gate` is open.
    pub fn behind(mut self, gate: &Gate) -> Self {
        self.gate = Some(gate.clone());
        self
    }

    /// Waits for the gate, then answers on `line`.
    pub(super) async fn give(self, line: &Line) -> Response {
        if let Some(gate) = &self.gate {
            gate.opened().await;
        }
        let body = match self.ending {
            Ending::Whole(body) => Body::from(body),
            Ending::Endless => Body::from_stream(stream::repeat_with(|| {
                Ok::<_, io::Error>(Bytes::from_static(&[b'x'; 8192]))
            })),
            Ending::CutShort => Body::from_stream(beginning()),
            Ending::Reset => {
                line.cut();
                Body::empty()
            }
            Ending::Hang => std::future::pending().await,
        };
        let mut response = Response::builder().status(self.status);
        for (name, value) in &self.headers {
            response = response.header(name, value);
        }
        response.body(body).expect("a test scripts valid headers")
    }
}

/// A first piece of a body, then an error once that piece has left.
fn beginning() -> impl Stream<Item = io::Result<Bytes>> + Send {
    stream::unfold(0, |pieces| async move {
        if pieces == 0 {
            return Some((Ok(Bytes::from_static(b"the beginning")), 1));
        }
        // The server writes out what it has when the body keeps it waiting.
        tokio::task::yield_now().await;
        Some((Err(io::ErrorKind::ConnectionReset.into()), 2))
    })
}

/// A gate that is shut until [`Gate::open`]. Clones are the same gate.
#[derive(Debug, Clone)]
pub struct Gate(Arc<watch::Sender<bool>>);

impl Gate {
    /// A gate that is shut.
    pub fn shut() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    /// Lets through who waits and who comes later.
    pub fn open(&self) {
        self.0.send_replace(true);
    }

    async fn opened(&self) {
        let mut state = self.0.subscribe();
        state
            .wait_for(|open| *open)
            .await
            .expect("the gate holds its own sender");
    }
}

/// The script of a whole receiver: by path, first a sequence, then one answer for ever.
#[derive(Debug, Default)]
pub(super) struct Script {
    sequences: HashMap<String, VecDeque<Answer>>,
    standing: HashMap<String, Answer>,
}

impl Script {
    pub(super) fn always(&mut self, path: &str, answer: Answer) {
        self.standing.insert(path.to_owned(), answer);
    }

    pub(super) fn next(&mut self, path: &str, answer: Answer) {
        self.sequences
            .entry(path.to_owned())
            .or_default()
            .push_back(answer);
    }

    /// Unscripted requests get 204.
    pub(super) fn take(&mut self, path: &str) -> Answer {
        let next = self.sequences.get_mut(path).and_then(VecDeque::pop_front);
        next.or_else(|| self.standing.get(path).cloned())
            .unwrap_or_else(|| Answer::status(204))
    }
}
