//! A world and a connector to it, and the questions that cases ask of both.

use std::path::PathBuf;
use std::time::Duration;

use leadrelay_shared::clock::Clock;
use leadrelay_shared::connector::{Connector, Context, Outcome};
use leadrelay_shared::delivery::Delivery;
use leadrelay_shared::error::{DeliveryError, ErrorKind};
use leadrelay_shared::http;
use serde_json::Value;

use super::World;
use crate::samples;

/// Long enough for any machine, so that only what hangs meets it.
pub(super) const PATIENT: Duration = Duration::from_secs(60);

/// Short, for what is meant to hang.
const HASTY: Duration = Duration::from_millis(1500);

pub(super) struct Rig<C: Connector, W: World> {
    pub(super) world: W,
    pub(super) clock: Clock,
    pub(super) connector: C,
}

impl<C: Connector, W: World> Rig<C, W> {
    /// A connector that has all the time it wants.
    pub(super) async fn new() -> Self {
        Self::with(W::start().await, PATIENT)
    }

    /// A connector whose timeout is short.
    pub(super) async fn hasty() -> Self {
        Self::with(W::start().await, HASTY)
    }

    fn with(world: W, timeout: Duration) -> Self {
        let clock = Clock::manual(samples::start());
        let connector = connector::<C>(world.settings(), timeout, true, &clock);
        Self { world, clock, connector }
    }

    /// Delivers, and fails unless it worked.
    pub(super) async fn delivers(&self, delivery: &Delivery) {
        let outcome = self.connector.deliver(delivery).await;
        assert!(outcome.is_ok(), "the delivery should have worked: {outcome:?}");
    }

    /// Delivers, and fails if it worked.
    pub(super) async fn fails(&self, delivery: &Delivery) -> DeliveryError {
        match self.connector.deliver(delivery).await {
            Err(error) => error,
            Ok(receipt) => panic!("the delivery should have failed: {receipt:?}"),
        }
    }

    /// Delivers, and fails unless it failed like this.
    pub(super) async fn fails_as(&self, kind: ErrorKind, delivery: &Delivery) -> DeliveryError {
        let error = self.fails(delivery).await;
        assert_eq!(error.kind, kind, "{error:?}");
        error
    }

    /// Fails unless the world holds `count` records for `delivery`.
    pub(super) fn holds(&self, count: usize, delivery: &Delivery) {
        assert_eq!(self.world.records(delivery), count, "records in the world");
    }

    /// The failed delivery, once more; and the world holds one record.
    pub(super) async fn recovers(&self, delivery: &Delivery) {
        self.delivers(delivery).await;
        self.holds(1, delivery);
    }
}

/// Makes a connector from settings.
pub(super) fn connector<C: Connector>(settings: Value, timeout: Duration, allow_private: bool, clock: &Clock) -> C {
    let settings = match serde_json::from_value(settings) {
        Ok(settings) => settings,
        Err(error) => panic!("the world's settings are not the connector's: {error}"),
    };
    let client = http::Client::new(http::Settings { timeout, allow_private_addresses: allow_private });
    let context = Context {
        destination: samples::DESTINATION.to_owned(),
        http: client.unwrap_or_else(|error| panic!("no client: {error}")),
        clock: clock.clone(),
        base_dir: PathBuf::from("."),
        accounts: Default::default(),
    };
    C::new(settings, context).unwrap_or_else(|error| panic!("the connector refuses its settings: {error}"))
}

/// A delivery every value of which is a mark, and the mark.
pub(super) fn marked() -> (Delivery, &'static str) {
    const MARK: &str = "Zq7-marked-lead";
    let record =
        ["lastname", "email", "description"].into_iter().map(|field| (field.to_owned(), MARK.into())).collect();
    (samples::delivery_of(1, record), MARK)
}

/// Fails if a text about `outcome` shows one of `marks`.
pub(super) fn discreet(outcome: &Outcome, marks: &[String]) {
    let told = match outcome {
        Ok(receipt) => format!("{receipt:?}"),
        Err(error) => format!("{error} {error:?} {}", serde_json::to_string(error).unwrap_or_default()),
    };
    for mark in marks {
        assert!(!told.contains(mark.as_str()), "`{mark}` is shown by: {told}");
    }
}
