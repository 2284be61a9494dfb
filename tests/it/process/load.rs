//! Clients that send without a pause and ask again until they are answered, and the books on what
//! was acknowledged.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{assert_repeats_are_identical, bodies_by_id};
use crate::support::before_hanging;
use crate::support::caller::{Caller, event_body};
use crate::support::dice::Dice;
use crate::support::node::{Home, Node};
use crate::support::receiver::{Receiver, Request};

const SENDERS: usize = 8;
const ACCEPTED: u16 = 202;
/// Pushed back, or the database is away: ask again.
const ASK_AGAIN: [u16; 2] = [429, 503];

/// What the clients share.
#[derive(Debug)]
struct Books {
    /// The acknowledged id of each number.
    acknowledged: watch::Sender<BTreeMap<usize, String>>,
    next_number: AtomicUsize,
    enough: AtomicBool,
}

/// Clients at work. They stop when they are dropped.
pub struct Load {
    books: Arc<Books>,
    nodes: watch::Sender<Vec<Caller>>,
    senders: JoinSet<()>,
}

impl Load {
    /// Starts them on these nodes.
    pub fn start(nodes: Vec<Caller>) -> Self {
        let books = Arc::new(Books {
            acknowledged: watch::Sender::default(),
            next_number: AtomicUsize::new(0),
            enough: AtomicBool::new(false),
        });
        let nodes = watch::Sender::new(nodes);
        let mut senders = JoinSet::new();
        for _ in 0..SENDERS {
            senders.spawn(send(books.clone(), nodes.subscribe()));
        }
        Self {
            books,
            nodes,
            senders,
        }
    }

    /// From now on these nodes are asked; nobody, if there is none.
    pub fn send_to(&self, nodes: Vec<Caller>) {
        self.nodes.send_replace(nodes);
    }

    /// How many events were acknowledged so far.
    pub fn count(&self) -> usize {
        self.books.acknowledged.borrow().len()
    }

    /// Returns once at least `count` events were acknowledged.
    pub async fn wait_for(&self, count: usize) {
        let mut acknowledged = self.books.acknowledged.subscribe();
        let enough = acknowledged.wait_for(|known| known.len() >= count);
        before_hanging("acknowledgements", enough)
            .await
            .expect("the books have their own sender");
    }

    /// Lets each client finish what it has begun. The id of each number.
    pub async fn finish(mut self) -> BTreeMap<usize, String> {
        self.books.enough.store(true, Ordering::SeqCst);
        before_hanging("the clients", async {
            while let Some(ended) = self.senders.join_next().await {
                ended.expect("no client panics");
            }
        })
        .await;
        self.books.acknowledged.borrow().clone()
    }
}

async fn send(books: Arc<Books>, mut nodes: watch::Receiver<Vec<Caller>>) {
    while !books.enough.load(Ordering::SeqCst) {
        let number = books.next_number.fetch_add(1, Ordering::SeqCst);
        let key = format!("number-{number}");
        let body = event_body("load.made", &payload(number), Some(&key));
        for turn in number.. {
            let node = {
                let known = nodes.wait_for(|nodes| !nodes.is_empty()).await;
                let Ok(known) = known else { return };
                known[turn % known.len()].clone()
            };
            match node.try_post("/v1/events", body.clone()).await {
                Ok(reply) if reply.status == ACCEPTED => {
                    let id = reply.id();
                    books
                        .acknowledged
                        .send_modify(|known| drop(known.insert(number, id)));
                    break;
                }
                Ok(reply) if ASK_AGAIN.contains(&reply.status) => {}
                Ok(reply) => panic!("{}: {:?}", reply.status, reply.body),
                // The node died under it.
                Err(_) => {}
            }
        }
    }
}

/// Events from this number on carry much text that can't be compressed.
pub const LARGE_FROM: usize = 1_000_000;
const LARGE_LETTERS: usize = 60_000;
const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// What event `number` carries: of another length each time, and such that only bytes keep it.
pub fn payload(number: usize) -> String {
    let mut dice = Dice(number as u64);
    let padding = if number < LARGE_FROM {
        "\\u0000ü ".repeat(dice.throw(250) as usize)
    } else {
        let mut letter = || LETTERS[dice.throw(LETTERS.len() as u64) as usize - 1];
        (0..LARGE_LETTERS).map(|_| char::from(letter())).collect()
    };
    format!("{{\"n\":{number},  \"big\":1234567890123456789{number}, \"padding\":\"{padding}\"}}")
}

/// Lets everything settle, stops the nodes, and compares the books with what arrived and what is on
/// record.
pub async fn balance(
    home: &Home,
    nodes: impl IntoIterator<Item = Node>,
    receiver: &Receiver,
    acknowledged: &BTreeMap<usize, String>,
) {
    home.until_settled().await;
    for node in nodes {
        node.stop().await;
    }
    assert_all_arrived(acknowledged, &receiver.requests());
    assert_all_on_record(home, acknowledged.len()).await;
}

/// Everything that was acknowledged arrived, under its event's id and byte for byte; and nothing
/// else did.
fn assert_all_arrived(acknowledged: &BTreeMap<usize, String>, requests: &[Request]) {
    assert_repeats_are_identical(requests);
    let mut arrived = bodies_by_id(requests);
    for (number, id) in acknowledged {
        let bodies = arrived.remove(id);
        let bodies = bodies.unwrap_or_else(|| panic!("event {number}, {id}, was lost"));
        assert_eq!(bodies[0], payload(*number), "event {number}, {id}");
    }
    assert!(arrived.is_empty(), "nobody sent {:?}", arrived.keys());
}

/// The database has a delivered delivery for every event, and nothing in between.
async fn assert_all_on_record(home: &Home, count: usize) {
    for (sql, expected) in [
        ("SELECT COUNT(*) FROM inbox", 0),
        ("SELECT COUNT(*) FROM events", count),
        ("SELECT COUNT(*) FROM evaluations", count),
        (
            "SELECT COUNT(*) FROM deliveries WHERE state = 'delivered'",
            count,
        ),
        (
            "SELECT COUNT(*) FROM deliveries WHERE state <> 'delivered'",
            0,
        ),
        (
            "SELECT COUNT(*) FROM attempts WHERE status_code = 204",
            count,
        ),
        (
            "SELECT COUNT(*) FROM attempts WHERE error_class <> 'interrupted'",
            0,
        ),
    ] {
        assert_eq!(home.number(sql).await, expected as i64, "{sql}");
    }
}
