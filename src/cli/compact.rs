//! `compact`: gives the room back that is free in an embedded database.

use std::io::Write as _;
use std::process::ExitCode;

use crate::config::Config;
use crate::store::Store;

const MIB: f64 = 1024.0 * 1024.0;

/// Writes the file anew, while no server uses it.
pub(super) async fn compact(config: &Config) -> anyhow::Result<ExitCode> {
    let store = Store::open_to_serve(&config.database_url()).await?;
    let mut out = std::io::stdout();
    match store.compact().await? {
        Some((before, after)) => {
            let (before, after) = (before as f64 / MIB, after as f64 / MIB);
            writeln!(out, "the file has {after:.1} MiB; it had {before:.1}")?;
        }
        None => writeln!(
            out,
            "PostgreSQL uses what is free again by itself: there is nothing to do"
        )?,
    }
    Ok(ExitCode::SUCCESS)
}
