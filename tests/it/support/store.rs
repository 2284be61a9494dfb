//! An empty database of a test's own, on either engine, and stores that are open on it.

use std::path::PathBuf;

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tempfile::TempDir;
use throwbar::store::{Error, Store};

use super::before_hanging;
use super::postgres::Database;

/// Which database engine a story runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// A file in a folder of its own.
    Sqlite,
    /// A database of its own in a real server.
    Postgres,
}

impl Engine {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Sqlite, Self::Postgres];
}

/// Tells the story on each engine, and says which one a failure is of.
#[expect(
    clippy::print_stderr,
    reason = "a test's output is shown when it fails"
)]
pub async fn on_both(story: impl AsyncFn(Engine)) {
    for engine in Engine::ALL {
        eprintln!("on {engine:?}");
        before_hanging("the story's end", Box::pin(story(engine))).await;
    }
}

/// Where the rows of a test are. They go with it.
#[derive(Debug)]
enum Place {
    Folder(TempDir),
    Server(Database),
}

/// A store on a database that nobody else uses.
#[derive(Debug)]
pub struct TestStore {
    /// The store.
    pub store: Store,
    place: Place,
}

impl TestStore {
    /// A new database, empty but for the schema.
    pub async fn open(engine: Engine) -> Self {
        let place = match engine {
            Engine::Sqlite => Place::Folder(tempfile::tempdir().expect("a temporary folder")),
            Engine::Postgres => Place::Server(Database::create().await),
        };
        let store = Store::open(&url_of(&place)).await.expect("it opens");
        Self { store, place }
    }

    /// The URL of the database.
    pub fn url(&self) -> String {
        url_of(&self.place)
    }

    /// Another store on the same database, as another node has one.
    pub async fn another(&self) -> Store {
        Store::open(&self.url()).await.expect("it opens again")
    }

    /// The number that `sql` selects, asked of the database itself.
    pub async fn number(&self, sql: &str) -> i64 {
        number(&self.url(), sql).await
    }

    /// Runs SQL past the store: what no method does, and what a test wants to know.
    pub async fn execute(&self, sql: &str) {
        execute(&self.url(), sql).await;
    }
}

/// Runs SQL in the database at this URL.
pub async fn execute(url: &str, sql: &str) {
    if let Some(path) = url.strip_prefix("sqlite:") {
        let connection = rusqlite::Connection::open(path).expect("it opens");
        connection.execute_batch(sql).expect("valid SQL");
    } else {
        let mut connection = PgConnection::connect(url).await.expect("it opens");
        let sql = AssertSqlSafe(sql.to_owned());
        connection.execute(sql).await.expect("valid SQL");
        connection.close().await.expect("it closes");
    }
}

/// The number that `sql` selects in the database at this URL.
pub async fn number(url: &str, sql: &str) -> i64 {
    if let Some(path) = url.strip_prefix("sqlite:") {
        let connection = rusqlite::Connection::open(path).expect("it opens");
        let number = connection.query_row(sql, [], |row| row.get(0));
        number.expect("a number")
    } else {
        let mut connection = PgConnection::connect(url).await.expect("it answers");
        let sql = AssertSqlSafe(sql.to_owned());
        let number = sqlx::query_scalar(sql).fetch_one(&mut connection).await;
        number.expect("a number")
    }
}

fn file_in(dir: &TempDir) -> PathBuf {
    dir.path().join("throwbar.db")
}

fn url_of(place: &Place) -> String {
    match place {
        Place::Folder(dir) => format!("sqlite:{}", file_in(dir).display()),
        Place::Server(database) => database.url(),
    }
}

/// What the store gave, where a test expects no error.
pub async fn ok<T>(answer: impl Future<Output = Result<T, Error>>) -> T {
    answer.await.expect("the store does it")
}

/// What the store found, where a test expects something.
pub async fn some<T>(answer: impl Future<Output = Result<Option<T>, Error>>) -> T {
    ok(answer).await.expect("it is there")
}
