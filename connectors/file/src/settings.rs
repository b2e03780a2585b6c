//! What a folder destination is told.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

/// A folder destination's own settings.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The folder that gets one JSON file for each lead, relative to the configuration file. It is made if it is missing.
    pub path: PathBuf,
}
