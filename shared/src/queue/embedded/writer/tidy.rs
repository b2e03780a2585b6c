//! Housekeeping while nobody asks for anything: free pages go back to the file system in small steps.

use std::time::Duration;

use rusqlite::Result;

use super::Writer;
use super::trouble::Fault;

/// How long nobody must have asked for anything.
const IDLE: Duration = Duration::from_secs(1);
/// Pages given back in one step, which is about as long as a caller may have to wait for one.
const STEP: u32 = 1024;
/// Free pages that are worth keeping for what comes next.
const KEEP: u64 = 1024;

impl Writer {
    /// Takes one step when it is time, and settles when the next is.
    pub(super) fn tidy(&mut self, busy: bool) {
        let now = self.time.reading();
        if busy {
            self.tidy_at = Some(now + IDLE);
            return;
        }
        if self.trouble.is_some() || self.tidy_at.is_none_or(|at| now < at) {
            return;
        }
        self.tidy_at = None;
        match self.tidy_step() {
            Ok(true) => self.tidy_at = Some(now),
            Ok(false) => {}
            Err(error) => self.meet(&Fault::committing(&error)),
        }
    }

    /// True when there is more to do.
    fn tidy_step(&mut self) -> Result<bool> {
        let Some(store) = &self.store else { return Ok(false) };
        let (pages, free) = store.pages()?;
        if free > KEEP && free * 5 > pages {
            store.vacuum(STEP)?;
            self.vacuumed = true;
            return Ok(true);
        }
        if self.vacuumed {
            // The file shrinks when the log is written into it.
            store.empty_log()?;
            self.vacuumed = false;
        }
        Ok(false)
    }
}
