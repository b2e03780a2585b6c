//! The contract of [`Connector`](leadrelay_shared::connector::Connector), executable: one named test for each of its lines.
//!
//! A connector's test file names the connector and a world to deliver to: `conformance!(AcmeConnector, Acme)`, or
//! `conformance!(AcmeConnector, Acme, http)` where the world has a [`Server`] for a face, `, token` where it gives tokens,
//! `, fields` where it tells its fields, and `, edit` where a person could change a record afterwards.

mod always;
mod edits;
mod faults;
mod fields;
mod http;
mod rig;
mod token;

use std::future::Future;

use leadrelay_shared::delivery::Delivery;
use serde_json::Value;

pub use always::*;
pub use edits::*;
pub use faults::*;
pub use fields::*;
pub use http::*;
pub use token::*;

use crate::Server;

/// Where a connector delivers to: a simulated CRM, a folder.
pub trait World: Send + Sync + Sized + 'static {
    /// Makes a world with nothing in it.
    fn start() -> impl Future<Output = Self> + Send;

    /// Settings that lead a connector to this world, as they stand in a configuration.
    fn settings(&self) -> Value;

    /// How many records the world holds for `delivery`.
    fn records(&self, delivery: &Delivery) -> usize;

    /// How many records the world holds in all.
    fn total(&self) -> usize;

    /// Secrets in the settings: no text may show them.
    fn secrets(&self) -> Vec<String> {
        Vec::new()
    }
}

/// A world that is reached over HTTP.
pub trait HttpWorld: World {
    /// Its face.
    fn server(&self) -> &Server;

    /// Calls that an attempt makes before the one that writes the record: what the record belongs to, in some CRMs.
    fn calls_before_the_record(&self) -> usize {
        0
    }

    /// `settings`, but for `https://` at the same host and port: where nobody speaks TLS, and nobody is to be connected to.
    fn over_tls(&self) -> Value {
        let text = self.settings().to_string().replace("http://", "https://");
        serde_json::from_str(&text).unwrap_or_default()
    }
}

/// A world that gives tokens.
pub trait TokenWorld: HttpWorld {
    /// Where it gives them.
    fn login(&self) -> &Server;

    /// How often it was asked for one, refusals included.
    fn logins(&self) -> u64;

    /// Settings whose secret it refuses.
    fn wrong_settings(&self) -> Value;

    /// Every token ends.
    fn end_tokens(&self);

    /// The credential is taken back, and every token ends.
    fn revoke(&self);

    /// A second login is refused until the token of the first was used.
    fn one_login_at_a_time(&self);
}

/// A world that has fields, and tells them.
pub trait FieldWorld: World {
    /// A field is there no more.
    fn remove_field(&self, name: &str);
}

/// A world in which a person could change a record.
pub trait Editable: World {
    /// A person changes the record of `delivery`.
    fn edit(&self, delivery: &Delivery);

    /// Whether the record is as the person left it.
    fn is_as_edited(&self, delivery: &Delivery) -> bool;
}

/// One `#[tokio::test]` for each case, by the case's name.
#[macro_export]
macro_rules! conformance {
    ($connector:ty, $world:ty $(, $more:ident)*) => {
        $crate::conformance_cases! { $connector, $world;
            delivers, delivers_a_second_time_without_a_second_record, delivers_ten_at_once_as_one_record,
            delivers_many_in_order, can_be_dropped_at_any_moment, checks_without_a_trace,
            refuses_settings_that_it_does_not_know, shows_no_secret_and_no_lead_in_debug,
        }
        $( $crate::conformance!(@$more $connector, $world); )*
    };
    (@http $connector:ty, $world:ty) => {
        $crate::conformance_cases! { $connector, $world;
            an_answer_lost_after_the_effect_is_uncertain_and_leaves_one_record,
            half_an_answer_after_the_effect_leaves_one_record,
            a_connection_cut_before_the_effect_is_uncertain, silence_is_uncertain_within_the_timeout,
            silence_after_the_effect_leaves_one_record, a_dripping_answer_ends_and_leaves_one_record,
            a_5xx_before_the_effect_is_tried_again, a_503_for_a_minute_leaves_one_record, a_5xx_after_the_effect_leaves_one_record,
            garbage_is_uncertain_and_leaves_one_record, an_oversize_answer_is_not_read_to_its_end,
            a_refused_connection_is_unavailable, a_dropped_attempt_leaves_one_record,
            a_429_in_seconds_is_honoured_in_full, a_429_by_date_is_honoured_in_full, a_429_without_a_time_waits_as_well, a_401_is_unauthorized,
            a_redirect_is_not_followed, a_certificate_that_is_not_trusted_is_not_talked_to,
            private_addresses_are_refused_unless_allowed,
            plain_http_is_refused_outside_private_networks, shows_no_secret_and_no_lead_in_any_failure,
        }
    };
    (@token $connector:ty, $world:ty) => {
        $crate::conformance_cases! { $connector, $world;
            twenty_at_once_log_in_once, a_refused_credential_is_asked_about_once, a_revoked_credential_is_unauthorized,
            a_token_that_is_refused_is_replaced_once, a_login_that_fails_is_not_about_a_lead,
            a_login_that_is_throttled_waits,
        }
    };
    (@fields $connector:ty, $world:ty) => {
        $crate::conformance_cases! { $connector, $world;
            the_check_knows_the_fields_that_deliveries_use, a_field_removed_after_the_check_is_named,
        }
    };
    (@edit $connector:ty, $world:ty) => {
        $crate::conformance_cases! { $connector, $world; a_redelivery_leaves_what_a_person_edited, }
    };
}

/// What `conformance!` is made of.
#[doc(hidden)]
#[macro_export]
macro_rules! conformance_cases {
    ($connector:ty, $world:ty; $($case:ident,)*) => {$(
        #[tokio::test]
        async fn $case() {
            $crate::conformance::$case::<$connector, $world>().await;
        }
    )*};
}
