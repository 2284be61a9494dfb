//! `demo`: a whole server with a made-up company, a receiver of its own, and events that flow; in the
//! terminal one sees what happens and why.
//!
//! Everything goes through the server's HTTP API, as any other program would do it; only the
//! server is started in this process, with a database of its own that is removed at the end.

mod company;
mod outcome;
mod receiver;
mod story;
mod summary;
mod tale;

use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use tokio::sync::{mpsc, oneshot};

use super::client::{ApiClient, ApiOptions, Body};
use crate::app::{App, asked_to_stop};
use crate::config::Config;
use crate::model::{Clock, Timestamp};
use crate::telemetry::{self, LogFormat};
use crate::vault::random;
use company::Company;
use outcome::Arrivals;
use receiver::{Receiver, Stranger};
use story::{Place, Stories, Story};
use summary::Summary;

/// Between two events, for people.
const PACE_MS: i64 = 900;
/// Between two events, with `--once`.
const PACE_ONCE_MS: i64 = 10;
/// Events that are sent and not told yet.
const UNTOLD_MAX: usize = 1000;

/// How the demo runs.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "It needs nothing, sends nothing anywhere but to itself, and leaves nothing behind.\n\
    Exit codes of --once: 0, each expected delivery arrived exactly once and verified, and nothing \
    else did; 3, the answer is no."
)]
pub(super) struct DemoOptions {
    /// Send a fixed number of events, check everything that must follow from them, and exit.
    #[arg(long)]
    once: bool,
    /// How many events to send; needs --once.
    #[arg(long, value_name = "N", requires = "once", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    events: u32,
    /// The address to serve on; port 0 picks a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: String,
}

/// Runs it.
pub(super) async fn demo(options: &DemoOptions) -> anyhow::Result<ExitCode> {
    telemetry::log("warn", LogFormat::Text)?;
    let folder = Folder::make().context("no folder for the demo's database")?;
    let app = App::start(&config(options, &folder)).await?;
    let url = format!("http://{}", app.address());
    let key = app
        .first_start()
        .operator_key()
        .context("a new database has no operator key")?
        .to_owned();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(app.serve(async move {
        // The sender gone means the same.
        let _ = stopped.await;
    }));
    let shown = show(options, &url, &key).await;
    let _already_ended = stop.send(());
    server.await.context("the server broke off")??;
    shown
}

fn config(options: &DemoOptions, folder: &Folder) -> Config {
    Config {
        listen: options.listen.clone(),
        data: folder.0.clone(),
        // The receiver is on loopback, which deliveries may not reach otherwise.
        egress_allow: vec!["127.0.0.0/8".to_owned()],
        ..Config::default()
    }
}

async fn show(options: &DemoOptions, url: &str, key: &str) -> anyhow::Result<ExitCode> {
    let (receiver, strangers) = Receiver::start()
        .await
        .context("the receiver can't listen")?;
    let operator = ApiOptions {
        url: url.to_owned(),
        key: Some(key.to_owned()),
        account: None,
    };
    let company = Company::found(&ApiClient::open(&operator)?, &receiver).await?;
    let header = tale::Header {
        url,
        key,
        account: &company.account,
    };
    std::io::stdout().write_all(header.text().as_bytes())?;

    let started = Clock::System.now();
    let (sent, untold) = mpsc::channel(UNTOLD_MAX);
    let telling = tell(options, &company, &receiver, (untold, strangers));
    let ((), summary) = tokio::try_join!(send(options, &company, &receiver, sent), telling)?;
    let took_ms = Clock::System.now().ms_since(started);
    std::io::stdout().write_all(summary.text(took_ms).as_bytes())?;
    let wrong = options.once && !summary.is_as_expected();
    Ok(if wrong {
        ExitCode::from(super::EXIT_NO)
    } else {
        ExitCode::SUCCESS
    })
}

/// An event that was sent.
struct Sent {
    id: String,
    at: Timestamp,
    story: Story,
}

/// Sends the stories, one after the other, until there are enough or somebody wants to stop.
async fn send(
    options: &DemoOptions,
    company: &Company,
    receiver: &Receiver,
    sent: mpsc::Sender<Sent>,
) -> anyhow::Result<()> {
    let clock = Clock::System;
    let (count, pace_ms) = if options.once {
        (options.events as usize, PACE_ONCE_MS)
    } else {
        (usize::MAX, PACE_MS)
    };
    let stop = asked_to_stop();
    tokio::pin!(stop);
    for story in Stories::new().take(count) {
        let at = clock.now();
        receiver.expect(&story.reference);
        let event = serde_json::json!({ "type": story.event_type, "data": story.payload });
        let answer = company.client.post("/v1/events", Body::of(&event)).await?;
        let id = answer["id"]
            .as_str()
            .context("an accepted event has no id")?
            .to_owned();
        sent.send(Sent { id, at, story })
            .await
            .context("nobody tells any more")?;
        tokio::select! {
            () = &mut stop => break,
            () = clock.sleep_until(at.plus_ms(pace_ms)) => {}
        }
    }
    Ok(())
}

/// Tells what became of each event, in the order they were sent.
async fn tell(
    options: &DemoOptions,
    company: &Company,
    receiver: &Receiver,
    (mut untold, mut strangers): (mpsc::Receiver<Sent>, mpsc::UnboundedReceiver<Stranger>),
) -> anyhow::Result<Summary> {
    let mut summary = Summary::default();
    let mut out = std::io::stdout();
    loop {
        let told = tokio::select! {
            biased;
            Some(stranger) = strangers.recv() => meet(options, &stranger, &mut summary),
            next = untold.recv() => match next {
                Some(sent) => tell_one(company, receiver, &sent, &mut summary).await?,
                None => break,
            },
        };
        out.write_all(told.as_bytes())?;
        out.flush()?;
    }
    while let Ok(stranger) = strangers.try_recv() {
        out.write_all(meet(options, &stranger, &mut summary).as_bytes())?;
    }
    Ok(summary)
}

async fn tell_one(
    company: &Company,
    receiver: &Receiver,
    sent: &Sent,
    summary: &mut Summary,
) -> anyhow::Result<String> {
    let outcome = outcome::settle(company, &sent.id).await?;
    let arrivals = take_arrivals(receiver, &sent.story);
    for fault in outcome::faults(&sent.story, &outcome, &arrivals) {
        summary.fault(fault);
    }
    summary.add(&sent.story, &outcome, &arrivals);
    Ok(tale::event(sent.at, &sent.story, &outcome, &arrivals))
}

/// What arrived for a story, taken out: whatever arrives later is a stranger.
fn take_arrivals(receiver: &Receiver, story: &Story) -> Arrivals {
    receiver.with(|ledger| {
        ledger.told.remove(&story.reference);
        let take = |place| {
            Some((
                place,
                ledger.arrivals.remove(&(place, story.reference.clone()))?,
            ))
        };
        Place::ALL.into_iter().filter_map(take).collect()
    })
}

/// Something arrived that no story explains: a visitor's doing, or, with `--once`, a fault.
fn meet(options: &DemoOptions, stranger: &Stranger, summary: &mut Summary) -> String {
    if options.once {
        summary.fault(format!(
            "something that nobody sent arrived at {}",
            stranger.path
        ));
    }
    summary.visitor();
    tale::stranger(Clock::System.now(), stranger)
}

/// A folder that is removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn make() -> anyhow::Result<Self> {
        let name = format!("throwbar-demo-{}", hex::encode(random::bytes::<8>()?));
        let path = std::env::temp_dir().join(name);
        std::fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What can't be removed is in the folder for temporary files, where it is expected.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_private_and_goes_away() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = Folder::make().expect("a folder");
        let path = folder.0.clone();
        let mode = std::fs::metadata(&path)
            .expect("it is there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o700);
        std::fs::write(path.join("file"), "x").expect("written");
        drop(folder);
        assert!(!path.exists());
    }
}
