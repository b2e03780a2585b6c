//! Every folder of `tests/golden/`: these rules make this of this lead.
//!
//! `UPDATE_GOLDEN=1` writes `expected.json` anew; read the difference before you commit it.

use std::fs;
use std::path::{Path, PathBuf};

use leadrelay_shared::lead::Lead;
use leadrelay_shared::mapping::explain;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::support;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sample {
    source: String,
    /// The body as JSON, or else as `raw` text.
    body: Option<Value>,
    raw: Option<String>,
    #[serde(default)]
    faults: Vec<leadrelay_shared::lead::Fault>,
}

#[test]
fn every_case() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut cases: Vec<PathBuf> =
        fs::read_dir(&root).expect("the folder of cases").map(|e| e.expect("a case").path()).collect();
    cases.sort();
    assert!(cases.len() >= 25, "cases are missing");
    let wrong: Vec<String> = cases.iter().filter_map(|case| check(case)).collect();
    assert!(wrong.is_empty(), "{} of {} cases differ\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// The difference, if there is one.
fn check(case: &Path) -> Option<String> {
    let read = |file: &str| fs::read_to_string(case.join(file)).unwrap_or_default();
    let sample: Sample = serde_json::from_str(&read("lead.json")).unwrap_or_else(|e| panic!("{}: {e}", case.display()));
    let text = sample.raw.clone().or_else(|| sample.body.as_ref().map(Value::to_string)).expect("a body");
    let lead = Lead { source: sample.source, faults: sample.faults, ..support::lead(text) };
    let made = format!("{:#}\n", make(&read("rules.toml"), &lead));
    let expected = read("expected.json");
    if made == expected {
        return None;
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(case.join("expected.json"), &made).expect("the case can be written");
        return None;
    }
    Some(format!("--- {} (- expected, + made)\n{}", case.display(), difference(&expected, &made)))
}

fn make(routes: &str, lead: &Lead) -> Value {
    let rules = support::rules(routes);
    let explanation = explain(&rules, lead);
    if lead.is_sound() {
        // What is explained is what is done.
        let delivered: Vec<_> =
            explanation.routes.iter().filter_map(|r| r.record.as_ref().map(|record| (&r.to, record))).collect();
        let routing = rules.route(lead);
        assert_eq!(routing.deliveries.iter().map(|d| (&d.destination, &d.record)).collect::<Vec<_>>(), delivered);
        assert_eq!(routing.failed.len(), explanation.routes.iter().filter(|r| r.verdict == "failed").count());
    }
    json!({"outcome": explanation.outcome, "faults": explanation.faults, "routes": explanation.routes})
}

/// Lines that only one of them has, with two lines around; enough to read a case by.
fn difference(expected: &str, made: &str) -> String {
    let (a, b): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), made.lines().collect());
    let start = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
    let end = a[start..].iter().rev().zip(b[start..].iter().rev()).take_while(|(x, y)| x == y).count();
    let shown = |mark: &str, lines: &[&str]| lines.iter().map(|line| format!("{mark}{line}\n")).collect::<String>();
    let before = &a[start.saturating_sub(2)..start];
    shown("  ", before) + &shown("- ", &a[start..a.len() - end]) + &shown("+ ", &b[start..b.len() - end])
}
