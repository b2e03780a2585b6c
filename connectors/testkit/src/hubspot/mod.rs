//! HubSpot: an account as a plain struct, with the CRM API as its face.
//!
//! A test changes the [`Portal`] (a property is removed, the token is taken back, a limit is met) and asserts on the contacts and
//! leads in it. What is modelled from documentation and what is guessed stands in the README.

mod api;
mod portal;
mod property;
mod refusal;
mod world;

pub use portal::{HubSpotCalls, HubSpotRecord, Portal};
pub use property::Property;
pub use world::HubSpot;
