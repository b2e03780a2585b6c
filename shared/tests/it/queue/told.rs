//! What many tell and settle at the same moment.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use leadrelay_shared::event::{Event, Fact};
use leadrelay_shared::id::LeadId;
use leadrelay_shared::queue::Topic;

use super::harness::{assert_empty, claim, drain, message, messages, on_queue, soon, start, topic};
use super::opener::Opener;

/// A fact of its own for each number.
fn fact(n: usize) -> Event {
    let lead = LeadId::derive(&[&n.to_be_bytes()]);
    // One is longer than all that travels together.
    let source = if n == 7 { "x".repeat(100 << 10) } else { "addon".to_owned() };
    Event { at: start(), fact: Fact::Duplicate { lead, source } }
}

pub(crate) async fn what_many_tell_at_once_travels_together_and_loses_nothing<O: Opener>(opener: &O) {
    const MANY: usize = 300;
    on_queue(opener, async |queue, _, _| {
        let (events, other) = (Topic::events(), topic("other"));
        let tell = async |n: usize| {
            let told = vec![events.told(&vec![fact(n)]), message(&other, u32::try_from(n).expect("small"))];
            queue.publish(told).await.expect("published");
        };
        soon(join_all((0..MANY).map(tell))).await;
        let (mut told, mut carried) = (BTreeSet::new(), 0);
        let mut claims = queue.claims(&events);
        while told.len() < MANY {
            for claim in soon(claims.next(10)).await.expect("the queue is open") {
                carried += 1;
                told.extend(claim.body().iter().map(Event::id));
                claim.settle(Vec::new()).await.expect("settled");
            }
        }
        assert_eq!(told, (0..MANY).map(|n| fact(n).id()).collect());
        assert!(carried < MANY / 2, "{carried} messages for {MANY} facts");
        drain(queue, &other, MANY).await;
        assert_empty(queue).await;
    })
    .await;
}

pub(crate) async fn a_settled_claim_tells_what_it_did<O: Opener>(opener: &O) {
    on_queue(opener, async |queue, _, _| {
        let (leads, events) = (topic("leads"), Topic::events());
        queue.publish(messages(&leads, 0..20)).await.expect("published");
        let claimed = claim(&mut queue.claims(&leads), 20).await;
        let settling =
            claimed.into_iter().enumerate().map(|(n, claim)| claim.settle(vec![events.told(&vec![fact(n)])]));
        for settled in soon(join_all(settling)).await {
            settled.expect("settled");
        }
        let (mut told, mut claims) = (BTreeSet::new(), queue.claims(&events));
        while told.len() < 20 {
            for claim in soon(claims.next(10)).await.expect("the queue is open") {
                told.extend(claim.body().iter().map(Event::id));
                claim.settle(Vec::new()).await.expect("settled");
            }
        }
        assert_empty(queue).await;
    })
    .await;
}

pub(crate) async fn what_is_settled_right_before_the_end_never_comes_again<O: Opener>(opener: &O) {
    on_queue(opener, async |queue, _, _| {
        let leads = topic("leads");
        for _ in 0..10 {
            queue.publish(messages(&leads, 0..300)).await.expect("published");
            // One after the other, by a consumer that is gone by then.
            drain(queue, &leads, 300).await;
            assert_empty(queue).await;
        }
    })
    .await;
}
