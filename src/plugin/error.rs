//! Why a component is not taken, in words for whoever uploads it.

use super::run::RunError;

/// The cause from the engine.
type Cause = Box<dyn std::error::Error + Send + Sync>;

/// What can go wrong before a component can run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The sandbox itself could not be set up.
    #[error("setting up the plugin engine")]
    Engine(#[source] Cause),
    /// Too many bytes.
    #[error("the component has {bytes} bytes, more than {bytes_max}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// Not a WebAssembly component at all, or cut off.
    #[error("not a WebAssembly component: {why}")]
    NotAComponent {
        /// What is wrong.
        why: String,
    },
    /// Small to send, dear to compile.
    #[error("the component has {count} {what}, more than {count_max}")]
    TooComplex {
        /// What there is too much of.
        what: &'static str,
        /// How much.
        count: u64,
        /// The limit.
        count_max: u64,
    },
    /// Not valid, or outside what a run may have.
    #[error("the component cannot be compiled: {why}")]
    Invalid {
        /// What is wrong.
        why: String,
        /// The engine's whole account of it.
        #[source]
        source: Cause,
    },
    /// It wants what plugins are not given.
    #[error(
        "the component imports what plugins are not given: {}; a plugin may import \
         'throwbar:plugin/log' alone (build it without WASI, or with WASI stubbed)",
        .wanted.join(", ")
    )]
    Imports {
        /// The names of what it wanted.
        wanted: Vec<String>,
    },
    /// It is not a transformer.
    #[error(
        "the component does not export '{expected}', but {}",
        if .offered.is_empty() { "nothing".to_owned() } else { .offered.join(", ") }
    )]
    Exports {
        /// What a plugin exports.
        expected: &'static str,
        /// What this one exports.
        offered: Vec<String>,
    },
    /// The names are right, the shapes are not.
    #[error("the component does not fit the plugin contract: {why}")]
    Contract {
        /// What is wrong.
        why: String,
        /// The engine's whole account of it.
        #[source]
        source: Cause,
    },
    /// Asked what it is, it did not answer.
    #[error("the component's 'describe' did not answer")]
    Describe(#[source] RunError),
    /// The server could not make room to try its test vectors; the component is not to blame.
    #[error("the server could not try the component out")]
    Trial(#[source] RunError),
    /// What it says of itself cannot be used.
    #[error("the component's description has an unusable '{field}': {why}")]
    Description {
        /// Which field of the description.
        field: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// It does not do what it promises.
    #[error("the component's test vector '{name}' does not hold: expected {expected}, got {got}")]
    Vector {
        /// The vector.
        name: String,
        /// What it promises.
        expected: String,
        /// What came out.
        got: String,
    },
}

impl Error {
    /// Whether the server failed and not the component, which may well be taken another time.
    pub fn is_of_the_server(&self) -> bool {
        matches!(
            self,
            Self::Engine(_) | Self::Trial(_) | Self::Describe(RunError::Host(_))
        )
    }
}
