//! What every connector promises, whatever it delivers to.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::join_all;
use leadrelay_shared::clock::Clock;
use leadrelay_shared::config::{ConnectorInfo, Loader};
use leadrelay_shared::connector::Connector;
use serde_json::{Value, json};

use super::World;
use super::rig::{Rig, connector, marked};
use crate::samples;

/// A delivery becomes a record, and another delivery another.
pub async fn delivers<C: Connector, W: World>() {
    let rig = Rig::<C, W>::new().await;
    let (first, second) = (samples::delivery(1), samples::delivery(2));
    rig.holds(0, &first);
    let receipt = rig.connector.deliver(&first).await.expect("it is delivered");
    assert!(!receipt.existed, "nothing was there");
    rig.holds(1, &first);
    rig.holds(0, &second);
    rig.delivers(&second).await;
    rig.holds(1, &second);
    assert_eq!(rig.world.total(), 2, "records in all");
}

/// Create once: what is there already is success.
pub async fn delivers_a_second_time_without_a_second_record<C: Connector, W: World>() {
    let rig = Rig::<C, W>::new().await;
    let mut delivery = samples::delivery(1);
    rig.delivers(&delivery).await;
    rig.recovers(&delivery).await;
    // An operator's replay, perhaps months later, of a record that a changed rule has made anew.
    delivery.round = 3;
    delivery.record.insert("lastname".to_owned(), json!("Someone else"));
    rig.recovers(&delivery).await;
    assert_eq!(rig.world.total(), 1, "records in all");
}

/// Create once, also where attempts meet.
pub async fn delivers_ten_at_once_as_one_record<C: Connector, W: World>() {
    let rig = Rig::<C, W>::new().await;
    let delivery = samples::delivery(1);
    let outcomes = join_all((0..10).map(|_| rig.connector.deliver(&delivery))).await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    rig.holds(1, &delivery);
}

/// As many answers as questions, and in their order.
pub async fn delivers_many_in_order<C: Connector, W: World>() {
    let rig = Rig::<C, W>::new().await;
    let deliveries: Vec<_> = (0..C::BATCH.clamp(3, 50) as u64).map(samples::delivery).collect();
    rig.delivers(&deliveries[1]).await;
    let outcomes = rig.connector.deliver_many(&deliveries).await;
    assert_eq!(outcomes.len(), deliveries.len());
    for (outcome, delivery) in outcomes.iter().zip(&deliveries) {
        assert!(outcome.is_ok(), "{outcome:?}");
        rig.holds(1, delivery);
    }
    assert_eq!(rig.connector.deliver_many(&[]).await.len(), 0);
}

/// Cancel-safe: an attempt that is dropped wherever it waits is none that the next one trips over.
pub async fn can_be_dropped_at_any_moment<C: Connector, W: World>() {
    let rig = Rig::<C, W>::new().await;
    for polls in 0..25 {
        let delivery = samples::delivery(polls);
        {
            let mut attempt = pin!(rig.connector.deliver(&delivery));
            for _ in 0..polls {
                if futures_util::poll!(attempt.as_mut()).is_ready() {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        rig.recovers(&delivery).await;
    }
}

/// The check is harmless: it works, and nothing comes of it.
pub async fn checks_without_a_trace<C: Connector, W: World>() {
    let rig = Rig::<C, W>::new().await;
    let checked = rig.connector.check().await;
    assert!(checked.is_ok(), "{checked:?}");
    assert_eq!(rig.world.total(), 0, "the check has left records");
    rig.delivers(&samples::delivery(1)).await;
}

/// The settings pass through a configuration file, and a key that the connector does not know is named.
pub async fn refuses_settings_that_it_does_not_know<C: Connector, W: World>() {
    let world = W::start().await;
    let mistakes = |settings: Value| {
        let mut table = settings.as_object().cloned().unwrap_or_default();
        table.insert("connector".to_owned(), json!(C::NAME));
        let text = toml::to_string(&json!({"destinations": {"crm": table}})).expect("settings fit into a file");
        let loader = Loader { connectors: vec![ConnectorInfo::of::<C>()], all_connectors: true };
        let found = loader.parse(&text, ".".as_ref(), std::iter::empty()).err().unwrap_or_default();
        found.into_iter().filter(|mistake| mistake.key.starts_with("destinations")).collect::<Vec<_>>()
    };
    assert_eq!(mistakes(world.settings()), [], "the schema refuses the world's settings");
    let mut settings = world.settings();
    settings["no_such_key"] = json!(1);
    let found = mistakes(settings.clone());
    assert!(found.iter().any(|mistake| mistake.key == "destinations.crm.no_such_key"), "{found:?}");
    let read = serde_json::from_value::<C::Settings>(settings);
    assert!(read.is_err(), "add #[serde(deny_unknown_fields)] to the settings");
}

/// No `Debug` shows a secret or a lead.
pub async fn shows_no_secret_and_no_lead_in_debug<C: Connector, W: World>() {
    let world = W::start().await;
    let settings = serde_json::from_value::<C::Settings>(world.settings());
    let shown = format!("{:?}", settings.expect("settings"));
    for secret in world.secrets() {
        assert!(
            world.settings().to_string().contains(&secret),
            "`{secret}` is not in the settings, so nothing is proved"
        );
        assert!(!shown.contains(&secret), "`{secret}` is shown by: {shown}");
    }
    let (delivery, mark) = marked();
    assert!(!format!("{delivery:?}").contains(mark));
    let clock = Clock::manual(samples::start());
    let receipt = connector::<C>(world.settings(), Duration::from_secs(60), true, &clock).deliver(&delivery).await;
    assert!(!format!("{receipt:?}").contains(mark), "{receipt:?}");
}
