//! One node: started, killed, stopped, started again.
//!
//! Invariant: a node that does not run leaves its data and its ports to the next start.

use std::fmt;
use std::fs::Permissions;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::keeper::Keeper;

/// How long a node may take to start: far more than it needs on a slow machine.
const START: Duration = Duration::from_secs(120);
/// How often a node that starts is asked.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// Two schedulers of its own: the tests and others share the machine. And what a step was handing over when the queue it goes to
/// lost its leader is handed over again after ten seconds, and not after three minutes.
const ARGUMENTS: &str =
    "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none -rabbit dead_letter_worker_publisher_confirm_timeout 10000";

const SERVER: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";

/// A RabbitMQ node of the tests' own.
pub struct Broker {
    pub(super) dir: TempDir,
    pub(super) ports: Ports,
    pub(super) vhosts: AtomicU32,
    /// The feature flags that are on when it first starts; all that it knows where this is not told.
    features: Option<&'static str>,
    running: Mutex<Option<Keeper>>,
    /// Where the names of nodes are known; it stays when the node ends, as a machine's does.
    _names: Arc<Names>,
}

/// How often it is asked whether the port mapper listens, and at most how many times.
const NAMES_EVERY: Duration = Duration::from_millis(10);
const NAMES_ASKED: u32 = 1_000;

/// The names of the nodes on one machine: Erlang's port mapper, on a port of its own.
pub(super) struct Names {
    port: u16,
    _daemon: Keeper,
}

impl Names {
    pub(super) fn start() -> Arc<Self> {
        let [port] = free_ports();
        let program = ["epmd", "-port", &port.to_string(), "-address", "127.0.0.1"];
        let daemon = Keeper::run(&program, &[], None, Path::new("/dev/null"));
        // A node that came first would start one by itself, which nobody ends.
        let is_there = (0..NAMES_ASKED).any(|_| {
            std::thread::sleep(NAMES_EVERY);
            std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        assert!(is_there, "epmd does not listen");
        Arc::new(Self { port, _daemon: daemon })
    }
}

/// Where a node listens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ports {
    pub(super) amqp: u16,
    pub(super) management: u16,
    pub(super) distribution: u16,
    pub(super) names: u16,
}

impl Broker {
    /// Starts a node and waits until it takes connections.
    pub async fn start() -> Self {
        Self::start_with("").await
    }

    /// The same, with these lines in its configuration.
    ///
    /// # Panics
    /// When it cannot be started; its log is shown.
    pub async fn start_with(lines: &str) -> Self {
        let broker = Self::named_in(Names::start(), lines);
        broker.start_again().await;
        broker
    }

    /// The same as [`start`](Self::start), with these feature flags on (names and commas) and no others.
    pub async fn start_with_features(features: &'static str) -> Self {
        let mut broker = Self::named_in(Names::start(), "");
        broker.features = Some(features);
        broker.start_again().await;
        broker
    }

    /// A node that is not started yet, known under its name there.
    pub(super) fn named_in(names: Arc<Names>, lines: &str) -> Self {
        assert!(Path::new(SERVER).exists(), "{SERVER} is missing: `make needs` installs it");
        let dir = tempfile::Builder::new().prefix("rabbitmq-").tempdir().expect("a directory");
        let [amqp, management, distribution] = free_ports();
        let ports = Ports { amqp, management, distribution, names: names.port };
        let config = format!(
            "listeners.tcp.default = 127.0.0.1:{amqp}\nmanagement.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {management}\n\
             loopback_users = none\nraft.wal_max_size_bytes = 64000000\ncollect_statistics_interval = 1000\n\
             disk_free_limit.absolute = 1MB\n{lines}\n"
        );
        std::fs::write(dir.path().join("rabbit.conf"), config).expect("written");
        std::fs::write(dir.path().join("plugins"), "[rabbitmq_management].").expect("written");
        Self { dir, ports, vhosts: AtomicU32::new(0), features: None, running: Mutex::new(None), _names: names }
    }

    /// Where it takes AMQP connections, on loopback.
    pub fn port(&self) -> u16 {
        self.ports.amqp
    }

    /// Starts it again on the data that it has, and waits until it takes connections.
    ///
    /// # Panics
    /// When it runs, or does not start.
    pub async fn start_again(&self) {
        {
            let mut running = self.running();
            assert!(running.is_none(), "it runs");
            *running = Some(self.run());
        }
        let started = tokio::time::timeout(START, async {
            while !self.is_there().await {
                tokio::time::sleep(ASK_EVERY).await;
            }
        });
        if started.await.is_err() {
            self.kill();
            let log = std::fs::read_to_string(self.dir.path().join("out.log")).unwrap_or_default();
            panic!("RabbitMQ does not start:\n{log}");
        }
    }

    /// Ends it as a power cut would.
    pub fn kill(&self) {
        drop(self.running().take());
    }

    /// Stops it as an operator would.
    pub fn stop(&self) {
        self.ctl(&["stop"]);
        self.kill();
    }

    /// What the programs of this node are told through their environment.
    pub(super) fn environment(&self) -> Vec<(&'static str, String)> {
        let at = |name: &str| self.dir.path().join(name).display().to_string();
        let features = self.features.map(|features| ("RABBITMQ_FEATURE_FLAGS", features.to_owned()));
        let always = [
            ("HOME", self.dir.path().display().to_string()),
            ("RABBITMQ_NODENAME", self.name()),
            ("RABBITMQ_DIST_PORT", self.ports.distribution.to_string()),
            ("ERL_EPMD_PORT", self.ports.names.to_string()),
            ("RABBITMQ_MNESIA_BASE", at("data")),
            ("RABBITMQ_LOG_BASE", at("log")),
            ("RABBITMQ_CONFIG_FILE", at("rabbit.conf")),
            ("RABBITMQ_ENABLED_PLUGINS_FILE", at("plugins")),
            ("RABBITMQ_PID_FILE", at("pid")),
            ("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", ARGUMENTS.to_owned()),
        ];
        always.into_iter().chain(features).collect()
    }

    /// Its name among nodes: its distribution port makes it its own.
    pub(super) fn name(&self) -> String {
        format!("test{}@localhost", self.ports.distribution)
    }

    fn run(&self) -> Keeper {
        Keeper::run(&[SERVER], &self.environment(), Some(self.dir.path()), &self.dir.path().join("out.log"))
    }

    /// Gives it the secret that nodes show each other; without one it makes its own.
    pub(super) fn knows(&self, cookie: &str) {
        let file = self.dir.path().join(".erlang.cookie");
        std::fs::write(&file, cookie).expect("written");
        std::fs::set_permissions(&file, Permissions::from_mode(0o400)).expect("read by us alone");
    }

    /// Whether it was started and not ended since.
    pub fn runs(&self) -> bool {
        self.running().is_some()
    }

    /// Where its data is.
    pub fn directory(&self) -> &Path {
        self.dir.path()
    }

    /// Whether it answers the first bytes of AMQP.
    async fn is_there(&self) -> bool {
        let hello = async {
            let mut stream = TcpStream::connect(("127.0.0.1", self.ports.amqp)).await?;
            stream.write_all(b"AMQP\x00\x00\x09\x01").await?;
            let mut first = [0; 1];
            stream.read_exact(&mut first).await?;
            std::io::Result::Ok(first == [1])
        };
        matches!(tokio::time::timeout(Duration::from_secs(5), hello).await, Ok(Ok(true)))
    }

    fn running(&self) -> std::sync::MutexGuard<'_, Option<Keeper>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // Before its directory.
        self.kill();
    }
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker").field("ports", &self.ports).finish_non_exhaustive()
    }
}

/// A port that nobody listens on now.
pub fn free_port() -> u16 {
    free_ports::<1>()[0]
}

/// Ports that nobody listens on now: all are held until the last is found.
fn free_ports<const N: usize>() -> [u16; N] {
    let held: [TcpListener; N] = std::array::from_fn(|_| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    held.each_ref().map(|listener| listener.local_addr().expect("an address").port())
}
