//! Leads from the door to a local receiver and into the ledger, against leads that are only accepted.

use crate::accept::rate;
use crate::partner::Partner;
use crate::process::Server;
use crate::{Figure, Wanted, child, say, stopwatch};

const LEADS: u64 = 10_000;
const ROUNDS: u64 = 3;

pub(crate) async fn end_to_end() -> Vec<Figure> {
    let (mut accepted, mut delivered, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let (mut idle, mut loaded) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let dir = tempfile::tempdir().expect("a directory");
        let only = Server::start("accept", dir.path()).await;
        let a = rate(&only.door, 0, LEADS).await;
        only.stop().await;

        let dir = tempfile::tempdir().expect("a directory");
        let receiver = Partner::start(child::SECRET).await;
        write_config(dir.path(), &receiver.url());
        let relay = Server::start("relay", dir.path()).await;
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        idle.push(relay.resident_mib());
        let began = stopwatch::start();
        let posting = tokio::spawn({
            let door = relay.door.clone();
            async move { rate(&door, 0, LEADS).await }
        });
        let mut most = 0.0_f64;
        while (receiver.distinct() as u64) < LEADS || !ledger_is_level(dir.path()) {
            most = most.max(relay.resident_mib());
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            assert!(began.elapsed().as_secs() < 120, "{} of {LEADS} after two minutes", receiver.distinct());
        }
        let b = LEADS as f64 / began.elapsed().as_secs_f64();
        posting.await.expect("posting ends");
        loaded.push(most);
        relay.stop().await;
        say(&format!("flow: round {round}: {a:.0}/s accepted alone, {b:.0}/s end to end, {most:.0} MiB"));
        accepted.push(a);
        delivered.push(b);
        ratios.push(b / a);
    }
    let detail = format!(
        "{:.0}/s end to end, {:.0}/s accepted alone, median of {ROUNDS}",
        stopwatch::median(delivered),
        stopwatch::median(accepted)
    );
    vec![
        Figure {
            what: "end to end, against accepting alone",
            value: stopwatch::median(ratios),
            unit: "",
            wanted: Wanted::AtLeast(0.2),
            detail,
        },
        memory("resident memory, idle", stopwatch::median(idle), 30.0),
        memory("resident memory, under full load", stopwatch::median(loaded), 100.0),
    ]
}

pub(crate) fn memory(what: &'static str, value: f64, bound: f64) -> Figure {
    Figure { what, value, unit: " MiB", wanted: Wanted::AtMost(bound), detail: String::new() }
}

pub(crate) fn write_config(dir: &std::path::Path, url: &str) {
    std::fs::write(dir.join("leadrelay.toml"), config(url, 32)).expect("the configuration is written");
}

/// A configuration that sends everything to a webhook, so many calls at once.
pub(crate) fn config(url: &str, calls: usize) -> String {
    child::config(&format!(
        "[destinations.partner]\nconnector = \"webhook\"\nurl = \"{url}\"\nsecret = \"{}\"\n\
         allow_private_addresses = true\nconcurrency = {calls}\n[[routes]]\nname = \"all\"\nto = \"partner\"\n",
        child::SECRET
    ))
}

/// Whether the ledger has every lead as delivered.
fn ledger_is_level(dir: &std::path::Path) -> bool {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let Ok(ledger) = rusqlite::Connection::open_with_flags(dir.join("data/ledger.db"), flags) else { return false };
    let delivered = ledger.query_row("SELECT count(*) FROM lead WHERE state = 'delivered'", [], |r| r.get::<_, i64>(0));
    delivered.is_ok_and(|n| n >= LEADS as i64)
}
