//! The figures of the README, as ratios against the raw limit in the same run.
//!
//! `cargo bench -p leadrelay --bench figures` runs all of them; a word after `--` runs those whose name holds it. Servers run
//! as processes of their own (this program again, with `child`), so that memory and start are those of a relay.

mod accept;
mod backlog;
mod broker;
mod child;
mod crm;
mod flow;
#[expect(dead_code, reason = "the tests use more of it")]
#[path = "../../tests/it/support/partner.rs"]
mod partner;
#[path = "../../tests/it/support/poster.rs"]
mod poster;
mod process;
mod stopwatch;

use std::io::Write;

/// What one figure came to.
pub(crate) struct Figure {
    what: &'static str,
    value: f64,
    unit: &'static str,
    /// At least this, or at most this.
    wanted: Wanted,
    detail: String,
}

pub(crate) enum Wanted {
    AtLeast(f64),
    AtMost(f64),
}

impl Figure {
    fn is_met(&self) -> bool {
        match self.wanted {
            Wanted::AtLeast(bound) => self.value >= bound,
            Wanted::AtMost(bound) => self.value <= bound,
        }
    }
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    if args.first().is_some_and(|a| a == "child") {
        return runtime.block_on(child::run(&args[1..]));
    }
    let asked = |name: &str| args.is_empty() || args.iter().any(|a| name.contains(a.as_str()));
    let mut figures = Vec::new();
    runtime.block_on(async {
        if asked("accept") {
            figures.push(accept::against_no_storing().await);
        }
        if asked("flow") {
            figures.extend(flow::end_to_end().await);
        }
        if asked("backlog") {
            figures.extend(backlog::with_a_million_waiting().await);
        }
        if asked("crm calls") {
            figures.extend(crm::calls().await);
        }
        if asked("crm pace") {
            figures.push(crm::pace().await);
        }
        if asked("crm pause") {
            figures.push(crm::pause().await);
        }
        if asked("broker accepted") {
            figures.push(broker::accepted().await);
        }
        if asked("broker delivered") {
            figures.extend(broker::delivered().await);
        }
        if asked("broker latency") {
            figures.push(broker::latency().await);
        }
        if asked("broker scaled") {
            figures.push(broker::scaled().await);
        }
    });
    print(&figures);
}

#[expect(clippy::print_stdout, reason = "a bench is here to print")]
fn print(figures: &[Figure]) {
    println!("\n| what | measured | wanted | |\n|---|---|---|---|");
    for figure in figures {
        let (word, bound) = match figure.wanted {
            Wanted::AtLeast(bound) => ("at least", bound),
            Wanted::AtMost(bound) => ("at most", bound),
        };
        let met = if figure.is_met() { "met" } else { "MISSED" };
        let Figure { what, value, unit, detail, .. } = figure;
        println!("| {what} | {value:.2}{unit} | {word} {bound}{unit}, {met} | {detail} |");
    }
    let _ = std::io::stdout().flush();
}

/// Says what is going on, on standard error.
#[expect(clippy::print_stderr, reason = "a bench is here to print")]
pub(crate) fn say(text: &str) {
    eprintln!("{text}");
}
