//! A fixture for the host's tests: misbehaves as its configuration says. Not a plugin to use.
//!
//! The texts `vector:right`, `"type":"object"` and `describe:calm` stand in the component once each,
//! so that a test can turn it into one with a broken promise by replacing bytes.

use std::hint::black_box;

use serde::Deserialize;
use throwbar_plugin::{
    Context, Description, Error, Event, Header, Level, Outcome, Output, Transformer, emit, log,
    vector,
};

struct Hostile;

#[derive(Deserialize)]
struct Config {
    #[serde(rename = "do")]
    action: String,
    #[serde(default)]
    count: usize,
    #[serde(default)]
    text: String,
    #[serde(default)]
    name: String,
}

impl Transformer for Hostile {
    type Config = Config;

    fn describe() -> Description {
        if black_box("describe:calm") == "describe:loop" {
            spin();
        }
        Description {
            name: "hostile".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            summary: "Misbehaves on demand: a test fixture.".into(),
            config_schema: r#"{"type":"object","required":["do"]}"#.into(),
            event_types: vec!["*".into()],
            vectors: vec![vector(
                "keeps its promise",
                r#"{"do":"emit"}"#,
                r#""vector:right""#,
                Ok(emit(format!("\"vector:{}\"", "right"))),
            )],
        }
    }

    fn run(_: &Context, config: Config, event: Event) -> Result<Outcome, Error> {
        match config.action.as_str() {
            "emit" => Ok(emit(event.data)),
            "drop" => Ok(Outcome::Drop(config.text)),
            "invalid-event" => Err(Error::InvalidEvent(config.text)),
            "invalid-config" => Err(Error::InvalidConfig(config.text)),
            "fail" => Err(Error::Failed(config.text)),
            "say" => Ok(emit(config.text)),
            "loop" => spin(),
            "memory" => {
                let mut hoard = Vec::new();
                loop {
                    hoard.push(black_box(vec![1_u8; 1 << 20]));
                }
            }
            "log" => loop {
                log(Level::Info, &config.text);
            },
            "log-once" => {
                log(Level::Warn, &config.text.repeat(config.count));
                Ok(emit("1"))
            }
            "outputs" => Ok(Outcome::Emit(
                (0..config.count).map(|no| output(no.to_string())).collect(),
            )),
            "big" => Ok(Outcome::Emit(
                (0..config.count.max(1))
                    .map(|_| output(format!("\"{}\"", "x".repeat(200 * 1024))))
                    .collect(),
            )),
            "huge" => Ok(emit(format!("\"{}\"", "x".repeat(config.count)))),
            "deep" => Ok(emit("[".repeat(config.count) + &"]".repeat(config.count))),
            "panic" => panic!("{}", config.text),
            "recurse" => Ok(emit(descend(1).to_string())),
            "type" => Ok(Outcome::Emit(vec![Output {
                event_type: Some(config.text),
                ..output("1".into())
            }])),
            "header" => Ok(Outcome::Emit(vec![Output {
                headers: (0..config.count.max(1))
                    .map(|_| Header {
                        name: config.name.clone(),
                        value: config.text.clone(),
                    })
                    .collect(),
                ..output("1".into())
            }])),
            "headers" => Ok(Outcome::Emit(vec![Output {
                headers: (0..config.count)
                    .map(|no| Header {
                        name: format!("x-{no}"),
                        value: config.text.clone(),
                    })
                    .collect(),
                ..output("1".into())
            }])),
            "remember" => Ok(emit(remember().to_string())),
            other => Err(Error::InvalidConfig(format!("do what? '{other}'"))),
        }
    }
}

fn output(payload: String) -> Output {
    Output {
        data: payload,
        event_type: None,
        headers: Vec::new(),
    }
}

fn spin() -> ! {
    let mut turns = 0_u64;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

/// How often this instance was asked: always once, if every run has an instance of its own.
fn remember() -> u32 {
    use std::sync::atomic::{AtomicU32, Ordering};
    static ASKED: AtomicU32 = AtomicU32::new(0);
    ASKED.fetch_add(1, Ordering::Relaxed) + 1
}

#[expect(unconditional_recursion, reason = "what this fixture is for")]
fn descend(depth: u64) -> u64 {
    let room = black_box([depth; 64]);
    descend(depth + 1) + room[63]
}

throwbar_plugin::transformer!(Hostile);

#[cfg(test)]
mod tests {
    #[test]
    fn the_vectors_hold() {
        throwbar_plugin::assert_vectors::<super::Hostile>();
    }
}
