//! Ended in the middle and started again: nothing is lost, nothing has two ids.

use leadrelay_testkit::samples::lead_json;
use leadrelay_testkit::{Fault, How, Plan};

use crate::support::world::{self, ALL_TO_PARTNER, World};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_goes_on_after_a_restart() {
    world::run(ALL_TO_PARTNER, async |world| {
        world.receiver.plan(Plan::Always(Fault::before(How::Status(503))));
        let mut ids = Vec::new();
        for n in 0..20 {
            ids.push(world.accepted(lead_json(n)).await);
        }
        world.restart().await;
        world.receiver.plan(Plan::Sound);
        for id in &ids {
            world.until(id, "delivered").await;
            assert!(world.receiver.has(&World::delivery(id, "partner")));
        }
        assert_eq!(world.receiver.distinct(), 20);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resend_after_a_restart_keeps_its_id() {
    world::run(ALL_TO_PARTNER, async |world| {
        let first = world.accepted(lead_json(1)).await;
        world.until(&first, "delivered").await;
        world.restart().await;
        assert_eq!(world.accepted(lead_json(1)).await, first);
        world.until(&first, "delivered").await;
        assert_eq!(world.receiver.distinct(), 1);
    })
    .await;
}
