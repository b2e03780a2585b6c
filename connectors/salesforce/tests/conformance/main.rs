//! The contract of `Connector`, for Salesforce; and what is Salesforce's own.

mod backlog;
mod batches;
mod login;
mod lookup;
mod rig;
mod rules;
mod setup;

use leadrelay_connector_salesforce::SalesforceConnector;
use leadrelay_testkit::Salesforce;

leadrelay_testkit::conformance!(SalesforceConnector, Salesforce, http, token, fields, edit);
