//! What the stories stand on: a real PostgreSQL, a scripted receiver, a line that can be cut, and
//! the client libraries of others.
//!
//! Nothing here sleeps. What happens in the test's own process is awaited itself. What happens in
//! another one, a node of its own or a database server, tells nobody: [`node::Home::until`],
//! [`node::Node::until_logged`], [`way_out::WayOut`] and whoever waits for PostgreSQL to notice a lost line ask again and
//! again, without a pause, so they cost a processor for as long as they wait. [`before_hanging`] only
//! turns a hang into a failure that says what was awaited.

pub mod answers;
pub mod app;
pub mod authority;
pub mod batch;
pub mod caller;
pub mod clients;
pub mod dice;
pub mod line;
pub mod mailbox;
pub mod making;
pub mod node;
pub mod postgres;
pub mod proxy;
pub mod publishing;
pub mod receiver;
pub mod store;
pub mod way_out;

use std::time::Duration;

const HANG_S: u64 = 90;

/// What `awaited` gives, or a failure after far longer than it could take.
pub async fn before_hanging<T>(what: &str, awaited: impl Future<Output = T>) -> T {
    let finished = tokio::time::timeout(Duration::from_secs(HANG_S), awaited).await;
    finished.unwrap_or_else(|_| panic!("hung for {HANG_S} s waiting for {what}"))
}
