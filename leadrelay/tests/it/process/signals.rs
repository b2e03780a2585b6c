//! SIGTERM and Ctrl-C drain and exit 0; a second signal stops at once; neither loses anything.

use leadrelay_testkit::samples::lead_json;
use leadrelay_testkit::{Fault, How, Plan};

use crate::support::partner::Partner;
use crate::support::poster::{self, Answer};
use crate::support::process::Process;
use crate::support::world::{self, World};

#[tokio::test(flavor = "multi_thread")]
async fn both_signals_drain_and_exit_0() {
    for signal in [libc::SIGTERM, libc::SIGINT] {
        let receiver = Partner::start(world::SECRET).await;
        let dir = world::directory(&receiver.url(), world::ALL_TO_PARTNER);
        let mut relay = Process::start(dir.path(), &[]);
        let door = relay.door().await;
        let answers = poster::post(&door, 8, 0..50, lead_json).await;
        assert_eq!(answers.len(), 50);
        relay.signal(signal);
        let status = relay.ended().await;
        assert!(status.success(), "{status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_stops_at_once_and_loses_nothing() {
    let receiver = Partner::start(world::SECRET).await;
    receiver.plan(Plan::Always(Fault::before(How::Hang)));
    let dir = world::directory(&receiver.url(), world::ALL_TO_PARTNER);
    let mut relay = Process::start(dir.path(), &[]);
    let door = relay.door().await;
    let answers = poster::post(&door, 4, 0..10, lead_json).await;
    receiver.server.has_seen(1).await;
    relay.signal(libc::SIGTERM);
    // The first signal waits for an attempt that hangs; only the second ends the process.
    relay.said("finishing what is in flight").await;
    relay.signal(libc::SIGTERM);
    relay.ended().await;

    receiver.plan(Plan::Sound);
    let mut relay = Process::start(dir.path(), &[]);
    relay.door().await;
    for id in answers.iter().filter_map(Answer::id) {
        let delivery = World::delivery(&id, "partner");
        world::eventually("the lead arrives", async || receiver.has(&delivery)).await;
    }
    relay.finish(dir.path()).await;
}
