//! The one public trait: how a lead gets into a CRM.
//!
//! A connector makes one attempt and classifies what happened. It never retries, never sleeps and never logs a payload;
//! [`crate::retry`] decides what is next and [`crate::worker`] does it. Each line of the contract is a case of the
//! conformance suite in `connectors/testkit`.

use std::fmt::Debug;
use std::future::Future;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::account::{Account, Accounts};
use crate::clock::Clock;
use crate::delivery::{Delivery, Receipt};
use crate::error::DeliveryError;
use crate::fields::Fields;
use crate::http::Client;

/// The outcome of one attempt.
pub type Outcome = Result<Receipt, DeliveryError>;

/// What a connector is given to work with.
#[derive(Clone, Debug)]
pub struct Context {
    /// The destination's name in the configuration, for messages.
    pub destination: String,
    /// The HTTP client: timeouts, response caps, no redirects, no private addresses unless the destination allows them.
    pub http: Client,
    /// The only source of time.
    pub clock: Clock,
    /// The directory that relative paths in the settings start from: where the configuration file is.
    pub base_dir: PathBuf,
    /// The accounts of this process, for destinations that share one.
    pub accounts: Accounts,
}

/// Delivers leads to one kind of destination.
///
/// - *Create once*: for one `delivery.id` at most one record, where the destination can enforce a key. "Already exists" is
///   success with `existed` set, and a redelivery must not overwrite what a person edited since.
/// - *Cancel-safe*: dropping the future of `deliver` leaves nothing that the next attempt would trip over.
/// - *Discreet*: no payload and no secret in an error, a log line or `Debug`.
/// - *Bounded*: reads answers through [`crate::http`], which caps them.
pub trait Connector: Send + Sync + Sized + 'static {
    /// The value of `connector` in a destination's settings.
    const NAME: &'static str;

    /// The most deliveries that one call of [`deliver_many`](Self::deliver_many) takes.
    const BATCH: usize = 1;

    /// The destination's own settings, beside those that all destinations have. Secrets are [`crate::config::Secret`].
    type Settings: DeserializeOwned + JsonSchema + Debug + Send + Sync + 'static;

    /// Makes a connector, without I/O.
    ///
    /// # Errors
    /// A text that names the key and the remedy, when settings that deserialize still make no sense together.
    fn new(settings: Self::Settings, context: Context) -> Result<Self, String>;

    /// Makes one attempt.
    ///
    /// # Errors
    /// The failure, classified.
    fn deliver(&self, delivery: &Delivery) -> impl Future<Output = Outcome> + Send;

    /// Makes one attempt for each delivery, in one call where the CRM has one; the answers in the order of the questions.
    fn deliver_many(&self, deliveries: &[Delivery]) -> impl Future<Output = Vec<Outcome>> + Send {
        async move {
            let mut outcomes = Vec::with_capacity(deliveries.len());
            for delivery in deliveries {
                outcomes.push(self.deliver(delivery).await);
            }
            outcomes
        }
    }

    /// Proves the credentials with one harmless call and returns the live fields, where the CRM can tell them.
    ///
    /// # Errors
    /// The failure, classified as in `deliver`.
    fn check(&self) -> impl Future<Output = Result<Fields, DeliveryError>> + Send;

    /// The account that it works in, where others may work in the same one: they pause together.
    fn account(&self) -> Option<&Account> {
        None
    }

    /// The fields as the vendor documents them, for cutting until [`check`](Self::check) has answered.
    fn documented_fields() -> Fields {
        Fields::any()
    }
}
