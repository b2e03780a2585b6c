//! The services as programs of their own, on a real RabbitMQ.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use leadrelay_testkit::broker;
use tempfile::TempDir;

use super::process::Process;
use super::world;

/// Every service, and every connector.
pub(crate) const PROGRAMS: [&str; 8] = [
    "leadrelay-ingest",
    "leadrelay-router",
    "leadrelay-ledger",
    "leadrelay-connector-file",
    "leadrelay-connector-dynamics",
    "leadrelay-connector-hubspot",
    "leadrelay-connector-salesforce",
    "leadrelay-connector-webhook",
];

/// The program of this name. Tests of this package have those of other packages built by nobody else; it costs nothing when
/// they are.
pub(crate) fn program(name: &str) -> PathBuf {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    DIRECTORY.get_or_init(build).join(name)
}

/// Builds them beside ourselves, and gives the directory.
fn build() -> PathBuf {
    let ourselves = std::env::current_exe().expect("we are a program");
    let directory = ourselves.parent().and_then(Path::parent).expect("target/<profile>/deps/..");
    let profile = match directory.file_name().and_then(|name| name.to_str()).expect("a profile") {
        "debug" => "dev",
        other => other,
    };
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--offline", "--bins", "--profile", profile])
        .args(PROGRAMS.iter().flat_map(|name| ["-p", name]))
        // Some tests end them at named points.
        .args(["--features", "leadrelay-shared/failpoints"])
        .arg("--target-dir")
        .arg(directory.parent().expect("target"))
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .expect("cargo runs");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    directory.to_owned()
}

/// A directory whose configuration names a virtual host of the tests' RabbitMQ: source `addon`, everything to `partner` at `url`.
pub(crate) async fn directory(url: &str) -> TempDir {
    let broker = broker::shared().await;
    let queue = broker.url(&broker.vhost().await);
    world::directory(url, &format!("[queue]\nurl = \"{queue}\"\n{}", world::ALL_TO_PARTNER))
}

/// Starts a service and waits until it is ready.
pub(crate) async fn start(name: &str, dir: &Path, variables: &[(&str, &str)]) -> Process {
    let mut service = Process::run(&program(name), &[], dir, variables);
    service.said(&format!("ready: {name}")).await;
    service
}

/// Runs a service's program until it ends.
pub(crate) fn once(name: &str, arguments: &[&str], dir: &Path, variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(program(name));
    command.args(arguments).arg("--config").arg(dir.join("leadrelay.toml"));
    command.envs(variables.iter().copied()).output().expect("it runs")
}
