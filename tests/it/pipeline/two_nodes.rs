//! Two nodes on one PostgreSQL: one is cut off, the other takes over, and the first one, let back,
//! writes nothing more.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use throwbar::model::EventId;
use throwbar::pipeline::{Limits, Pipeline};
use throwbar::store::{Error, Store};

use crate::support::answers::{Answer, Gate};
use crate::support::app::{TestApp, parts};
use crate::support::batch;
use crate::support::before_hanging;
use crate::support::proxy::Proxy;
use crate::support::publishing::settings;
use crate::support::store::{Engine, ok};

/// The server's address, and the URL of the same database by way of `other`.
fn address_of(url: &str) -> SocketAddr {
    let (_, rest) = url.split_once('@').expect("a user");
    let (address, _) = rest.split_once('/').expect("a database");
    address.parse().expect("an address")
}

/// A second node, whose line to the database can be cut.
struct Neighbour {
    line: Proxy,
    store: Store,
    pipeline: Pipeline,
}

async fn neighbour(app: &TestApp) -> Neighbour {
    let url = app.place.url();
    let address = address_of(&url);
    let line = Proxy::start(address).await;
    let through = url.replace(&address.to_string(), &line.address().to_string());
    let store = Store::open(&through).await.expect("it opens");
    let parts = parts(store.clone(), &app.clock, Limits::default());
    let pipeline = before_hanging("the start", Pipeline::start(parts))
        .await
        .expect("it starts");
    Neighbour {
        line,
        store,
        pipeline,
    }
}

#[tokio::test]
async fn a_node_that_is_cut_off_is_taken_over_and_fenced_when_it_comes_back() {
    let app = TestApp::start(Engine::Postgres).await;
    let other = neighbour(&app).await;
    let gate = Gate::shut();
    app.receiver
        .always("/hook", Answer::status(204).behind(&gate));
    app.subscriber("/hook", &["*"], settings()).await;

    // Under way when the line is cut: sent, and not on record.
    let events: Vec<_> = (0..20)
        .map(|no| app.event("a.b", format!("{{ \"no\": {no} }}")))
        .collect();
    let answers = before_hanging("the acknowledgements", other.pipeline.accept(events)).await;
    let mut acknowledged: BTreeSet<EventId> = answers
        .iter()
        .map(|answer| answer.expect("accepted").event)
        .collect();
    app.receiver.wait_for(20).await;
    // Acknowledged, and not evaluated.
    let unplanned = app.event("a.b", "{ \"no\": 20 }");
    let accepts = vec![unplanned.clone()];
    let late = batch::accepts(accepts);
    ok(other.store.write(other.pipeline.incarnation(), &late)).await;
    acknowledged.insert(unplanned.id);

    other.line.cut().await;
    app.receiver.wait_for(41).await;
    before_hanging(
        "the end of the node that was cut off",
        other.pipeline.ended(),
    )
    .await;
    assert!(!other.pipeline.is_alive());
    gate.open();
    app.settle().await;

    let repeats = app.receiver.counts_by_webhook_id();
    assert_eq!(
        repeats.keys().cloned().collect::<BTreeSet<_>>(),
        acknowledged.iter().map(ToString::to_string).collect()
    );
    let requests = app.receiver.requests();
    for request in &requests {
        let first = requests
            .iter()
            .find(|one| one.webhook_id() == request.webhook_id())
            .expect("itself");
        assert_eq!(request.body, first.body, "a repeat is the same to the byte");
    }
    for event in &acknowledged {
        let (state, attempts) = app.outcome(*event).await;
        let wanted: &[&str] = if *event == unplanned.id {
            &["204"]
        } else {
            &["interrupted", "204"]
        };
        assert_eq!(
            (state.as_str(), attempts),
            (
                "delivered",
                wanted.iter().map(|word| (*word).to_owned()).collect()
            )
        );
    }

    other.line.open().await;
    let event = app.event("a.b", "\"late\"");
    let late = batch::accepts(vec![event.clone()]);
    let refused = other.store.write(other.pipeline.incarnation(), &late).await;
    assert!(matches!(refused, Err(Error::Fenced)), "{refused:?}");
    assert!(ok(app.store.event(app.account, event.id)).await.is_none());
    app.finish().await;
}

#[tokio::test]
async fn what_one_node_publishes_the_next_event_on_another_sees() {
    let app = TestApp::start(Engine::Postgres).await;
    let other = neighbour(&app).await;
    app.send_and_settle("a.b", "0").await;
    for no in 1..=3 {
        app.subscriber("/hook", &["a.*"], settings()).await;
        let event = app.event("a.b", format!("{no}"));
        let id = event.id;
        before_hanging("the acknowledgement", other.pipeline.accept(vec![event])).await[0]
            .expect("accepted");
        before_hanging("the other node", other.pipeline.settle()).await;
        assert_eq!(app.deliveries(id).await.len(), no);
    }
    before_hanging("the other node's stop", other.pipeline.shut_down())
        .await
        .expect("it stops");
    app.finish().await;
}

#[tokio::test]
async fn a_node_that_was_declared_dead_knows_it_though_it_writes_nothing() {
    let app = TestApp::start(Engine::Postgres).await;
    let other = neighbour(&app).await;
    let dead = other.pipeline.incarnation();
    app.place
        .execute(&format!(
            "UPDATE incarnations SET ended_at_ms = 1 WHERE id = '{}'",
            dead.uuid()
        ))
        .await;
    before_hanging("the end of the dead", other.pipeline.ended()).await;
    assert!(!other.pipeline.is_alive());
    assert!(app.pipeline().is_alive());
    app.finish().await;
}
