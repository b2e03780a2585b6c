//! `leadrelay up`, and the commands that speak to it.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use super::support::{Home, Ran, TOKEN};

/// A relay in a process of its own, on ports of the system's choosing.
pub(super) struct Up {
    child: Child,
    out: BufReader<ChildStdout>,
    log: Receiver<String>,
    lines: Vec<String>,
}

impl Up {
    pub(super) fn start(home: &Home) -> Self {
        let mut command = home.command(&["up"]);
        command.env("LEADRELAY_INGEST__LISTEN", "127.0.0.1:0").env("LEADRELAY_ADMIN__LISTEN", "127.0.0.1:0");
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        let log = log_of(child.stderr.take().expect("piped"));
        let out = BufReader::new(child.stdout.take().expect("piped"));
        let mut up = Self { child, out, log, lines: Vec::new() };
        while !up.lines.last().is_some_and(|l| l.starts_with("what became of a lead")) {
            let mut line = String::new();
            assert!(up.out.read_line(&mut line).expect("read") > 0, "it ended; it said {:?}", up.lines);
            up.lines.push(line.trim_end().to_owned());
        }
        up
    }

    pub(super) fn after(&self, words: &str) -> &str {
        let found = self.lines.iter().find_map(|line| line.strip_prefix(words));
        found.unwrap_or_else(|| panic!("no line begins with {words:?} in {:#?}", self.lines))
    }

    /// Runs a command that speaks to this relay.
    pub(super) fn ask(&self, home: &Home, args: &[&str]) -> Ran {
        let address = self.after("listening for operators at ");
        let mut all = args.to_vec();
        all.extend(["--address", address]);
        home.run(&all)
    }

    #[expect(unsafe_code, reason = "a signal has no other way")]
    pub(super) fn signal(&self, signal: i32) {
        let id = i32::try_from(self.child.id()).expect("a process id");
        // Safety: plain system call on our own child, which is not yet waited for.
        assert_eq!(unsafe { libc::kill(id, signal) }, 0);
    }

    /// Waits until the log has said `words`: signals that come too close together are one.
    fn logs(&self, words: &str) {
        while !self.log.recv().expect("it still runs").contains(words) {}
    }

    pub(super) fn ends_with(mut self) -> Option<i32> {
        self.child.wait().expect("it ends").code()
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        // It has ended in every test that passes.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines of a log as they come. They are read whether or not anybody asks, so that the writer never waits.
fn log_of(log: ChildStderr) -> Receiver<String> {
    let (lines, read) = channel();
    std::thread::spawn(move || {
        // Ends with the process, or when the test has ended before it.
        BufReader::new(log).lines().map_while(Result::ok).try_for_each(|line| lines.send(line)).ok();
    });
    read
}

/// Runs the printed command as a person would paste it.
fn paste(line: &str) -> serde_json::Value {
    let ran = Command::new("sh").arg("-c").arg(line).output().expect("a shell");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    serde_json::from_slice(&ran.stdout).expect("a JSON answer")
}

#[test]
fn the_first_start_writes_a_configuration_and_its_curl_line_makes_a_lead_arrive() {
    let home = Home::empty();
    let up = Up::start(&home);
    assert!(up.after("ready: ").contains("written just now"));
    let token = home.read("data/sources/marketplace.token");
    assert!(up.after("paste into Partner Center: ").ends_with(&format!("/v1/leads/marketplace/{}", token.trim())));
    let answer = paste(up.after("try it: "));
    assert_eq!(answer["status"], "accepted");
    let id = answer["id"].as_str().expect("an id").to_owned();
    // Follows a lead of its own to its end; the first one is not later than that.
    let sent = home
        .command(&["send", "--address", up.after("listening for operators at ")])
        .args(["--to", up.after("listening for leads at ")])
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&sent.stdout).into_owned();
    assert!(sent.status.success(), "{said}{}", String::from_utf8_lossy(&sent.stderr));
    for step in ["accepted", "routed", "delivered"] {
        assert!(said.contains(step), "{step} in {said}");
    }
    let shown = up.ask(&home, &["leads", "show", &id[..8]]);
    for step in ["accepted", "routed", "delivered", "robin@example.com"] {
        assert!(shown.out.contains(step), "{step} in {}", shown.told());
    }
    assert_eq!(up.ask(&home, &["leads", "list"]).out.lines().count(), 3, "a heading and two leads");
    let inbox = std::fs::read_dir(home.path("data/inbox")).expect("the folder that was named");
    assert_eq!(inbox.filter_map(Result::ok).filter(|f| !f.file_name().to_string_lossy().starts_with('.')).count(), 2);
    up.signal(libc::SIGTERM);
    assert_eq!(up.ends_with(), Some(0));
}

#[test]
fn a_later_start_shows_no_secret() {
    let home = Home::empty();
    let first = Up::start(&home);
    first.signal(libc::SIGINT);
    assert_eq!(first.ends_with(), Some(0));
    let config = home.read("leadrelay.toml");
    let second = Up::start(&home);
    let token = home.read("data/sources/marketplace.token");
    assert!(!second.lines.join("\n").contains(token.trim()));
    assert!(second.after("URL of source marketplace: ").ends_with("source url marketplace"));
    assert_eq!(home.read("leadrelay.toml"), config);
    second.signal(libc::SIGTERM);
    assert_eq!(second.ends_with(), Some(0));
}

#[test]
fn a_second_relay_on_the_same_directory_says_why_it_cannot_start() {
    let home = Home::empty();
    let first = Up::start(&home);
    let mut second = home.command(&["up"]);
    second.env("LEADRELAY_INGEST__LISTEN", "127.0.0.1:0").env("LEADRELAY_ADMIN__LISTEN", "127.0.0.1:0");
    let second = second.output().expect("it runs");
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(said.contains("error: ") && said.contains("queue"), "{said}");
    first.signal(libc::SIGTERM);
    assert_eq!(first.ends_with(), Some(0));
}

#[test]
fn quarantined_leads_are_repaired_and_a_destination_is_paused_and_resumed() {
    let home = Home::empty();
    let up = Up::start(&home);
    assert_eq!(up.ask(&home, &["destinations", "pause", "inbox", "--reason", "holiday"]).code, 0);
    assert!(up.ask(&home, &["destinations"]).out.contains("paused by hand: holiday"));
    assert_eq!(up.ask(&home, &["destinations", "resume", "inbox"]).code, 0);
    home.write("broken.json", r#"{"OfferTitle": "Contoso Test" "Description": "no comma"}"#);
    let to = up.after("listening for leads at ").to_owned();
    let sent = up.ask(&home, &["send", "broken.json", "--to", &to]);
    assert_eq!(sent.code, 1, "{}", sent.told());
    assert!(sent.out.contains("quarantined"), "{}", sent.told());
    let parked = up.ask(&home, &["parked", "list", "--json"]);
    let page: serde_json::Value = serde_json::from_str(&parked.out).expect("JSON");
    let id = page["items"][0]["id"].as_str().expect("one is parked").to_owned();
    let still = up.ask(&home, &["parked", "repair", &id, "broken.json"]);
    assert_eq!(still.code, 1, "{}", still.told());
    home.write("good.json", r#"{"OfferTitle": "Contoso Test", "Description": "a comma"}"#);
    assert_eq!(up.ask(&home, &["parked", "repair", &id[..8], "good.json", "--dry-run"]).code, 0);
    assert_eq!(up.ask(&home, &["parked", "repair", &id[..8], "good.json"]).code, 0);
    let none = up.ask(&home, &["replay", "--all", "--yes"]);
    assert_eq!(none.code, 0, "{}", none.told());
    up.signal(libc::SIGTERM);
    assert_eq!(up.ends_with(), Some(0));
}

#[test]
fn a_second_signal_stops_at_once_and_loses_nothing() {
    // Takes connections and never answers: an attempt that drains for as long as its timeout.
    let hanging = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/leads", hanging.local_addr().expect("an address"));
    let home = Home::with(&format!(
        "[sources.addon]\ntokens = ['{TOKEN}']\n[destinations.hook]\nconnector = 'webhook'\nurl = '{url}'\ntimeout = '120s'\n\
         secret = 'whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE='\nallow_private_addresses = true\n\
         [[routes]]\nname = 'all'\nto = 'hook'\n"
    ));
    let up = Up::start(&home);
    let to = up.after("listening for leads at ").to_owned();
    let posted = up.ask(&home, &["send", "--to", &to, "--timeout", "1ms"]);
    assert_eq!(posted.code, 1, "it cannot be delivered: {}", posted.told());
    let under_way = hanging.accept().expect("an attempt begins");
    up.signal(libc::SIGTERM);
    up.logs("stopping");
    up.signal(libc::SIGTERM);
    assert_eq!(up.ends_with(), Some(143));
    drop(under_way);
    let again = Up::start(&home);
    hanging.accept().expect("the lead is tried again");
    again.signal(libc::SIGINT);
    again.logs("stopping");
    again.signal(libc::SIGINT);
    assert_eq!(again.ends_with(), Some(130));
}
