//! `kill -9` at random moments while clients send: nothing that was acknowledged is lost, and what
//! is repeated is the same.

use std::io::Write as _;

use throwbar::model::Clock;

use super::at_work;
use super::load::{Load, balance};
use crate::support::dice::Dice;
use crate::support::node::Home;
use crate::support::store::Engine;

/// A life ends after at most so many acknowledgements or arrivals.
const LIFE_EVENTS_MAX: u64 = 60;

#[tokio::test]
async fn twenty_kills_lose_nothing_on_sqlite() {
    kill_again_and_again(Engine::Sqlite, 20).await;
}

#[tokio::test]
async fn eight_kills_lose_nothing_on_postgres() {
    kill_again_and_again(Engine::Postgres, 8).await;
}

async fn kill_again_and_again(engine: Engine, kills: usize) {
    let mut dice = seeded_dice();
    let home = Home::on(engine).await;
    let (mut node, receiver) = at_work(&home).await;
    let load = Load::start(vec![node.caller().clone()]);
    for _ in 0..kills {
        let more = dice.throw(LIFE_EVENTS_MAX) as usize;
        if dice.throw(2) == 1 {
            load.wait_for(load.count() + more).await;
        } else {
            receiver.wait_for(receiver.count() + more).await;
        }
        // Those that are under way feel it; nobody else asks a dead node.
        load.send_to(Vec::new());
        node.kill().await;
        node = home.start().await;
        load.send_to(vec![node.caller().clone()]);
    }
    let acknowledged = load.finish().await;
    balance(&home, [node], &receiver, &acknowledged).await;
}

/// Another seed each time, said on standard error: a failed test shows it.
fn seeded_dice() -> Dice {
    let seed = Clock::System.now().as_ms() as u64;
    writeln!(std::io::stderr(), "the dice's seed is {seed}").ok();
    Dice(seed)
}
