//! Confirms that come too late, and messages that are kept for too long.

use std::collections::BTreeSet;
use std::pin::pin;
use std::time::Duration;

use leadrelay_shared::clock::Clock;
use leadrelay_shared::queue::{QueueError, Topic};

use super::opener::{on_a_wire, on_a_wire_with, open};
use crate::queue::harness::{claim_one, message, messages, number, soon, start, stats_of, topic};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_confirm_that_does_not_come_in_time_leaves_it_open_whether_the_message_is_stored() {
    let (vhost, first) = open(&["leads"]).await;
    first.close().await;
    let (queue, wire) = on_a_wire(&vhost).await;
    let leads = topic("leads");
    queue.publish(messages(&leads, [1, 2])).await.expect("published");
    let claimed = claim_one(&mut queue.claims(&leads)).await;
    wire.hold_answers();
    let (published, settled) =
        tokio::join!(soon(queue.publish(vec![message(&leads, 3)])), soon(claimed.settle(vec![message(&leads, 4)])),);
    for told in [&published, &settled] {
        assert!(matches!(told, Err(QueueError::Unknown(why)) if why.contains("did not confirm")), "{told:?}");
    }
    wire.mend();
    // Both had arrived; published again, they are copies under the same ids. What was not settled comes again.
    soon(queue.publish(vec![message(&leads, 3)])).await.expect("published");
    let (mut seen, mut claims) = (Vec::new(), queue.claims(&leads));
    while ![1, 2, 3, 4].iter().all(|n| seen.contains(n)) || seen.iter().filter(|n| **n == 3).count() < 2 {
        let claim = claim_one(&mut claims).await;
        seen.push(number(&claim));
        claim.settle(Vec::new()).await.expect("settled");
    }
    assert_eq!(BTreeSet::from_iter(seen), BTreeSet::from([1, 2, 3, 4]));
    queue.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_read_goes_back_before_the_broker_takes_it_away() {
    let (vhost, first) = open(&["leads"]).await;
    first.close().await;
    let clock = Clock::manual(start());
    let (queue, _wire) = on_a_wire_with(&vhost, clock.clone()).await;
    let leads = topic("leads");
    queue.publish(messages(&leads, [1])).await.expect("published");
    let mut wrong = queue.claims(&Topic::<Vec<bool>>::named("leads"));
    {
        let mut next = pin!(wrong.next(1));
        while stats_of(&queue, &leads).await.claimed == 0 {
            assert!(futures_util::poll!(next.as_mut()).is_pending());
        }
        assert!(futures_util::poll!(next.as_mut()).is_pending(), "it is not handed out");
    }
    drop(wrong);
    let mut right = queue.claims(&leads);
    let mut next = pin!(right.next(1));
    assert!(tokio::time::timeout(Duration::from_secs(1), next.as_mut()).await.is_err(), "it is out of the way");
    let claimed = soon(async {
        loop {
            tokio::select! {
                claimed = next.as_mut() => break claimed,
                () = tokio::time::sleep(Duration::from_millis(20)) => clock.advance(Duration::from_mins(1)),
            }
        }
    });
    let claim = claimed.await.expect("the queue is open").remove(0);
    assert_eq!((number(&claim), claim.redelivered()), (1, 0));
    assert!(clock.monotonic() < Duration::from_mins(30), "{:?}", clock.monotonic());
    claim.settle(Vec::new()).await.expect("settled");
    queue.close().await;
}
