//! The program: parse, run, print the error and what caused it.

use std::process::ExitCode;

use clap::Parser as _;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the environment"
    )]
    let environment: Vec<(String, String)> = std::env::vars().collect();
    #[cfg(feature = "crash-points")]
    if let Some((_, point)) = environment
        .iter()
        .find(|(key, _)| key == "THROWBAR_CRASH_POINT")
    {
        throwbar::pipeline::crash::arm(point);
    }
    let arguments = throwbar::cli::Arguments::parse();
    match throwbar::cli::run(arguments, environment) {
        Ok(code) => code,
        Err(error) => {
            use std::io::Write as _;
            let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
            let text = causes.join("\n  because ");
            let _nobody_reads = writeln!(std::io::stderr(), "throwbar: {text}");
            ExitCode::from(throwbar::cli::EXIT_FAILED)
        }
    }
}
