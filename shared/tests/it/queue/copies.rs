//! Copies of the files taken while they are written.
//!
//! Two ways are sound, and both are tried here. A copy of `queue.db` and `queue.db-wal` as they are at one moment, which is what
//! a power cut or a snapshot of the disk leaves; here the process is stopped for it. Or a copy that SQLite makes (`VACUUM
//! INTO`, `.backup`) beside the running process. To `cp` the two files one after the other while they are written is **not**
//! sound in either order: a checkpoint between the two leaves a database and a log that do not belong together.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::Command;

use super::child::Child;
use super::crash::Acknowledged;
use super::opener::copy_files;

#[tokio::test]
async fn what_a_power_cut_leaves_holds_everything_acknowledged() {
    let dir = tempfile::tempdir().expect("a directory");
    let copies = tempfile::tempdir().expect("a directory");
    let child = Child::start("load", dir.path(), "");
    let mut acknowledged = Acknowledged::default();
    let mut taken = Vec::new();
    for round in 0..6 {
        acknowledged.listen(&child, 150 + 400 * round);
        stop(child.pid());
        child.said().iter().for_each(|line| acknowledged.hear(line));
        let copy = copies.path().join(round.to_string());
        copy_files(dir.path(), &copy);
        signal(child.pid(), "CONT");
        if round % 2 == 1 {
            tear(&copy.join("queue.db-wal"));
        }
        taken.push((copy, acknowledged.clone()));
    }
    drop(child);
    for (copy, acknowledged) in taken {
        acknowledged.check(&copy).await;
    }
}

#[tokio::test]
async fn a_copy_made_by_sqlite_holds_everything_acknowledged() {
    let dir = tempfile::tempdir().expect("a directory");
    let copies = tempfile::tempdir().expect("a directory");
    let child = Child::start("load", dir.path(), "");
    let mut acknowledged = Acknowledged::default();
    for round in 0..3 {
        acknowledged.listen(&child, 300);
        child.said().iter().for_each(|line| acknowledged.hear(line));
        let copy = copies.path().join(round.to_string());
        std::fs::create_dir(&copy).expect("a directory");
        let conn = rusqlite::Connection::open(dir.path().join("queue.db")).expect("it opens");
        conn.busy_timeout(std::time::Duration::from_secs(30)).expect("it waits");
        let file = copy.join("queue.db");
        conn.execute("VACUUM INTO ?1", [file.to_str().expect("a path")]).expect("it is copied");
        drop(conn);
        acknowledged.check(&copy).await;
    }
}

/// Stops every thread of a process, and comes back when they stand still.
fn stop(pid: u32) {
    signal(pid, "STOP");
    loop {
        let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).expect("the process lives");
        let states: BTreeSet<_> = tasks
            .map(|task| std::fs::read_to_string(task.expect("a thread").path().join("stat")).expect("its state"))
            .map(|stat| stat.rsplit(')').next().and_then(|rest| rest.trim().chars().next()))
            .collect();
        if states == BTreeSet::from([Some('T')]) {
            return;
        }
        std::thread::yield_now();
    }
}

fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill").args([format!("-{name}"), pid.to_string()]).status().expect("kill runs");
    assert!(sent.success());
}

/// Adds what a write that was cut off leaves behind.
fn tear(log: &std::path::Path) {
    let mut file = std::fs::OpenOptions::new().append(true).open(log).expect("a log");
    file.write_all(&[0x5a; 3000]).expect("written");
}
