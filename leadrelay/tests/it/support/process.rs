//! `leadrelay up` as a process of its own: started, listened to, ended in every way.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use super::poster::Door;
use super::world::PATIENCE;

/// A running relay.
pub struct Process {
    child: Child,
    lines: watch::Receiver<Vec<String>>,
    /// Everything that it wrote, on either stream.
    pub output: Arc<Mutex<String>>,
}

impl Process {
    /// Starts `leadrelay up` on the configuration in `dir`, with these variables.
    pub fn start(dir: &Path, variables: &[(&str, &str)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_leadrelay"))
            .args(["up", "--config"])
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
        tokio::spawn(listen(child.stdout.take().expect("stdout"), output.clone(), Some(told)));
        tokio::spawn(listen(child.stderr.take().expect("stderr"), output.clone(), None));
        Self { child, lines, output }
    }

    /// Waits until it has said on standard output where this part listens: the address behind `word`.
    async fn address(&mut self, word: &str) -> SocketAddr {
        let find = |lines: &Vec<String>| lines.iter().find_map(|l| address_in(l, word));
        let found = tokio::time::timeout(PATIENCE, self.lines.wait_for(|lines| find(lines).is_some())).await;
        match found {
            Ok(Ok(lines)) => find(&lines).expect("it was just there"),
            _ => panic!("no line about {word}: {}", self.output.lock().expect("its output")),
        }
    }

    /// Waits for a line on standard output that begins so.
    pub async fn line(&mut self, beginning: &str) -> String {
        let find = |lines: &Vec<String>| lines.iter().map(|l| l.trim()).find(|l| l.starts_with(beginning)).map(str::to_owned);
        let found = tokio::time::timeout(PATIENCE, self.lines.wait_for(|lines| find(lines).is_some())).await;
        match found {
            Ok(Ok(lines)) => find(&lines).expect("it was just there"),
            _ => panic!("no line that begins with {beginning:?}: {}", self.output.lock().expect("its output")),
        }
    }

    /// Where it takes leads for source `addon`.
    pub async fn door(&mut self) -> Door {
        let address = self.address("leads").await;
        Door { address, path: format!("/v1/leads/addon/{}", super::world::TOKEN) }
    }

    /// Where its admin API is.
    pub async fn admin(&mut self) -> SocketAddr {
        self.address("admin").await
    }

    /// Sends a signal.
    pub fn signal(&self, signal: libc::c_int) {
        let pid = i32::try_from(self.child.id().expect("it runs")).expect("a process id");
        // Sound: `kill` takes two numbers, and the process is a child of ours that has not been waited for.
        #[expect(unsafe_code, reason = "the standard library sends no signal but SIGKILL")]
        let sent = unsafe { libc::kill(pid, signal) };
        assert_eq!(sent, 0, "the signal is sent");
    }

    /// Waits until it ends.
    pub async fn ended(&mut self) -> ExitStatus {
        tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("it ends").expect("and can be waited for")
    }
}

/// The address in a line such as `leads   http://127.0.0.1:4711`.
fn address_in(line: &str, word: &str) -> Option<SocketAddr> {
    let rest = line.strip_prefix(word)?;
    let at = rest.find("://")? + 3;
    rest[at..].split(['/', ' ']).next()?.parse().ok()
}

async fn listen(stream: impl AsyncRead + Unpin, output: Arc<Mutex<String>>, told: Option<Arc<watch::Sender<Vec<String>>>>) {
    let mut lines = BufReader::new(stream).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        {
            let mut output = output.lock().expect("the output");
            output.push_str(&line);
            output.push('\n');
        }
        if let Some(told) = &told {
            told.send_modify(|lines| lines.push(line));
        }
    }
}
