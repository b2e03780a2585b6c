//! Delays made of steps, on the broker's own time.

use std::collections::BTreeSet;
use std::time::Duration;

use leadrelay_shared::clock::Clock;

use super::opener::open;
use crate::queue::harness::{claim_one, drain, message, number, topic};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delay_longer_than_every_step_is_kept_by_hops() {
    let (_, queue) = open(&[]).await;
    let clock = Clock::real();
    let (slow, quick) = (topic("deliver.slow"), topic("deliver.quick"));
    let at = clock.now() + Duration::from_millis(4_900);
    let soon = clock.now() + Duration::from_millis(300);
    queue
        .publish(vec![message(&slow, 1).not_before(at), message(&quick, 2).not_before(soon), message(&quick, 3)])
        .await
        .expect("published");
    assert_eq!(drain(&queue, &quick, 2).await, BTreeSet::from([2, 3]));
    assert!(clock.now() >= soon && clock.now() < at, "one message's delay is not another's");
    assert_eq!(drain(&queue, &slow, 1).await, BTreeSet::from([1]));
    assert!(clock.now() >= at, "never before its time");
    assert!(clock.now() < at + Duration::from_secs(3), "and soon after: {}", clock.now().duration_since(at));
    queue.close().await;
}

/// Before 4.0 the broker takes a client's `x-death` for its own and drops what seems to go in circles.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_may_go_through_the_steps_again_and_again() {
    let (_, queue) = open(&[]).await;
    let (clock, crm) = (Clock::real(), topic("deliver.crm"));
    queue.publish(vec![message(&crm, 7)]).await.expect("published");
    let mut claims = queue.claims(&crm);
    for _ in 0..12 {
        let claim = claim_one(&mut claims).await;
        assert_eq!((number(&claim), claim.redelivered()), (7, 0));
        let again = message(&crm, 7).not_before(clock.now() + Duration::from_millis(250));
        claim.settle(vec![again]).await.expect("settled");
    }
    claim_one(&mut claims).await.settle(Vec::new()).await.expect("settled");
    queue.close().await;
}
