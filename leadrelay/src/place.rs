//! Where the configuration is, and reading it.

use std::path::{Path, PathBuf};

use leadrelay_shared::config::{ConfigError, Loaded, Reading};

use crate::connectors::loader;

/// The name that is looked for in the current directory.
pub(crate) const FILE: &str = "leadrelay.toml";

/// Where the configuration is.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The file.
    pub(crate) file: PathBuf,
}

impl Place {
    /// The file that was named, or the usual one.
    pub(crate) fn new(named: Option<PathBuf>) -> Self {
        Self { file: named.unwrap_or_else(|| PathBuf::from(FILE)) }
    }

    /// Whether there is a file.
    pub(crate) fn exists(&self) -> bool {
        self.file.exists()
    }

    /// The directory that its relative paths start from.
    pub(crate) fn base_dir(&self) -> &Path {
        self.file.parent().unwrap_or(Path::new(""))
    }

    /// Reads it, with every mistake of its shape.
    pub(crate) fn read(&self) -> Reading {
        loader().read(&self.file)
    }

    /// Reads it.
    pub(crate) fn load(&self) -> Result<Loaded, ConfigError> {
        self.read().complete()
    }
}
