//! The contract of `Connector`, for a webhook.

use leadrelay_connector_webhook::WebhookConnector;
use leadrelay_testkit::Partner;

leadrelay_testkit::conformance!(WebhookConnector, Partner, http);
