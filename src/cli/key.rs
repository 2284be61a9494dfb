//! `key`: master keys, operator keys made without a server, and an account's API keys.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use super::client::{ApiClient, ApiOptions, Body};
use super::listing::ListOptions;
use super::{ServerOptions, paint};
use crate::app::master_key;
use crate::model::{ApiKeyId, Clock, counted};
use crate::service;
use crate::store::Store;
use crate::vault::{MasterKey, random};

/// Master keys, operator keys, and an account's API keys.
#[derive(Debug, clap::Subcommand)]
pub(super) enum KeyCommand {
    /// Make a master key, for THROWBAR_MASTER_KEY.
    #[command(
        after_help = "Secrets in the database are sealed under it: without it they are lost. To rotate, put a new key on \
        the first line, keep the older ones below it, restart every node, and run throwbar key reseal: then the older \
        ones may go. A server does not start without a key that something may be sealed under."
    )]
    Master,
    /// Seal every secret anew under the first master key, directly in the database.
    #[command(
        after_help = "Every node must run with the new key on the first line by then: one that does not goes on sealing \
        under the old one. Broken off, it can be run again. Afterwards the older keys may go from the settings."
    )]
    Reseal(ServerOptions),
    /// Make another operator key, or list or revoke them, directly in the database.
    #[command(
        args_conflicts_with_subcommands = true,
        after_help = "For when no operator key is known any more, or one too many. It needs the database, not a running \
        server; a new key works at once, a revoked one may work for another 10 seconds."
    )]
    Operator(OperatorOptions),
    /// Make an API key for an account.
    Create(CreateOptions),
    /// List an account's API keys.
    List(ListOptions),
    /// Make an API key stop working.
    Revoke(RevokeOptions),
}

#[derive(Debug, clap::Args)]
pub(super) struct OperatorOptions {
    #[command(flatten)]
    server: ServerOptions,
    /// What it is for.
    #[arg(long, value_name = "NAME", default_value = "made on the command line")]
    name: String,
    #[command(subcommand)]
    other: Option<OperatorCommand>,
}

/// What else can be done with operator keys.
#[derive(Debug, clap::Subcommand)]
enum OperatorCommand {
    /// List the operator keys that work.
    List(ServerOptions),
    /// Make an operator key stop working.
    Revoke(RevokeOperatorOptions),
}

#[derive(Debug, clap::Args)]
struct RevokeOperatorOptions {
    #[command(flatten)]
    server: ServerOptions,
    /// Which: key_…
    #[arg(value_name = "ID")]
    id: ApiKeyId,
}

#[derive(Debug, clap::Args)]
pub(super) struct CreateOptions {
    #[command(flatten)]
    client: ApiOptions,
    /// What it is for.
    #[arg(long, value_name = "NAME")]
    name: String,
    /// What it may do; repeat it for more.
    #[arg(long = "scope", value_name = "SCOPE", required = true, value_parser = ["admin", "author", "send", "read"])]
    scopes: Vec<String>,
    /// Whose it is: alerts go there about endpoints that it makes or changes.
    #[arg(long, value_name = "ADDRESS")]
    owner_mail: Option<String>,
    /// Tell it in JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct RevokeOptions {
    #[command(flatten)]
    client: ApiOptions,
    /// Which: key_…
    #[arg(value_name = "ID")]
    id: ApiKeyId,
}

/// Does it.
pub(super) async fn run(
    command: &KeyCommand,
    environment: Vec<(String, String)>,
) -> anyhow::Result<ExitCode> {
    match command {
        KeyCommand::Master => master(),
        KeyCommand::Reseal(server) => reseal(server, environment).await,
        KeyCommand::Operator(options) => operator(options, environment).await,
        KeyCommand::Create(options) => create(options).await,
        KeyCommand::List(options) => options.tell("/v1/api-keys", line).await,
        KeyCommand::Revoke(options) => revoke(options).await,
    }?;
    Ok(ExitCode::SUCCESS)
}

fn master() -> anyhow::Result<()> {
    let key = MasterKey::from_random(random::bytes()?);
    Ok(writeln!(std::io::stdout(), "{}", *key.text())?)
}

async fn reseal(server: &ServerOptions, environment: Vec<(String, String)>) -> anyhow::Result<()> {
    let config = server.load(environment)?;
    let store = Store::open(&config.database_url())
        .await
        .context("the secrets can't be reached")?;
    let vault = master_key::open_vault(&config, &store).await?;
    let old = store.lives_without(vault.current_key().as_bytes()).await?;
    if old > 0 {
        bail!(
            "{} began before the first master key was there, and may seal under another: restart every node with it, and \
             run this again",
            counted(usize::try_from(old)?, "running node")
        );
    }
    let done = service::reseal(&store, &vault)
        .await
        .context("not everything was sealed anew: what is done stays; mend what is said below, and run it again")?;
    let sealed = counted(usize::try_from(done.sealed)?, "secret");
    let keys = match usize::try_from(done.keys)? {
        0 => "nothing is sealed under an older key".to_owned(),
        keys => format!("{} may go from the settings", counted(keys, "older key")),
    };
    Ok(writeln!(
        std::io::stdout(),
        "{} sealed {sealed} anew; {keys}",
        paint::good("✓")
    )?)
}

async fn operator(
    options: &OperatorOptions,
    environment: Vec<(String, String)>,
) -> anyhow::Result<()> {
    let now = Clock::System.now();
    let mut out = std::io::stdout();
    match &options.other {
        None => {
            let store = database(&options.server, environment).await?;
            let key = service::make_operator_key(&store, &options.name, now)
                .await
                .context("no operator key was made")?;
            writeln!(out, "{}", *key)?;
        }
        Some(OperatorCommand::List(server)) => {
            let store = database(server, environment).await?;
            for key in service::operator_keys(&store).await? {
                writeln!(out, "{}", line(&serde_json::to_value(key)?))?;
            }
        }
        Some(OperatorCommand::Revoke(revoke)) => {
            let store = database(&revoke.server, environment).await?;
            service::revoke_operator_key(&store, revoke.id, now).await?;
            writeln!(out, "{}", revoked(revoke.id))?;
        }
    }
    Ok(())
}

async fn database(
    server: &ServerOptions,
    environment: Vec<(String, String)>,
) -> anyhow::Result<Store> {
    let config = server.load(environment)?;
    Store::open(&config.database_url())
        .await
        .context("the operator keys can't be reached")
}

async fn create(options: &CreateOptions) -> anyhow::Result<()> {
    let client = ApiClient::open(&options.client)?;
    let wanted = json!({
        "name": options.name, "scopes": options.scopes, "owner_mail": options.owner_mail,
    });
    let made = client.post("/v1/api-keys", Body::of(&wanted)).await?;
    let mut out = std::io::stdout();
    if options.json {
        return Ok(writeln!(out, "{made}")?);
    }
    let (id, key) = (word(&made, "id"), word(&made, "key"));
    writeln!(out, "{id}  {}", paint::faint("shown this once:"))?;
    Ok(writeln!(out, "{key}")?)
}

fn line(key: &Value) -> String {
    let scopes: Vec<&str> = key["scopes"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let (id, made, name) = (word(key, "id"), word(key, "created_at"), word(key, "name"));
    format!(
        "{id}  {made:<24}  {}  {}",
        paint::column(&scopes.join(" "), 16),
        paint::cut(name, 40)
    )
}

async fn revoke(options: &RevokeOptions) -> anyhow::Result<()> {
    let client = ApiClient::open(&options.client)?;
    client
        .delete(&format!("/v1/api-keys/{}", options.id))
        .await?;
    Ok(writeln!(std::io::stdout(), "{}", revoked(options.id))?)
}

fn revoked(id: ApiKeyId) -> String {
    format!("{} {id} works no more", paint::good("✓"))
}

fn word<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_one_line() {
        let key = json!({
            "id": "key_1", "name": "billing", "scopes": ["send", "read"], "created_at": "2026-01-01T00:00:00.000Z",
        });
        assert_eq!(
            line(&key),
            "key_1  2026-01-01T00:00:00.000Z  send read         billing"
        );
    }
}
