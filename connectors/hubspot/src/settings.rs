//! What a HubSpot destination is told, and what of it makes no sense.

use leadrelay_shared::config::Secret;
use leadrelay_shared::http::Url;
use leadrelay_shared::http::header::HeaderValue;
use schemars::JsonSchema;
use serde::Deserialize;

/// A HubSpot destination's own settings.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The access token of a private app, with the scopes to read and write contacts and leads.
    pub token: Secret,
    /// Where the API is.
    #[serde(default = "Settings::default_url")]
    pub url: String,
    /// The property of leads that holds the delivery's id, by its internal name. Its values must be unique.
    #[serde(default = "Settings::default_id_property")]
    pub id_property: String,
    /// What becomes of a contact that HubSpot has already when another lead of that person comes.
    #[serde(default)]
    pub on_existing_contact: OnExistingContact,
}

/// What becomes of a contact that HubSpot has already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnExistingContact {
    /// What the lead says is written over it, as with a form of HubSpot; what the lead leaves out stays.
    #[default]
    Update,
    /// It stays as it is.
    Keep,
}

impl Settings {
    fn default_url() -> String {
        "https://api.hubapi.com".to_owned()
    }

    fn default_id_property() -> String {
        "leadrelay_id".to_owned()
    }

    /// Where the API is.
    pub(crate) fn url(&self) -> Result<Url, String> {
        let url: Url = self.url.parse().map_err(|_| "`url` is no URL; it starts with https://".to_owned())?;
        let is_plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
        if !matches!(url.scheme(), "https" | "http") || url.host_str().is_none() || !is_plain || url.path() != "/" {
            return Err("`url` is a scheme and a host alone: https://api.hubapi.com".to_owned());
        }
        Ok(url)
    }

    /// What every request is authorized with.
    pub(crate) fn bearer(&self) -> Result<HeaderValue, String> {
        let token = self.token.expose();
        if token.trim().is_empty() {
            return Err("`token` is empty; it is the access token of a private app".to_owned());
        }
        let bearer = HeaderValue::from_str(&format!("Bearer {token}"));
        let mut bearer = bearer.map_err(|_| "`token` holds a line end or another character of no token".to_owned())?;
        bearer.set_sensitive(true);
        Ok(bearer)
    }

    /// The property that holds the delivery's id.
    pub(crate) fn id_property(&self) -> Result<String, String> {
        match is_name(&self.id_property) {
            true => Ok(self.id_property.clone()),
            false => Err("`id_property` is an internal name: lower-case letters, digits and `_`".to_owned()),
        }
    }
}

/// Whether `text` can be the internal name of a property.
pub(crate) fn is_name(text: &str) -> bool {
    (1..=100).contains(&text.len()) && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn settings(more: &Value) -> Settings {
        let mut all = json!({"token": "pat-0"});
        for (key, value) in more.as_object().expect("a table") {
            all[key] = value.clone();
        }
        serde_json::from_value(all).expect("settings")
    }

    #[test]
    fn a_token_is_enough() {
        let settings = settings(&json!({}));
        assert_eq!(settings.url().expect("a url").as_str(), "https://api.hubapi.com/");
        assert_eq!(settings.id_property().as_deref(), Ok("leadrelay_id"));
        assert_eq!(settings.on_existing_contact, OnExistingContact::Update);
        assert!(settings.bearer().expect("a header").is_sensitive());
    }

    #[test]
    fn what_makes_no_sense_is_told_with_its_key() {
        for (more, key) in [
            (json!({"url": "https://api.hubapi.com/crm/v3"}), "`url`"),
            (json!({"url": "https://api.hubapi.com/?hapikey=t0ken"}), "`url`"),
            (json!({"url": "https://t0ken@api.hubapi.com"}), "`url`"),
            (json!({"url": "api.hubapi.com"}), "`url`"),
            (json!({"token": " "}), "`token`"),
            (json!({"token": "t0ken\n"}), "`token`"),
            (json!({"id_property": "Leadrelay Id"}), "`id_property`"),
            (json!({"id_property": ""}), "`id_property`"),
        ] {
            let settings = settings(&more);
            let told = [settings.url().err(), settings.bearer().err(), settings.id_property().err()];
            let told: Vec<String> = told.into_iter().flatten().collect();
            assert!(told.len() == 1 && told[0].starts_with(key) && !told[0].contains("t0ken"), "{more}: {told:?}");
        }
    }
}
