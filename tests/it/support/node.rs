//! The program itself, as a process of its own: started, asked over HTTP, stopped, killed.
//!
//! A [`Home`] is what outlives a process: its data folder, or its database. A [`Node`] is one
//! process; it is killed when it is dropped, and shows what it logged if its test failed.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;

use super::before_hanging;
use super::caller::Caller;
use super::postgres::Database;
use super::store::{self, Engine};

/// The operator's key of every node that is started here.
pub const KEY: &str = "tb_the_operator_of_the_process_tests";
/// Nodes on one database need the same.
const MASTER_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const LOG_LINES_SHOWN: usize = 80;

/// What outlives a process.
#[derive(Debug)]
pub struct Home {
    folder: TempDir,
    postgres_url: Option<String>,
    _database: Option<Database>,
}

impl Home {
    /// A new one, empty.
    pub async fn on(engine: Engine) -> Self {
        let database = match engine {
            Engine::Sqlite => None,
            Engine::Postgres => Some(Database::create().await),
        };
        Self {
            folder: new_folder(),
            postgres_url: database.as_ref().map(Database::url),
            _database: database,
        }
    }

    /// One whose PostgreSQL is at `url`: beside another node, or through a line that can be cut.
    pub fn at(url: &str) -> Self {
        Self {
            folder: new_folder(),
            postgres_url: Some(url.to_owned()),
            _database: None,
        }
    }

    /// The URL of its PostgreSQL.
    pub fn postgres_url(&self) -> &str {
        self.postgres_url.as_deref().expect("it is on PostgreSQL")
    }

    /// The file of its SQLite database.
    pub fn sqlite_path(&self) -> PathBuf {
        self.folder.path().join("data/throwbar.db")
    }

    /// Starts a node here and waits until it listens.
    pub async fn start(&self) -> Node {
        self.start_with(&[]).await
    }

    /// Starts a node that dies at this place of the pipeline, and waits until it listens.
    #[cfg(feature = "crash-points")]
    pub async fn start_armed(&self, crash_point: &str) -> Node {
        self.start_with(&[("THROWBAR_CRASH_POINT", crash_point)])
            .await
    }

    /// Starts a node with more in its environment, and waits until it listens.
    pub async fn start_with(&self, environment: &[(&str, &str)]) -> Node {
        let mut node = self.launch(environment);
        let address = node.address.take().expect("a node is waited for once");
        let url = before_hanging("a node that listens", address).await;
        node.caller = Some(Caller::new(&url.expect("the node listens"), KEY));
        node
    }

    /// Runs a node until it dies at this place, be it before or after it listens.
    #[cfg(feature = "crash-points")]
    pub async fn run_until_death(&self, crash_point: &str) {
        let mut node = self.launch(&[("THROWBAR_CRASH_POINT", crash_point)]);
        node.dies().await;
    }

    /// Runs a command of the program on this home to its end; what it said.
    pub async fn command(&self, arguments: &[&str], environment: &[(&str, &str)]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_throwbar"));
        command
            .env_clear()
            .env("THROWBAR_DATA", self.folder.path().join("data"))
            .env("THROWBAR_LISTEN", "127.0.0.1:0")
            .envs(environment.iter().copied())
            .args(arguments)
            .kill_on_drop(true);
        if let Some(url) = &self.postgres_url {
            command.env("THROWBAR_DATABASE_URL", url);
        }
        let output = before_hanging("a command's end", command.output()).await;
        let output = output.expect("the program runs");
        let said = [output.stdout, output.stderr].concat();
        String::from_utf8(said).expect("it prints UTF-8")
    }

    fn launch(&self, environment: &[(&str, &str)]) -> Node {
        // A file that may not grow any further is an error to the program, not its death.
        let mut command = Command::new("env");
        command
            .arg("--ignore-signal=XFSZ")
            .arg(env!("CARGO_BIN_EXE_throwbar"))
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(self.folder.path().join("data"))
            .env("THROWBAR_BOOTSTRAP_KEY", KEY)
            .env("THROWBAR_MASTER_KEY", MASTER_KEY)
            .env("THROWBAR_EGRESS_ALLOW", "127.0.0.0/8")
            .env("THROWBAR_LOG", "info")
            .envs(environment.iter().copied());
        if let Some(url) = &self.postgres_url {
            command.env("THROWBAR_DATABASE_URL", url);
        }
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the program runs");
        let log = Arc::<Mutex<Vec<String>>>::default();
        keep_lines(child.stderr.take().expect("piped"), log.clone(), None);
        let (found, address) = oneshot::channel();
        keep_lines(
            child.stdout.take().expect("piped"),
            log.clone(),
            Some(found),
        );
        Node {
            child,
            address: Some(address),
            caller: None,
            log,
        }
    }

    /// The number that `sql` selects, asked of the database itself.
    pub async fn number(&self, sql: &str) -> i64 {
        store::number(&self.database_url(), sql).await
    }

    /// Runs SQL past the program, while no node works here.
    pub async fn execute(&self, sql: &str) {
        store::execute(&self.database_url(), sql).await;
    }

    fn database_url(&self) -> String {
        match &self.postgres_url {
            Some(url) => url.clone(),
            None => format!("sqlite:{}", self.sqlite_path().display()),
        }
    }

    /// Returns once `sql` selects this number. Asks again and again: this is about another process, which
    /// tells nobody when it is done.
    pub async fn until(&self, sql: &str, number: i64) {
        before_hanging(sql, async {
            while self.number(sql).await != number {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    /// Returns once nothing waits to be planned or to be sent.
    pub async fn until_settled(&self) {
        self.until(UNSETTLED, 0).await;
    }
}

fn new_folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder can be made")
}

const UNSETTLED: &str = "SELECT (SELECT COUNT(*) FROM inbox)
    + (SELECT COUNT(*) FROM deliveries WHERE state IN ('pending', 'claimed'))";

/// One process of the program.
#[derive(Debug)]
pub struct Node {
    child: Child,
    address: Option<oneshot::Receiver<String>>,
    caller: Option<Caller>,
    log: Arc<Mutex<Vec<String>>>,
}

impl Node {
    /// Asks it over HTTP.
    pub fn caller(&self) -> &Caller {
        self.caller.as_ref().expect("it listens")
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// `kill -9`, and waits until it is dead.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("it can be killed");
    }

    /// Asks it to stop in good order (SIGTERM).
    pub async fn ask_to_stop(&self) {
        self.signal("-TERM").await;
    }

    /// Halts it in the middle of whatever it does (SIGSTOP).
    pub async fn halt(&self) {
        self.signal("-STOP").await;
    }

    /// Lets it go on after a halt (SIGCONT).
    pub async fn go_on(&self) {
        self.signal("-CONT").await;
    }

    async fn signal(&self, signal: &str) {
        let sent = Command::new("kill")
            .args([signal, &self.pid().to_string()])
            .status()
            .await;
        assert!(sent.expect("kill runs").success());
    }

    /// Waits until it has ended by itself.
    pub async fn ended(mut self) -> ExitStatus {
        before_hanging("a node's end", self.child.wait())
            .await
            .expect("it can be waited for")
    }

    /// Stops it in good order.
    pub async fn stop(self) {
        self.ask_to_stop().await;
        let status = self.ended().await;
        assert!(status.success(), "an orderly end: {status}");
    }

    /// Waits until it has died of its crash point.
    #[cfg(feature = "crash-points")]
    pub async fn dies(&mut self) {
        let status = before_hanging("a node's death", self.child.wait())
            .await
            .expect("it can be waited for");
        assert_eq!(
            std::os::unix::process::ExitStatusExt::signal(&status),
            Some(SIGABRT),
            "it dies at its crash point: {status}\n{}",
            self.log_text()
        );
    }

    /// Returns once it has logged a line with these words.
    pub async fn until_logged(&self, words: &str) {
        before_hanging(words, async {
            while !self.lines().iter().any(|line| line.contains(words)) {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    fn lines(&self) -> MutexGuard<'_, Vec<String>> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it has printed and logged at last.
    pub fn log_text(&self) -> String {
        let lines = self.lines();
        lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..].join("\n")
    }
}

#[cfg(feature = "crash-points")]
const SIGABRT: i32 = 6;

impl Drop for Node {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let text = format!("--- a node's log ends with:\n{}\n---\n", self.log_text());
            std::io::stderr().write_all(text.as_bytes()).ok();
        }
    }
}

/// Keeps the lines of one of the node's streams, and tells the address when it comes by.
fn keep_lines(
    stream: impl AsyncRead + Unpin + Send + 'static,
    log: Arc<Mutex<Vec<String>>>,
    mut found: Option<oneshot::Sender<String>>,
) {
    tokio::spawn(async move {
        let mut lines = BufReader::new(stream).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if let Some(url) = line.strip_prefix("listening on ")
                && let Some(found) = found.take()
            {
                found.send(url.trim().to_owned()).ok();
            }
            log.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(line);
        }
    });
}
