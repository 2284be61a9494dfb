//! A real PostgreSQL, by the script `tests/postgres`.
//!
//! `tests/run` starts one cluster for all tests and names it in `THROWBAR_TEST_POSTGRES`. Without
//! that, the first test of a process starts one and the last stops it. Each test gets a database of
//! its own there, empty, which goes with it. A story in which the database dies starts its own
//! [`Cluster`].

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Weak};

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tempfile::TempDir;
use throwbar::model::{Clock, IncarnationId};
use tokio::sync::Mutex;

/// One PostgreSQL server that this process started. It is stopped and deleted when it is dropped.
#[derive(Debug)]
pub struct Cluster {
    dir: PathBuf,
    url: String,
    /// Deletes what is left of the folder, if it is ours.
    _parent: Option<TempDir>,
}

impl Cluster {
    /// Starts one of its own. Takes about two seconds.
    pub async fn start() -> Self {
        let (parent, owned) = if let Some(dir) = from_tests_run("THROWBAR_TEST_CLUSTERS") {
            (PathBuf::from(dir), None)
        } else {
            let dir = tempfile::tempdir().expect("a temporary folder can be made");
            open_to_all(dir.path());
            (dir.path().to_owned(), Some(dir))
        };
        let dir = parent.join(format!("cluster-{}", new_uuid().simple()));
        let url = script("start", dir.clone()).await;
        Self {
            dir,
            url,
            _parent: owned,
        }
    }

    /// The URL of its database `postgres`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Kills all of its processes, as a power cut would.
    pub async fn kill(&self) {
        script("kill", self.dir.clone()).await;
    }

    /// Starts it again where it was, with what had been committed.
    pub async fn restart(&self) {
        let url = script("start", self.dir.clone()).await;
        assert_eq!(url, self.url, "it comes back where it was");
    }

    /// Lets none of its files grow past 1.1 MiB, from now on: the next statement that needs more fails as
    /// on a full disk.
    pub async fn fill_disk(&self) {
        script("fill", self.dir.clone()).await;
    }

    /// Takes the bound away again.
    pub async fn free_disk(&self) {
        script("free", self.dir.clone()).await;
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        run_script("stop", &self.dir).ok();
    }
}

/// An empty database for one test. It is dropped with this value, whoever is still connected.
#[derive(Debug)]
pub struct Database {
    server_url: String,
    name: String,
    _cluster: Option<Arc<Cluster>>,
}

/// The cluster of this process, while a test uses it.
static SHARED: Mutex<Weak<Cluster>> = Mutex::const_new(Weak::new());

impl Database {
    /// A new one in the cluster that all tests share.
    pub async fn create() -> Self {
        if let Some(url) = from_tests_run("THROWBAR_TEST_POSTGRES") {
            return Self::create_in(url, None).await;
        }
        let mut shared = SHARED.lock().await;
        let cluster = match shared.upgrade() {
            Some(cluster) => cluster,
            None => Arc::new(Cluster::start().await),
        };
        *shared = Arc::downgrade(&cluster);
        Self::create_in(cluster.url.clone(), Some(cluster)).await
    }

    async fn create_in(server_url: String, cluster: Option<Arc<Cluster>>) -> Self {
        let name = format!("t_{}", new_uuid().simple());
        execute(&server_url, format!("CREATE DATABASE {name}"))
            .await
            .expect("a database can be made");
        Self {
            server_url,
            name,
            _cluster: cluster,
        }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        let (server, _) = self
            .server_url
            .rsplit_once('/')
            .expect("the URL names a database");
        format!("{server}/{}", self.name)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let drop_it = execute_owned(
            self.server_url.clone(),
            format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name),
        );
        // A drop cannot await, and the test's own runtime may be going down.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.expect("a runtime can be made").block_on(drop_it)
        });
        // One that is left behind goes with its cluster.
        dropped.join().ok();
    }
}

async fn execute_owned(url: String, sql: String) -> Result<(), sqlx::Error> {
    execute(&url, sql).await
}

async fn execute(url: &str, sql: String) -> Result<(), sqlx::Error> {
    let mut connection = PgConnection::connect(url).await?;
    connection.execute(AssertSqlSafe(sql)).await?;
    connection.close().await
}

/// Runs the script off this thread, which may be the only one of the test's runtime.
async fn script(command: &'static str, dir: PathBuf) -> String {
    let output = tokio::task::spawn_blocking(move || run_script(command, &dir)).await;
    let output = output
        .expect("it does not panic")
        .expect("tests/postgres can be run");
    assert!(
        output.status.success(),
        "tests/postgres {command}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn run_script(command: &str, dir: &Path) -> std::io::Result<Output> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/postgres");
    Command::new(script)
        .arg(command)
        .arg(dir)
        .stdin(Stdio::null())
        .output()
}

/// As root the server runs as another user, who must be able to get through to its folder.
fn open_to_all(dir: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o755))
        .expect("the folder is ours");
}

fn new_uuid() -> uuid::Uuid {
    IncarnationId::mint(Clock::System.now()).uuid()
}

#[expect(
    clippy::disallowed_methods,
    reason = "tests/run tells the tests so, they have no configuration"
)]
fn from_tests_run(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
