//! The suite is itself held to something: it passes a connector that keeps the contract and fails one that breaks a line.

mod broker;
mod careless;
mod forgetful;
mod postgres;
mod server;
mod simulators;
mod wire;

use std::future::Future;

use careless::{Careless, Small};
use forgetful::Forgetful;
use leadrelay_testkit::Dataverse;
use leadrelay_testkit::conformance as suite;

/// Whether a case passes. A case that fails panics, and prints why.
async fn passes(case: impl Future<Output = ()> + Send + 'static) -> bool {
    tokio::spawn(case).await.is_ok()
}

macro_rules! caught {
    ($name:ident, $sin:expr => $($case:ident),*) => { caught!($name, Careless, Small, $sin => $($case),*); };
    ($name:ident, $connector:ident, $world:ty, $sin:expr => $($case:ident),*) => {
        #[tokio::test]
        async fn $name() {
            $(
                assert!(passes(suite::$case::<$connector<{ $connector::NOTHING }>, $world>()).await, "{}, with no fault", stringify!($case));
                assert!(!passes(suite::$case::<$connector<{ $sin }>, $world>()).await, "{} overlooks it", stringify!($case));
            )*
        }
    };
}

caught!(a_key_that_is_new_in_every_attempt, Careless::NEW_KEYS =>
    delivers_a_second_time_without_a_second_record, delivers_ten_at_once_as_one_record,
    an_answer_lost_after_the_effect_is_uncertain_and_leaves_one_record, silence_after_the_effect_leaves_one_record,
    a_5xx_after_the_effect_leaves_one_record, a_dropped_attempt_leaves_one_record);
caught!(an_update_where_a_create_was_meant, Careless::UPDATES => a_redelivery_leaves_what_a_person_edited);
caught!(an_error_that_shows_the_answer, Careless::BLABS => shows_no_secret_and_no_lead_in_any_failure);
caught!(a_server_whose_time_is_not_kept, Careless::HASTES =>
    a_429_in_seconds_is_honoured_in_full, a_429_by_date_is_honoured_in_full);
caught!(a_lost_answer_taken_for_a_failure, Careless::IS_SURE =>
    an_answer_lost_after_the_effect_is_uncertain_and_leaves_one_record, garbage_is_uncertain_and_leaves_one_record,
    silence_is_uncertain_within_the_timeout, a_connection_cut_before_the_effect_is_uncertain);
caught!(a_failure_of_the_server_put_on_the_lead, Careless::BLAMES_THE_LEAD =>
    a_5xx_before_the_effect_is_tried_again, a_503_for_a_minute_leaves_one_record,
    a_429_without_a_time_waits_as_well, a_5xx_after_the_effect_leaves_one_record, a_401_is_unauthorized,
    a_redirect_is_not_followed);
caught!(a_refusal_without_its_field, Careless::NAMES_NO_FIELD => a_field_removed_after_the_check_is_named);
caught!(a_check_that_tells_no_fields, Careless::TELLS_NO_FIELDS => the_check_knows_the_fields_that_deliveries_use);
caught!(a_check_that_creates, Careless::CHECKS_BY_POSTING => checks_without_a_trace);

caught!(a_login_for_each_lead, Forgetful, Dataverse, Forgetful::ASKS_EACH_TIME =>
    twenty_at_once_log_in_once, a_refused_credential_is_asked_about_once, a_login_that_is_throttled_waits);
caught!(a_refused_token_that_is_kept, Forgetful, Dataverse, Forgetful::KEEPS_WHAT_IS_REFUSED =>
    a_token_that_is_refused_is_replaced_once, a_revoked_credential_is_unauthorized);
caught!(a_refused_login_put_on_the_lead, Forgetful, Dataverse, Forgetful::BLAMES_THE_LEAD =>
    a_login_that_fails_is_not_about_a_lead);

#[tokio::test]
async fn settings_that_take_any_key() {
    assert!(!passes(suite::refuses_settings_that_it_does_not_know::<Careless<{ Careless::NOTHING }>, Small>()).await);
}
