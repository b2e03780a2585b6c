//! The arrows of ARCHITECTURE.md, read from the workspace itself.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

type Edges = BTreeMap<String, BTreeSet<String>>;

/// What each package of the workspace depends on within it; development dependencies apart.
fn edges(development: bool) -> Edges {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline", "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let ours: BTreeSet<&str> = packages.iter().filter_map(|p| p["name"].as_str()).collect();
    let dependencies = |package: &Value| {
        let all = package["dependencies"].as_array().expect("dependencies");
        all.iter()
            .filter(|d| development || d["kind"].as_str() != Some("dev"))
            .filter_map(|d| d["name"].as_str())
            .filter(|name| ours.contains(name))
            .map(str::to_owned)
            .collect()
    };
    packages.iter().map(|p| (p["name"].as_str().expect("a name").to_owned(), dependencies(p))).collect()
}

#[test]
fn peers_never_see_each_other() {
    for (package, dependencies) in edges(false) {
        let allowed: &[&str] = match package.as_str() {
            "leadrelay" => continue,
            "leadrelay-shared" => &[],
            _ => &["leadrelay-shared"],
        };
        let wrong: Vec<_> = dependencies.iter().filter(|d| !allowed.contains(&d.as_str())).collect();
        assert!(wrong.is_empty(), "{package} depends on {wrong:?}; peers share only messages");
    }
}

#[test]
fn tests_of_a_peer_reach_for_the_testkit_and_no_other_peer() {
    for (package, dependencies) in edges(true) {
        if package == "leadrelay" {
            continue;
        }
        let allowed = ["leadrelay-shared", "leadrelay-testkit"];
        let wrong: Vec<_> = dependencies.iter().filter(|d| !allowed.contains(&d.as_str())).collect();
        assert!(wrong.is_empty(), "the tests of {package} depend on {wrong:?}");
    }
}

#[test]
fn every_package_is_leadrelays_and_in_its_own_directory() {
    for package in edges(false).keys() {
        let directory = match package.strip_prefix("leadrelay-") {
            None => "leadrelay".to_owned(),
            Some("testkit") => "connectors/testkit".to_owned(),
            Some(name) => name.strip_prefix("connector-").map_or(name.to_owned(), |c| format!("connectors/{c}")),
        };
        let manifest = format!("{}/../{directory}/Cargo.toml", env!("CARGO_MANIFEST_DIR"));
        assert!(std::path::Path::new(&manifest).exists(), "{package} is not at {directory}");
    }
}
