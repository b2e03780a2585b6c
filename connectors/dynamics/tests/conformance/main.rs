//! The contract of `Connector`, for Dynamics 365; and what is its own.

mod duplicates;
mod login;
mod metadata;
mod rig;
mod rules;

use leadrelay_connector_dynamics::DynamicsConnector;
use leadrelay_testkit::Dataverse;

leadrelay_testkit::conformance!(DynamicsConnector, Dataverse, http, token, fields, edit);
