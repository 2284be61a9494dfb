//! The plugins that come with the server do what they say.

use super::{CHAT_MESSAGE, CHATTING, ENGINE, MISBEHAVING, REDACT, REDACTING, payloads, run};
use crate::plugin::{ConfigError, Digest, Outcome, RunError};

#[test]
fn they_introduce_themselves() {
    for (component, wasm, name, vectors_min) in [
        (&*REDACTING, REDACT, "redact", 6),
        (&*CHATTING, CHAT_MESSAGE, "chat-message", 8),
    ] {
        let description = component.description();
        assert_eq!(description.name, name);
        assert_eq!(description.event_types, ["*"]);
        assert!(description.vectors.len() >= vectors_min, "{name}");
        assert!(!description.summary.is_empty());
        assert_eq!(component.imports(), ["throwbar:plugin/log@1.0.0"]);
        assert_eq!(component.digest(), Digest::of(wasm));
        assert!(
            wasm.len() < 200 * 1024,
            "{name} has grown to {} bytes",
            wasm.len()
        );
    }
}

#[test]
fn redact_touches_nothing_else() {
    let redact = &*REDACTING;
    let data = "{ \"z\":1e+5,\"a\" : -0.0,\"big\":98765432109876543210.10,\n\t\"s\":\"\\u0000\\ud83d\\/é\", \
                \"dup\":1,\"dup\":2, \"users\":[{\"email\":\"a@x.org\",\"id\":1},{\"id\":2,\"email\":null}] }";
    let kept = run(
        &ENGINE,
        redact,
        r#"{"remove":["/nothing","/users/7/email"]}"#,
        data,
    );
    assert_eq!(payloads(&kept), [data]);
    let masked = run(
        &ENGINE,
        redact,
        r#"{"mask":["/users/*/email"],"mask_with":null}"#,
        data,
    );
    assert_eq!(payloads(&masked), [data.replace("\"a@x.org\"", "null")]);
    let removed = run(&ENGINE, redact, r#"{"remove":["/**/email","/dup"]}"#, data);
    let expected = data
        .replace("\"email\":\"a@x.org\",", "")
        .replace(",\"email\":null", "")
        .replace(" \"dup\":1,\"dup\":2,", "");
    assert_eq!(payloads(&removed), [expected]);
}

#[test]
fn the_largest_payload_passes_on_a_fraction_of_the_fuel() {
    let row = r#"{"email":"someone@example.org","name":"Someone","amounts":[1.5,2,3]}"#;
    let rows = vec![row; (256 * 1024 - 2) / (row.len() + 1)].join(",");
    let data = format!("[{rows}]");
    for (component, config) in [
        (&*REDACTING, r#"{"mask":["/**/email"]}"#),
        (
            &*CHATTING,
            r#"{"template":"{{event.data.0.name}} and others"}"#,
        ),
    ] {
        let run = run(&ENGINE, component, config, &data);
        assert!(run.result.is_ok(), "{:?}", run.result);
        assert!(run.usage.fuel * 4 < run.usage.fuel_max, "{:?}", run.usage);
        assert!(
            run.usage.memory_bytes * 4 < run.usage.memory_bytes_max,
            "{:?}",
            run.usage
        );
    }
}

#[test]
fn configurations_are_checked_before_a_run() {
    let redact = &*REDACTING;
    let chat = &*CHATTING;
    for (component, config, pointer) in [
        (redact, "{}", Some("")),
        (redact, r#"{"remove":[]}"#, Some("/remove")),
        (redact, r#"{"remove":["/a","b"]}"#, Some("/remove/1")),
        (
            redact,
            r#"{"remove":["/a"],"mask_with":{}}"#,
            Some("/mask_with"),
        ),
        (redact, r#"{"remove":["/a"],"delete":[]}"#, Some("")),
        (
            redact,
            r#"{"remove":["/a"],"mask":["/b/*"],"mask_with":0}"#,
            None,
        ),
        (chat, "{}", Some("")),
        (chat, r#"{"template":""}"#, Some("/template")),
        (
            chat,
            r#"{"template":"x","missing":"ignore"}"#,
            Some("/missing"),
        ),
        (chat, r#"{"template":"x","extra":{"a":[1]}}"#, None),
    ] {
        match (component.check_config(config), pointer) {
            (Ok(()), None) => {}
            (Err(ConfigError::Mismatch { pointer, .. }), Some(expected)) => {
                assert_eq!(pointer, expected, "{config}");
            }
            (other, _) => panic!("{config}: {other:?}"),
        }
    }
}

#[test]
fn a_missing_field_is_named() {
    let chat = &*CHATTING;
    let of = |missing: &str| {
        let config =
            format!(r#"{{"template":"<{{{{event.data.phone}}}}>","missing":"{missing}"}}"#);
        run(&ENGINE, chat, &config, "{}").result
    };
    let words = "the event has no event.data.phone".to_owned();
    assert_eq!(of("fail"), Err(RunError::InvalidEvent(words.clone())));
    assert_eq!(of("drop"), Ok(Outcome::Drop(words)));
    assert!(
        matches!(of("empty"), Ok(Outcome::Emit(outputs)) if outputs[0].data == r#"{"text":"<>"}"#)
    );
}

/// `plugins/build --check` names a folder with components that it has just built from source. Without
/// one there is nothing to compare; that they compile and keep their vectors is told above.
#[expect(
    clippy::disallowed_methods,
    reason = "the script has no other way to hand a folder to a test"
)]
#[test]
fn rebuilt_guests_behave_the_same() {
    let Some(folder) = std::env::var_os("THROWBAR_TEST_REBUILT_COMPONENTS") else {
        return;
    };
    let folder = std::path::PathBuf::from(folder);
    for (name, before) in [
        ("redact", &*REDACTING),
        ("chat-message", &*CHATTING),
        ("hostile", &*MISBEHAVING),
    ] {
        let wasm = std::fs::read(folder.join(name).with_extension("wasm")).expect("was built");
        let after = ENGINE.compile(&wasm).expect(name);
        assert_eq!(before.description(), after.description());
        assert_eq!(before.imports(), after.imports());
        for vector in &before.description().vectors {
            let [before, after] = [before, &after]
                .map(|component| run(&ENGINE, component, &vector.config, &vector.data).result);
            assert_eq!(before, after, "{name}: {}", vector.name);
        }
    }
}
