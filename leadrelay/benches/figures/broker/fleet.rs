//! Services as processes of their own, from the same build as this bench.

use std::path::PathBuf;
use std::process::Stdio;

use leadrelay_testkit::broker::Broker;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use super::receiver::Receiver;
use crate::poster::Door;
use crate::{child, flow};

/// Services on one virtual host and one configuration.
pub(super) struct Fleet<'b> {
    broker: &'b Broker,
    vhost: String,
    dir: TempDir,
    running: Vec<Child>,
    door: Option<Door>,
}

impl<'b> Fleet<'b> {
    pub(super) async fn new(broker: &'b Broker, receiver: &Receiver, calls: usize) -> Self {
        let vhost = broker.vhost().await;
        let dir = tempfile::tempdir().expect("a directory");
        let config = flow::config(&receiver.url(), calls);
        let queue = format!("[queue]\nurl = \"{}\"\n", broker.url(&vhost));
        std::fs::write(dir.path().join("leadrelay.toml"), format!("{config}\n{queue}")).expect("written");
        Self { broker, vhost, dir, running: Vec::new(), door: None }
    }

    /// Starts a service and waits until it is ready.
    pub(super) async fn start(&mut self, program: &str) {
        let mut service = Command::new(directory().join(program))
            .arg("--config")
            .arg(self.dir.path().join("leadrelay.toml"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|e| panic!("{program} does not start: {e}; `make bench` builds it"));
        let mut lines = BufReader::new(service.stdout.take().expect("its output")).lines();
        let (mut ready, mut operators) = (false, false);
        while !(ready && operators) {
            let line = lines.next_line().await.expect("its output").expect("it says that it is ready");
            ready |= line.starts_with("ready:");
            operators |= line.starts_with("listening for operators");
            if let Some(url) = line.strip_prefix("listening for leads at http://") {
                let path = format!("/v1/leads/bench/{}", child::TOKEN);
                self.door = Some(Door { address: url.trim().parse().expect("an address"), path });
            }
        }
        self.running.push(service);
    }

    pub(super) fn door(&self) -> Door {
        self.door.clone().expect("ingest runs")
    }

    /// Resident memory of the largest, in MiB.
    pub(super) fn resident_mib(&self) -> f64 {
        self.running
            .iter()
            .map(|service| crate::process::resident_mib(service.id().expect("it runs")))
            .fold(0.0, f64::max)
    }

    /// Ends all of them; what is left on the virtual host goes with it.
    pub(super) async fn stop(mut self) {
        for service in &mut self.running {
            service.kill().await.expect("it ends");
        }
        self.broker.api("DELETE", &format!("/api/vhosts/{}", self.vhost), None).await;
    }
}

/// Where the programs of this build are.
fn directory() -> PathBuf {
    let ourselves = std::env::current_exe().expect("we are a program");
    ourselves.parent().and_then(std::path::Path::parent).expect("target/<profile>/deps/..").to_owned()
}
