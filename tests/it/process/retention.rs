//! Letting go of what is old, by real processes: killed in the middle, and gone on with by the next.

use throwbar::model::{AttemptId, Clock, EventId};

use super::at_work;
use crate::support::node::Home;
use crate::support::store::{Engine, on_both};

const EVENTS: usize = 4_000;
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// Events that came 100 days ago, each with a delivery and an attempt, as SQL.
fn old(engine: Engine) -> String {
    let literal = |uuid: uuid::Uuid| match engine {
        Engine::Sqlite => format!("X'{}'", uuid.simple()),
        Engine::Postgres => format!("'{uuid}'"),
    };
    let bytes = match engine {
        Engine::Sqlite => "X'7b7d'",
        Engine::Postgres => "'\\x7b7d'",
    };
    let at = Clock::System.now().plus_ms(-100 * DAY_MS);
    let (mut events, mut deliveries, mut attempts) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..EVENTS {
        let event = EventId::mint(at).uuid();
        let mut delivery = *event.as_bytes();
        delivery[6] = 0x80;
        let (event, delivery) = (literal(event), literal(uuid::Uuid::from_bytes(delivery)));
        let attempt = literal(AttemptId::mint(at).uuid());
        let (ms, account) = (at.as_ms(), "(SELECT id FROM accounts)");
        events.push(format!("({account}, {event}, 'deal.won', {ms}, {bytes})"));
        deliveries.push(format!(
            "({account}, {delivery}, {event}, {event}, {event}, 'raw', 'w', 'delivered', 1, {ms}, {ms})"
        ));
        attempts.push(format!(
            "({account}, {delivery}, {attempt}, 1, 204, {ms}, 1)"
        ));
    }
    format!(
        "INSERT INTO events (account_id, id, type, occurred_at_ms, payload) VALUES {};
         INSERT INTO deliveries (account_id, id, event_id, automation_id, endpoint_id, envelope, webhook_id, state,
           attempts_made, created_at_ms, settled_at_ms) VALUES {};
         INSERT INTO attempts (account_id, delivery_id, id, no, status_code, started_at_ms, duration_ms) VALUES {};",
        events.join(","),
        deliveries.join(","),
        attempts.join(",")
    )
}

#[tokio::test]
async fn a_killed_sweep_has_done_nothing_by_half_and_is_gone_on_with() {
    on_both(async |engine| {
        let home = Home::on(engine).await;
        let (node, receiver) = at_work(&home).await;
        node.caller().send_event("deal.won", "{\"new\":1}").await;
        receiver.wait_for(1).await;
        home.until_settled().await;
        node.stop().await;
        home.execute(&old(engine)).await;
        let mut left = EVENTS as i64 + 1;
        for _ in 0..3 {
            let node = home.start().await;
            let fewer = format!(
                "SELECT CAST(CASE WHEN COUNT(*) < {left} THEN 1 ELSE 0 END AS BIGINT) FROM events"
            );
            home.until(&fewer, 1).await;
            node.kill().await;
            left = home.number("SELECT COUNT(*) FROM events").await;
            for table in ["deliveries", "attempts"] {
                let rows = home.number(&format!("SELECT COUNT(*) FROM {table}")).await;
                assert_eq!(rows, left, "{table}");
            }
            if left == 1 {
                break;
            }
        }
        let node = home.start().await;
        home.until("SELECT COUNT(*) FROM events", 1).await;
        home.until("SELECT COUNT(*) FROM attempts", 1).await;
        let events = node.caller().list("/v1/events").await;
        assert_eq!(events.len(), 1, "what is new stays: {events:?}");
        node.stop().await;
    })
    .await;
}

#[tokio::test]
async fn an_embedded_database_gives_its_free_room_back() {
    let home = Home::on(Engine::Sqlite).await;
    let (node, _receiver) = at_work(&home).await;
    node.stop().await;
    home.execute(&old(Engine::Sqlite)).await;
    let node = home.start().await;
    home.until("SELECT COUNT(*) FROM events", 0).await;
    let said = home.command(&["compact"], &[]).await;
    assert!(said.contains("another process is serving"), "{said}");
    node.stop().await;
    let length = || std::fs::metadata(home.sqlite_path()).expect("a file").len();
    let before = length();
    let said = home.command(&["compact"], &[]).await;
    assert!(said.starts_with("the file has "), "{said}");
    assert!(length() * 2 < before, "{} of {before}", length());
}
