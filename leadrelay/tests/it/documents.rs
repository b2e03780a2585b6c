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
    command(dir, args).output().expect("it runs")
}

fn command(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_leadrelay"));
    command
        .args(args)
        .current_dir(dir)
        .env("CONTOSO_ADDON_TOKEN", "sample-token-0123456789")
        .env("WEBSITE_TOKEN", "sample-token-9876543210")
        .env("PARTNER_WEBHOOK_SECRET", world::SECRET)
        .env("DYNAMICS_CLIENT_SECRET", "sample-secret")
        .env("SALESFORCE_CLIENT_SECRET", "sample-secret")
        .env("HUBSPOT_TOKEN", "sample-token")
        .env("SMTP_PASSWORD", "sample-password")
        .env("ALERTS_WEBHOOK_SECRET", world::SECRET)
        .env("RABBITMQ_PASSWORD", "sample-password")
        .env("LEDGER_PASSWORD", "sample-password");
    command
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn the_sample_configurations_have_no_mistake() {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("a README");
    let sample = std::fs::read_to_string(root().join("deploy/leadrelay.toml")).expect("a sample");
    let alerts = std::fs::read_to_string(root().join("docs/alerts.md")).expect("how alerts are set");
    let console = std::fs::read_to_string(root().join("docs/console.md")).expect("how the console is reached");
    let shown = blocks(&readme, "toml").into_iter().chain(blocks(&alerts, "toml")).chain(blocks(&console, "toml"));
    let samples: Vec<String> = shown.chain([sample]).collect();
    assert!(samples.len() >= 4);
    for sample in samples {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join("leadrelay.toml"), &sample).expect("written");
        let output = leadrelay(dir.path(), &["check"]);
        assert!(output.status.success(), "{}\n{sample}", text(&output));
    }
}

#[test]
fn the_configuration_of_compose_has_no_mistake_once_its_secrets_are_made() {
    let sample = std::fs::read_to_string(root().join("deploy/compose.toml")).expect("a sample");
    let dir = tempfile::tempdir().expect("a directory");
    let here = sample.replace("/run/secrets", &dir.path().join("secrets").display().to_string());
    std::fs::write(dir.path().join("leadrelay.toml"), here).expect("written");
    for args in [&["secrets"][..], &["check"]] {
        let output = leadrelay(dir.path(), args);
        assert!(output.status.success(), "{args:?}: {}", text(&output));
    }
    let url = text(&leadrelay(dir.path(), &["source", "url", "marketplace"]));
    assert!(url.contains("/v1/leads/marketplace/") && url.contains(":8080"), "{url}");
}

/// A configuration with what it shows in comments: every comment that is TOML.
fn uncommented(text: &str) -> String {
    let shown = |line: &str| {
        let rest = line.strip_prefix("# ")?;
        (toml::from_str::<toml::Table>(rest).is_ok_and(|t| !t.is_empty())).then(|| rest.to_owned())
    };
    text.lines().map(|line| shown(line).unwrap_or_else(|| line.to_owned()) + "\n").collect()
}

/// The presets that `init` writes, that of `up` first, and the sample; each with what it shows in comments.
fn whole_samples() -> Vec<String> {
    let read = |file: &str| std::fs::read_to_string(root().join(file)).expect(file);
    let head = read("leadrelay/src/presets/head.toml");
    let presets = ["start", "dynamics", "hubspot", "salesforce", "webhook"];
    let presets = presets.map(|name| format!("{head}{}", read(&format!("leadrelay/src/presets/{name}.toml"))));
    presets.into_iter().chain([read("deploy/leadrelay.toml")]).map(|text| uncommented(&text)).collect()
}

#[test]
fn what_the_samples_show_in_comments_has_no_mistake_either() {
    let dir = tempfile::tempdir().expect("a directory");
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
        std::fs::write(path, text).expect("written");
    };
    let pair = rcgen::generate_simple_self_signed(["leads.example.com".to_owned()]).expect("a certificate");
    write("tls/cert.pem", &pair.cert.pem());
    write("tls/key.pem", &pair.signing_key.serialize_pem());
    write("schemas/lead.schema.json", "{}");
    write("data/sources/marketplace.token", "sample-token-0123456789");
    write("keys/payload.key", "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n");
    for sample in whole_samples() {
        let table: toml::Table = toml::from_str(&sample).unwrap_or_else(|e| panic!("{e}\n{sample}"));
        assert!(table["ingest"].get("tls").is_some() && table["admin"].get("token").is_some(), "{sample}");
        assert!(table["destinations"].as_table().is_some_and(|d| d.len() == 2), "{sample}");
        assert!(table["routes"].as_array().is_some_and(|r| r.len() == 2), "{sample}");
        write("leadrelay.toml", &sample);
        let output = command(dir.path(), &["check"]).env("LEADRELAY_ADMIN_TOKEN", world::ADMIN).output();
        let output = output.expect("it runs");
        assert!(output.status.success(), "{}\n{sample}", text(&output));
    }
}

#[test]
fn the_sample_shows_every_key_of_the_sections_that_are_always_there() {
    let schema = leadrelay(&root(), &["schema"]);
    let schema: serde_json::Value = serde_json::from_slice(&schema.stdout).expect("JSON");
    let samples = whole_samples();
    let sample: toml::Table = toml::from_str(samples.last().expect("the sample")).expect("TOML");
    let keys = |schema: &serde_json::Value| -> Vec<String> {
        schema["properties"].as_object().expect("properties").keys().cloned().collect()
    };
    for section in keys(&schema) {
        assert!(sample.contains_key(&section), "deploy/leadrelay.toml shows no [{section}]");
    }
    for section in ["ingest", "queue", "log", "ledger", "admin", "alerts"] {
        for key in keys(&schema["properties"][section]) {
            assert!(sample[section].get(&key).is_some(), "deploy/leadrelay.toml shows no {section}.{key}");
        }
    }
}

/// The commands below this one, as its help lists them; itself where there are none.
fn commands(dir: &Path, above: &[&str]) -> Vec<String> {
    let help = leadrelay(dir, &[above, &["--help"]].concat());
    assert!(help.status.success(), "{above:?} --help: {}", text(&help));
    let help = text(&help);
    let Some((_, list)) = help.split_once("\nCommands:\n") else { return vec![above.join(" ")] };
    let names = list.lines().take_while(|l| !l.is_empty());
    let names = names.filter_map(|l| l.strip_prefix("  ").filter(|l| !l.starts_with(' '))?.split(' ').next());
    names.flat_map(|name| commands(dir, &[above, &[name]].concat())).collect()
}

#[test]
fn the_readme_names_every_command_and_no_other() {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("a README");
    let (_, section) = readme.split_once("## Commands\n").expect("a list of commands");
    let section = section.split("\n## ").next().expect("its text");
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
    let words = |code: &str| -> Vec<String> {
        let command = |w: &&str| !w.starts_with('-') && w.chars().all(|c| c.is_ascii_lowercase() || c == '-');
        code.split(' ').filter(command).map(str::to_owned).collect()
    };
    let mut named: Vec<String> = rows
        .flat_map(|row| row.split("`, `").map(|code| words(code.trim_end_matches('`')).join(" ")).collect::<Vec<_>>())
        .collect();
    let dir = tempfile::tempdir().expect("a directory");
    for command in &named {
        let args: Vec<&str> = command.split(' ').chain(["--help"]).collect();
        let help = leadrelay(dir.path(), &args);
        assert!(help.status.success(), "{command}: {}", text(&help));
    }
    let mut there = commands(dir.path(), &[]);
    named.sort();
    there.sort();
    assert_eq!(named, there);
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
