//! A disk that is full: never a 202 that is not stored, readiness says so, and it recovers by itself when there is room.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use leadrelay_testkit::samples::lead_json;
use leadrelay_testkit::{Fault, How, Plan};

use crate::support::partner::Partner;
use crate::support::poster::{self, Answer};
use crate::support::process::Process;
use crate::support::world::{self, World};

/// A file system of its own, as small as a test wants it. Needs the right to mount, as in a container run by root.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path, mib: u32) -> Self {
        std::fs::create_dir_all(at).expect("a mount point");
        run("mount", &["-t", "tmpfs", "-o", &format!("size={mib}m"), "tmpfs", &at.to_string_lossy()]);
        Self(at.to_owned())
    }

    fn grow(&self, mib: u32) {
        run("mount", &["-o", &format!("remount,size={mib}m"), &self.0.to_string_lossy()]);
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the process that a failing test leaves may still hold it.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn run(program: &str, args: &[&str]) {
    let status = Command::new(program).args(args).status().unwrap_or_else(|e| panic!("{program}: {e}"));
    assert!(
        status.success(),
        "{program} {args:?}: {status}; this test mounts a small file system and needs root for it"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_told_and_outlived() {
    let partner = Partner::start(world::SECRET).await;
    partner.plan(Plan::Always(Fault::before(How::Status(503))));
    let more = format!("[queue]\nmin_free = \"0B\"\n{}", world::ALL_TO_PARTNER);
    let dir = world::directory(&partner.url(), &more);
    let disk = SmallDisk::mount(&dir.path().join("data"), 12);
    let mut relay = Process::start(dir.path(), &[]);
    let (door, admin) = (relay.door().await, relay.admin().await);
    let http = world::client();

    let mut answers = Vec::new();
    for round in 0..200_u64 {
        answers.extend(poster::post(&door, 16, round * 200..(round + 1) * 200, lead_json).await);
        if answers.iter().any(|a| a.status == 503) {
            break;
        }
    }
    assert!(answers.iter().any(|a| a.status == 503), "the disk fills and that is told");
    assert!(answers.iter().all(|a| a.status == 202 || a.status == 503), "and nothing else is");
    world::eventually("readiness says that the queue is blocked", async || {
        let (status, ready) = world::send(http.get(format!("http://{admin}/readyz"))).await;
        status == 503 && ready["queue"]["state"] == "blocked"
    })
    .await;

    disk.grow(256);
    let recovered = u64::from(u32::MAX);
    world::eventually("leads are taken again", async || {
        poster::post(&door, 1, recovered..recovered + 1, lead_json).await.iter().any(|a| a.status == 202)
    })
    .await;
    partner.plan(Plan::Sound);
    for id in answers.iter().filter(|a| a.status == 202).filter_map(Answer::id) {
        let delivery = World::delivery(&id, "partner");
        world::eventually(&format!("lead {id}, answered 202, arrives"), async || partner.has(&delivery)).await;
    }
    relay.finish(dir.path()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_started_on_a_full_disk_waits_for_room_and_then_loses_nothing() {
    let partner = Partner::start(world::SECRET).await;
    partner.plan(Plan::Always(Fault::before(How::Status(503))));
    let more = format!("[queue]\nmin_free = \"0B\"\n{}", world::ALL_TO_PARTNER);
    let dir = world::directory(&partner.url(), &more);
    let disk = SmallDisk::mount(&dir.path().join("data"), 12);
    let mut relay = Process::start(dir.path(), &[]);
    let door = relay.door().await;
    let mut answers = Vec::new();
    for round in 0..200_u64 {
        answers.extend(poster::post(&door, 16, round * 200..(round + 1) * 200, lead_json).await);
        if answers.iter().any(|a| a.status == 503) {
            break;
        }
    }
    // With room it ends in order and leaves no log behind, in which the next start would find room.
    disk.grow(48);
    relay.signal(libc::SIGTERM);
    assert!(relay.ended().await.success());
    fill(&dir.path().join("data/filler"));

    let mut relay = Process::start(dir.path(), &[]);
    relay.said("the queue cannot be opened").await;
    relay.signal(libc::SIGTERM);
    assert!(relay.ended().await.success(), "it waits for room only until it is told to stop");

    let mut relay = Process::start(dir.path(), &[]);
    relay.said("the queue cannot be opened").await;
    partner.plan(Plan::Sound);
    disk.grow(256);
    relay.door().await;
    let accepted: Vec<_> = answers.iter().filter(|a| a.status == 202).filter_map(Answer::id).collect();
    assert!(!accepted.is_empty());
    for id in accepted {
        let delivery = World::delivery(&id, "partner");
        world::eventually(&format!("lead {id}, answered 202, arrives"), async || partner.has(&delivery)).await;
    }
    relay.finish(dir.path()).await;
}

/// Takes whatever room is left.
fn fill(path: &Path) {
    let mut file = std::fs::File::create(path).expect("a file");
    let full = loop {
        if let Err(error) = file.write_all(&[0; 4096]) {
            break error;
        }
    };
    assert_eq!(full.kind(), std::io::ErrorKind::StorageFull, "{full}");
}
