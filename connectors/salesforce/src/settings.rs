//! What a Salesforce destination is told, and what of it makes no sense.

use leadrelay_shared::config::Secret;
use leadrelay_shared::http::Url;
use schemars::JsonSchema;
use serde::Deserialize;

/// A Salesforce destination's own settings.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where the org logs in: its My Domain, `https://<name>.my.salesforce.com`.
    pub login_url: String,
    /// The consumer key of the external client app (or connected app).
    pub client_id: String,
    /// Its consumer secret, for the client credentials flow.
    #[serde(default)]
    pub client_secret: Option<Secret>,
    /// In place of the secret: the private key (PEM) whose certificate the app has, for the JWT bearer flow.
    #[serde(default)]
    pub private_key: Option<Secret>,
    /// The user that the JWT bearer flow acts as.
    #[serde(default)]
    pub username: Option<String>,
    /// What the JWT bearer flow names as audience; `https://login.salesforce.com`, or for a sandbox
    /// `https://test.salesforce.com`, where it is left out.
    #[serde(default)]
    pub audience: Option<String>,
    /// The object that leads become.
    #[serde(default = "Settings::default_object")]
    pub object: String,
    /// The custom field that holds the delivery's id: unique, and an external id. `none` looks before every write instead.
    #[serde(default = "Settings::default_external_id_field")]
    pub external_id_field: String,
    /// What becomes of a lead that is there already.
    #[serde(default)]
    pub write: Write,
    /// What becomes of a lead that a duplicate rule objects to.
    #[serde(default)]
    pub on_duplicate: OnDuplicate,
    /// Whether assignment rules run: true, false, or the id of one. Salesforce runs the active one where it is left out.
    #[serde(default)]
    pub assignment_rule: Option<AssignmentRule>,
    /// The version of the REST API, 52.0 or later.
    #[serde(default = "Settings::default_api_version")]
    pub api_version: String,
}

/// What becomes of a lead that is there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Write {
    /// It is left as it is.
    #[default]
    Insert,
    /// It is written over, with whatever a person has changed since.
    Upsert,
}

/// What becomes of a lead that a duplicate rule objects to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnDuplicate {
    /// It is parked.
    #[default]
    Park,
    /// It is created all the same, where the rule's action is to alert. A rule that blocks still parks it.
    Create,
}

/// Whether assignment rules run.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum AssignmentRule {
    /// The active one, or none.
    Active(bool),
    /// The one with this id.
    Id(String),
}

/// How the connector proves who it is.
#[derive(Clone, Debug)]
pub(crate) enum Credential {
    /// Client credentials.
    Secret(Secret),
    /// JWT bearer.
    Key { key: Secret, username: String, audience: String },
}

impl Settings {
    fn default_object() -> String {
        "Lead".to_owned()
    }

    fn default_external_id_field() -> String {
        "LeadRelay_Id__c".to_owned()
    }

    fn default_api_version() -> String {
        "62.0".to_owned()
    }

    /// Where it logs in: scheme, host and port.
    pub(crate) fn login(&self) -> Result<Url, String> {
        // Its own words could hold what should not be shown.
        let url: Url =
            self.login_url.parse().map_err(|_| "`login_url` is no URL; it starts with https://".to_owned())?;
        if !matches!(url.scheme(), "https" | "http") || url.host_str().is_none() {
            return Err("`login_url` must start with https:// (or http:// on a private network)".to_owned());
        }
        let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        if !is_bare || !url.username().is_empty() || url.password().is_some() {
            return Err(
                "`login_url` is the address of the org and no more: https://<name>.my.salesforce.com".to_owned()
            );
        }
        Ok(url)
    }

    /// The credential, if there is exactly one.
    pub(crate) fn credential(&self) -> Result<Credential, String> {
        match (&self.client_secret, &self.private_key, &self.username) {
            (Some(secret), None, None) => Ok(Credential::Secret(secret.clone())),
            (None, Some(key), Some(username)) => Ok(Credential::Key {
                key: key.clone(),
                username: username.clone(),
                audience: self.audience.clone().unwrap_or_else(|| self.usual_audience().to_owned()),
            }),
            (None, Some(_), None) => Err("`private_key` needs `username`, the user to act as".to_owned()),
            (_, None, Some(_)) => {
                Err("`username` belongs to `private_key`; a client_secret acts as its Run As user".to_owned())
            }
            (Some(_), Some(_), _) => Err("give `client_secret` or `private_key`, and not both".to_owned()),
            (None, None, None) => Err("give `client_secret`, or `private_key` and `username`".to_owned()),
        }
    }

    fn usual_audience(&self) -> &'static str {
        let is_sandbox = self.login_url.contains(".sandbox.") || self.login_url.contains("//test.salesforce.com");
        if is_sandbox { "https://test.salesforce.com" } else { "https://login.salesforce.com" }
    }

    /// The external-id field, unless there is none.
    pub(crate) fn key(&self) -> Result<Option<String>, String> {
        match self.external_id_field.as_str() {
            "none" if self.write == Write::Upsert => {
                Err("`write = \"upsert\"` needs `external_id_field`: nothing else tells which record is meant"
                    .to_owned())
            }
            "none" => Ok(None),
            name if is_api_name(name) => Ok(Some(name.to_owned())),
            _ => Err("`external_id_field` is no API name; one ends in __c, and `none` is none".to_owned()),
        }
    }

    /// The object's API name.
    pub(crate) fn object(&self) -> Result<String, String> {
        let wrong = || "`object` is no API name, such as Lead or Prospect__c".to_owned();
        is_api_name(&self.object).then(|| self.object.clone()).ok_or_else(wrong)
    }

    /// The API's version as it stands in paths: `v62.0`.
    pub(crate) fn version(&self) -> Result<String, String> {
        let number = self.api_version.trim_start_matches('v');
        // The duplicate-rule header is known to REST since 52.0, upsert of collections since 46.0.
        let major = number.strip_suffix(".0").and_then(|major| major.parse::<u16>().ok()).filter(|major| *major >= 52);
        major.map(|major| format!("v{major}.0")).ok_or_else(|| "`api_version` must be 52.0 or later".to_owned())
    }
}

/// Whether `text` can be the API name of an object or a field.
pub(crate) fn is_api_name(text: &str) -> bool {
    text.len() <= 80
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn settings(more: &Value) -> Settings {
        let mut all = json!({"login_url": "https://contoso.my.salesforce.com", "client_id": "key"});
        for (key, value) in more.as_object().expect("a table") {
            all[key] = value.clone();
        }
        serde_json::from_value(all).expect("settings")
    }

    #[test]
    fn there_is_exactly_one_credential() {
        let of = |more: Value| settings(&more).credential();
        assert!(matches!(of(json!({"client_secret": "s"})), Ok(Credential::Secret(_))));
        assert!(matches!(of(json!({"private_key": "k", "username": "u"})), Ok(Credential::Key { .. })));
        for more in [
            json!({}),
            json!({"private_key": "k"}),
            json!({"username": "u"}),
            json!({"client_secret": "s", "username": "u"}),
            json!({"client_secret": "s", "private_key": "k", "username": "u"}),
        ] {
            assert!(of(more.clone()).is_err(), "{more}");
        }
    }

    #[test]
    fn the_audience_of_a_sandbox_is_another() {
        for (login, audience) in [
            ("https://contoso.my.salesforce.com", "https://login.salesforce.com"),
            ("https://contoso--uat.sandbox.my.salesforce.com", "https://test.salesforce.com"),
            ("https://test.salesforce.com", "https://test.salesforce.com"),
        ] {
            assert_eq!(settings(&json!({"login_url": login})).usual_audience(), audience);
        }
    }

    #[test]
    fn what_makes_no_sense_is_told_with_its_key() {
        assert!(settings(&json!({"login_url": "https://contoso.my.salesforce.com/services"})).login().is_err());
        assert!(settings(&json!({"login_url": "https://a:b@contoso.my.salesforce.com"})).login().is_err());
        assert!(settings(&json!({"login_url": "ftp://contoso.my.salesforce.com"})).login().is_err());
        assert!(settings(&json!({"object": "Lead; DELETE"})).object().is_err());
        assert!(settings(&json!({"external_id_field": "no such"})).key().is_err());
        assert!(settings(&json!({"external_id_field": "none", "write": "upsert"})).key().is_err());
        assert_eq!(settings(&json!({"external_id_field": "none"})).key(), Ok(None));
        for (given, version) in [("62.0", Some("v62.0")), ("v66.0", Some("v66.0")), ("51.0", None), ("latest", None)] {
            assert_eq!(settings(&json!({"api_version": given})).version().ok().as_deref(), version, "{given}");
        }
    }
}
