//! What is no plugin is refused with the reason, before anything of it runs.

use std::fmt::Write as _;

use super::{ENGINE, HOSTILE, REDACT};
use crate::model::limits::COMPONENT_BYTES_MAX;
use crate::plugin::{Error, RunError};

fn refused(wasm: &[u8]) -> Error {
    ENGINE.compile(wasm).expect_err("no plugin")
}

fn refused_text(text: &str) -> Error {
    refused(&wat::parse_str(text).expect("valid text"))
}

/// The fixture with some of its bytes replaced.
fn with_words(old: &str, new: &str) -> Vec<u8> {
    assert_eq!(old.len(), new.len());
    let mut wasm = HOSTILE.to_vec();
    let places: Vec<_> = wasm
        .windows(old.len())
        .enumerate()
        .filter(|(_, bytes)| *bytes == old.as_bytes())
        .map(|(at, _)| at)
        .collect();
    let [at] = places[..] else {
        panic!("'{old}' is there {} times", places.len())
    };
    wasm[at..at + old.len()].copy_from_slice(new.as_bytes());
    wasm
}

#[test]
fn what_is_no_component() {
    for wasm in [
        &b""[..],
        b"{}",
        b"\0asm",
        b"\0asm\x01\0\0\0",
        &REDACT[..REDACT.len() - 1],
        &REDACT[..REDACT.len() / 2],
        &REDACT[..100],
    ] {
        assert!(
            matches!(refused(wasm), Error::NotAComponent { .. }),
            "{} bytes",
            wasm.len()
        );
    }
    let module = refused_text("(module (func (export \"run\")))");
    assert!(module.to_string().contains("core module"), "{module}");
    let mut mangled = REDACT.to_vec();
    let middle = mangled.len() / 2;
    mangled[middle..middle + 64].fill(0xff);
    assert!(matches!(
        refused(&mangled),
        Error::NotAComponent { .. } | Error::Invalid { .. }
    ));
}

#[test]
fn what_is_too_large() {
    let wasm = vec![0; COMPONENT_BYTES_MAX + 1];
    assert!(matches!(refused(&wasm), Error::TooLarge { .. }));
}

#[test]
fn imports_are_named() {
    let error = refused_text(
        r#"(component
            (import "wasi:cli/environment@0.2.0" (instance
                (export "get-environment" (func (result (list (tuple string string)))))))
            (import "wasi:sockets/tcp@0.2.0" (instance (export "socket" (type (sub resource)))))
            (import "throwbar:plugin/log@1.0.0" (instance (export "shout" (func (param "message" string)))))
            (import "throwbar:plugin/log@2.0.0" (instance (export "log" (func (param "message" string)))))
            (import "gettime" (func (result u64)))
            (import "harmless:types/alone@0.1.0" (instance (type string) (export "t" (type (eq 0))))))"#,
    );
    let Error::Imports { wanted } = error else {
        panic!("{error}")
    };
    assert_eq!(
        wanted,
        [
            "wasi:cli/environment@0.2.0",
            "wasi:sockets/tcp@0.2.0",
            "throwbar:plugin/log@1.0.0#shout",
            "throwbar:plugin/log@2.0.0",
            "gettime",
        ]
    );
}

#[test]
fn exports_are_wanted() {
    assert!(matches!(refused_text("(component)"), Error::Exports { .. }));
    for name in [
        "throwbar:plugin/transform@2.0.0",
        "throwbar:plugin/transform@1.0.0-rc.1",
        "other:plugin/transform@1.0.0",
    ] {
        let error = refused_text(&format!(
            r#"(component (instance $i) (export "{name}" (instance $i)))"#
        ));
        assert!(error.to_string().contains(name), "{error}");
    }
    let hollow = refused_text(
        r#"(component (instance $i) (export "throwbar:plugin/transform@1.0.0" (instance $i)))"#,
    );
    assert!(matches!(hollow, Error::Contract { .. }), "{hollow}");
}

#[test]
fn memory_beyond_the_limit_is_refused_at_once() {
    let error =
        refused_text("(component (core module $m (memory 1025)) (core instance (instantiate $m)))");
    assert!(matches!(error, Error::Invalid { .. }), "{error}");
}

#[test]
fn proposals_that_no_guest_needs_are_off() {
    for module in [
        "(memory i64 1)",
        "(memory 1) (memory 1)",
        "(func (return_call 0))",
        "(func (param v128) (drop (i8x16.relaxed_swizzle (local.get 0) (local.get 0))))",
        "(type (struct))",
        "(memory 1 1 shared)",
        "(tag) (func (throw 0))",
    ] {
        let error = refused_text(&format!("(component (core module {module}))"));
        assert!(matches!(error, Error::Invalid { .. }), "{module}: {error}");
    }
}

/// Each level instantiates the level before it ten times: a thousand bytes, ten thousand million
/// instances when unfolded.
#[test]
fn a_bomb_of_components_is_not_unfolded() {
    let mut text = String::from("(component (component $c0)");
    for level in 1..=10 {
        write!(
            text,
            "(component $c{level} (alias outer 1 $c{} (component $inner))",
            level - 1
        )
        .expect("text");
        text.push_str(&"(instance (instantiate $inner))".repeat(10));
        text.push(')');
    }
    text.push_str("(instance (instantiate $c10)))");
    let error = refused_text(&text);
    assert!(matches!(error, Error::TooComplex { .. }), "{error}");
}

#[test]
fn a_bomb_of_code_is_not_compiled() {
    let functions = "(func)".repeat(100_001);
    let error = refused_text(&format!("(component (core module {functions}))"));
    assert!(
        matches!(
            error,
            Error::TooComplex {
                what: "functions",
                ..
            }
        ),
        "{error}"
    );
    let error = refused(&one_function(1024 * 1024));
    assert!(
        matches!(
            error,
            Error::TooComplex {
                what: "bytes in one function",
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn promises_are_held_to() {
    let Error::Vector {
        name,
        expected,
        got,
    } = refused(&with_words("vector:right", "vector:wrong"))
    else {
        panic!("the vector holds")
    };
    assert_eq!(name, "keeps its promise");
    assert_eq!(
        [expected, got],
        ["emit [\"vector:right\"]", "emit [\"vector:wrong\"]"]
    );

    let schema = refused(&with_words(r#""type":"object""#, r#""type":"objekt""#));
    assert!(
        matches!(
            schema,
            Error::Description {
                field: "config-schema",
                ..
            }
        ),
        "{schema}"
    );

    let error = refused(&with_words(r#""required":["do"]"#, r#""required":["so"]"#));
    assert!(
        matches!(&error, Error::Vector { got, .. } if got.contains("configuration")),
        "{error}"
    );

    let looped = refused(&with_words("describe:calm", "describe:loop"));
    assert!(
        matches!(looped, Error::Describe(RunError::LimitExceeded(_))),
        "{looped}"
    );
}

/// A component of one module of one function that does nothing, `bytes` times.
fn one_function(bytes: usize) -> Vec<u8> {
    let mut body = vec![0]; // no locals
    body.resize(bytes, 0x01); // nop
    body.push(0x0b); // end
    let code = [vec![1], leb128(body.len()), body].concat();
    let module = [
        b"\0asm\x01\0\0\0".to_vec(),
        vec![1, 4, 1, 0x60, 0, 0], // types: one function from nothing to nothing
        vec![3, 2, 1, 0],          // functions: one of it
        vec![10],
        leb128(code.len()),
        code,
    ]
    .concat();
    [
        b"\0asm\x0d\0\x01\0\x01".to_vec(),
        leb128(module.len()),
        module,
    ]
    .concat()
}

fn leb128(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 0x7f {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}
