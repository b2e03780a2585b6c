//! The contract of `Connector`, for HubSpot; and what is its own.

mod contacts;
mod rig;
mod rules;

use leadrelay_connector_hubspot::HubSpotConnector;
use leadrelay_testkit::HubSpot;

leadrelay_testkit::conformance!(HubSpotConnector, HubSpot, http, fields, edit);
