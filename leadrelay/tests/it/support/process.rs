//! `leadrelay up`, or a service, as a process of its own: started, listened to, ended in every way.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use super::poster::Door;
use super::world::{self, PATIENCE};

/// A running relay.
pub(crate) struct Process {
    child: Child,
    lines: watch::Receiver<Vec<String>>,
    /// Everything that it wrote, on either stream.
    pub(crate) output: Arc<Mutex<String>>,
}

impl Process {
    /// Starts `leadrelay up` on the configuration in `dir`, with these variables.
    pub(crate) fn start(dir: &Path, variables: &[(&str, &str)]) -> Self {
        Self::run(Path::new(env!("CARGO_BIN_EXE_leadrelay")), &["up"], dir, variables)
    }

    /// Starts a program on the configuration in `dir`.
    pub(crate) fn run(program: &Path, arguments: &[&str], dir: &Path, variables: &[(&str, &str)]) -> Self {
        let mut child = Command::new(program)
            .args(arguments)
            .arg("--config")
            .arg(dir.join("leadrelay.toml"))
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("it starts");
        let output = Arc::new(Mutex::new(String::new()));
        let (told, lines) = watch::channel(Vec::new());
        let told = Arc::new(told);
        tokio::spawn(listen(child.stdout.take().expect("stdout"), output.clone(), told.clone()));
        tokio::spawn(listen(child.stderr.take().expect("stderr"), output.clone(), told));
        Self { child, lines, output }
    }

    /// Waits for the first line, on either stream, of which `find` makes something.
    async fn find<T>(&mut self, what: &str, find: impl Fn(&str) -> Option<T>) -> T {
        let first = |lines: &Vec<String>| lines.iter().find_map(|line| find(line));
        let found = tokio::time::timeout(PATIENCE, self.lines.wait_for(|lines| first(lines).is_some())).await;
        match found {
            Ok(Ok(lines)) => first(&lines).expect("it was just there"),
            _ => panic!("it never said {what:?}: {}", self.output.lock().expect("its output")),
        }
    }

    /// Waits until it has said this so many times.
    pub(crate) async fn said_times(&mut self, text: &str, times: usize) {
        let enough = |lines: &Vec<String>| lines.iter().filter(|line| line.contains(text)).count() >= times;
        let heard = tokio::time::timeout(PATIENCE, self.lines.wait_for(enough)).await.is_ok_and(|told| told.is_ok());
        assert!(heard, "it did not say {text:?} {times} times: {}", self.output.lock().expect("its output"));
    }

    /// Waits until it has said this.
    pub(crate) async fn said(&mut self, text: &str) {
        self.find(text, |line| line.contains(text).then_some(())).await;
    }

    /// Waits for what follows this at the beginning of a line.
    pub(crate) async fn line(&mut self, beginning: &str) -> String {
        self.find(beginning, |line| line.strip_prefix(beginning).map(|rest| rest.trim().to_owned())).await
    }

    /// Waits until it has said where this door is.
    async fn address(&mut self, beginning: &str) -> SocketAddr {
        let url = self.line(beginning).await;
        let (_, address) = url.split_once("://").expect("a URL");
        address.parse().expect("an address")
    }

    /// Where it takes leads for source `addon`.
    pub(crate) async fn door(&mut self) -> Door {
        let address = self.address("listening for leads at").await;
        Door { address, path: format!("/v1/leads/addon/{}", super::world::TOKEN) }
    }

    /// Where its admin API is.
    pub(crate) async fn admin(&mut self) -> SocketAddr {
        self.address("listening for operators at").await
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: libc::c_int) {
        let pid = i32::try_from(self.child.id().expect("it runs")).expect("a process id");
        // Sound: `kill` takes two numbers, and the process is a child of ours that has not been waited for.
        #[expect(unsafe_code, reason = "the standard library sends no signal but SIGKILL")]
        let sent = unsafe { libc::kill(pid, signal) };
        assert_eq!(sent, 0, "the signal is sent");
    }

    /// Waits until every queue is empty, stops it as a user would, and fails when anything is left.
    pub(crate) async fn finish(mut self, dir: &Path) {
        let url = format!("http://{}/api/v1/stats", self.admin().await);
        let http = world::client();
        world::eventually("every queue is empty", async || {
            let (status, stats) = world::send(http.get(&url).bearer_auth(world::ADMIN)).await;
            let queue = stats["queue"].as_object().map(|q| q.values().all(|n| n == 0));
            status == 200 && queue == Some(true)
        })
        .await;
        self.signal(libc::SIGTERM);
        let status = self.ended().await;
        assert!(status.success(), "it drains and exits 0: {status}");
        world::assert_drained(dir).await;
    }

    /// Waits until it ends.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("it ends").expect("and can be waited for")
    }
}

async fn listen(stream: impl AsyncRead + Unpin, output: Arc<Mutex<String>>, told: Arc<watch::Sender<Vec<String>>>) {
    let mut lines = BufReader::new(stream).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        {
            let mut output = output.lock().expect("the output");
            output.push_str(&line);
            output.push('\n');
        }
        told.send_modify(|lines| lines.push(line));
    }
}
