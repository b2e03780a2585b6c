//! Many are acknowledged in one frame, and that frame takes nothing that is held.

use std::collections::BTreeSet;

use futures_util::future::join_all;

use super::opener::{on_a_wire, open};
use crate::queue::harness::{assert_empty, claim, drain, messages, number, stats, topic};

/// Fewer than what the broker hands on to a queue at once: the connection is cut, and not closed.
const MESSAGES: u32 = 30;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_held_comes_again_whatever_of_its_neighbours_was_settled() {
    let (vhost, other) = open(&["leads"]).await;
    let leads = topic("leads");
    for held in [&[10, 20][..], &[0], &[MESSAGES - 1]] {
        let (queue, wire) = on_a_wire(&vhost).await;
        queue.publish(messages(&leads, 0..MESSAGES)).await.expect("published");
        let mut claims = queue.claims(&leads);
        let claimed = claim(&mut claims, MESSAGES as usize).await;
        let (kept, done): (Vec<_>, Vec<_>) = claimed.into_iter().partition(|claim| held.contains(&number(claim)));
        let settling = done.into_iter().map(|claim| tokio::spawn(claim.settle(Vec::new())));
        for settled in join_all(settling).await {
            settled.expect("no panic").expect("settled");
        }
        // It goes the same way, and so what was acknowledged before has arrived.
        stats(&queue).await;
        wire.cut();
        assert_eq!(drain(&other, &leads, kept.len()).await, BTreeSet::from_iter(held.iter().copied()));
        assert_empty(&other).await;
    }
    other.close().await;
}
