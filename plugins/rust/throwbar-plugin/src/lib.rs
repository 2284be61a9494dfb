//! Write Throwbar plugins in Rust: implement [`Transformer`], hand the type to [`transformer!`],
//! build for `wasm32`.
//!
//! ```
//! use throwbar_plugin::{Context, Description, Error, Event, Outcome, Transformer, emit};
//!
//! struct PassOn;
//!
//! impl Transformer for PassOn {
//!     type Config = serde_json::Value;
//!
//!     fn describe() -> Description {
//!         Description {
//!             name: "pass-on".into(),
//!             version: "1.0.0".into(),
//!             summary: "Passes every payload on as it is.".into(),
//!             config_schema: "true".into(),
//!             event_types: vec!["*".into()],
//!             vectors: vec![],
//!         }
//!     }
//!
//!     fn run(_: &Context, _: Self::Config, event: Event) -> Result<Outcome, Error> {
//!         Ok(emit(event.data))
//!     }
//! }
//!
//! throwbar_plugin::transformer!(PassOn);
//! # fn main() {}
//! ```
//!
//! A panic ends the run; its message and line are in the run's log. The crate guarantees nothing
//! about time, memory or the size of outputs: the host has the limits.

use serde::Deserialize;
use serde::de::DeserializeOwned;

#[doc(hidden)]
pub mod bindings {
    #![allow(missing_docs, clippy::pedantic, reason = "generated")]
    wit_bindgen::generate!({
        path: "../../../wit/v1.0.0",
        world: "transformer",
        pub_export_macro: true,
        default_bindings_module: "throwbar_plugin::bindings",
        additional_derives: [PartialEq],
    });
}

pub use bindings::throwbar::plugin::log::Level;
pub use bindings::throwbar::plugin::types::{
    Context, Description, Error, Event, Header, Outcome, Output, Vector,
};

/// A plugin.
pub trait Transformer {
    /// The configuration of one step, read from its JSON. The host has checked it against the
    /// schema of [`Transformer::describe`]; what does not fit this type all the same is answered
    /// with `invalid-config`.
    type Config: DeserializeOwned;

    /// Says what this plugin is. Called on an instance of its own; must not depend on anything.
    fn describe() -> Description;

    /// Turns one event into what goes on.
    fn run(context: &Context, config: Self::Config, event: Event) -> Result<Outcome, Error>;
}

/// Makes the component of the crate out of a [`Transformer`]. Use it once, at the top level.
///
/// Outside `wasm32` it exports nothing, because native linkers refuse the names of a component's
/// exports; so `cargo test` works on the author's machine.
#[macro_export]
macro_rules! transformer {
    ($plugin:ty) => {
        #[cfg(not(target_family = "wasm"))]
        const _: fn() -> $crate::Description = <$plugin as $crate::Transformer>::describe;

        #[cfg(target_family = "wasm")]
        const _: () = {
            struct Component;

            impl $crate::bindings::exports::throwbar::plugin::transform::Guest for Component {
                fn run(
                    context: $crate::Context,
                    event: $crate::Event,
                ) -> Result<$crate::Outcome, $crate::Error> {
                    $crate::run::<$plugin>(&context, event)
                }

                fn describe() -> $crate::Description {
                    $crate::log_panics();
                    <$plugin as $crate::Transformer>::describe()
                }
            }

    $crate::bindings::export!(Component with_types_in $crate::bindings);
        };
    };
}

/// Writes a line to the run's log. Outside a sandbox, in a plugin's own tests, it does nothing.
pub fn log(level: Level, message: &str) {
    if cfg!(target_family = "wasm") {
        bindings::throwbar::plugin::log::log(level, message);
    }
}

/// One output with this payload, the event's type and no headers.
pub fn emit(payload: impl Into<String>) -> Outcome {
    Outcome::Emit(vec![Output {
        data: payload.into(),
        event_type: None,
        headers: Vec::new(),
    }])
}

/// An event for a test vector: made up, but for its type and its payload.
pub fn sample_event(event_type: &str, payload: &str) -> Event {
    Event {
        id: "evt_0198f3c2b1d47c0f8a6e000000000000".into(),
        event_type: event_type.into(),
        timestamp: "2026-05-04T10:30:00.000Z".into(),
        source: "example".into(),
        data: payload.into(),
    }
}

/// A test vector over a [`sample_event`] of type `example.made` with this payload.
pub fn vector(name: &str, config: &str, payload: &str, expected: Result<Outcome, Error>) -> Vector {
    Vector {
        name: name.into(),
        event: sample_event("example.made", payload),
        config: config.into(),
        expected,
    }
}

/// Runs every test vector of a plugin as the host does, but without a sandbox: for the plugin's own
/// tests.
///
/// # Panics
///
/// On the first vector that does not come out as promised.
pub fn assert_vectors<T: Transformer>() {
    for vector in T::describe().vectors {
        let context = Context {
            automation: "vector".into(),
            automation_version: 1,
            step: 0,
            config: vector.config,
        };
        let answer = run::<T>(&context, vector.event);
        let kept = match (&answer, &vector.expected) {
            (Ok(Outcome::Emit(outputs)), Ok(Outcome::Emit(expected))) => outputs == expected,
            (Ok(Outcome::Drop(_)), Ok(Outcome::Drop(_))) => true,
            (Err(error), Err(expected)) => {
                std::mem::discriminant(error) == std::mem::discriminant(expected)
            }
            _ => false,
        };
        assert!(
            kept,
            "vector '{}': expected {:?}, got {answer:?}",
            vector.name, vector.expected
        );
    }
}

/// Reads the event's payload as a `T`.
pub fn payload<'a, T: Deserialize<'a>>(event: &'a Event) -> Result<T, Error> {
    serde_json::from_str(&event.data).map_err(|error| Error::InvalidEvent(error.to_string()))
}

/// What the exported `run` does; called by [`transformer!`].
#[doc(hidden)]
pub fn run<T: Transformer>(context: &Context, event: Event) -> Result<Outcome, Error> {
    if cfg!(target_family = "wasm") {
        log_panics();
    }
    let config = serde_json::from_str(&context.config)
        .map_err(|error| Error::InvalidConfig(error.to_string()))?;
    T::run(context, config, event)
}

/// Makes a panic tell its message and its line in the run's log: the sandbox itself sees nothing
/// but an `unreachable` instruction.
#[doc(hidden)]
pub fn log_panics() {
    std::panic::set_hook(Box::new(|panic| log(Level::Error, &panic.to_string())));
}
