//! The contract of every engine, one test for each line of it.

use std::collections::BTreeSet;
use std::pin::pin;
use std::time::Duration;

use jiff::SignedDuration;
use leadrelay_shared::control::Control;
use leadrelay_shared::queue::{Health, QueueError, Topic, settle_all};

use super::harness::{
    assert_empty, assert_none_ready, claim, claim_one, drain, message, messages, number, numbers, on_queue, soon,
    stats, stats_of, topic,
};
use super::opener::Opener;
pub(crate) use super::told::{
    a_settled_claim_tells_what_it_did, what_is_settled_right_before_the_end_never_comes_again,
    what_many_tell_at_once_travels_together_and_loses_nothing,
};

/// Makes one test of each line of the contract for the engine that `$opener` opens.
macro_rules! keeps_the_contract {
    ($opener:expr) => {
        $crate::queue::contract::keeps_the_contract!($opener;
            what_is_published_outlives_a_restart
            a_settled_message_never_comes_again
            a_dropped_claim_comes_again_and_does_not_count
            settling_stores_the_outputs_and_removes_the_message
            several_claims_are_settled_together
            a_delayed_message_comes_at_its_time_and_not_before
            a_delay_in_the_past_is_none
            a_message_may_be_sent_to_its_own_topic_again_for_later
            two_consumers_never_share_a_message
            a_waiting_consumer_is_woken_by_a_message
            a_cancelled_wait_loses_nothing
            a_claim_that_reached_a_cancelled_wait_goes_back
            a_claim_whose_holder_ended_is_counted
            a_message_that_cannot_be_read_is_kept
            topics_do_not_mix
            a_message_sent_twice_comes_at_least_once
            bodies_come_back_as_they_were
            nothing_may_be_published_and_nothing_settled
            a_claim_is_settled_after_its_consumer_is_gone
            the_figures_say_what_waits
            a_corrected_wall_clock_makes_no_storm_and_no_stall
            control_reaches_everybody
            it_is_ready_when_it_is_open
            a_closed_queue_says_so
            closing_gives_claims_back_uncounted
            what_many_tell_at_once_travels_together_and_loses_nothing
            a_settled_claim_tells_what_it_did
            what_is_settled_right_before_the_end_never_comes_again
        );
    };
    ($opener:expr; $($line:ident)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $line() {
            $crate::queue::contract::$line(&$opener).await;
        }
    )*};
}
pub(crate) use keeps_the_contract;

pub(crate) async fn what_is_published_outlives_a_restart<O: Opener>(opener: &O) {
    on_queue(opener, async |queue, clock, dir| {
        let leads = topic("leads");
        queue.publish(messages(&leads, 0..10)).await.expect("published");
        let later = opener.end_abruptly(queue.clone(), dir).await;
        let again = opener.open(&later, clock.clone()).await;
        assert_eq!(drain(&again, &leads, 10).await, (0..10).collect());
        assert_empty(&again).await;
        again.close().await;
        if O::COPIES {
            drain(queue, &leads, 10).await;
        }
    })
    .await;
}

pub(crate) async fn a_settled_message_never_comes_again<O: Opener>(opener: &O) {
    on_queue(opener, async |queue, clock, dir| {
        let leads = topic("leads");
        queue.publish(messages(&leads, 0..3)).await.expect("published");
        let mut claims = queue.claims(&leads);
        let first = claim_one(&mut claims).await;
        let settled = number(&first);
        first.settle(Vec::new()).await.expect("settled");
        let left: BTreeSet<_> = (0..3).filter(|n| *n != settled).collect();
        let later = opener.end_abruptly(queue.clone(), dir).await;
        let again = opener.open(&later, clock.clone()).await;
        assert_eq!(drain(&again, &leads, 2).await, left);
        assert_none_ready(&again, &leads).await;
        again.close().await;
        if O::COPIES {
            assert_eq!(drain(queue, &leads, 2).await, left);
        }
    })
    .await;
}

pub(crate) async fn a_dropped_claim_comes_again_and_does_not_count<O: Opener>(opener: &O) {
    on_queue(opener, async |queue, _, _| {
        let leads = topic("leads");
        queue.publish(messages(&leads, [7])).await.expect("published");
        let mut claims = queue.claims(&leads);
        for _ in 0..3 {
            let claim = claim_one(&mut claims).await;
            assert_eq!((number(&claim), claim.redelivered()), (7, 0));
        }
        drop(claims);
        drain(queue, &leads, 1).await;
    })
    .await;
}

pub(crate) async fn settling_stores_the_outputs_and_removes_the_message<O: Opener>(opener: &O) {
    on_queue(opener, async |queue, clock, dir| {
        let (leads, routed, events) = (topic("leads"), topic("routed"), topic("events"));
        queue.publish(messages(&leads, [1])).await.expect("published");
        let claim = claim_one(&mut queue.claims(&leads)).await;
        claim.settle(vec![message(&routed, 1), message(&events, 2)]).await.expect("settled");
        let later = opener.end_abruptly(queue.clone(), dir).await;
        let again = opener.open(&later, clock.clone()).await;
        for queue in [queue, &again].into_iter().skip(usize::from(!O::COPIES)) {
            assert_none_ready(queue, &leads).await;
            assert_eq!(drain(queue, &routed, 1).await, BTreeSet::from([1]));
            assert_eq!(drain(queue, &events, 1).await, BTreeSet::from([2]));
        }
        again.close().await;
    })
    .await;
}

pub(crate) async fn several_claims_are_settled_together<O: Opener>(opener: &O) {
    on_queue(opener, async |queue, _, _| {
        let (leads, events) = (topic("leads"), topic("events"));
        queue.publish(messages(&leads, 0..20)).await.expect("published");
        let claimed = claim(&mut queue.claims(&leads), 20).await;
        let handles = claimed.into_iter().map(|c| c.into_parts().1).collect();
        settle_all(handles, messages(&events, [100])).await.expect("settled");
        assert_none_ready(queue, &leads).await;
        drain(queue, &events, 1).await;
    })
    .await;
}

pub(crate) async fn a_delayed_message_comes_at_its_time_and_not_before<O: Opener>(opener: &O) {
    on_queue(opener, async |queue, clock, _| {
        let leads = topic("leads");
        let at = clock.now() + O::MINUTE;
        queue.publish(vec![message(&leads, 1).not_before(at), message(&leads, 2)]).await.expect("published");
        assert_eq!(drain(queue, &leads, 1).await, BTreeSet::from([2]));
        let mut claims = queue.claims(&leads);
        let mut next = pin!(claims.next(10));
        assert!(futures_util::poll!(next.as_mut()).is_pending());
        if O::TELLS_ALL {
            opener.pass(clock, O::MINUTE - Duration::from_millis(1)).await;
            assert_eq!(stats_of(queue, &leads).await.delayed, 1);
            assert!(futures_util::poll!(next.as_mut()).is_pending(), "it is not yet its time");
            opener.pass(clock, Duration::from_millis(1)).await;
        }
        let claimed = soon(next).await.expect("the queue is open");
        assert!(clock.now() >= at, "it has waited for its time");
        assert_eq!(numbers(&claimed), BTreeSet::from([1]));
        for claim in claimed {
            claim.settle(Vec::new()).await.expect("settled");
        }
    })
    .await;
}

pub(crate) async fn a_delay_in_the_past_is_none<O: Opener>(opener: &O) {
    on_queue(opener, async |queue, clock, _| {
        let leads = topic("leads");
        let at = clock.now() - SignedDuration::from_hours(5);
        queue.publish(vec![message(&leads, 1).not_before(at)]).await.expect("published");
        drain(queue, &leads, 1).await;
    })
    .await;
}

pub(crate) async fn a_message_may_be_sent_to_its_own_topic_again_for_later<O: Opener>(opener: &O) {
    on_queue(opener, async |queue, clock, _| {
        let leads = topic("leads");
        queue.publish(messages(&leads, [1])).await.expect("published");
        let mut claims = queue.claims(&leads);
        for _ in 0..3 {
            let claim = claim_one(&mut claims).await;
            let again = message(&leads, number(&claim)).not_before(clock.now() + O::MINUTE);
            claim.settle(vec![again]).await.expect("settled");
            assert_none_ready(queue, &leads).await;
            opener.pass(clock, O::MINUTE).await;
        }
        // What has come ahead waits with a consumer for as long as there is one.
        drop(claims);
        drain(queue, &leads, 1).await;
    })
    .await;
}

pub(crate) async fn two_consumers_never_share_a_message<O: Opener>(opener: &O) {
    on_queue(opener, async |queue, _, _| {
        let leads = topic("leads");
        let consumers: Vec<_> = (0..4)
            .map(|_| {
                let mut claims = queue.claims(&leads);
                tokio::spawn(async move {
                    let mut seen = Vec::new();
                    while let Ok(claimed) = claims.next(7).await {
                        for claim in claimed {
                            let n = number(&claim);
                            if n == u32::MAX {
                                claim.settle(Vec::new()).await.expect("settled");
                                return seen;
                            }
                            seen.push(n);
                            claim.settle(Vec::new()).await.expect("settled");
                        }
                    }
                    seen
                })
            })
            .collect();
        for first in (0..400).step_by(20) {
            queue.publish(messages(&leads, first..first + 20)).await.expect("published");
        }
        while stats_of(queue, &leads).await.total() > 0 {
            tokio::task::yield_now().await;
        }
        for _ in 0..4 {
            queue.publish(messages(&leads, [u32::MAX])).await.expect("published");
        }
        let mut all = Vec::new();
        for consumer in consumers {
            all.extend(soon(consumer).await.expect("no consumer fails"));
        }
        all.sort_unstable();
        assert_eq!(all, (0..400).collect::<Vec<_>>(), "each message came once");
        // A consumer that took two of the last messages gave one back.
        while stats_of(queue, &leads).await.total() > 0 {
            drain(queue, &leads, 1).await;
        }
    })
    .await;
}

pub(crate) async fn a_waiting_consumer_is_woken_by_a_message<O: Opener>(opener: &O) {
    on_queue(opener, async |queue, _, _| {
        let leads = topic("leads");
        let mut claims = queue.claims(&leads);
        let mut next = pin!(claims.next(10));
        assert!(futures_util::poll!(next.as_mut()).is_pending());
        queue.publish(messages(&leads, [3])).await.expect("published");
        for claim in soon(next).await.expect("the queue is open") {
            claim.settle(Vec::new()).await.expect("settled");
        }
    })
    .await;
}

pub(crate) async fn a_cancelled_wait_loses_nothing<O: Opener>(opener: &O) {
    on_queue(opener, async |queue, _, _| {
        let leads = topic("leads");
        for n in 0..50 {
            let mut claims = queue.claims(&leads);
            let waiting = tokio::spawn(async move { claims.next(1).await.map(|c| c.len()) });
            queue.publish(messages(&leads, [n])).await.expect("published");
            waiting.abort();
            let _ = waiting.await;
        }
        assert_eq!(drain(queue, &leads, 50).await, (0..50).collect());
    })
    .await;
}

pub(crate) async fn a_claim_that_reached_a_cancelled_wait_goes_back<O: Opener>(opener: &O) {
    on_queue(opener, async |queue, _, _| {
        let leads = topic("leads");
        {
            let mut claims = queue.claims(&leads);
            let mut next = pin!(claims.next(1));
            assert!(futures_util::poll!(next.as_mut()).is_pending());
            queue.publish(messages(&leads, [1])).await.expect("published");
            while stats_of(queue, &leads).await.claimed == 0 {
                tokio::task::yield_now().await;
            }
        }
        drain(queue, &leads, 1).await;
    })
    .await;
}

pub(crate) async fn a_claim_whose_holder_ended_is_counted<O: Opener>(opener: &O) {
    on_queue(opener, async |queue, clock, dir| {
        let leads = topic("leads");
        queue.publish(messages(&leads, [1, 2])).await.expect("published");
        let mut claims = queue.claims(&leads);
        let held = claim_one(&mut claims).await;
        let first = opener.end_abruptly(queue.clone(), dir).await;
        let again = opener.open(&first, clock.clone()).await;
        for claim in claim(&mut again.claims(&leads), 2).await {
            assert_eq!(claim.redelivered(), u32::from(number(&claim) == number(&held)));
            // Given back, and so not counted again.
        }
        let both = claim(&mut again.claims(&leads), 2).await;
        // Giving back is not atomic: ended in the middle of it, the message comes as the copy and as itself.
        while stats_of(&again, &leads).await.claimed > 2 {
            tokio::task::yield_now().await;
        }
        let second = opener.end_abruptly(again.clone(), &first).await;
        let third = opener.open(&second, clock.clone()).await;
        for claim in claim(&mut third.claims(&leads), 2).await {
            assert_eq!(claim.redelivered(), 1 + u32::from(number(&claim) == number(&held)));
            claim.settle(Vec::new()).await.expect("settled");
        }
        assert_empty(&third).await;
        third.close().await;
        drop(both);
        again.close().await;
        let settled = held.settle(Vec::new()).await;
        if O::COPIES {
            settled.expect("settled");
            drain(queue, &leads, 1).await;
        } else {
            assert_eq!(settled, Err(QueueError::Lost), "what went with its connection is somebody else's");
        }
    })
    .await;
}

pub(crate) async fn a_message_that_cannot_be_read_is_kept<O: Opener>(opener: &O) {
    let dir = tempfile::tempdir().expect("a directory");
    let clock = opener.clock();
    let queue = opener.open(dir.path(), clock.clone()).await;
    let leads = topic("leads");
    queue.publish(messages(&leads, [1])).await.expect("published");
    {
        let mut wrong = queue.claims(&Topic::<Vec<bool>>::named("leads"));
        let mut next = pin!(wrong.next(1));
        while stats_of(&queue, &leads).await.claimed == 0 {
            assert!(futures_util::poll!(next.as_mut()).is_pending());
        }
        assert!(futures_util::poll!(next.as_mut()).is_pending(), "it is not handed out");
    }
    queue.publish(messages(&leads, [2])).await.expect("published");
    assert_eq!(drain(&queue, &leads, 1).await, BTreeSet::from([2]), "it does not stand in the way");
    assert_eq!(stats_of(&queue, &leads).await.claimed, 1);
    queue.close().await;
    let queue = opener.open(dir.path(), clock).await;
    assert_eq!(drain(&queue, &leads, 1).await, BTreeSet::from([1]));
    assert_empty(&queue).await;
    queue.close().await;
}

pub(crate) async fn topics_do_not_mix<O: Opener>(opener: &O) {
    on_queue(opener, async |queue, _, _| {
        let topics: Vec<_> = (0..10).map(|n| topic(&format!("deliver.{n}"))).collect();
        let all = topics.iter().zip(0..).flat_map(|(t, n)| messages(t, [n, n + 100])).collect();
        queue.publish(all).await.expect("published");
        for (t, n) in topics.iter().zip(0..) {
            assert_eq!(drain(queue, t, 2).await, BTreeSet::from([n, n + 100]));
        }
    })
    .await;
}

pub(crate) async fn a_message_sent_twice_comes_at_least_once<O: Opener>(opener: &O) {
    on_queue(opener, async |queue, _, _| {
        let leads = topic("leads");
        for _ in 0..2 {
            queue.publish(messages(&leads, [5])).await.expect("published");
        }
        drain(queue, &leads, 1).await;
        while stats_of(queue, &leads).await.total() > 0 {
            assert_eq!(drain(queue, &leads, 1).await, BTreeSet::from([5]));
        }
    })
    .await;
}

pub(crate) async fn bodies_come_back_as_they_were<O: Opener>(opener: &O) {
    on_queue(opener, async |queue, _, _| {
        let leads = topic("leads");
        let texts = [String::new(), "Иванова, 山田 \u{0}\u{7f}\"\\".to_owned(), "x".repeat(300 << 10)];
        for text in &texts {
            queue.publish(vec![leads.message(super::harness::id(1), text)]).await.expect("published");
            let claim = claim_one(&mut queue.claims(&leads)).await;
            assert_eq!(claim.body(), text);
            claim.settle(Vec::new()).await.expect("settled");
        }
    })
    .await;
}

pub(crate) async fn nothing_may_be_published_and_nothing_settled<O: Opener>(opener: &O) {
    on_queue(opener, async |queue, _, _| {
        assert_eq!(queue.publish(Vec::new()).await, Ok(()));
        assert_eq!(settle_all(Vec::new(), Vec::new()).await, Ok(()));
        let lost = settle_all(Vec::new(), messages(&topic("leads"), [1])).await;
        assert_eq!(lost, Err(QueueError::Lost), "outputs without a claim have no queue to go to");
    })
    .await;
}

pub(crate) async fn a_claim_is_settled_after_its_consumer_is_gone<O: Opener>(opener: &O) {
    on_queue(opener, async |queue, _, _| {
        let leads = topic("leads");
        queue.publish(messages(&leads, [1])).await.expect("published");
        let claim = claim_one(&mut queue.claims(&leads)).await;
        claim.settle(Vec::new()).await.expect("settled");
    })
    .await;
}

pub(crate) async fn the_figures_say_what_waits<O: Opener>(opener: &O) {
    on_queue(opener, async |queue, clock, _| {
        let leads = topic("leads");
        let at = clock.now() + O::MINUTE * 2;
        queue.publish(messages(&leads, 0..5)).await.expect("published");
        queue.publish(vec![message(&leads, 5).not_before(at)]).await.expect("published");
        let claimed = claim(&mut queue.claims(&leads), 2).await;
        if !O::TELLS_ALL {
            let figures = stats_of(queue, &leads).await;
            assert_eq!((figures.ready, figures.claimed), (3, 2));
            assert_eq!(stats(queue).await.iter().map(|t| t.delayed).sum::<u64>(), 1, "among all that are delayed");
            drop(claimed);
            drain(queue, &leads, 5).await;
            let waits = drain(queue, &leads, 1);
            assert_eq!(waits.await, BTreeSet::from([5]));
            return;
        }
        clock.advance(Duration::from_secs(90));
        let figures = stats_of(queue, &leads).await;
        assert_eq!((figures.ready, figures.delayed, figures.claimed, figures.total()), (3, 1, 2, 6));
        assert_eq!(figures.oldest_age, Some(Duration::from_secs(90)));
        drop(claimed);
        clock.advance(Duration::from_hours(1));
        let figures = stats_of(queue, &leads).await;
        assert_eq!((figures.ready, figures.delayed, figures.claimed), (6, 0, 0));
        drain(queue, &leads, 6).await;
        let figures = stats_of(queue, &leads).await;
        assert_eq!((figures.total(), figures.oldest_age), (0, None));
        assert_eq!(figures.topic, "leads", "a topic that is claimed from is listed");
    })
    .await;
}

pub(crate) async fn a_corrected_wall_clock_makes_no_storm_and_no_stall<O: Opener>(opener: &O) {
    on_queue(opener, async |queue, clock, _| {
        let leads = topic("leads");
        for hours in [1, -1] {
            let at = clock.now() + O::MINUTE;
            queue.publish(vec![message(&leads, 1).not_before(at)]).await.expect("published");
            clock.jump(SignedDuration::from_hours(hours));
            assert_none_ready(queue, &leads).await;
            queue.publish(messages(&leads, [2])).await.expect("published");
            assert_eq!(drain(queue, &leads, 1).await, BTreeSet::from([2]), "new messages do not wait");
            let mut claims = queue.claims(&leads);
            let mut next = pin!(claims.next(10));
            assert!(futures_util::poll!(next.as_mut()).is_pending(), "no storm");
            opener.pass(clock, O::MINUTE).await;
            let claimed = soon(next).await.expect("no stall");
            assert_eq!(numbers(&claimed), BTreeSet::from([1]));
            for claim in claimed {
                claim.settle(Vec::new()).await.expect("settled");
            }
        }
    })
    .await;
}

pub(crate) async fn control_reaches_everybody<O: Opener>(opener: &O) {
    on_queue(opener, async |queue, _, _| {
        let (mut one, mut two) = (queue.control(), queue.clone().control());
        assert!(one.borrow().is_none() && two.borrow().is_none());
        let mut control = Control::default();
        control.paused.insert("crm".to_owned(), "the API key is being changed".to_owned());
        queue.publish_control(control.clone());
        for told in [&mut one, &mut two] {
            soon(told.changed()).await.expect("the queue lives");
            assert_eq!(told.borrow().as_deref(), Some(&control));
        }
        assert_eq!(queue.control().borrow().as_deref(), Some(&control), "who comes late is told too");
    })
    .await;
}

pub(crate) async fn it_is_ready_when_it_is_open<O: Opener>(opener: &O) {
    on_queue(opener, async |queue, _, _| {
        assert_eq!(*queue.health().borrow(), Health::Ready);
    })
    .await;
}

pub(crate) async fn a_closed_queue_says_so<O: Opener>(opener: &O) {
    let dir = tempfile::tempdir().expect("a directory");
    let clock = opener.clock();
    let queue = opener.open(dir.path(), clock.clone()).await;
    let (leads, other) = (topic("leads"), topic("other"));
    queue.publish(messages(&leads, [1])).await.expect("published");
    let held = claim_one(&mut queue.claims(&leads)).await;
    let mut waiting = queue.claims(&other);
    {
        let mut next = pin!(waiting.next(1));
        assert!(futures_util::poll!(next.as_mut()).is_pending());
        soon(queue.close()).await;
        assert_eq!(soon(next).await.err(), Some(QueueError::Closed));
    }
    soon(queue.close()).await;
    assert_eq!(queue.publish(messages(&leads, [2])).await, Err(QueueError::Closed));
    assert_eq!(held.settle(Vec::new()).await, Err(QueueError::Closed));
    assert_eq!(waiting.next(1).await.err(), Some(QueueError::Closed));
    assert_eq!(queue.stats().await.err(), Some(QueueError::Closed));
    let again = opener.open(dir.path(), clock).await;
    assert_eq!(drain(&again, &leads, 1).await, BTreeSet::from([1]));
    again.close().await;
}

pub(crate) async fn closing_gives_claims_back_uncounted<O: Opener>(opener: &O) {
    let dir = tempfile::tempdir().expect("a directory");
    let clock = opener.clock();
    let queue = opener.open(dir.path(), clock.clone()).await;
    let leads = topic("leads");
    queue.publish(messages(&leads, [1])).await.expect("published");
    let held = claim_one(&mut queue.claims(&leads)).await;
    queue.close().await;
    let again = opener.open(dir.path(), clock).await;
    let claim = claim_one(&mut again.claims(&leads)).await;
    assert_eq!(claim.redelivered(), 0);
    claim.settle(Vec::new()).await.expect("settled");
    assert_empty(&again).await;
    again.close().await;
    drop(held);
}
