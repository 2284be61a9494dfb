//! A look at a component's bytes before they are compiled, to refuse what is cheap to send and dear
//! to compile. It reads headers only, in time linear in the bytes.
//!
//! The danger it is for: components nest, and the compiler unfolds every instantiation of a nested
//! component in place. Ten levels that instantiate the level below ten times are 300 bytes and ten
//! thousand million instances.

use wasmparser::{ComponentInstance, Encoding, Parser, Payload};

use super::error::Error;

/// Functions of all modules together.
const FUNCTIONS_MAX: u64 = 100_000;
/// The code of one function: the register allocator needs more than linear time.
const FUNCTION_BYTES_MAX: usize = 1024 * 1024;
/// Definitions after unfolding.
const UNFOLDED_MAX: u64 = 100_000;

/// A component or module that is being read.
#[derive(Default)]
struct Level {
    /// Its own definitions.
    own: u64,
    /// How many times it instantiates some component.
    instantiates: u64,
}

/// Refuses what is not a component, or is one that would be too dear to compile.
pub(super) fn survey(wasm: &[u8]) -> Result<(), Error> {
    let mut levels: Vec<Level> = Vec::new();
    let mut functions = 0_u64;
    // A component can only instantiate one that was defined before it. Which one is not looked up;
    // the heaviest so far is never too little.
    let mut heaviest = 1_u64;
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload.map_err(|error| Error::NotAComponent {
            why: error.to_string(),
        })?;
        if let Payload::Version { encoding, .. } = &payload {
            if levels.is_empty() && *encoding == Encoding::Module {
                return Err(Error::NotAComponent {
                    why: "it is a core module; wrap it into a component, as wasm-component-ld does"
                        .into(),
                });
            }
            levels.push(Level::default());
        }
        let Some(level) = levels.last_mut() else {
            continue;
        };
        match payload {
            Payload::CodeSectionStart { count, .. } => functions += u64::from(count),
            Payload::CodeSectionEntry(body) => {
                limit(
                    "bytes in one function",
                    body.range().len() as u64,
                    FUNCTION_BYTES_MAX as u64,
                )?;
            }
            Payload::InstanceSection(section) => level.own += u64::from(section.count()),
            Payload::ComponentAliasSection(section) => level.own += u64::from(section.count()),
            Payload::ComponentCanonicalSection(section) => level.own += u64::from(section.count()),
            Payload::ComponentInstanceSection(section) => {
                level.own += u64::from(section.count());
                for instance in section {
                    let instance = instance.map_err(|error| Error::NotAComponent {
                        why: error.to_string(),
                    })?;
                    if matches!(instance, ComponentInstance::Instantiate { .. }) {
                        level.instantiates += 1;
                    }
                }
            }
            Payload::End(_) => {
                let unfolded = level
                    .own
                    .saturating_add(level.instantiates.saturating_mul(heaviest));
                limit(
                    "definitions after unfolding its nested components",
                    unfolded,
                    UNFOLDED_MAX,
                )?;
                heaviest = heaviest.max(unfolded);
                levels.pop();
            }
            _ => {}
        }
    }
    limit("functions", functions, FUNCTIONS_MAX)
}

fn limit(what: &'static str, count: u64, count_max: u64) -> Result<(), Error> {
    if count > count_max {
        return Err(Error::TooComplex {
            what,
            count,
            count_max,
        });
    }
    Ok(())
}
