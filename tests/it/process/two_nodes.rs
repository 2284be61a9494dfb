//! Two processes on one PostgreSQL: what one makes the other sees, and when one dies or is cut off,
//! the other takes over. Nothing that was acknowledged is lost, and what is repeated is the same.

use std::net::SocketAddr;

use serde_json::json;
use sqlx::{Connection, Executor, PgConnection};

use super::load::{Load, balance};
use super::{assert_repeats_are_identical, at_work, attempts_of, make_endpoint};
use crate::support::answers::{Answer, Gate};
use crate::support::before_hanging;
use crate::support::caller::{Caller, event_body};
use crate::support::node::Home;
use crate::support::proxy::Proxy;
use crate::support::receiver::Receiver;
use crate::support::store::Engine;

const ALIVE: &str = "SELECT COUNT(*) FROM incarnations WHERE ended_at_ms IS NULL";

/// A line to a PostgreSQL, and its URL through the line.
async fn line_to(url: &str) -> (Proxy, String) {
    let (before, rest) = url.split_once('@').expect("a user");
    let (address, database) = rest.split_once('/').expect("a database");
    let target: SocketAddr = address.parse().expect("an address");
    let proxy = Proxy::start(target).await;
    let through = format!("{before}@{}/{database}", proxy.address());
    (proxy, through)
}

/// Sends events until one is accepted; its id.
async fn send_until_accepted(caller: &Caller) -> String {
    before_hanging("the node to serve again", async {
        loop {
            let body = event_body("deal.won", "{}", None);
            let reply = caller
                .try_post("/v1/events", body)
                .await
                .expect("an answer");
            match reply.status {
                202 => return reply.id(),
                503 => {}
                other => panic!("{other}: {:?}", reply.body),
            }
        }
    })
    .await
}

#[tokio::test]
async fn what_one_node_makes_the_next_event_on_the_other_sees() {
    let receiver = Receiver::start().await;
    let home = Home::on(Engine::Postgres).await;
    let beside = Home::at(home.postgres_url());
    let (one, other) = (home.start().await, beside.start().await);
    // The other one knows the account as it was.
    other.caller().send_event("deal.won", "{\"n\":0}").await;
    for n in 1..=10 {
        let path = format!("/{n}");
        make_endpoint(one.caller(), &receiver.url(&path), json!("all")).await;
        let payload = format!("{{\"n\":{n}}}");
        other.caller().send_event("deal.won", &payload).await;
        home.until_settled().await;
        let requests = receiver.requests();
        let of_this = requests.iter().filter(|request| request.body == payload);
        assert_eq!(of_this.count(), n, "all {n} endpoints got it");
    }
}

#[tokio::test]
async fn claims_of_a_killed_node_are_taken_over() {
    let receiver = Receiver::start().await;
    let gate = Gate::shut();
    receiver.next("/", Answer::status(200).behind(&gate));
    let home = Home::on(Engine::Postgres).await;
    let beside = Home::at(home.postgres_url());
    let survivor = beside.start().await;
    make_endpoint(survivor.caller(), &receiver.url("/"), json!("all")).await;
    let node = home.start().await;
    let event = node.caller().send_event("deal.won", "{\"n\" : 1}").await;
    // The request is under way when the node is killed.
    receiver.wait_for(1).await;
    node.kill().await;
    let requests = receiver.wait_for(2).await;
    home.until_settled().await;
    let of_event = attempts_of(survivor.caller(), &event).await;
    assert_eq!(of_event[0].1, ["interrupted", "204"]);
    assert_eq!(requests[0].webhook_id(), requests[1].webhook_id());
    assert_repeats_are_identical(&requests);
    gate.open();
    survivor.stop().await;
    assert_eq!(home.number(ALIVE).await, 0);
}

#[tokio::test]
async fn nodes_are_killed_in_turn_under_load() {
    let receiver = Receiver::start().await;
    let homes = {
        let home = Home::on(Engine::Postgres).await;
        let beside = Home::at(home.postgres_url());
        [home, beside]
    };
    let mut nodes = vec![homes[0].start().await, homes[1].start().await];
    make_endpoint(nodes[0].caller(), &receiver.url("/"), json!("all")).await;
    let callers = |nodes: &[crate::support::node::Node]| {
        nodes.iter().map(|node| node.caller().clone()).collect()
    };
    let load = Load::start(callers(&nodes));
    for round in 0..4 {
        load.wait_for(load.count() + 50).await;
        // The clients go on at the other one meanwhile.
        nodes.remove(0).kill().await;
        load.send_to(callers(&nodes));
        load.wait_for(load.count() + 50).await;
        nodes.push(homes[round % 2].start().await);
        load.send_to(callers(&nodes));
    }
    let acknowledged = load.finish().await;
    balance(&homes[0], nodes, &receiver, &acknowledged).await;
}

#[tokio::test]
async fn a_node_cut_off_under_load_is_replaced_and_comes_back() {
    let receiver = Receiver::start().await;
    let home = Home::on(Engine::Postgres).await;
    let (line, url) = line_to(home.postgres_url()).await;
    let far = Home::at(&url);
    let (near_node, far_node) = (home.start().await, far.start().await);
    make_endpoint(near_node.caller(), &receiver.url("/"), json!("all")).await;
    let both = vec![near_node.caller().clone(), far_node.caller().clone()];
    let load = Load::start(both.clone());
    for _ in 0..3 {
        load.wait_for(load.count() + 60).await;
        line.cut().await;
        let body = event_body("other.made", "{}", None);
        let reply = far_node.caller().try_post("/v1/events", body).await;
        assert_eq!(reply.expect("an answer").status, 503);
        load.wait_for(load.count() + 60).await;
        line.open().await;
        load.send_to(vec![far_node.caller().clone()]);
        load.wait_for(load.count() + 60).await;
        load.send_to(both.clone());
    }
    let acknowledged = load.finish().await;
    home.until_settled().await;
    assert_eq!(home.number(ALIVE).await, 2);
    balance(&home, [near_node, far_node], &receiver, &acknowledged).await;
}

#[tokio::test]
async fn a_line_gone_silent_is_answered_for_and_nothing_is_lost() {
    let home = Home::on(Engine::Postgres).await;
    let (line, url) = line_to(home.postgres_url()).await;
    let far = Home::at(&url);
    let (node, receiver) = at_work(&far).await;
    let load = Load::start(vec![node.caller().clone()]);
    load.wait_for(60).await;
    line.blackhole();
    let body = event_body("other.made", "{}", None);
    let reply = before_hanging("an answer", node.caller().try_post("/v1/events", body)).await;
    assert_eq!(reply.expect("an answer").status, 503);
    line.open().await;
    load.wait_for(load.count() + 60).await;
    let acknowledged = load.finish().await;
    balance(&home, [node], &receiver, &acknowledged).await;
}

#[tokio::test]
async fn what_a_node_declared_dead_did_late_is_refused() {
    let receiver = Receiver::start().await;
    let gate = Gate::shut();
    receiver.next("/", Answer::status(200).behind(&gate));
    let home = Home::on(Engine::Postgres).await;
    let beside = Home::at(home.postgres_url());
    let late = home.start().await;
    make_endpoint(late.caller(), &receiver.url("/"), json!("all")).await;
    let event = late.caller().send_event("deal.won", "{\"n\" : 1}").await;
    receiver.wait_for(1).await;

    // It is halted with a request under way, and declared dead. Its own sessions stay: when it goes
    // on, nothing but the fence can tell it.
    late.halt().await;
    declare_all_dead(home.postgres_url()).await;
    let survivor = beside.start().await;
    receiver.wait_for(2).await;
    home.until_settled().await;
    home.until("SELECT COUNT(*) FROM incarnations", 1).await;

    // Now it gets an answer, and writes it down.
    gate.open();
    late.go_on().await;
    late.until_logged("this incarnation has ended: another node has taken over its work")
        .await;
    let of_event = attempts_of(survivor.caller(), &event).await;
    assert_eq!(of_event.len(), 1);
    assert_eq!(of_event[0].1, ["interrupted", "204"], "no 200");
    let requests = receiver.requests();
    assert_eq!(requests[0].webhook_id(), requests[1].webhook_id());
    assert_repeats_are_identical(&requests);

    // It comes back as somebody new, and what it then does counts.
    let after = send_until_accepted(late.caller()).await;
    home.until_settled().await;
    let of_after = attempts_of(survivor.caller(), &after).await;
    assert_eq!(of_after[0].1, ["204"]);
    assert_eq!(home.number(ALIVE).await, 2);
    late.stop().await;
    survivor.stop().await;
}

/// Declares dead everybody who lives, as a node does that has got hold of their locks.
async fn declare_all_dead(url: &str) {
    let mut connection = PgConnection::connect(url).await.expect("it answers");
    let sql = "UPDATE incarnations SET ended_at_ms = started_at_ms WHERE ended_at_ms IS NULL";
    connection.execute(sql).await.expect("they are marked");
}
