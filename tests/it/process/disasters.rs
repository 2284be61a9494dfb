//! A full disk and a lost database: intake says 503, everything that was acknowledged is there
//! afterwards, and is delivered.

use std::collections::BTreeMap;

use tokio::process::Command;

use super::at_work;
use super::load::{LARGE_FROM, Load, balance, payload};
use crate::support::before_hanging;
use crate::support::caller::{Caller, event_body};
use crate::support::node::{Home, Node};
use crate::support::postgres::Cluster;
use crate::support::store::Engine;

const ACCEPTED: u16 = 202;
const UNAVAILABLE: u16 = 503;

/// A client that sends one event after the other.
struct Sender {
    caller: Caller,
    /// Every acknowledged event, by its number.
    acknowledged: BTreeMap<usize, String>,
    next_number: usize,
}

impl Sender {
    fn new(node: &Node, first_number: usize) -> Self {
        Self {
            caller: node.caller().clone(),
            acknowledged: BTreeMap::new(),
            next_number: first_number,
        }
    }

    /// Sends until an answer has this status.
    async fn until(&mut self, status: u16) {
        before_hanging("an answer of that status", async {
            while self.send().await != status {}
        })
        .await;
    }

    /// The status of the answer to one more event.
    async fn send(&mut self) -> u16 {
        let number = self.next_number;
        self.next_number += 1;
        let body = event_body("load.made", &payload(number), None);
        let reply = self.caller.try_post("/v1/events", body).await;
        let reply = reply.expect("an answer");
        match reply.status {
            ACCEPTED => drop(self.acknowledged.insert(number, reply.id())),
            UNAVAILABLE => {
                assert_eq!(reply.json()["code"], "unavailable");
                assert!(reply.headers.contains_key("retry-after"));
            }
            other => panic!("{other}: {:?}", reply.body),
        }
        reply.status
    }
}

/// Lets no file of the node grow past `bytes`; `unlimited` undoes it.
async fn limit_files(node: &Node, bytes: &str) {
    let pid = node.pid().to_string();
    let limited = Command::new("prlimit")
        .args(["--pid", &pid, &format!("--fsize={bytes}:")])
        .status()
        .await;
    assert!(limited.expect("prlimit runs").success());
}

#[tokio::test]
async fn a_full_disk_under_sqlite() {
    let home = Home::on(Engine::Sqlite).await;
    let (node, receiver) = at_work(&home).await;
    let mut sender = Sender::new(&node, 0);
    for _ in 0..3 {
        sender.until(ACCEPTED).await;
        limit_files(&node, "400000").await;
        sender.until(UNAVAILABLE).await;
        // Reading goes on.
        for id in sender.acknowledged.values().rev().take(3) {
            let path = format!("/v1/events/{id}");
            node.caller().get(&path).await.expect(200);
        }
        limit_files(&node, "unlimited").await;
        sender.until(ACCEPTED).await;
    }
    balance(&home, [node], &receiver, &sender.acknowledged).await;
}

#[tokio::test]
async fn a_full_disk_under_sqlite_and_then_a_kill() {
    let home = Home::on(Engine::Sqlite).await;
    let (node, receiver) = at_work(&home).await;
    let mut sender = Sender::new(&node, 0);
    limit_files(&node, "400000").await;
    sender.until(UNAVAILABLE).await;
    node.kill().await;
    let node = home.start().await;
    balance(&home, [node], &receiver, &sender.acknowledged).await;
}

#[tokio::test]
async fn a_full_disk_under_postgres() {
    let cluster = Cluster::start().await;
    let home = Home::at(cluster.url());
    let (node, receiver) = at_work(&home).await;
    let mut sender = Sender::new(&node, LARGE_FROM);
    sender.until(ACCEPTED).await;
    cluster.fill_disk().await;
    sender.until(UNAVAILABLE).await;
    cluster.free_disk().await;
    sender.until(ACCEPTED).await;
    balance(&home, [node], &receiver, &sender.acknowledged).await;
}

#[tokio::test]
async fn a_database_that_dies_and_comes_back() {
    let cluster = Cluster::start().await;
    let home = Home::at(cluster.url());
    let (node, receiver) = at_work(&home).await;
    let caller = node.caller();
    let load = Load::start(vec![caller.clone()]);
    for _ in 0..3 {
        load.wait_for(load.count() + 60).await;
        cluster.kill().await;
        // Of what was under way some may still be answered; then nothing can be.
        let body = event_body("other.made", "{}", None);
        let reply = caller.try_post("/v1/events", body).await;
        assert_eq!(reply.expect("an answer").status, UNAVAILABLE);
        assert_eq!(caller.get("/readyz").await.status, UNAVAILABLE);
        assert_eq!(caller.get("/healthz").await.status, 200);
        cluster.restart().await;
        load.wait_for(load.count() + 1).await;
    }
    let acknowledged = load.finish().await;
    balance(&home, [node], &receiver, &acknowledged).await;
}
