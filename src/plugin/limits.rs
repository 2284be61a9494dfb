//! The limits of a run, the one that was met, and the meter on memory and tables.

use std::fmt;

use wasmtime::ResourceLimiter;

use crate::model::counted;
use crate::model::limits::OUTPUTS_MAX;

/// Fuel of one run unless the settings say otherwise; about one unit is burnt for each instruction.
///
/// A Rust plugin that reads the payload into values burns 200 units for each byte, so 50 million for
/// the largest payload; an interpreter in the sandbox needs some times as much. This is enough for
/// those, and yet is gone in about 0.2 s of CPU: long before the wall-clock backstop, so that the
/// verdict is the same on a machine five times as busy.
pub(super) const FUEL_DEFAULT: u64 = 500_000_000;
/// The backstop of one run unless the settings say otherwise.
pub(super) const RUN_MS_DEFAULT: u64 = 1000;
/// Linear memory of one run unless the settings say otherwise.
pub(super) const MEMORY_BYTES_DEFAULT: usize = 64 * 1024 * 1024;
/// Runs at a time unless the settings say otherwise.
pub(super) const INSTANCES_DEFAULT: u32 = 16;
/// WebAssembly stack of one run. Worker threads have 2 MiB.
pub(super) const STACK_BYTES_MAX: usize = 512 * 1024;
/// Elements of one table: function pointers, so as many as a large interpreter has functions.
pub(super) const TABLE_ELEMENTS_MAX: usize = 20_000;
/// Core instances in one component; a Python component has about fifty.
pub(super) const INSTANCES_PER_COMPONENT_MAX: u32 = 64;
/// Linear memories in one component.
pub(super) const MEMORIES_MAX: u32 = 2;
/// Tables in one component.
pub(super) const TABLES_MAX: u32 = 8;
/// What one run may log, each line with [`LOG_LINE_OVERHEAD_BYTES`].
pub(super) const LOG_BYTES_MAX: usize = 64 * 1024;
/// What a line costs besides its text, so that empty lines are bounded, too.
pub(super) const LOG_LINE_OVERHEAD_BYTES: usize = 16;
/// Headers of one output.
pub(super) const HEADERS_MAX: usize = 32;
/// Names and values of one output's headers together.
pub(super) const HEADER_BYTES_MAX: usize = 8 * 1024;

/// A limit that a plugin met. `Display` continues the sentence "the plugin …".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Fuel, the deterministic measure of work.
    Fuel {
        /// What there was.
        fuel_max: u64,
    },
    /// The wall-clock backstop. The only limit that depends on how busy the machine is.
    Time {
        /// In milliseconds.
        ms_max: u64,
    },
    /// Linear memory.
    Memory {
        /// What it asked for.
        bytes: usize,
        /// What it may have.
        bytes_max: usize,
    },
    /// Elements of a table.
    Table {
        /// What it asked for.
        elements: usize,
        /// What it may have.
        elements_max: usize,
    },
    /// The stack.
    Stack {
        /// What there was.
        bytes_max: usize,
    },
    /// The log.
    Log {
        /// What it may write.
        bytes_max: usize,
    },
    /// The number of outputs.
    Outputs {
        /// What came.
        count: usize,
    },
    /// The size of one output.
    OutputBytes {
        /// Its place among the outputs, from 0.
        no: usize,
        /// Its size.
        bytes: usize,
        /// The most it may have.
        bytes_max: usize,
    },
    /// The size of everything it returned.
    ReturnBytes {
        /// The most it may return.
        bytes_max: usize,
    },
    /// The number or size of one output's headers.
    Headers {
        /// The output's place, from 0.
        no: usize,
        /// How many.
        count: usize,
        /// Their names and values together.
        bytes: usize,
    },
}

impl Limit {
    /// The word for logs and filters.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Fuel { .. } => "fuel",
            Self::Time { .. } => "time",
            Self::Memory { .. } => "memory",
            Self::Table { .. } => "table",
            Self::Stack { .. } => "stack",
            Self::Log { .. } => "log",
            Self::Outputs { .. } => "outputs",
            Self::OutputBytes { .. } => "output_bytes",
            Self::ReturnBytes { .. } => "return_bytes",
            Self::Headers { .. } => "headers",
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Fuel { fuel_max } => write!(
                f,
                "used all its fuel: {fuel_max} units, about one for each instruction; it loops for \
                 ever, or does too much for one event"
            ),
            Self::Time { ms_max } => write!(f, "ran longer than {ms_max} ms"),
            Self::Memory { bytes, bytes_max } => write!(
                f,
                "wanted {} of memory, and may have {}",
                Bytes(bytes),
                Bytes(bytes_max)
            ),
            Self::Table {
                elements,
                elements_max,
            } => {
                write!(
                    f,
                    "wanted a table of {elements} elements, and may have {elements_max}"
                )
            }
            Self::Stack { bytes_max } => write!(
                f,
                "used all its stack, {}: it recurses for ever, or too deep",
                Bytes(bytes_max)
            ),
            Self::Log { bytes_max } => write!(
                f,
                "logged more than {}, where each line counts {LOG_LINE_OVERHEAD_BYTES} bytes more than \
                 its text",
                Bytes(bytes_max)
            ),
            Self::Outputs { count } => {
                write!(f, "returned {count} outputs, and may return {OUTPUTS_MAX}")
            }
            Self::OutputBytes {
                no,
                bytes,
                bytes_max,
            } => write!(
                f,
                "returned an output (number {no}, from 0) of {}, and may return {} in each",
                Bytes(bytes),
                Bytes(bytes_max)
            ),
            Self::ReturnBytes { bytes_max } => write!(
                f,
                "returned more than {} in all its outputs together",
                Bytes(bytes_max)
            ),
            Self::Headers { no, count, bytes } => write!(
                f,
                "returned an output (number {no}, from 0) with {} of {}, and may return {HEADERS_MAX} of {}",
                counted(count, "header"),
                Bytes(bytes),
                Bytes(HEADER_BYTES_MAX)
            ),
        }
    }
}

/// A size for people: in MiB or KiB where that is exact, in bytes otherwise.
struct Bytes(usize);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const KIB: usize = 1024;
        const MIB: usize = 1024 * KIB;
        match self.0 {
            bytes if bytes > 0 && bytes.is_multiple_of(MIB) => write!(f, "{} MiB", bytes / MIB),
            bytes if bytes > 0 && bytes.is_multiple_of(KIB) => write!(f, "{} KiB", bytes / KIB),
            bytes => write!(f, "{bytes} bytes"),
        }
    }
}

/// Watches memory and tables of one run. What is too much is refused as the machine refuses it
/// (`memory.grow` answers -1), so that a plugin may cope; the refusal is remembered in case it
/// does not.
#[derive(Debug)]
pub(super) struct Meter {
    /// The most that all memories together had.
    pub memory_bytes: usize,
    /// The most they may have.
    pub memory_bytes_max: usize,
    /// What was refused, if anything was.
    pub refused: Option<Limit>,
    held_bytes: usize,
}

impl Meter {
    pub fn new(memory_bytes_max: usize) -> Self {
        Self {
            memory_bytes: 0,
            memory_bytes_max,
            refused: None,
            held_bytes: 0,
        }
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let bytes = self
            .held_bytes
            .saturating_sub(current)
            .saturating_add(desired);
        if bytes > self.memory_bytes_max {
            self.refused = Some(Limit::Memory {
                bytes,
                bytes_max: self.memory_bytes_max,
            });
            return Ok(false);
        }
        self.held_bytes = bytes;
        self.memory_bytes = self.memory_bytes.max(bytes);
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _: usize,
        desired: usize,
        _: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let fits = desired <= TABLE_ELEMENTS_MAX;
        if !fits {
            self.refused = Some(Limit::Table {
                elements: desired,
                elements_max: TABLE_ELEMENTS_MAX,
            });
        }
        Ok(fits)
    }

    fn instances(&self) -> usize {
        INSTANCES_PER_COMPONENT_MAX as usize
    }

    fn tables(&self) -> usize {
        TABLES_MAX as usize
    }

    fn memories(&self) -> usize {
        MEMORIES_MAX as usize
    }
}
