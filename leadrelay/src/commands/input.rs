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
    let read = if file.as_os_str() == "-" {
        at_most(MAX, std::io::stdin().lock())
    } else {
        std::fs::File::open(file).and_then(|f| at_most(MAX, f))
    };
    match read {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) => {
            Err(Failure::Usage(format!("{} holds more than {} MiB: no lead is so long", file.display(), MAX >> 20)))
        }
        Err(error) => Err(Failure::Usage(format!("{} cannot be read: {error}", file.display()))),
    }
}

/// All that there is to read, unless it is more than `max`: a part of it would be another lead.
fn at_most(max: u64, from: impl std::io::Read) -> std::io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    from.take(max + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= max).then_some(bytes))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_refused_and_not_cut() {
        assert_eq!(at_most(3, &b"abc"[..]).expect("read"), Some(b"abc".to_vec()));
        assert_eq!(at_most(3, &b"abcd"[..]).expect("read"), None);
    }
}
