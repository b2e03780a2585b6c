//! `[alerts]`: whom to tell when something is wrong, and how often.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Config, Mistake, Secret, Span};
use crate::webhook;

/// Whom to tell what is wrong. Without mail and webhook it is in the list alone: `leadrelay alerts list`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AlertsConfig {
    /// A mail server and who gets mail.
    pub mail: Option<AlertMailConfig>,
    /// A receiver of Standard Webhooks.
    pub webhook: Option<AlertWebhookConfig>,
    /// How long something must be wrong before it is told, and right again before that is told.
    pub grace: Span,
    /// After so long what is still wrong is told again.
    pub repeat_after: Span,
    /// The most messages in an hour to each of them; what is held back is in the next.
    #[schemars(range(min = 1, max = 1000))]
    pub at_most_per_hour: u32,
}

impl Default for AlertsConfig {
    fn default() -> Self {
        Self { mail: None, webhook: None, grace: Span::secs(60), repeat_after: Span::hours(24), at_most_per_hour: 10 }
    }
}

/// A mail server and who gets mail.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertMailConfig {
    /// The mail server's name or address.
    pub server: String,
    /// Its port; by default 587, with `tls = "implicit"` 465, with `tls = "none"` 25.
    #[serde(default)]
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<u16>,
    /// `starttls`, `implicit` (TLS from the first byte) or `none`, which is for a server on this machine.
    #[serde(default)]
    pub tls: MailTls,
    /// Lets `tls = "none"` be used with a server on another machine.
    #[serde(default)]
    pub allow_plaintext: bool,
    /// Certificates (PEM) to trust beside those that the machine trusts. Relative to the configuration file.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// The user to log in as; without one there is no login.
    #[serde(default)]
    pub user: Option<String>,
    /// That user's password.
    #[serde(default)]
    pub password: Option<Secret>,
    /// The sender's address.
    pub from: String,
    /// Who gets mail.
    #[schemars(length(min = 1, max = 50))]
    pub to: Vec<String>,
}

/// How a mail server is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MailTls {
    /// TLS after a greeting in plain text; without it nothing is sent.
    #[default]
    Starttls,
    /// TLS from the first byte.
    Implicit,
    /// No TLS.
    None,
}

/// A receiver of Standard Webhooks.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertWebhookConfig {
    /// Where messages are posted to.
    pub url: String,
    /// The secret that they are signed with: `whsec_` and base64 of 24 to 64 bytes.
    pub secret: Secret,
    /// Lets it be on loopback or a private network, and there speak plain HTTP.
    #[serde(default)]
    pub allow_private_addresses: bool,
}

/// Shows the host of the URL, and nothing that could be a token.
impl fmt::Debug for AlertWebhookConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = webhook::url(&self.url).ok();
        f.debug_struct("AlertWebhookConfig")
            .field("host", &url.as_ref().and_then(|url| url.host_str()))
            .field("secret", &self.secret)
            .finish_non_exhaustive()
    }
}

impl AlertMailConfig {
    /// The port, as written or as usual.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(match self.tls {
            MailTls::Starttls => 587,
            MailTls::Implicit => 465,
            MailTls::None => 25,
        })
    }

    fn is_on_this_machine(&self) -> bool {
        self.server == "localhost" || self.server.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }
}

/// What is wrong with the section, and with what routes say of alerts.
pub(super) fn mistakes(config: &Config, root: &Value) -> Vec<Mistake> {
    let mut found = Vec::new();
    let alerts = &config.alerts;
    if alerts.grace > Span::days(1) {
        found.push(Mistake::new("alerts.grace", "must be at most 24h"));
    }
    if alerts.repeat_after < Span::secs(60) {
        found.push(Mistake::new("alerts.repeat_after", "must be at least 1m"));
    }
    if let Some(mail) = &alerts.mail {
        of_mail(mail, &mut found);
    }
    if let Some(webhook) = &alerts.webhook {
        of_webhook(webhook, &mut found);
    }
    // One that is not sound is there all the same.
    let is_there = root.get("alerts").is_some_and(|alerts| alerts.get("mail").is_some());
    for (n, route) in config.routes.iter().enumerate() {
        if route.promise.0.is_zero() {
            found.push(Mistake::new(format!("routes[{n}].promise"), "must be longer than nothing"));
        }
        if !route.escalate_to.is_empty() && !is_there {
            let mistake = Mistake::new(format!("routes[{n}].escalate_to"), "there is no mail server to send it by");
            found.push(mistake.remedy("add [alerts.mail]"));
        }
        addresses(&format!("routes[{n}].escalate_to"), &route.escalate_to, &mut found);
    }
    found
}

fn of_mail(mail: &AlertMailConfig, found: &mut Vec<Mistake>) {
    let is_host =
        !mail.server.is_empty() && mail.server.chars().all(|c| c.is_ascii_alphanumeric() || "-._:".contains(c));
    let is_host = is_host && (!mail.server.contains(':') || mail.server.parse::<IpAddr>().is_ok());
    if !is_host {
        let mistake = Mistake::new("alerts.mail.server", "must be the name or the address of a host and nothing else");
        found.push(mistake.remedy("write its port in alerts.mail.port"));
    } else if mail.tls == MailTls::None && !mail.is_on_this_machine() && !mail.allow_plaintext {
        let mistake = Mistake::new("alerts.mail.tls", "is \"none\", and the server is on another machine");
        found.push(
            mistake.remedy("write \"starttls\" or \"implicit\", or allow_plaintext = true if the way there is safe"),
        );
    }
    match (&mail.user, &mail.password) {
        (Some(_), None) => found.push(
            Mistake::new("alerts.mail.user", "has no password")
                .remedy("write password = { env = \"..\" } or { file = \"..\" }"),
        ),
        (None, Some(_)) => {
            found.push(Mistake::new("alerts.mail.password", "is no user's").remedy("name alerts.mail.user"));
        }
        _ => {}
    }
    addresses("alerts.mail.from", std::slice::from_ref(&mail.from), found);
    addresses("alerts.mail.to", &mail.to, found);
}

fn of_webhook(config: &AlertWebhookConfig, found: &mut Vec<Mistake>) {
    match webhook::url(&config.url) {
        Err(reason) => found.push(Mistake::new("alerts.webhook.url", reason)),
        Ok(url) if url.scheme() == "http" && !config.allow_private_addresses => {
            let mistake = Mistake::new("alerts.webhook.url", "is to be reached by plain http");
            found
                .push(mistake.remedy("use https, or set allow_private_addresses = true if it is on a private network"));
        }
        Ok(_) => {}
    }
    if !config.secret.is_withheld()
        && let Err(reason) = webhook::Signer::new(&config.secret)
    {
        found.push(Mistake::new("alerts.webhook.secret", reason));
    }
}

fn addresses(key: &str, all: &[String], found: &mut Vec<Mistake>) {
    if !all.iter().all(|address| is_address(address)) {
        let mistake = Mistake::new(key, "holds what is no e-mail address");
        found.push(mistake.remedy("write it plainly, such as ops@example.com"));
    }
}

/// Whether it looks like an address without a name: what the mail server makes of it, it says itself.
fn is_address(text: &str) -> bool {
    let plain = |part: &str| {
        !part.is_empty() && !part.chars().any(|c| c.is_whitespace() || c.is_control() || "<>@,;".contains(c))
    };
    text.len() <= 254 && text.split_once('@').is_some_and(|(user, host)| plain(user) && plain(host))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{Config, Loader, Mistake};
    use super::*;

    fn of(text: &str) -> Result<Config, Vec<Mistake>> {
        Loader::default().parse(text, Path::new("."), std::iter::empty())
    }

    const MAIL: &str = "[alerts.mail]\nserver = 'smtp.example.com'\nfrom = 'a@example.com'\nto = ['b@example.com']\n";
    const ROUTE: &str = "[destinations.crm]\nconnector = 'x'\n[[routes]]\nname = 'all'\nto = 'crm'\n";

    #[test]
    fn nothing_is_needed_and_the_usual_ports_are_known() {
        let config = of("").expect("the defaults").alerts;
        assert!(config.mail.is_none() && config.webhook.is_none());
        assert_eq!((config.grace, config.repeat_after, config.at_most_per_hour), (Span::secs(60), Span::hours(24), 10));
        for (tls, port) in [("", 587), ("tls = 'implicit'", 465), ("tls = 'none'\nallow_plaintext = true", 25)] {
            let config = of(&format!("{MAIL}{tls}")).expect("sound");
            assert_eq!(config.alerts.mail.expect("mail").port(), port, "{tls}");
        }
        let config = of(&format!("{MAIL}{ROUTE}escalate_to = ['c@example.com']")).expect("sound");
        assert_eq!(config.routes[0].promise, Span::secs(300));
    }

    #[test]
    fn what_makes_no_sense_is_told_by_its_key_with_the_remedy() {
        let hook = |more: &str| format!("[alerts.webhook]\n{more}");
        let good = "secret = 'whsec_MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0'";
        for (text, key, remedy) in [
            ("[alerts]\ngrace = '2d'".to_owned(), "alerts.grace", ""),
            ("[alerts]\nrepeat_after = '1s'".to_owned(), "alerts.repeat_after", ""),
            ("[alerts]\nat_most_per_hour = 0".to_owned(), "alerts.at_most_per_hour", ""),
            (MAIL.replace("smtp.example.com", "smtp://mx"), "alerts.mail.server", "alerts.mail.port"),
            (format!("{MAIL}tls = 'none'"), "alerts.mail.tls", "allow_plaintext"),
            (format!("{MAIL}user = 'relay'"), "alerts.mail.user", "password"),
            (format!("{MAIL}password = 'hunter2'"), "alerts.mail.password", "alerts.mail.user"),
            (MAIL.replace("a@", "Ann <a@"), "alerts.mail.from", "plainly"),
            (MAIL.replace("b@example.com", "b"), "alerts.mail.to", "plainly"),
            (hook(&format!("url = 'http://h/t0ken'\n{good}")), "alerts.webhook.url", "allow_private_addresses"),
            (hook(&format!("url = 'h/t0ken'\n{good}")), "alerts.webhook.url", ""),
            (hook("url = 'https://h/t0ken'\nsecret = 't0ken'"), "alerts.webhook.secret", ""),
            (format!("{ROUTE}promise = '0s'"), "routes[0].promise", ""),
            (format!("{ROUTE}escalate_to = ['c@example.com']"), "routes[0].escalate_to", "[alerts.mail]"),
            (format!("{MAIL}{ROUTE}escalate_to = ['c']"), "routes[0].escalate_to", "plainly"),
        ] {
            let found = of(&text).expect_err(&text);
            assert_eq!((found.len(), found[0].key.as_str()), (1, key), "{text}: {found:?}");
            assert!(found[0].remedy.as_deref().unwrap_or_default().contains(remedy), "{text}: {found:?}");
            assert!(!format!("{found:?}").contains("t0ken") && !format!("{found:?}").contains("hunter2"), "{found:?}");
        }
    }

    #[test]
    fn its_secrets_are_told_to_who_sends_alerts_and_to_nobody_else() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("leadrelay.toml");
        let hook = "[alerts.webhook]\nurl = 'https://h/'\nsecret = { file = 'hook' }\n";
        let text = format!("{hook}{MAIL}user = 'relay'\npassword = {{ file = 'mail' }}");
        std::fs::write(&file, text).expect("written");
        let of = |sections: &[&str]| Loader::default().read_part(&file, sections);
        assert_eq!(of(&["queue"]).mistakes, [], "others need not have the files");
        assert_eq!(of(&["queue", "alerts"]).mistakes.len(), 2, "the ledger does");
        std::fs::write(dir.path().join("hook"), "whsec_MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0\n").expect("written");
        std::fs::write(dir.path().join("mail"), "hunter2\n").expect("written");
        let told = |sections| {
            let alerts = of(sections).complete().expect("sound").config.alerts;
            alerts.mail.and_then(|mail| mail.password).expect("a password").expose().to_owned()
        };
        assert_eq!((told(&["queue"]).as_str(), told(&["alerts"]).as_str()), ("", "hunter2"));
    }

    #[test]
    fn no_secret_and_no_url_is_printed() {
        let text = "[alerts.webhook]\nurl = 'https://h/t0ken'\nsecret = 'whsec_MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0'\n";
        let config = of(&format!("{text}{MAIL}user = 'relay'\npassword = 't0ken'")).expect("sound");
        let shown = format!("{config:?}");
        assert!(!shown.contains("t0ken") && !shown.contains("MTIz"), "{shown}");
    }
}
