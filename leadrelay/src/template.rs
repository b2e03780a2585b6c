//! The configurations that leadrelay writes: the one that `up` begins with where there is none, and those of `init`.

use std::io;
use std::path::Path;

use clap::ValueEnum;
use leadrelay_shared::secrets;

use crate::place::Place;

/// The token file that the text names, and its source.
const TOKEN_FILE: &str = "data/sources/marketplace.token";

/// The one source of the text.
pub(crate) const SOURCE: &str = "marketplace";

/// What a configuration begins with. Each is our own text, commented for a person who sees it for the first time.
const HEAD: &str = include_str!("presets/head.toml");

/// A kind of configuration to begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Preset {
    /// Leads become files; it needs no account anywhere.
    Start,
    /// Leads become rows of Dynamics 365.
    Dynamics,
    /// Leads become contacts and leads of HubSpot.
    Hubspot,
    /// Leads become leads of Salesforce.
    Salesforce,
    /// Leads are posted to a web service of your own.
    Webhook,
}

impl Preset {
    /// The whole text.
    pub(crate) fn text(self) -> String {
        let rest = match self {
            Self::Start => include_str!("presets/start.toml"),
            Self::Dynamics => include_str!("presets/dynamics.toml"),
            Self::Hubspot => include_str!("presets/hubspot.toml"),
            Self::Salesforce => include_str!("presets/salesforce.toml"),
            Self::Webhook => include_str!("presets/webhook.toml"),
        };
        format!("{HEAD}{rest}")
    }

    /// What is to be filled in, in the order of the text.
    pub(crate) fn wanted(self) -> &'static [&'static str] {
        match self {
            Self::Start => &[],
            Self::Dynamics => &["url", "tenant_id", "client_id", "the variable DYNAMICS_CLIENT_SECRET"],
            Self::Hubspot => &["the variable HUBSPOT_TOKEN"],
            Self::Salesforce => &["login_url", "client_id", "the variable SALESFORCE_CLIENT_SECRET"],
            Self::Webhook => &["url", "the variable PARTNER_WEBHOOK_SECRET"],
        }
    }
}

/// Writes a configuration and its source's token. A token that is there already is kept.
pub(crate) fn write(place: &Place, preset: Preset) -> io::Result<()> {
    write_text(place, &preset.text())
}

/// The same with a text of one's own, which has the same source.
pub(crate) fn write_text(place: &Place, text: &str) -> io::Result<()> {
    let token = place.base_dir().join(TOKEN_FILE);
    if !token.exists() {
        secrets::write_private(&token, &format!("{}\n", secrets::new_token()?))?;
    }
    create(&place.file, text)
}

fn create(file: &Path, text: &str) -> io::Result<()> {
    if let Some(dir) = file.parent().filter(|p| !p.as_os_str().is_empty()) {
        std::fs::create_dir_all(dir)?;
    }
    secrets::rewrite(file, text)
}
