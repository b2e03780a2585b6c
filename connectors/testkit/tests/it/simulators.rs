//! The simulated CRMs as a program.

use std::process::Stdio;
use std::time::Duration;

use leadrelay_shared::http::{Client, Method, Settings};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

#[tokio::test]
async fn each_crm_tells_its_records_until_a_signal_comes() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_leadrelay-simulators"))
        .env("SIMULATORS_LISTEN", "127.0.0.1:0")
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    let client = Client::new(Settings { timeout: Duration::from_secs(30), allow_private_addresses: true });
    let client = client.expect("a client");
    for name in ["Dynamics 365", "Salesforce", "HubSpot"] {
        let line = lines.next_line().await.expect("a line").expect("it says where it is");
        let url = line.strip_prefix(&format!("{name}: ")).unwrap_or_else(|| panic!("{name} in {line}"));
        let answer = client.request(Method::GET, url.parse().expect("a url")).send().await.expect("an answer");
        let told: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
        assert_eq!((answer.status, &told["records"]), (200, &serde_json::json!([])), "{name}");
    }
    let pid = child.id().expect("it runs").to_string();
    let signalled = std::process::Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs");
    assert!(signalled.success() && child.wait().await.expect("it ends").success());
    let last = lines.next_line().await.expect("a line");
    assert_eq!(last.as_deref(), Some("stopped after 3 requests"));
}
