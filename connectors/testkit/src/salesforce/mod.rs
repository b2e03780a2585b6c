//! Salesforce: an org as a plain struct, and its REST API as a thin face.
//!
//! A test changes the [`Org`] (a field becomes required, a rule blocks, the limit is used up, sessions end) and asserts on the
//! records in it. What is modelled from documentation and what is guessed stands in the README.

mod api;
mod collections;
mod fields;
mod login;
mod org;
mod query;
mod record_id;
mod refusal;
mod rules;
mod save;
mod setup;
mod world;

pub use fields::FieldDef;
pub use org::{DuplicateRule, Org, SalesforceCalls, SalesforceRecord};
pub use world::Salesforce;
