//! Delivers to a webhook.
