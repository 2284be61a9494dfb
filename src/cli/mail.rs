//! `mail`: the mails that were sent about an account's endpoints, and whether the mail server takes any.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::listing::ListOptions;
use super::{ServerOptions, paint};
use crate::alert::{self, Smtp};
use crate::model::Clock;

/// The mails of an account, and the way to the mail server.
#[derive(Debug, clap::Subcommand)]
pub(super) enum MailCommand {
    /// List the account's mails, newest first.
    List(ListOptions),
    /// Send a mail with the settings of the server, to see whether it arrives.
    Test(TestOptions),
}

#[derive(Debug, clap::Args)]
pub(super) struct TestOptions {
    #[command(flatten)]
    server: ServerOptions,
    /// To whom.
    #[arg(long, value_name = "ADDRESS")]
    to: String,
}

/// Does it.
pub(super) async fn run(
    command: &MailCommand,
    environment: Vec<(String, String)>,
) -> anyhow::Result<ExitCode> {
    match command {
        MailCommand::List(options) => options.tell("/v1/mails", line).await?,
        MailCommand::Test(options) => test(options, environment).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn test(options: &TestOptions, environment: Vec<(String, String)>) -> anyhow::Result<()> {
    if !alert::is_address(&options.to) {
        bail!("'{}' is not a mail address", options.to);
    }
    let settings = options.server.load(environment)?.smtp()?;
    let settings = settings.context(
        "there is no mail server: set smtp_url (THROWBAR_SMTP_URL) and smtp_from (THROWBAR_SMTP_FROM)",
    )?;
    let said = Smtp::new(&settings)?
        .test(&options.to, Clock::System.now())
        .await?;
    Ok(writeln!(
        std::io::stdout(),
        "{} the mail server has taken it: {said}",
        paint::good("✓")
    )?)
}

fn line(mail: &Value) -> String {
    let word = |field: &str| mail[field].as_str().unwrap_or_default();
    let topic = word("topic");
    let topic = topic.strip_prefix("throwbar.").unwrap_or(topic);
    format!(
        "{}  {:<24}  {}  {}  {}  {}",
        word("id"),
        word("first_at"),
        paint::column(word("state"), 10),
        paint::column(topic, 23),
        word("to"),
        paint::cut(word("answer"), 60)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_mail_is_one_line() {
        let mail = json!({
            "id": "mail_1", "first_at": "2026-01-01T00:00:00.000Z", "state": "bounced",
            "topic": "throwbar.endpoint.disabled", "to": "a@b.test", "answer": "550 no such user",
        });
        assert_eq!(
            line(&mail),
            "mail_1  2026-01-01T00:00:00.000Z  bounced     endpoint.disabled        a@b.test  550 no such user"
        );
    }
}
