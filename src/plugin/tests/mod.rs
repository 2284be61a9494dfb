//! The sandbox on real components: the two plugins that come with the server, and a fixture that
//! misbehaves on demand. They are committed, so no guest toolchain is needed.

mod components;
mod limits;
mod refusals;
mod repeats;

use std::sync::LazyLock;

use super::{Component, Context, Engine, Event, Outcome, Request, Run, Settings};

pub(super) const REDACT: &[u8] = include_bytes!("../../../plugins/components/redact.wasm");
pub(super) const CHAT_MESSAGE: &[u8] =
    include_bytes!("../../../plugins/components/chat-message.wasm");
pub(super) const HOSTILE: &[u8] = include_bytes!("../../../tests/fixtures/hostile.wasm");

/// One engine for most tests: its pool is a lot of address space.
static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    Engine::new(&Settings {
        instances_max: 4,
        ..Settings::default()
    })
    .expect("engine")
});

// Compiling runs the vectors, so these are tests already.
static REDACTING: LazyLock<Component> =
    LazyLock::new(|| ENGINE.compile(REDACT).expect("redact keeps its promises"));
static CHATTING: LazyLock<Component> = LazyLock::new(|| {
    ENGINE
        .compile(CHAT_MESSAGE)
        .expect("chat-message keeps its promises")
});
static MISBEHAVING: LazyLock<Component> = LazyLock::new(|| {
    ENGINE
        .compile(HOSTILE)
        .expect("the fixture keeps its one promise")
});

/// An event with this payload, run with this configuration.
fn run(engine: &Engine, component: &Component, config: &str, data: &str) -> Run {
    let event = Event {
        id: "evt_0198f3c2b1d47c0f8a6e000000000000",
        event_type: "deal.won",
        timestamp: "2026-05-04T10:30:00.000Z",
        source: "crm",
        data,
    };
    let context = Context {
        automation: "aut_1",
        automation_version: 3,
        step: 0,
        config,
    };
    engine.run(
        component,
        &Request {
            event: &event,
            context: &context,
        },
    )
}

fn misbehave(config: &str) -> Run {
    run(&ENGINE, &MISBEHAVING, config, "{\"amount\":1}")
}

/// The payloads of the outputs.
fn payloads(run: &Run) -> Vec<&str> {
    match &run.result {
        Ok(Outcome::Emit(outputs)) => outputs
            .iter()
            .map(|output| std::str::from_utf8(&output.data).expect("UTF-8"))
            .collect(),
        other => panic!("expected outputs, got {other:?}"),
    }
}
