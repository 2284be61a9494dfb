//! A full disk and a lost database: intake says 503, everything that was acknowledged is there
//! afterwards, and is delivered.

use std::collections::BTreeMap;

use serde_json::json;
use tokio::process::Command;

use super::load::{LARGE_FROM, Load, assert_all_arrived, assert_all_on_record, payload};
use super::make_endpoint;
use crate::support::before_hanging;
use crate::support::caller::{Caller, event_body};
use crate::support::node::{Home, Node};
use crate::support::postgres::Cluster;
use crate::support::receiver::Receiver;
use crate::support::store::Engine;

const ACCEPTED: u16 = 202;
const UNAVAILABLE: u16 = 503;

/// Sends until an answer has this status. Every acknowledged event, by its number.
async fn send_until(
    caller: &Caller,
    status: u16,
    acknowledged: &mut BTreeMap<usize, String>,
    next_number: &mut usize,
) {
    before_hanging("an answer of that status", async {
        loop {
            let number = *next_number;
            *next_number += 1;
            let body = event_body("load.made", &payload(number), None);
            let reply = caller
                .try_post("/v1/events", body)
                .await
                .expect("an answer");
            match reply.status {
                ACCEPTED => drop(acknowledged.insert(number, reply.id())),
                UNAVAILABLE => {
                    assert_eq!(reply.json()["code"], "unavailable");
                    assert!(reply.headers.contains_key("retry-after"));
                }
                other => panic!("{other}: {:?}", reply.body),
            }
            if reply.status == status {
                return;
            }
        }
    })
    .await;
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
    let receiver = Receiver::start().await;
    let home = Home::on(Engine::Sqlite).await;
    let node = home.start().await;
    let caller = node.caller();
    make_endpoint(caller, &receiver.url("/"), json!("all")).await;
    let (mut acknowledged, mut next_number) = (BTreeMap::new(), 0);
    for _ in 0..3 {
        send_until(caller, ACCEPTED, &mut acknowledged, &mut next_number).await;
        limit_files(&node, "400000").await;
        send_until(caller, UNAVAILABLE, &mut acknowledged, &mut next_number).await;
        // Reading goes on.
        for id in acknowledged.values().rev().take(3) {
            caller.get(&format!("/v1/events/{id}")).await.expect(200);
        }
        limit_files(&node, "unlimited").await;
        send_until(caller, ACCEPTED, &mut acknowledged, &mut next_number).await;
    }
    home.until_settled().await;
    node.stop().await;
    assert_all_arrived(&acknowledged, &receiver.requests());
    assert_all_on_record(&home, acknowledged.len()).await;
}

#[tokio::test]
async fn a_full_disk_under_sqlite_and_then_a_kill() {
    let receiver = Receiver::start().await;
    let home = Home::on(Engine::Sqlite).await;
    let node = home.start().await;
    make_endpoint(node.caller(), &receiver.url("/"), json!("all")).await;
    let (mut acknowledged, mut next_number) = (BTreeMap::new(), 0);
    limit_files(&node, "400000").await;
    send_until(
        node.caller(),
        UNAVAILABLE,
        &mut acknowledged,
        &mut next_number,
    )
    .await;
    node.kill().await;
    let node = home.start().await;
    home.until_settled().await;
    node.stop().await;
    assert_all_arrived(&acknowledged, &receiver.requests());
    assert_all_on_record(&home, acknowledged.len()).await;
}

#[tokio::test]
async fn a_full_disk_under_postgres() {
    let receiver = Receiver::start().await;
    let cluster = Cluster::start().await;
    let home = Home::at(cluster.url());
    let node = home.start().await;
    let caller = node.caller();
    make_endpoint(caller, &receiver.url("/"), json!("all")).await;
    let (mut acknowledged, mut next_number) = (BTreeMap::new(), LARGE_FROM);
    send_until(caller, ACCEPTED, &mut acknowledged, &mut next_number).await;
    cluster.fill_disk().await;
    send_until(caller, UNAVAILABLE, &mut acknowledged, &mut next_number).await;
    cluster.free_disk().await;
    send_until(caller, ACCEPTED, &mut acknowledged, &mut next_number).await;
    home.until_settled().await;
    node.stop().await;
    assert_all_arrived(&acknowledged, &receiver.requests());
    assert_all_on_record(&home, acknowledged.len()).await;
}

#[tokio::test]
async fn a_database_that_dies_and_comes_back() {
    let receiver = Receiver::start().await;
    let cluster = Cluster::start().await;
    let home = Home::at(cluster.url());
    let node = home.start().await;
    let caller = node.caller();
    make_endpoint(caller, &receiver.url("/"), json!("all")).await;
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
    home.until_settled().await;
    node.stop().await;
    assert_all_arrived(&acknowledged, &receiver.requests());
    assert_all_on_record(&home, acknowledged.len()).await;
}
