//! What the documents say is run: the sample configurations are checked, the commands of the README are typed.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::process::Process;
use crate::support::world;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

/// The fenced blocks of a language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    text.split(&fence).skip(1).filter_map(|rest| Some(rest.split_once("```")?.0.to_owned())).collect()
}

fn leadrelay(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_leadrelay"))
        .args(args)
        .current_dir(dir)
        .env("CONTOSO_ADDON_TOKEN", "sample-token-0123456789")
        .env("WEBSITE_TOKEN", "sample-token-9876543210")
        .env("PARTNER_WEBHOOK_SECRET", world::SECRET)
        .output()
        .expect("it runs")
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn the_sample_configurations_have_no_mistake() {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("a README");
    let sample = std::fs::read_to_string(root().join("deploy/leadrelay.toml")).expect("a sample");
    let samples: Vec<String> = blocks(&readme, "toml").into_iter().chain([sample]).collect();
    assert!(samples.len() >= 2);
    for sample in samples {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join("leadrelay.toml"), &sample).expect("written");
        let output = leadrelay(dir.path(), &["check"]);
        assert!(output.status.success(), "{}\n{sample}", text(&output));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_steps_of_the_readme_work_as_written() {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("a README");
    for command in ["cargo run -- up", "make test", "cargo run -- leads list", "cargo run -- leads show <id>"] {
        assert!(readme.contains(command), "the README shows `{command}`");
    }
    let dir = tempfile::tempdir().expect("a directory");
    let ports = [("LEADRELAY_INGEST__LISTEN", "127.0.0.1:0"), ("LEADRELAY_ADMIN__LISTEN", "127.0.0.1:0")];
    let mut relay = Process::start(dir.path(), &ports);
    let admin = relay.admin().await.to_string();
    let curl = relay.line("try it:").await;
    let posted = Command::new("sh").args(["-c", &curl]).output().expect("a shell");
    let answer: serde_json::Value =
        serde_json::from_slice(&posted.stdout).unwrap_or_else(|e| panic!("{e}: {}", text(&posted)));
    assert_eq!(answer["status"], "accepted");
    let id = answer["id"].as_str().expect("an id").to_owned();

    let address = format!("http://{admin}");
    let ask = |args: &[&str]| leadrelay(dir.path(), &[args, &["--address", &address]].concat());
    let mut shown = String::new();
    world::eventually("the story ends with delivered", async || {
        shown = text(&ask(&["leads", "show", &id]));
        shown.contains("delivered")
    })
    .await;
    for word in ["accepted", "routed", "delivered"] {
        assert!(shown.contains(word), "{word} is in the story:\n{shown}");
    }
    assert!(text(&ask(&["leads", "list"])).contains(&id[..8]));
    let files: Vec<_> = std::fs::read_dir(dir.path().join("data/inbox")).expect("an inbox").flatten().collect();
    assert_eq!(files.iter().filter(|f| f.path().extension().is_some_and(|e| e == "json")).count(), 1);
    relay.signal(libc::SIGINT);
    assert!(relay.ended().await.success(), "Ctrl-C drains and exits 0");
}
