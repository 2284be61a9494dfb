//! Speaks `throwbar:plugin@1.x`: links the host's side, calls the guest's, and translates between the
//! generated types and the module's own. Decides nothing.

use wasmtime::component::{Component, HasSelf, Linker};
use wasmtime::{Engine, Store};

use super::component::{Description, Vector};
use super::host::Host;
use super::output::{self, RawOutput};
use super::run::{LogLevel, Outcome, Request, RunError};

#[allow(
    missing_docs,
    clippy::pedantic,
    reason = "generated from the WIT package"
)]
mod bindings {
    wasmtime::component::bindgen!({
        path: "wit/v1.0.0",
        world: "transformer",
        ownership: Borrowing { duplicate_if_necessary: true },
        imports: { "throwbar:plugin/log.log": trappable },
    });
}

use bindings::throwbar::plugin::{log, types};

/// The interface that a component must export, without its version.
pub(super) const EXPORT: &str = "throwbar:plugin/transform";

impl types::Host for Host {}

impl log::Host for Host {
    fn log(&mut self, level: log::Level, message: String) -> wasmtime::Result<()> {
        let level = match level {
            log::Level::Debug => LogLevel::Debug,
            log::Level::Info => LogLevel::Info,
            log::Level::Warn => LogLevel::Warn,
            log::Level::Error => LogLevel::Error,
        };
        self.write(level, message)
    }
}

/// Everything a component may import.
pub(super) fn linker(engine: &Engine) -> wasmtime::Result<Linker<Host>> {
    let mut linker = Linker::new(engine);
    bindings::Transformer::add_to_linker::<_, HasSelf<_>>(&mut linker, |host| host)?;
    Ok(linker)
}

/// A component whose imports are resolved and whose exports are found.
pub(super) struct Adapter(bindings::TransformerPre<Host>);

impl Adapter {
    pub fn new(linker: &Linker<Host>, component: &Component) -> wasmtime::Result<Self> {
        bindings::TransformerPre::new(linker.instantiate_pre(component)?).map(Self)
    }

    /// Asks a fresh instance what it is.
    pub fn describe(
        &self,
        store: &mut Store<Host>,
    ) -> wasmtime::Result<Result<Description, RunError>> {
        let instance = self.0.instantiate(&mut *store)?;
        let raw = instance
            .throwbar_plugin_transform()
            .call_describe(&mut *store)?;
        Ok(description(raw, store.data().payload_bytes_max))
    }

    /// Runs a fresh instance.
    pub fn run(
        &self,
        store: &mut Store<Host>,
        request: &Request<'_>,
    ) -> wasmtime::Result<Result<Outcome, RunError>> {
        let instance = self.0.instantiate(&mut *store)?;
        let context = types::Context {
            automation: request.context.automation,
            automation_version: request.context.automation_version,
            step: request.context.step,
            config: request.context.config,
        };
        let event = types::EventParam {
            id: request.event.id,
            event_type: request.event.event_type,
            timestamp: request.event.timestamp,
            source: request.event.source,
            data: request.event.data,
        };
        let raw = instance
            .throwbar_plugin_transform()
            .call_run(&mut *store, context, event)?;
        Ok(outcome(raw, store.data().payload_bytes_max))
    }
}

fn outcome(
    raw: Result<types::Outcome, types::Error>,
    payload_bytes_max: usize,
) -> Result<Outcome, RunError> {
    match raw {
        Ok(types::Outcome::Emit(outputs)) => {
            let outputs = outputs.into_iter().map(raw_output).collect();
            output::check(outputs, payload_bytes_max)
        }
        Ok(types::Outcome::Drop(reason)) => Ok(Outcome::Drop(reason)),
        Err(types::Error::InvalidEvent(why)) => Err(RunError::InvalidEvent(why)),
        Err(types::Error::InvalidConfig(why)) => Err(RunError::InvalidConfig(why)),
        Err(types::Error::Failed(why)) => Err(RunError::Failed(why)),
    }
}

fn raw_output(output: types::Output) -> RawOutput {
    RawOutput {
        data: output.data,
        event_type: output.event_type,
        headers: output
            .headers
            .into_iter()
            .map(|header| (header.name, header.value))
            .collect(),
    }
}

/// An error means that a vector expects an output that no plugin may return.
fn description(raw: types::Description, payload_bytes_max: usize) -> Result<Description, RunError> {
    let vectors = raw
        .vectors
        .into_iter()
        .map(|raw| vector(raw, payload_bytes_max))
        .collect::<Result<_, _>>()?;
    Ok(Description {
        name: raw.name,
        version: raw.version,
        summary: raw.summary,
        config_schema: raw.config_schema,
        event_types: raw.event_types,
        vectors,
    })
}

fn vector(raw: types::Vector, payload_bytes_max: usize) -> Result<Vector, RunError> {
    let expected = outcome(raw.expected, payload_bytes_max);
    if let Err(error @ (RunError::LimitExceeded(_) | RunError::BadOutput { .. })) = expected {
        return Err(error);
    }
    Ok(Vector {
        name: raw.name,
        id: raw.event.id,
        event_type: raw.event.event_type,
        timestamp: raw.event.timestamp,
        source: raw.event.source,
        data: raw.event.data,
        config: raw.config,
        expected,
    })
}
