//! A real PostgreSQL for tests: a cluster of its own, on a free port, with its own data, that ends with the process that started it.
//!
//! Debian's package gives the programs; nothing of the machine's own clusters is used or touched. It is kept as the broker is.
#![expect(clippy::expect_used, reason = "a test without its database cannot go on")]

use std::fmt;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::broker::free_port;
use crate::keeper::Keeper;

const PROGRAMS: &str = "/usr/lib/postgresql/15/bin";
/// Whom the server runs as: it refuses to be root's.
const OWNER: &str = "postgres";
/// The tests' own user, and its password.
const USER: &str = "leadrelay";
const PASSWORD: &str = "5tore-passw0rd";

/// How long a cluster may take to start: far more than it needs on a slow machine.
const START: Duration = Duration::from_secs(60);
const ASK_EVERY: Duration = Duration::from_millis(20);

/// A process that is killed loses nothing that was committed, and no test cuts the power.
const CONFIG: &str = "listen_addresses = '127.0.0.1'\nunix_socket_directories = ''\nfsync = off\nfull_page_writes = off\n\
     max_connections = 200\nshared_buffers = 32MB\nwal_level = minimal\nmax_wal_senders = 0\njit = off\n";
const WHO_MAY: &str = "host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n";

/// A PostgreSQL cluster of the tests' own.
pub struct Postgres {
    dir: TempDir,
    port: u16,
    databases: AtomicU32,
    running: Mutex<Option<Keeper>>,
}

/// A database, and what a configuration says of it.
#[derive(Clone, Debug)]
pub struct TestDatabase {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// The password of the user in the URL.
    pub password: &'static str,
}

/// One cluster for all tests of a binary, started when it is first asked for. Each test takes a database of its own.
pub fn shared() -> &'static Postgres {
    static SHARED: std::sync::OnceLock<Postgres> = std::sync::OnceLock::new();
    SHARED.get_or_init(Postgres::start)
}

impl Postgres {
    /// Makes a cluster, starts it, and waits until it takes connections.
    pub fn start() -> Self {
        Self::start_with("", &[])
    }

    /// The same, with these lines in its configuration and these files beside its data, such as certificates.
    ///
    /// # Panics
    /// When it cannot be made or started; its log is shown.
    pub fn start_with(lines: &str, files: &[(&str, &str)]) -> Self {
        assert!(Path::new(PROGRAMS).exists(), "{PROGRAMS} is missing: `make needs` installs it");
        let dir = tempfile::Builder::new().prefix("postgres-").tempdir().expect("a directory");
        let this = Self { dir, port: free_port(), databases: AtomicU32::new(0), running: Mutex::new(None) };
        this.own();
        let data = this.data();
        let made = ["-D", &data, "-U", OWNER, "-A", "trust", "-N", "-E", "UTF8", "--locale=C.UTF-8"];
        let initdb = format!("{PROGRAMS}/initdb");
        run(&mut as_owner(&[&[initdb.as_str()], &made[..]].concat()));
        let port = this.port;
        this.write("data/postgresql.conf", &format!("{CONFIG}port = {port}\n{lines}\n"));
        this.write("data/pg_hba.conf", WHO_MAY);
        for (name, text) in files {
            this.write(&format!("data/{name}"), text);
            run(&mut chmod(&this.dir.path().join("data").join(name)));
        }
        this.own();
        this.start_again();
        this.sql("postgres", &format!("CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}'"));
        this
    }

    /// Starts it on the data that it has, and waits until it takes connections.
    ///
    /// # Panics
    /// When it runs, or does not start.
    pub fn start_again(&self) {
        let mut running = self.running();
        assert!(running.is_none(), "it runs");
        // What a killed server leaves behind may name a process that is somebody else's by now.
        let _ = std::fs::remove_file(self.dir.path().join("data/postmaster.pid"));
        let (program, data, out) = (format!("{PROGRAMS}/postgres"), self.data(), self.dir.path().join("out.log"));
        let command: Vec<String> = as_owner_words(&[&program, "-D", &data]);
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        *running = Some(Keeper::run(&words, &[], Some(self.dir.path()), &out));
        let began = self.now();
        while !self.takes_connections() {
            if began.elapsed() > START {
                panic!("PostgreSQL does not start:\n{}", std::fs::read_to_string(&out).unwrap_or_default());
            }
            std::thread::sleep(ASK_EVERY);
        }
    }

    /// Ends it at once, with all its connections.
    ///
    /// # Panics
    /// When it does not end.
    pub fn stop(&self) {
        let mut running = self.running();
        let file = self.dir.path().join("data/postmaster.pid");
        let text = std::fs::read_to_string(file).unwrap_or_default();
        if let Some(pid) = text.lines().next().filter(|_| running.is_some()) {
            // Its processes are in groups of their own, and end only if it tells them to.
            run(Command::new("kill").args(["-QUIT", pid]));
            let (process, began) = (format!("/proc/{pid}/stat"), self.now());
            let runs = || std::fs::read_to_string(&process).is_ok_and(|stat| !stat.contains(") Z "));
            while runs() {
                assert!(began.elapsed() < START, "PostgreSQL does not end");
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        drop(running.take());
    }

    /// A new database that the tests' user owns.
    pub fn database(&self) -> TestDatabase {
        let name = format!("d{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name} OWNER {USER}"));
        let url = format!("postgres://{USER}@127.0.0.1:{}/{name}", self.port);
        TestDatabase { name, url, password: PASSWORD }
    }

    /// Where it takes connections, on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where its data is.
    pub fn directory(&self) -> &Path {
        self.dir.path()
    }

    /// Runs statements as the server's own user, and answers the rows: a line each, with a bar between columns.
    ///
    /// # Panics
    /// When they fail.
    pub fn sql(&self, database: &str, statements: &str) -> String {
        let done = self.psql(database, statements);
        let (out, told) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        assert!(done.status.success(), "{statements}: {told}");
        out.trim_end().to_owned()
    }

    fn psql(&self, database: &str, statements: &str) -> std::process::Output {
        let port = self.port.to_string();
        let who = ["-h", "127.0.0.1", "-p", &port, "-U", OWNER, "-d", database];
        let how = ["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-c", statements];
        Command::new(format!("{PROGRAMS}/psql")).args(who).args(how).output().expect("psql runs")
    }

    fn takes_connections(&self) -> bool {
        self.psql("postgres", "SELECT 1").status.success()
    }

    fn data(&self) -> String {
        self.dir.path().join("data").display().to_string()
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.dir.path().join(name), text).expect("written");
    }

    /// Gives the server's user all that is in the directory.
    fn own(&self) {
        if is_root() {
            run(Command::new("chown").args(["-R", &format!("{OWNER}:")]).arg(self.dir.path()));
        }
    }

    #[expect(clippy::disallowed_methods, reason = "how long a program takes is a matter of the machine")]
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn running(&self) -> MutexGuard<'_, Option<Keeper>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Before its directory.
        self.stop();
    }
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres").field("port", &self.port).finish_non_exhaustive()
    }
}

fn is_root() -> bool {
    std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").expect("this process")) == 0
}

/// The words of a command that runs as the server's user. In the place of its caller, and not as a child of it.
fn as_owner_words(words: &[&str]) -> Vec<String> {
    let owner = [format!("--reuid={OWNER}"), format!("--regid={OWNER}"), "--init-groups".to_owned()];
    let before = if is_root() { std::iter::once("setpriv".to_owned()).chain(owner).collect() } else { Vec::new() };
    before.into_iter().chain(words.iter().map(|word| (*word).to_owned())).collect()
}

fn as_owner(words: &[&str]) -> Command {
    let words = as_owner_words(words);
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]);
    command
}

/// Read by nobody else, as the server wants of a key.
fn chmod(file: &Path) -> Command {
    let mut command = Command::new("chmod");
    command.arg("600").arg(file);
    command
}

fn run(command: &mut Command) {
    let done = command.current_dir("/").output().expect("it runs");
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
}
