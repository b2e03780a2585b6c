//! What operators do.

use leadrelay_testkit::samples::lead_json;
use serde_json::json;

use crate::support::world::{self, ALL_TO_PARTNER};

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_paused_by_hand_gets_nothing_until_it_is_resumed() {
    world::run(ALL_TO_PARTNER, async |world| {
        let (status, _) =
            world.api("POST", "/api/v1/destinations/partner/pause", Some(json!({"reason": "moving house"}))).await;
        assert_eq!(status, 200);
        let id = world.accepted(lead_json(1)).await;
        world.until(&id, "routed").await;
        let (_, destinations) = world.api("GET", "/api/v1/destinations", None).await;
        assert!(destinations.to_string().contains("moving house"), "{destinations}");
        assert_eq!(world.receiver.server.requests(), 0);
        let (status, _) = world.api("POST", "/api/v1/destinations/partner/resume", Some(json!({}))).await;
        assert_eq!(status, 200);
        world.until(&id, "delivered").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_by_hand_outlives_a_restart() {
    world::run(ALL_TO_PARTNER, async |world| {
        world.api("POST", "/api/v1/destinations/partner/pause", Some(json!({"reason": "moving house"}))).await;
        world.restart().await;
        let id = world.accepted(lead_json(1)).await;
        world.until(&id, "routed").await;
        assert_eq!(world.receiver.server.requests(), 0);
        world.api("POST", "/api/v1/destinations/partner/resume", Some(json!({}))).await;
        world.until(&id, "delivered").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_and_metrics_are_told_without_a_token() {
    world::run(ALL_TO_PARTNER, async |world| {
        let id = world.accepted(lead_json(1)).await;
        world.until(&id, "delivered").await;
        let (status, ready) = world.api("GET", "/readyz", None).await;
        assert_eq!((status, &ready["ready"]), (200, &json!(true)), "{ready}");
        let address = world.relay.ctx.status.address("admin").await;
        let metrics = world.text(&format!("http://{address}/metrics")).await;
        assert!(metrics.contains("leadrelay_deliveries_delivered_total{destination=\"partner\"}"), "{metrics}");
    })
    .await;
}
