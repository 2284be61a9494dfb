//! Every limit has a verdict of its own, and its words tell the author which.

use super::{HOSTILE, misbehave, payloads};
use crate::model::limits::PAYLOAD_BYTES_MAX;
use crate::plugin::{Engine, Limit, LogLevel, Outcome, RunError, Settings};

#[test]
fn each_limit_is_named() {
    for (config, word, words) in [
        (
            r#"{"do":"loop"}"#,
            "fuel",
            "used all its fuel: 500000000 units",
        ),
        (
            r#"{"do":"memory"}"#,
            "memory",
            "of memory, and may have 64 MiB",
        ),
        (
            r#"{"do":"log","text":"lots of words"}"#,
            "log",
            "logged more than 64 KiB",
        ),
        (
            r#"{"do":"log","text":""}"#,
            "log",
            "logged more than 64 KiB",
        ),
        (
            r#"{"do":"log-once","text":"x","count":70000}"#,
            "log",
            "logged more than 64 KiB",
        ),
        (
            r#"{"do":"outputs","count":300}"#,
            "outputs",
            "returned 300 outputs, and may return 16",
        ),
        (
            r#"{"do":"huge","count":262143}"#,
            "output_bytes",
            "of 262145 bytes, and may return 256 KiB in each",
        ),
        (
            r#"{"do":"big","count":3}"#,
            "return_bytes",
            "more than 512 KiB in all its outputs together",
        ),
        (
            r#"{"do":"headers","count":33}"#,
            "headers",
            "with 33 headers",
        ),
        (
            r#"{"do":"header","name":"x-a","text":"VALUE"}"#,
            "headers",
            "with 1 header of 9003 bytes",
        ),
    ] {
        let config = config.replace("VALUE", &"v".repeat(9000));
        let run = misbehave(&config);
        let Err(error @ RunError::LimitExceeded(limit)) = &run.result else {
            panic!("{config} met no limit: {:?}", run.result);
        };
        assert_eq!(limit.word(), word, "{config}");
        assert!(error.to_string().contains(words), "{config}: {error}");
        assert!(
            run.usage.fuel <= run.usage.fuel_max && run.usage.log_bytes <= run.usage.log_bytes_max
        );
        assert!(run.usage.memory_bytes <= run.usage.memory_bytes_max);
    }
}

#[test]
fn what_is_just_within_the_limits_passes() {
    for (config, count) in [
        (r#"{"do":"outputs","count":16}"#, 16),
        (r#"{"do":"outputs","count":0}"#, 0),
        (r#"{"do":"huge","count":262142}"#, 1),
        (r#"{"do":"headers","count":32,"text":"v"}"#, 1),
        (r#"{"do":"log-once","text":"x","count":65520}"#, 1),
        (r#"{"do":"deep","count":64}"#, 1),
    ] {
        assert_eq!(payloads(&misbehave(config)).len(), count, "{config}");
    }
    let run = misbehave(r#"{"do":"huge","count":262142}"#);
    assert_eq!(run.usage.output_bytes, PAYLOAD_BYTES_MAX);
    let run = misbehave(r#"{"do":"log-once","text":"x","count":65520}"#);
    assert_eq!(run.usage.log_bytes, run.usage.log_bytes_max);
}

#[test]
fn a_larger_payload_that_the_operator_allows_goes_through() {
    const MIB: usize = 1024 * 1024;
    let settings = Settings {
        payload_bytes_max: MIB,
        instances_max: 1,
        ..Settings::default()
    };
    let engine = Engine::new(&settings).expect("engine");
    let component = engine.compile(HOSTILE).expect("component");
    let payload = format!("\"{}\"", "a".repeat(MIB - 2));
    let passed_on = super::run(&engine, &component, r#"{"do":"emit"}"#, &payload);
    assert_eq!(payloads(&passed_on), [payload]);
    assert_eq!(passed_on.usage.output_bytes_max, 2 * MIB);
    for (config, words) in [
        (
            r#"{"do":"huge","count":1048575}"#,
            "of 1048577 bytes, and may return 1 MiB in each",
        ),
        (
            r#"{"do":"big","count":11}"#,
            "more than 2 MiB in all its outputs together",
        ),
    ] {
        let run = super::run(&engine, &component, config, "1");
        let error = run.result.expect_err(config);
        assert!(error.to_string().contains(words), "{config}: {error}");
    }
}

#[test]
fn where_payloads_are_kept_small_descriptions_need_not_be() {
    let settings = Settings {
        payload_bytes_max: 1000,
        instances_max: 1,
        ..Settings::default()
    };
    let engine = Engine::new(&settings).expect("engine");
    let component = engine.compile(HOSTILE).expect("component");
    let run = super::run(&engine, &component, r#"{"do":"huge","count":1000}"#, "1");
    let error = run.result.expect_err("too large");
    assert!(
        error.to_string().contains("may return 1000 bytes in each"),
        "{error}"
    );
}

#[test]
fn the_backstop_ends_what_fuel_does_not() {
    let settings = Settings {
        fuel_max: u64::MAX / 4,
        run_ms_max: 50,
        instances_max: 1,
        ..Settings::default()
    };
    let engine = Engine::new(&settings).expect("engine");
    let component = engine.compile(HOSTILE).expect("component");
    let run = super::run(&engine, &component, r#"{"do":"loop"}"#, "1");
    assert_eq!(
        run.result,
        Err(RunError::LimitExceeded(Limit::Time { ms_max: 50 }))
    );
    assert!(run.usage.duration_us >= 50_000, "{:?}", run.usage);
}

#[test]
fn a_panic_says_what_and_where() {
    let run = misbehave(r#"{"do":"panic","text":"the author's own words"}"#);
    let Err(RunError::Trapped { message }) = &run.result else {
        panic!("{:?}", run.result)
    };
    for part in [
        "unreachable",
        "the author's own words",
        "hostile/src/lib.rs:",
    ] {
        assert!(message.contains(part), "{message}");
    }
    assert_eq!(run.log.last().map(|line| line.level), Some(LogLevel::Error));
}

#[test]
fn too_deep_a_recursion_breaks_off() {
    let run = misbehave(r#"{"do":"recurse"}"#);
    let Err(error) = &run.result else {
        panic!("{:?}", run.result)
    };
    assert!(error.to_string().contains("recur"), "{error}");
}

#[test]
fn what_must_not_go_on_is_refused() {
    for (config, words) in [
        (r#"{"do":"say","text":"{'no':'json'}"}"#, "not JSON"),
        (r#"{"do":"say","text":""}"#, "not JSON"),
        (r#"{"do":"deep","count":65}"#, "nested deeper than 64"),
        (r#"{"do":"deep","count":60000}"#, "nested deeper than 64"),
        (r#"{"do":"type","text":"no type"}"#, "event type"),
        (
            r#"{"do":"header","name":"x-a","text":"1\r\nhost: evil"}"#,
            "characters that headers cannot have",
        ),
        (
            r#"{"do":"header","name":"x-a\r\nhost","text":"1"}"#,
            "not the name of a header",
        ),
        (
            r#"{"do":"header","name":"Webhook-Signature","text":"1"}"#,
            "may not set the header",
        ),
        (
            r#"{"do":"header","name":"x-a","text":"1","count":2}"#,
            "'x-a' twice",
        ),
    ] {
        let run = misbehave(config);
        let Err(RunError::BadOutput { why }) = &run.result else {
            panic!("{config} passed: {:?}", run.result);
        };
        assert!(why.contains(words), "{config}: {why}");
    }
}

#[test]
fn the_plugins_own_answers_come_through() {
    let text = "its reason".to_owned();
    for (action, expected) in [
        ("drop", Ok(Outcome::Drop(text.clone()))),
        ("invalid-event", Err(RunError::InvalidEvent(text.clone()))),
        ("invalid-config", Err(RunError::InvalidConfig(text.clone()))),
        ("fail", Err(RunError::Failed(text.clone()))),
    ] {
        let run = misbehave(&format!(r#"{{"do":"{action}","text":"its reason"}}"#));
        assert_eq!(run.result, expected);
    }
    assert_eq!(payloads(&misbehave(r#"{"do":"emit"}"#)), ["{\"amount\":1}"]);
}

#[test]
fn more_runs_than_places_wait_for_their_turn() {
    // The engine has four places.
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..32)
            .map(|no| scope.spawn(move || misbehave(&format!(r#"{{"do":"say","text":"{no}"}}"#))))
            .collect();
        for (no, run) in runs.into_iter().enumerate() {
            let run = run.join().expect("no panic");
            assert_eq!(payloads(&run), [no.to_string()]);
        }
    });
}
