//! Leads accepted and on disk, against the same server that answers after parsing and schema check without storing.

use crate::poster::{self, Door};
use crate::process::Server;
use crate::{Figure, Wanted, child, say, stopwatch};

pub(crate) const CONNECTIONS: usize = 64;
const LEADS: u64 = 15_000;
const ROUNDS: u64 = 5;

pub(crate) async fn against_no_storing() -> Figure {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut raw, mut stored, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let bare = Server::start("bare", dir.path()).await;
    let real = Server::start("accept", dir.path()).await;
    for round in 0..ROUNDS {
        let first = round * LEADS;
        let a = rate(&bare.door, first, LEADS).await;
        let b = rate(&real.door, first, LEADS).await;
        say(&format!("accept: round {round}: {a:.0}/s without storing, {b:.0}/s on disk"));
        raw.push(a);
        stored.push(b);
        ratios.push(b / a);
    }
    bare.stop().await;
    real.stop().await;
    let detail = format!(
        "{:.0}/s on disk, {:.0}/s without storing, {CONNECTIONS} connections, median of {ROUNDS}",
        stopwatch::median(stored),
        stopwatch::median(raw)
    );
    Figure {
        what: "accepted and on disk, against parsing and checking alone",
        value: stopwatch::median(ratios),
        unit: "",
        wanted: Wanted::AtLeast(0.25),
        detail,
    }
}

/// Posts `count` leads, numbered from `first`, and says how many were taken in a second.
pub(crate) async fn rate(door: &Door, first: u64, count: u64) -> f64 {
    let began = stopwatch::start();
    let answers = poster::post(door, CONNECTIONS, first..first + count, child::lead).await;
    let seconds = began.elapsed().as_secs_f64();
    let taken = answers.iter().filter(|a| a.status == 202).count();
    assert_eq!(taken as u64, count, "every lead is taken; the last answer was {:?}", answers.last());
    count as f64 / seconds
}
