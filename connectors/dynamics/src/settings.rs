//! What a Dynamics 365 destination is told, and what of it makes no sense.

use leadrelay_shared::config::Secret;
use leadrelay_shared::http::Url;
use schemars::JsonSchema;
use serde::Deserialize;

/// A Dynamics 365 destination's own settings.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The environment's address: `https://<org>.crm.dynamics.com`.
    pub url: String,
    /// The directory (tenant) id of the application in Microsoft Entra: a GUID, or a domain of it.
    pub tenant_id: String,
    /// The application (client) id.
    pub client_id: String,
    /// Its client secret: the value, and not the secret's id.
    #[serde(default)]
    pub client_secret: Option<Secret>,
    /// In place of the secret: the certificate (PEM) that the application has, as text or as a file.
    #[serde(default)]
    pub certificate: Option<Secret>,
    /// The private key (PEM) of the certificate.
    #[serde(default)]
    pub private_key: Option<Secret>,
    /// The cloud that the tenant is in. Where it is left out, `url` tells.
    #[serde(default)]
    pub cloud: Option<Cloud>,
    /// Where tokens are given, in place of what `cloud` says.
    #[serde(default)]
    pub login_url: Option<String>,
    /// The table that leads become rows of, by its logical name.
    #[serde(default = "Settings::default_table")]
    pub table: String,
    /// What the API calls the table's rows (`EntitySetName`); the usual plural where it is left out.
    #[serde(default)]
    pub entity_set: Option<String>,
    /// What becomes of a lead that a duplicate detection rule objects to.
    #[serde(default)]
    pub on_duplicate: OnDuplicate,
    /// The version of the Web API, 9.0 or later.
    #[serde(default = "Settings::default_api_version")]
    pub api_version: String,
}

/// A cloud, by who gives tokens in it (learn.microsoft.com, "National clouds").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cloud {
    /// Microsoft Azure, and the US government's GCC.
    Public,
    /// Azure Government: GCC High and DoD.
    UsGovernment,
    /// Azure operated by 21Vianet.
    China,
}

/// What becomes of a lead that a duplicate detection rule objects to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnDuplicate {
    /// It is created all the same: the rules are not asked, as is usual for the API.
    #[default]
    Create,
    /// It is parked.
    Park,
    /// The row that it duplicates is written over, where there is exactly one.
    Update,
}

/// How the connector proves who it is.
#[derive(Clone, Debug)]
pub(crate) enum Credential {
    Secret(Secret),
    Certificate { certificate: Secret, key: Secret },
}

impl Cloud {
    /// The cloud that an environment of this address is in (learn.microsoft.com, "Power Platform US Government", "Datacenter
    /// regions").
    fn of(host: &str) -> Self {
        let is_below = |domain: &str| host.ends_with(domain);
        if is_below(".microsoftdynamics.us") || is_below(".appsplatform.us") {
            Self::UsGovernment
        } else if is_below(".dynamics.cn") {
            Self::China
        } else {
            Self::Public
        }
    }

    fn login(self) -> &'static str {
        match self {
            Self::Public => "https://login.microsoftonline.com",
            Self::UsGovernment => "https://login.microsoftonline.us",
            Self::China => "https://login.partner.microsoftonline.cn",
        }
    }
}

impl Settings {
    fn default_table() -> String {
        "lead".to_owned()
    }

    fn default_api_version() -> String {
        "9.2".to_owned()
    }

    /// The environment: scheme, host and port.
    pub(crate) fn environment(&self) -> Result<Url, String> {
        bare("url", &self.url, "https://<org>.crm.dynamics.com")
    }

    /// Where tokens are given: scheme, host and port.
    pub(crate) fn login(&self) -> Result<Url, String> {
        let host = self.environment()?.host_str().unwrap_or_default().to_owned();
        let usual = self.cloud.unwrap_or_else(|| Cloud::of(&host)).login();
        bare("login_url", self.login_url.as_deref().unwrap_or(usual), "https://login.microsoftonline.com")
    }

    /// The directory, as it stands in paths.
    pub(crate) fn tenant(&self) -> Result<String, String> {
        let can_be = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
        let tenant = self.tenant_id.trim();
        let is_tenant = !tenant.is_empty() && tenant.len() <= 253 && tenant.chars().all(can_be);
        is_tenant.then(|| tenant.to_owned()).ok_or_else(|| {
            "`tenant_id` is no directory: it is a GUID, or a domain such as contoso.onmicrosoft.com".to_owned()
        })
    }

    /// The credential, if there is exactly one.
    pub(crate) fn credential(&self) -> Result<Credential, String> {
        match (&self.client_secret, &self.certificate, &self.private_key) {
            (Some(secret), None, None) => Ok(Credential::Secret(secret.clone())),
            (None, Some(certificate), Some(key)) => {
                Ok(Credential::Certificate { certificate: certificate.clone(), key: key.clone() })
            }
            (None, Some(_), None) => Err("`certificate` needs `private_key`, the key that belongs to it".to_owned()),
            (None, None, Some(_)) => Err("`private_key` needs `certificate`, which names the key to Entra".to_owned()),
            (Some(_), _, _) => Err("give `client_secret` or `certificate`, and not both".to_owned()),
            (None, None, None) => Err("give `client_secret`, or `certificate` and `private_key`".to_owned()),
        }
    }

    /// The table's logical name.
    pub(crate) fn table(&self) -> Result<String, String> {
        let is_logical = is_name(&self.table) && !self.table.contains(|c: char| c.is_ascii_uppercase());
        let wrong = || "`table` is no logical name: one is in lower case, such as lead or contoso_inquiry".to_owned();
        is_logical.then(|| self.table.clone()).ok_or_else(wrong)
    }

    /// What the API calls the table's rows.
    pub(crate) fn entity_set(&self) -> Result<String, String> {
        match self.entity_set.as_deref() {
            Some(name) if is_name(name) => Ok(name.to_owned()),
            Some(_) => Err("`entity_set` is no name of an entity set, such as leads".to_owned()),
            None => Ok(plural(&self.table()?)),
        }
    }

    /// The API's version as it stands in paths: `v9.2`.
    pub(crate) fn version(&self) -> Result<String, String> {
        let number = self.api_version.trim_start_matches('v');
        let is_known = number.strip_prefix("9.").is_some_and(|minor| minor.parse::<u8>().is_ok());
        is_known
            .then(|| format!("v{number}"))
            .ok_or_else(|| "`api_version` must be 9.0 or later, such as 9.2".to_owned())
    }
}

/// The address in `text`, if it is one and no more.
fn bare(key: &str, text: &str, usual: &str) -> Result<Url, String> {
    // Its own words could hold what should not be shown.
    let url: Url = text.parse().map_err(|_| format!("`{key}` is no URL; it is like {usual}"))?;
    if !matches!(url.scheme(), "https" | "http") || url.host_str().is_none() {
        return Err(format!("`{key}` must start with https:// (or http:// on a private network)"));
    }
    let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    if !is_bare || !url.username().is_empty() || url.password().is_some() {
        return Err(format!("`{key}` is an address and no more: {usual}"));
    }
    Ok(url)
}

/// The plural that Dataverse makes of a table's name where its maker gives none. `leadrelay check --live` tells where it is
/// another.
fn plural(table: &str) -> String {
    let ends = |endings: &[&str]| endings.iter().any(|ending| table.ends_with(ending));
    match table.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'i', 'o', 'u']) => format!("{stem}ies"),
        _ if ends(&["s", "x", "z", "ch", "sh"]) => format!("{table}es"),
        _ => format!("{table}s"),
    }
}

/// Whether `text` can be the name of a table, a column or a navigation property.
pub(crate) fn is_name(text: &str) -> bool {
    text.len() <= 128
        && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn settings(more: &Value) -> Settings {
        let mut all =
            json!({"url": "https://contoso.crm4.dynamics.com", "tenant_id": "contoso.com", "client_id": "id"});
        for (key, value) in more.as_object().expect("a table") {
            all[key] = value.clone();
        }
        serde_json::from_value(all).expect("settings")
    }

    #[test]
    fn there_is_exactly_one_credential() {
        let of = |more: Value| settings(&more).credential();
        assert!(matches!(of(json!({"client_secret": "s"})), Ok(Credential::Secret(_))));
        assert!(matches!(of(json!({"certificate": "c", "private_key": "k"})), Ok(Credential::Certificate { .. })));
        for more in [
            json!({}),
            json!({"private_key": "k"}),
            json!({"certificate": "c"}),
            json!({"client_secret": "s", "private_key": "k"}),
            json!({"client_secret": "s", "certificate": "c", "private_key": "k"}),
        ] {
            assert!(of(more.clone()).is_err(), "{more}");
        }
    }

    #[test]
    fn tokens_come_from_the_cloud_that_the_environment_is_in() {
        for (more, login) in [
            (json!({}), "https://login.microsoftonline.com/"),
            (json!({"url": "https://contoso.crm9.dynamics.com"}), "https://login.microsoftonline.com/"),
            (json!({"url": "https://contoso.crm.microsoftdynamics.us"}), "https://login.microsoftonline.us/"),
            (json!({"url": "https://contoso.crm.appsplatform.us"}), "https://login.microsoftonline.us/"),
            (json!({"url": "https://contoso.crm.dynamics.cn"}), "https://login.partner.microsoftonline.cn/"),
            (json!({"cloud": "us_government"}), "https://login.microsoftonline.us/"),
            (json!({"login_url": "http://127.0.0.1:8090"}), "http://127.0.0.1:8090/"),
        ] {
            assert_eq!(settings(&more).login().expect("a url").as_str(), login, "{more}");
        }
    }

    #[test]
    fn a_table_has_its_usual_plural_unless_another_is_given() {
        for (table, set) in [
            ("lead", "leads"),
            ("contoso_inquiry", "contoso_inquiries"),
            ("contoso_survey", "contoso_surveys"),
            ("contoso_address", "contoso_addresses"),
            ("contoso_branch", "contoso_branches"),
        ] {
            assert_eq!(settings(&json!({"table": table})).entity_set().as_deref(), Ok(set));
        }
        assert_eq!(settings(&json!({"entity_set": "contoso_data"})).entity_set().as_deref(), Ok("contoso_data"));
    }

    #[test]
    fn what_makes_no_sense_is_told_with_its_key() {
        for (more, key) in [
            (json!({"url": "https://contoso.crm4.dynamics.com/api/data"}), "`url`"),
            (json!({"url": "https://a:b@contoso.crm4.dynamics.com"}), "`url`"),
            (json!({"url": "contoso.crm4.dynamics.com"}), "`url`"),
            (json!({"login_url": "ftp://login.microsoftonline.com"}), "`login_url`"),
            (json!({"tenant_id": "contoso/../x"}), "`tenant_id`"),
            (json!({"tenant_id": ""}), "`tenant_id`"),
            (json!({"table": "Lead"}), "`table`"),
            (json!({"table": "lead?x"}), "`table`"),
            (json!({"entity_set": "leads(1)"}), "`entity_set`"),
            (json!({"api_version": "8.2"}), "`api_version`"),
        ] {
            let s = settings(&more);
            let told = [s.login().err(), s.tenant().err(), s.table().err(), s.entity_set().err(), s.version().err()];
            assert!(told.iter().flatten().all(|reason| reason.contains(key)), "{more}: {told:?}");
            assert!(told.iter().any(Option::is_some), "{more}");
        }
    }
}
