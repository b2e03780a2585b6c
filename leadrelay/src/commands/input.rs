//! Reading what a command is given: a file, or standard input.

use std::io::Read as _;
use std::path::Path;

use leadrelay_shared::clock::Clock;
use leadrelay_shared::config::Span;

use crate::cli::Failure;

/// The most that is read: far beyond what any relay takes.
const MAX: u64 = 32 << 20;

/// The bytes of `file`; `-` is standard input.
pub(crate) fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = if file.as_os_str() == "-" {
        std::io::stdin().lock().take(MAX).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(file).and_then(|f| f.take(MAX).read_to_end(&mut bytes))
    };
    match read {
        Ok(_) => Ok(bytes),
        Err(error) => Err(Failure::Usage(format!("{} cannot be read: {error}", file.display()))),
    }
}

/// A point in time: a timestamp, or a length of time before now (`2h`).
pub(crate) fn moment(text: &str) -> Result<jiff::Timestamp, String> {
    if let Ok(at) = text.parse() {
        return Ok(at);
    }
    let ago: Span =
        text.parse().map_err(|_| "write a time (2030-01-31T12:00:00Z) or how long ago (2h, 7d)".to_owned())?;
    Clock::real().now().checked_sub(ago.0).map_err(|_| "that is too long ago".to_owned())
}
