//! The same event gives the same run, and no run knows of another.

use super::{CHAT_MESSAGE, CHATTING, ENGINE, REDACT, REDACTING, misbehave, payloads, run};
use crate::plugin::{Engine, Run, Settings, Usage};

/// A run without what may differ.
fn timeless(run: Run) -> Run {
    Run {
        usage: Usage {
            duration_us: 0,
            ..run.usage
        },
        ..run
    }
}

#[test]
fn the_same_event_gives_the_same_bytes_and_burns_the_same_fuel() {
    let other = Engine::new(&Settings {
        instances_max: 1,
        ..Settings::default()
    })
    .expect("engine");
    let payload = format!(
        r#"{{"a":[{}],"secret":1}}"#,
        vec!["{\"secret\":\"x\",\"k\":0.10}"; 200].join(",")
    );
    for (component, wasm, config) in [
        (&*REDACTING, REDACT, r#"{"remove":["/**/secret"]}"#),
        (
            &*CHATTING,
            CHAT_MESSAGE,
            r#"{"template":"{{event.data.a}} {{event.data.secret}}"}"#,
        ),
    ] {
        let first = timeless(run(&ENGINE, component, config, &payload));
        assert_eq!(payloads(&first).len(), 1);
        assert!(first.usage.fuel > 0 && first.usage.memory_bytes > 0);
        for _ in 0..20 {
            assert_eq!(timeless(run(&ENGINE, component, config, &payload)), first);
        }
        let elsewhere = other.compile(wasm).expect("component");
        assert_eq!(timeless(run(&other, &elsewhere, config, &payload)), first);
    }
}

#[test]
fn failures_repeat_as_well() {
    for config in [
        r#"{"do":"memory"}"#,
        r#"{"do":"log","text":"x"}"#,
        r#"{"do":"recurse"}"#,
        r#"{"do":"loop"}"#,
    ] {
        assert_eq!(
            timeless(misbehave(config)),
            timeless(misbehave(config)),
            "{config}"
        );
    }
}

#[test]
fn nothing_is_remembered() {
    for _ in 0..3 {
        assert_eq!(payloads(&misbehave(r#"{"do":"remember"}"#)), ["1"]);
        // A broken run must not leave anything either: its memory is reused.
        assert!(misbehave(r#"{"do":"memory"}"#).result.is_err());
        assert!(misbehave(r#"{"do":"panic","text":"x"}"#).result.is_err());
    }
}
