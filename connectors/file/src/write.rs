//! A folder in which files appear whole or not at all, and never in the place of another.
//!
//! Invariants: what stands under a final name was synced before it got that name, and is never written again, neither by
//! a redelivery nor by another process (`link` refuses where `rename` would replace). A process that dies leaves at most a
//! hidden `.tmp` file, which [`Folder::tidy_once`] removes when it is surely nobody's.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind as Io, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::{SignedDuration, Timestamp};
use leadrelay_shared::error::DeliveryError;

use crate::error::{no_links, not_synced, parse_error};

/// No attempt takes this long, so an older unfinished file is a dead process's.
const ABANDONED: SignedDuration = SignedDuration::from_hours(1);

/// Tells the unfinished files of this process apart.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// The folder of a destination.
#[derive(Debug)]
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
    tidied: Once,
}

impl Folder {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, tidied: Once::new() }
    }

    /// Makes `name` appear with `content`, durably. Says whether it was there already; then it is left as it is.
    pub(crate) fn write_new(&self, name: &str, content: &[u8]) -> Result<bool, DeliveryError> {
        let target = self.path.join(name);
        let existed = match fs::symlink_metadata(&target) {
            Ok(_) => true,
            Err(error) if error.kind() == Io::NotFound => self.create(&target, content)?,
            Err(error) => return Err(self.failed("look into", &error)),
        };
        // Also where it existed: whoever wrote it may have died before this line.
        sync(&self.path).map_err(|error| not_synced(&self.path, &error))?;
        Ok(existed)
    }

    /// Writes beside `target`, then links: says whether somebody else was faster.
    fn create(&self, target: &Path, content: &[u8]) -> Result<bool, DeliveryError> {
        let (unfinished, mut file) = self.begin()?;
        let written = file.write_all(content).and_then(|()| file.sync_all());
        let linked = match written {
            Ok(()) => fs::hard_link(&unfinished.0, target),
            Err(error) => return Err(self.failed("write to", &error)),
        };
        match linked {
            Ok(()) => Ok(false),
            Err(error) if error.kind() == Io::AlreadyExists => Ok(true),
            Err(error) if error.kind() == Io::Unsupported || error.raw_os_error() == Some(libc::EPERM) => {
                Err(no_links(&self.path))
            }
            Err(error) => Err(self.failed("write to", &error)),
        }
    }

    /// Opens a file that nobody else has, making the folder if there is none.
    fn begin(&self) -> Result<(Unfinished, File), DeliveryError> {
        let mut made = false;
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = self.path.join(format!(".{}-{number}.tmp", std::process::id()));
            match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
                Ok(file) => return Ok((Unfinished(path), file)),
                // Left by a dead process that had our number.
                Err(error) if error.kind() == Io::AlreadyExists => {}
                Err(error) if error.kind() == Io::NotFound && !made => {
                    made = true;
                    self.make().map_err(|error| self.failed("make", &error))?;
                }
                Err(error) => return Err(self.failed("write to", &error)),
            }
        }
    }

    fn make(&self) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.path)?;
        match self.path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            Some(parent) => sync(parent),
            None => sync(Path::new(".")),
        }
    }

    /// Proves that files can be made here, and leaves none.
    pub(crate) fn prove_writable(&self) -> Result<(), DeliveryError> {
        self.begin().map(drop)
    }

    /// Removes what dead processes left unfinished; the first time it is called.
    pub(crate) fn tidy_once(&self, now: Timestamp) {
        self.tidied.call_once(|| {
            // What cannot be read or removed does no harm, and an attempt to write will say why.
            let Ok(entries) = fs::read_dir(&self.path) else { return };
            for entry in entries.flatten() {
                if is_unfinished(&entry.file_name().to_string_lossy()) && is_abandoned(&entry, now) {
                    let _ = fs::remove_file(entry.path());
                }
            }
        });
    }

    fn failed(&self, doing: &str, error: &io::Error) -> DeliveryError {
        parse_error(doing, &self.path, error)
    }
}

/// A file that is removed again, whatever happens: under its final name it has a second link.
struct Unfinished(PathBuf);

impl Drop for Unfinished {
    fn drop(&mut self) {
        // What stays behind is tidied away later.
        let _ = fs::remove_file(&self.0);
    }
}

fn is_unfinished(name: &str) -> bool {
    name.starts_with('.') && name.ends_with(".tmp")
}

fn is_abandoned(entry: &fs::DirEntry, now: Timestamp) -> bool {
    let modified = entry.metadata().and_then(|metadata| metadata.modified());
    modified.ok().and_then(|at| Timestamp::try_from(at).ok()).is_some_and(|at| now.duration_since(at) > ABANDONED)
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests;
