//! The rules: which leads go where, and as what. Pure.

use leadrelay_shared::config::{Config, Mistake};
use leadrelay_shared::delivery::{Delivery, ParkReason};
use leadrelay_shared::fields::Note;
use leadrelay_shared::lead::Lead;

/// The routes of a configuration, compiled.
#[derive(Debug)]
pub struct Rules {}

/// What becomes of one lead.
#[derive(Clone, Debug, Default)]
pub struct Routing {
    /// One for each destination.
    pub deliveries: Vec<Delivery>,
    /// Routes that failed on this lead: each is parked as [`ParkReason::MappingFailed`].
    pub failed: Vec<ParkReason>,
    /// Routes that do not apply or yield to an earlier one, by name, and why.
    pub skipped: Vec<Note>,
}

impl Rules {
    /// Compiles the routes.
    ///
    /// # Errors
    /// Every mistake, with key and reason.
    pub fn compile(_config: &Config) -> Result<Self, Vec<Mistake>> {
        Ok(Self {})
    }

    /// A digest of the routes as configured.
    pub fn version(&self) -> &str {
        ""
    }

    /// Applies the rules. Does no I/O and never fails as a whole.
    pub fn route(&self, _lead: &Lead) -> Routing {
        Routing::default()
    }
}
