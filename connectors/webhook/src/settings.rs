//! What a webhook destination is told, and what of it makes no sense.
//!
//! Invariant: `Debug` shows the host of the URL and the names of headers, and nothing that could be a token.

use std::collections::BTreeMap;
use std::fmt;

use leadrelay_shared::config::Secret;
use leadrelay_shared::http::Url;
use leadrelay_shared::http::header::{HeaderMap, HeaderName, HeaderValue};
use leadrelay_shared::webhook;
use schemars::JsonSchema;
use serde::Deserialize;

/// A webhook destination's own settings.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where leads are posted to.
    pub url: String,
    /// The secret that requests are signed with and the receiver verifies them by: `whsec_` and base64 of 24 to 64 bytes.
    pub secret: Secret,
    /// Further headers for each request, such as an API key. A value is a secret like any other.
    #[serde(default)]
    pub headers: BTreeMap<String, Secret>,
}

impl Settings {
    /// The URL.
    pub(crate) fn url(&self) -> Result<Url, String> {
        webhook::url(&self.url)
    }

    /// The further headers.
    pub(crate) fn headers(&self) -> Result<HeaderMap, String> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let parsed =
                HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("`headers.{name}` is no header's name"))?;
            if is_ours(&parsed) {
                return Err(format!("`headers.{name}` is set by leadrelay itself; remove it"));
            }
            let mut value = HeaderValue::from_str(value.expose()).map_err(|_| {
                format!("the value of `headers.{name}` holds a line end or another character that no header can hold")
            })?;
            value.set_sensitive(true);
            headers.insert(parsed, value);
        }
        Ok(headers)
    }
}

/// Whether a header is set by leadrelay, or belongs to the connection and not to the request.
fn is_ours(name: &HeaderName) -> bool {
    const OURS: [&str; 15] = [
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "date",
    ];
    OURS.contains(&name.as_str()) || name.as_str().starts_with("webhook-")
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.url();
        f.debug_struct("Settings")
            .field("host", &url.as_ref().ok().and_then(Url::host_str))
            .field("secret", &self.secret)
            .field("headers", &self.headers)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(url: &str, headers: &[(&str, &str)]) -> Settings {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), Secret::plain(*value))).collect();
        Settings { url: url.to_owned(), secret: Secret::plain("whsec_"), headers }
    }

    #[test]
    fn a_url_that_makes_no_sense_is_refused_without_being_shown() {
        for url in [
            "partner.example.com/t0ken",
            "ftp://partner.example.com/t0ken",
            "https://",
            "https://t0ken@partner.example.com/",
            "https://a:t0ken@partner.example.com/",
            "https://partner.example.com/#t0ken",
            "mailto:t0ken@example.com",
        ] {
            let error = settings(url, &[]).url().expect_err(url);
            assert!(error.starts_with("`url`") && !error.contains("t0ken"), "{error}");
        }
        assert!(settings("https://partner.example.com/leads?key=t0ken", &[]).url().is_ok());
    }

    #[test]
    fn headers_of_ours_and_of_the_connection_are_refused() {
        for name in
            ["Webhook-Id", "webhook-signature", "Content-Type", "Host", "Connection", "Transfer-Encoding", "a b", ""]
        {
            let error = settings("", &[(name, "t0ken")]).headers().expect_err(name);
            assert!(error.starts_with(&format!("`headers.{name}`")), "{error}");
        }
        let error = settings("", &[("x-key", "t0ken\r\nx: y")]).headers().expect_err("a line end");
        assert!(error.contains("`headers.x-key`") && !error.contains("t0ken"), "{error}");
        assert_eq!(settings("", &[("X-Api-Key", "t0ken")]).headers().expect("a header")["x-api-key"], "t0ken");
    }

    #[test]
    fn debug_shows_the_host_and_no_token() {
        let shown = format!("{:?}", settings("https://partner.example.com/t0ken?sig=t0ken", &[("x-key", "t0ken")]));
        assert!(
            shown.contains("partner.example.com") && shown.contains("x-key") && !shown.contains("t0ken"),
            "{shown}"
        );
    }
}
