//! What a failure of the file system means.

use std::io::{Error, ErrorKind as Io};
use std::path::Path;

use leadrelay_shared::error::{DeliveryError, ErrorKind};

/// What `error` means; `doing` says at what, as "write to".
///
/// A full disk gets room again by itself; a wrong path or a missing right never does.
pub(crate) fn parse_error(doing: &str, folder: &Path, error: &Error) -> DeliveryError {
    let (kind, remedy) = match error.kind() {
        Io::PermissionDenied => (ErrorKind::Misconfigured, "; give leadrelay the right to write there"),
        Io::ReadOnlyFilesystem => (ErrorKind::Misconfigured, "; mount it for writing or correct `path`"),
        Io::NotADirectory | Io::AlreadyExists | Io::InvalidFilename => {
            (ErrorKind::Misconfigured, "; correct `path`: it must be a folder")
        }
        Io::StorageFull | Io::QuotaExceeded | Io::FileTooLarge => (ErrorKind::Unavailable, "; make room"),
        _ => (ErrorKind::Unavailable, ""),
    };
    DeliveryError::new(kind, format!("cannot {doing} {}: {}{remedy}", folder.display(), error.kind()))
}

/// The file is there, and it is not known whether it outlives a power cut.
pub(crate) fn not_synced(folder: &Path, error: &Error) -> DeliveryError {
    let message = format!("the file is written, but {} cannot be synced to disk: {}", folder.display(), error.kind());
    DeliveryError::new(ErrorKind::Uncertain, message)
}

/// Without hard links there is no way to make a file appear whole and yet never in another's place.
pub(crate) fn no_links(folder: &Path) -> DeliveryError {
    let message = format!("the file system of {} has no hard links; choose a `path` on another", folder.display());
    DeliveryError::new(ErrorKind::Misconfigured, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_passes_and_a_wrong_path_does_not() {
        let kind = |io| parse_error("write to", Path::new("leads"), &Error::from(io)).kind;
        assert_eq!(kind(Io::StorageFull), ErrorKind::Unavailable);
        assert_eq!(kind(Io::QuotaExceeded), ErrorKind::Unavailable);
        assert_eq!(kind(Io::Other), ErrorKind::Unavailable);
        assert_eq!(kind(Io::PermissionDenied), ErrorKind::Misconfigured);
        assert_eq!(kind(Io::NotADirectory), ErrorKind::Misconfigured);
        assert_eq!(
            parse_error("write to", Path::new("leads"), &Error::from_raw_os_error(28)).kind,
            ErrorKind::Unavailable
        );
    }

    #[test]
    fn a_message_names_the_place_and_the_remedy() {
        let error = parse_error("write to", Path::new("leads"), &Error::from(Io::PermissionDenied));
        assert_eq!(error.message, "cannot write to leads: permission denied; give leadrelay the right to write there");
    }
}
