//! The connectors that this program is built with: one line each.

use leadrelay_connector_dynamics::DynamicsConnector;
use leadrelay_connector_file::FileConnector;
use leadrelay_connector_hubspot::HubSpotConnector;
use leadrelay_connector_salesforce::SalesforceConnector;
use leadrelay_connector_webhook::WebhookConnector;
use leadrelay_shared::config::{ConnectorInfo, Loader};
use leadrelay_shared::worker::{ConnectorEntry, entry};

/// Every connector.
pub fn connectors() -> Vec<ConnectorEntry> {
    vec![
        entry::<DynamicsConnector>(),
        entry::<FileConnector>(),
        entry::<HubSpotConnector>(),
        entry::<SalesforceConnector>(),
        entry::<WebhookConnector>(),
    ]
}

/// The connector of this name.
pub fn connector(name: &str) -> Option<ConnectorEntry> {
    connectors().into_iter().find(|c| (c.info)().name == name)
}

/// What the configuration needs to know of every connector.
pub fn infos() -> Vec<ConnectorInfo> {
    connectors().iter().map(|c| (c.info)()).collect()
}

/// Reads configurations that may name these connectors and no others.
pub fn loader() -> Loader {
    Loader { connectors: infos(), all_connectors: true }
}
