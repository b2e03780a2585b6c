//! What became of the leads under one family of faults.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// One line of the table.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) family: &'static str,
    pub(crate) faults: u64,
    /// Leads that were answered 2xx.
    pub(crate) accepted: usize,
    /// Leads that were answered otherwise.
    pub(crate) refused: u64,
    /// Accepted, and at the receiver.
    pub(crate) delivered: usize,
    /// Accepted, not at the receiver, and parked.
    pub(crate) parked: usize,
    /// What queues still hold.
    pub(crate) waiting: BTreeMap<String, u64>,
    /// Requests at the receiver for what it had already.
    pub(crate) copies: u64,
    /// Leads that came under more than one id.
    pub(crate) doubled: usize,
    pub(crate) took: Duration,
}

impl Row {
    pub(crate) const HEAD: &str = "family                                  faults  accepted  refused  delivered  parked  missing  copies  two ids  seconds";

    fn missing(&self) -> usize {
        self.accepted - self.delivered - self.parked
    }

    /// Whether everything that was promised holds.
    pub(crate) fn holds(&self) -> bool {
        self.accepted > 0 && self.missing() == 0 && self.doubled == 0 && self.waiting.is_empty()
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { family, faults, accepted, refused, delivered, parked, copies, doubled, took, waiting } = self;
        let (missing, took) = (self.missing(), took.as_secs_f64());
        write!(
            f,
            "{family:38}  {faults:6}  {accepted:8}  {refused:7}  {delivered:9}  {parked:6}  {missing:7}  {copies:6}  {doubled:7}  {took:7.1}"
        )?;
        if waiting.is_empty() { Ok(()) } else { write!(f, "  still in queues: {waiting:?}") }
    }
}
