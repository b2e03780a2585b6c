//! What a ledger stands on: a file, or a database on PostgreSQL.

use std::path::{Path, PathBuf};

use leadrelay_ledger::store::Store;
use leadrelay_shared::config::{Database, Secret};
use leadrelay_testkit::postgres::{self, Postgres, TestDatabase};
use rusqlite::Connection;
use rusqlite::types::Value;
use tempfile::TempDir;

/// A store of its own, for one test.
pub(crate) trait Stand: Send + Sync + Sized + 'static {
    /// How many cases a property is tried with.
    const CASES: u32;

    /// A new one, which knows nothing.
    fn new() -> Self;

    /// Where the configuration would be; beside it is the data directory.
    fn dir(&self) -> &Path;

    /// What the configuration says of it in `[ledger]`.
    fn lines(&self) -> String;

    /// Opens the store.
    async fn store(&self) -> Store;

    /// What a query finds, each row as one text.
    fn rows(&self, sql: &str) -> Vec<String>;

    /// Changes rows as nobody should.
    fn change(&self, sql: &str);
}

fn directory() -> TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::create_dir(dir.path().join("data")).expect("the usual data directory");
    dir
}

/// A file in the data directory.
pub(crate) struct OnFile(TempDir);

impl OnFile {
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.dir().join("data")
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.data_dir().join("ledger.db")
    }

    pub(crate) fn connection(&self) -> Connection {
        Connection::open(self.file()).expect("the database")
    }
}

impl Stand for OnFile {
    const CASES: u32 = 100;

    fn new() -> Self {
        Self(directory())
    }

    fn dir(&self) -> &Path {
        self.0.path()
    }

    fn lines(&self) -> String {
        String::new()
    }

    async fn store(&self) -> Store {
        Store::open(&self.data_dir()).expect("a store")
    }

    fn rows(&self, sql: &str) -> Vec<String> {
        let db = self.connection();
        let mut statement = db.prepare(sql).expect("a statement");
        let columns = statement.column_count();
        let found = statement.query_map([], |row| (0..columns).map(|n| row.get(n)).collect()).expect("rows");
        let found = found.collect::<Result<Vec<Vec<Value>>, _>>().expect("rows");
        found.into_iter().map(|row| format!("{row:?}")).collect()
    }

    fn change(&self, sql: &str) {
        self.connection().execute_batch(sql).expect("changed");
    }
}

/// A database on a cluster: that of all tests, unless a test breaks its own.
pub(crate) struct OnPostgres {
    dir: TempDir,
    pub(crate) database: TestDatabase,
    cluster: &'static Postgres,
}

impl OnPostgres {
    pub(crate) fn on(cluster: &'static Postgres) -> Self {
        Self { dir: directory(), database: cluster.database(), cluster }
    }

    /// How it is reached.
    pub(crate) fn reached(&self) -> Database {
        let database = Database::parse(&self.database.url).expect("a database");
        Database { password: Some(Secret::plain(self.database.password)), ..database }
    }

    pub(crate) fn sql(&self, statements: &str) -> String {
        self.cluster.sql(&self.database.name, statements)
    }
}

impl Stand for OnPostgres {
    const CASES: u32 = 16;

    fn new() -> Self {
        Self::on(postgres::shared())
    }

    fn dir(&self) -> &Path {
        self.dir.path()
    }

    fn lines(&self) -> String {
        format!("url = \"{}\"\npassword = \"{}\"\n", self.database.url, self.database.password)
    }

    async fn store(&self) -> Store {
        Store::connect(self.reached()).await.expect("a store")
    }

    fn rows(&self, sql: &str) -> Vec<String> {
        self.sql(sql).lines().map(str::to_owned).collect()
    }

    fn change(&self, sql: &str) {
        self.sql(sql);
    }
}
