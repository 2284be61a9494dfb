//! The engine: compiles components, holds them to their promises, and runs them.

use std::sync::Arc;

use wasmtime::component::Linker;
use wasmtime::{
    Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig, Store, Strategy,
};

use super::component::{Component, Made, Vector};
use super::digest::Digest;
use super::error::Error;
use super::gate::Gate;
use super::host::Host;
use super::limits::{
    FUEL_DEFAULT, INSTANCES_DEFAULT, INSTANCES_PER_COMPONENT_MAX, LOG_BYTES_MAX, MEMORIES_MAX,
    MEMORY_BYTES_DEFAULT, RUN_MS_DEFAULT, STACK_BYTES_MAX, TABLE_ELEMENTS_MAX, TABLES_MAX,
};
use super::run::{Context, LogLine, Outcome, Output, Request, Run, RunError, Usage};
use super::slots::Slots;
use super::survey::survey;
use super::ticker::Ticker;
use super::{imports, v1};
use crate::model::Stopwatch;
use crate::model::limits::{COMPONENT_BYTES_MAX, PAYLOAD_BYTES_MAX};

/// Memory of a slot that is zeroed by hand after a run instead of being given back to the system:
/// about what a small guest touches. Page faults cost more than the zeroing.
const KEEP_RESIDENT_BYTES: usize = 1024 * 1024;

/// The bounds of a sandbox. The operator chooses [`payload_bytes_max`](Self::payload_bytes_max), the
/// setting of that name. The others are the same on every server, so that an event meets the same
/// verdict on each; only tests, which want to meet a bound quickly, choose them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Runs at a time; further ones wait. Each has room in a pool of addresses, not of memory.
    pub instances_max: u32,
    /// Fuel of one run, about one unit for each instruction.
    pub fuel_max: u64,
    /// The wall-clock backstop of one run, in milliseconds.
    pub run_ms_max: u64,
    /// Linear memory of one run, in bytes.
    pub memory_bytes_max: usize,
    /// Payload of one output, in bytes: as much as an event may have.
    pub payload_bytes_max: usize,
}

impl Settings {
    /// What a component may hand over in one call, in bytes: all outputs of a run with their headers, a
    /// whole description, or one log line. Twice the largest payload; where payloads are kept small,
    /// descriptions need not be.
    pub(super) fn return_bytes_max(&self) -> usize {
        self.payload_bytes_max
            .max(PAYLOAD_BYTES_MAX)
            .saturating_mul(2)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            instances_max: INSTANCES_DEFAULT,
            fuel_max: FUEL_DEFAULT,
            run_ms_max: RUN_MS_DEFAULT,
            memory_bytes_max: MEMORY_BYTES_DEFAULT,
            payload_bytes_max: PAYLOAD_BYTES_MAX,
        }
    }
}

/// The sandbox. Clones are one engine.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    settings: Settings,
    engine: wasmtime::Engine,
    linker: Linker<Host>,
    slots: Slots,
    /// One compilation at a time, on one thread: uploads must not take the machine from deliveries.
    compiling: Gate,
    _ticker: Ticker,
}

impl Engine {
    /// Sets the sandbox up and starts the thread that keeps its time; the thread stops with the last
    /// clone.
    pub fn new(settings: &Settings) -> Result<Self, Error> {
        let failed = |error: wasmtime::Error| Error::Engine(error.into_boxed_dyn_error());
        let engine = wasmtime::Engine::new(&config(settings)).map_err(failed)?;
        let linker = v1::linker(&engine).map_err(failed)?;
        let ticker = Ticker::start(engine.clone()).map_err(|error| Error::Engine(error.into()))?;
        Ok(Self(Arc::new(Inner {
            settings: *settings,
            engine,
            linker,
            slots: Slots::new(settings.instances_max),
            compiling: Gate::default(),
            _ticker: ticker,
        })))
    }

    /// Compiles a component and checks it: its size, what it imports and exports, its description,
    /// and every test vector. Takes from some hundredths of a second to some seconds of CPU, and
    /// waits while those are compiled that came before: call it where blocking is fine, and not for
    /// many of one owner at a time, since the others come after them.
    pub fn compile(&self, wasm: &[u8]) -> Result<Component, Error> {
        let (bytes, bytes_max) = (wasm.len(), COMPONENT_BYTES_MAX);
        if bytes > bytes_max {
            return Err(Error::TooLarge { bytes, bytes_max });
        }
        survey(wasm)?;
        let compiled = {
            let _one_at_a_time = self.0.compiling.pass();
            wasmtime::component::Component::from_binary(&self.0.engine, wasm).map_err(|error| {
                Error::Invalid {
                    why: error.root_cause().to_string(),
                    source: error.into_boxed_dyn_error(),
                }
            })?
        };
        let imports = imports::check(&compiled)?;
        check_exports(&compiled)?;
        let adapter =
            v1::Adapter::new(&self.0.linker, &compiled).map_err(|error| Error::Contract {
                why: error.root_cause().to_string(),
                source: error.into_boxed_dyn_error(),
            })?;
        let (described, ..) = self.in_fresh_store(|store| adapter.describe(store));
        let description = match described {
            Ok(description) => description,
            Err(error @ RunError::BadOutput { .. }) => {
                return Err(Error::Description {
                    field: "vectors",
                    why: error.to_string(),
                });
            }
            Err(error) => return Err(Error::Describe(error)),
        };
        let code = compiled.image_range();
        let made = Made {
            digest: Digest::of(wasm),
            code_bytes: code.end.addr() - code.start.addr(),
            imports,
            adapter,
        };
        let component = Component::new(made, description)?;
        for vector in &component.description().vectors {
            self.check_vector(&component, vector)?;
        }
        Ok(component)
    }

    /// Runs a component on an event. Blocks: at most `run_ms_max`, and before that as long as
    /// `instances_max` other runs are under way. Whatever happens is in the answer.
    pub fn run(&self, component: &Component, request: &Request<'_>) -> Run {
        let (result, mut usage, log) =
            self.in_fresh_store(|store| component.adapter().run(store, request));
        if let Ok(Outcome::Emit(outputs)) = &result {
            usage.output_bytes = outputs.iter().map(|output| output.data.len()).sum();
        }
        Run { result, usage, log }
    }

    /// Calls into a fresh instance under all limits. `call` makes the instance, too, so that what
    /// its start function does counts.
    fn in_fresh_store<T>(
        &self,
        call: impl FnOnce(&mut Store<Host>) -> wasmtime::Result<Result<T, RunError>>,
    ) -> (Result<T, RunError>, Usage, Vec<LogLine>) {
        let inner = &*self.0;
        let settings = &inner.settings;
        let _slot = inner.slots.take();
        let stopwatch = Stopwatch::start();
        let mut store = Store::new(&inner.engine, Host::new(settings));
        store.limiter(|host| &mut host.meter);
        store.set_hostcall_fuel(settings.return_bytes_max());
        store.set_epoch_deadline(Ticker::ticks(settings.run_ms_max));
        let answer = store
            .set_fuel(settings.fuel_max)
            .and_then(|()| call(&mut store));
        let fuel_left = store.get_fuel().unwrap_or(0);
        let mut host = store.into_data();
        let result = answer.unwrap_or_else(|error| Err(host.verdict(&error, settings)));
        let usage = Usage {
            fuel: settings.fuel_max.saturating_sub(fuel_left),
            fuel_max: settings.fuel_max,
            memory_bytes: host.meter.memory_bytes,
            memory_bytes_max: settings.memory_bytes_max,
            output_bytes: 0,
            output_bytes_max: settings.return_bytes_max(),
            log_bytes: host.log_bytes,
            log_bytes_max: LOG_BYTES_MAX,
            duration_us: stopwatch.elapsed_us(),
            duration_us_max: settings.run_ms_max.saturating_mul(1000),
        };
        (result, usage, std::mem::take(&mut host.log))
    }

    fn check_vector(&self, component: &Component, vector: &Vector) -> Result<(), Error> {
        let broken = |got: String| Error::Vector {
            name: vector.name.clone(),
            expected: shown(&vector.expected),
            got,
        };
        let refuses_config = matches!(vector.expected, Err(RunError::InvalidConfig(_)));
        if let Err(error) = component.check_config(&vector.config)
            && !refuses_config
        {
            return Err(broken(error.to_string()));
        }
        let context = Context {
            automation: "vector",
            automation_version: 1,
            step: 0,
            config: &vector.config,
        };
        let run = self.run(
            component,
            &Request {
                event: &vector.event(),
                context: &context,
            },
        );
        if let Err(error @ RunError::Host(_)) = run.result {
            Err(Error::Trial(error))
        } else if vector.is_kept_by(&run.result) {
            Ok(())
        } else {
            Err(broken(shown(&run.result)))
        }
    }
}

/// A result as the message about a vector shows it.
fn shown(result: &Result<Outcome, RunError>) -> String {
    const SHOWN_CHARS_MAX: usize = 1000;
    let text = match result {
        Ok(Outcome::Drop(reason)) => format!("drop ({reason})"),
        Ok(Outcome::Emit(outputs)) => {
            let outputs: Vec<String> = outputs.iter().map(shown_output).collect();
            format!("emit [{}]", outputs.join(", "))
        }
        Err(error) => format!("{} ({error})", error.word()),
    };
    text.chars().take(SHOWN_CHARS_MAX).collect()
}

fn shown_output(output: &Output) -> String {
    let mut text = String::from_utf8_lossy(&output.data).into_owned();
    if let Some(event_type) = &output.event_type {
        text.push_str(" as ");
        text.push_str(event_type);
    }
    for (name, value) in &output.headers {
        text.extend([" ", name, ": ", value]);
    }
    text
}

fn check_exports(component: &wasmtime::component::Component) -> Result<(), Error> {
    let ty = component.component_type();
    let offered: Vec<String> = ty
        .exports(component.engine())
        .map(|(name, _)| name.to_owned())
        .collect();
    if offered
        .iter()
        .any(|name| imports::is_interface(name, v1::EXPORT))
    {
        return Ok(());
    }
    Err(Error::Exports {
        expected: "throwbar:plugin/transform@1.0.0",
        offered,
    })
}

fn config(settings: &Settings) -> Config {
    let count = settings.instances_max;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(count)
        .total_core_instances(count.saturating_mul(INSTANCES_PER_COMPONENT_MAX))
        .max_core_instances_per_component(INSTANCES_PER_COMPONENT_MAX)
        .total_memories(count.saturating_mul(MEMORIES_MAX))
        .max_memories_per_component(MEMORIES_MAX)
        .max_memory_size(settings.memory_bytes_max)
        .total_tables(count.saturating_mul(TABLES_MAX))
        .max_tables_per_component(TABLES_MAX)
        .max_tables_per_module(TABLES_MAX)
        .table_elements(TABLE_ELEMENTS_MAX)
        .max_unused_warm_slots(count)
        .linear_memory_keep_resident(KEEP_RESIDENT_BYTES)
        .table_keep_resident(TABLE_ELEMENTS_MAX * size_of::<usize>())
        // Faster, but a trap that nobody could explain was seen with it.
        .pagemap_scan(Enabled::No);
    let mut config = Config::new();
    config
        .strategy(Strategy::Cranelift)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .parallel_compilation(false)
        .consume_fuel(true)
        .epoch_interruption(true)
        .max_wasm_stack(STACK_BYTES_MAX)
        .wasm_backtrace_max_frames(None)
        .concurrency_support(false)
        // The same bits on every machine.
        .cranelift_nan_canonicalization(true)
        .wasm_relaxed_simd(false)
        // What no guest toolchain of ours needs is attack surface.
        .wasm_tail_call(false)
        .wasm_memory64(false)
        .wasm_multi_memory(false)
        .wasm_custom_page_sizes(false)
        .wasm_wide_arithmetic(false);
    config
}
