//! `variable`: an account's variables and secrets, set, listed and removed.

use std::io::Write as _;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::client::{ApiClient, ApiOptions, Body, Error};
use super::listing::ListOptions;
use super::{paint, text_or_file};

/// What can be done with variables.
#[derive(Debug, clap::Subcommand)]
pub(super) enum VariableCommand {
    /// Give a variable a value, and make it if there is none.
    Set(SetOptions),
    /// List variables, secret ones without their values.
    List(ListOptions),
    /// Remove a variable that nothing refers to.
    Delete(DeleteOptions),
}

/// Which variable, and what it shall be.
#[derive(Debug, clap::Args)]
pub(super) struct SetOptions {
    #[command(flatten)]
    client: ApiOptions,
    /// What it is referred to by, as in vars.minimum.
    #[arg(value_name = "NAME")]
    name: String,
    /// The value, or @FILE: a number, true or false is one, anything else is a text.
    #[arg(value_name = "VALUE")]
    value: String,
    /// Its value is sealed and never shown again; with =false, one that was secret is so no more.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    secret: Option<bool>,
    /// The value is a text, also if it looks like a number.
    #[arg(long)]
    text: bool,
    /// Tell it in JSON.
    #[arg(long)]
    json: bool,
}

/// Which variable.
#[derive(Debug, clap::Args)]
pub(super) struct DeleteOptions {
    #[command(flatten)]
    client: ApiOptions,
    /// Its name.
    #[arg(value_name = "NAME")]
    name: String,
}

/// Does it.
pub(super) async fn run(command: &VariableCommand) -> anyhow::Result<ExitCode> {
    match command {
        VariableCommand::Set(options) => set(options).await,
        VariableCommand::List(options) => options.tell("/v1/variables", line).await,
        VariableCommand::Delete(options) => delete(options).await,
    }?;
    Ok(ExitCode::SUCCESS)
}

async fn set(options: &SetOptions) -> anyhow::Result<()> {
    let client = ApiClient::open(&options.client)?;
    let text = text_or_file(&options.value)?;
    let value = if options.text || options.secret == Some(true) {
        Value::from(text)
    } else {
        value_of(text)
    };
    let mut body = json!({ "value": value });
    if let Some(secret) = options.secret {
        body["secret"] = json!(secret);
    }
    let path = path_of(&options.name);
    let (answer, done) = match client.patch(&path, Body::of(&body)).await {
        Ok(answer) => (answer, "is changed"),
        Err(Error::Refused(problem)) if problem.status == 404 => {
            body["name"] = json!(options.name);
            let made = client.post("/v1/variables", Body::of(&body)).await?;
            (made, "is made")
        }
        Err(error) => return Err(error.into()),
    };
    let mut out = std::io::stdout();
    if options.json {
        writeln!(out, "{answer}")?;
    } else {
        writeln!(out, "{} {} {done}", paint::good("✓"), options.name)?;
    }
    Ok(())
}

/// A value that was typed.
fn value_of(text: String) -> Value {
    match serde_json::from_str(&text) {
        Ok(value @ (Value::Number(_) | Value::Bool(_))) => value,
        _ => Value::from(text),
    }
}

async fn delete(options: &DeleteOptions) -> anyhow::Result<()> {
    let client = ApiClient::open(&options.client)?;
    client.delete(&path_of(&options.name)).await?;
    writeln!(
        std::io::stdout(),
        "{} {} is removed",
        paint::good("✓"),
        options.name
    )?;
    Ok(())
}

/// Where a variable is: whatever was typed, it stays one part of the path.
fn path_of(name: &str) -> String {
    let part: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
    format!("/v1/variables/{part}")
}

fn line(variable: &Value) -> String {
    let name = variable["name"].as_str().unwrap_or_default();
    let value = match &variable["value"] {
        Value::Null => "(secret)".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let line = format!("{}  {}", paint::column(name, 32), paint::cut(&value, 60));
    line.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_what_it_looks_like() {
        for (text, value) in [
            ("5", json!(5)),
            ("-1.5", json!(-1.5)),
            ("true", json!(true)),
            ("null", json!("null")),
            ("[1]", json!("[1]")),
            ("\"a\"", json!("\"a\"")),
            ("Won", json!("Won")),
        ] {
            assert_eq!(value_of(text.to_owned()), value, "{text}");
        }
    }

    #[test]
    fn a_variable_is_one_line_and_a_secret_is_not_told() {
        for (variable, told) in [
            (json!({"name": "least", "value": 5}), ["least", "5"]),
            (
                json!({"name": "token", "value": null}),
                ["token", "(secret)"],
            ),
            (json!({"name": "a", "value": "b\nc"}), ["a", "b"]),
        ] {
            let line = line(&variable);
            assert_eq!(line.split_whitespace().take(2).collect::<Vec<_>>(), told);
        }
        assert_eq!(path_of("a/b"), "/v1/variables/a%2Fb");
    }
}
