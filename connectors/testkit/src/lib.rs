//! Simulated receivers, fault plans and the conformance suite.
//!
//! A simulated CRM is a plain struct, and HTTP is a thin face before it ([`Server`]): a test asserts on what is in the
//! world, not on which calls were made. A [`Plan`] breaks the face on purpose, before or after the effect, because a lost
//! answer is where duplicates are born.

mod answers;
mod assertion;
pub mod broker;
pub mod conformance;
mod dataverse;
mod fault;
mod folder;
mod hubspot;
mod keeper;
mod partner;
pub mod postgres;
pub mod program;
mod receiver;
mod salesforce;
pub mod samples;
mod server;
mod socket;
mod stranger;
mod tally;

pub use dataverse::{Column, Dataverse, DataverseCalls, DataverseRow, Environment};
pub use fault::{Fault, How, Plan};
pub use folder::Folder;
pub use hubspot::{HubSpot, HubSpotCalls, HubSpotRecord, Portal, Property};
pub use partner::Partner;
pub use receiver::{Receiver, Record};
pub use salesforce::{DuplicateRule, FieldDef, Org, Salesforce, SalesforceCalls, SalesforceRecord};
pub use server::{Server, Simulated};
pub use tally::Tally;
