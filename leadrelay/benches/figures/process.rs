//! A server as a process of its own: started, asked for its addresses and its memory, ended.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::poster::Door;
use crate::stopwatch;

/// A running server.
pub(crate) struct Server {
    child: Child,
    /// Where it takes leads.
    pub(crate) door: Door,
    /// From being started until it said that it is ready, in seconds.
    pub(crate) started_in: f64,
}

impl Server {
    /// Starts this program as a `child` of a kind, on a directory.
    pub(crate) async fn start(kind: &str, dir: &Path) -> Self {
        let began: Instant = stopwatch::start();
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .arg("child")
            .arg(kind)
            .arg(dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("a child starts");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let line = lines.next_line().await.expect("its output can be read").expect("it says where it listens");
        let started_in = began.elapsed().as_secs_f64();
        let address: SocketAddr = line.parse().expect("an address");
        let path = format!("/v1/leads/bench/{}", crate::child::TOKEN);
        Self { child, door: Door { address, path }, started_in }
    }

    /// Its resident memory now, in MiB.
    pub(crate) fn resident_mib(&self) -> f64 {
        resident_mib(self.child.id().expect("it runs"))
    }

    /// Ends it as a user would, and waits.
    pub(crate) async fn stop(mut self) {
        drop(self.child.stdin.take());
        self.child.wait().await.expect("it ends");
    }
}

/// The resident memory of a process now, in MiB.
pub(crate) fn resident_mib(id: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("its status");
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).expect("its memory");
    let kib: f64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kib / 1024.0
}
