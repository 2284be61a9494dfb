//! Lists of the API, told row by row as their pages come.

use std::io::Write as _;

use serde_json::Value;

use super::client::ApiClient;

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
