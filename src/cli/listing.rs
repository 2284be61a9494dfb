//! Lists of the API, told row by row as their pages come.

use std::io::Write as _;

use serde_json::Value;

use super::client::{ApiClient, ApiOptions};

/// A list that is told as it is.
#[derive(Debug, clap::Args)]
pub(super) struct ListOptions {
    #[command(flatten)]
    client: ApiOptions,
    /// Tell it in JSON.
    #[arg(long)]
    json: bool,
}

impl ListOptions {
    /// Writes a line for each row of the list at `path`: what `line` says of it, or its JSON.
    pub(super) async fn tell(&self, path: &str, line: fn(&Value) -> String) -> anyhow::Result<()> {
        let client = ApiClient::open(&self.client)?;
        let said: fn(&Value) -> String = if self.json { Value::to_string } else { line };
        tell(&client, path, said).await
    }
}

/// Writes a line for each row of the list at `path`, in its order.
pub(super) async fn tell(
    client: &ApiClient,
    path: &str,
    line: fn(&Value) -> String,
) -> anyhow::Result<()> {
    let and = if path.contains('?') { '&' } else { '?' };
    let mut out = std::io::stdout();
    let mut next = path.to_owned();
    loop {
        let page = client.get(&next).await?;
        for row in page["data"].as_array().into_iter().flatten() {
            writeln!(out, "{}", line(row))?;
        }
        match page["next_cursor"].as_str() {
            Some(cursor) => next = format!("{path}{and}cursor={cursor}"),
            None => return Ok(()),
        }
    }
}
