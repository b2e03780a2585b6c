//! Files that hold secrets: made readable to their owner alone, and replaced as a whole.

use std::fs::{DirBuilder, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// A fresh token: 32 random bytes, fit to be part of a URL.
///
/// # Errors
/// When the system gives no random numbers.
pub fn new_token() -> io::Result<String> {
    random().map(|bytes| URL_SAFE_NO_PAD.encode(bytes))
}

/// A fresh key: 32 random bytes in base64.
///
/// # Errors
/// When the system gives no random numbers.
pub fn new_key() -> io::Result<String> {
    random().map(|bytes| STANDARD.encode(bytes))
}

fn random() -> io::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|e| io::Error::other(format!("no random numbers from the system: {e}")))?;
    Ok(bytes)
}

/// Makes a directory, and those above it that are missing, for the owner alone.
///
/// # Errors
/// Of the file system.
pub fn private_dir(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// Writes a file for the owner alone, making its directory if need be.
///
/// # Errors
/// Of the file system.
pub fn write_private(path: &Path, text: &str) -> io::Result<()> {
    private_dir(parent(path))?;
    replace(path, text, 0o600)
}

/// Replaces the text of a file and keeps its mode; a file that is new gets the usual one.
///
/// # Errors
/// Of the file system.
pub fn rewrite(path: &Path, text: &str) -> io::Result<()> {
    // Through a link to the file itself: a configuration is often a link into a managed directory.
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let mode = path.metadata().map_or(0o644, |m| m.permissions().mode() & 0o7777);
    replace(&path, text, mode)
}

/// Writes beside and renames, so that nobody ever reads half a file.
fn replace(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let name = path.file_name().and_then(|n| n.to_str()).unwrap_or("file");
    let beside = path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    let written = write_synced(&beside, text, mode).and_then(|()| std::fs::rename(&beside, path));
    if written.is_err() {
        // What is told is why it could not be written, not that the attempt cannot be tidied away.
        let _ = std::fs::remove_file(&beside);
    }
    written?;
    std::fs::File::open(parent(path))?.sync_all()
}

fn write_synced(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.set_permissions(Permissions::from_mode(mode))?;
    file.sync_all()
}

/// What a rotation did to a file of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotated {
    /// There was no token, and now there is one.
    TheFirst,
    /// A new one stands before the old one, and both count.
    BesideTheOld,
    /// The old one counts no longer.
    Finished,
}

/// Why a file of tokens was not rotated.
#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    /// There are two already.
    #[error("it has two secrets already; finish the rotation first, when its sender uses the new one")]
    Begun,
    /// There is nothing to finish.
    #[error("it is not being rotated")]
    NotBegun,
    /// It cannot be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Puts a new token before the one in `file`, which still counts.
///
/// # Errors
/// When there are two already, or of the file system.
pub fn rotate(file: &Path) -> Result<Rotated, RotateError> {
    let fresh = new_token()?;
    let (lines, done) = match tokens(file)?.as_slice() {
        [] => (fresh, Rotated::TheFirst),
        [old] => (format!("{fresh}\n{old}"), Rotated::BesideTheOld),
        _ => return Err(RotateError::Begun),
    };
    write_private(file, &format!("{lines}\n"))?;
    Ok(done)
}

/// Drops the older of the two tokens in `file`.
///
/// # Errors
/// When there are not two, or of the file system.
pub fn finish_rotation(file: &Path) -> Result<Rotated, RotateError> {
    let [new, _old] = tokens(file)?.try_into().map_err(|_| RotateError::NotBegun)?;
    write_private(file, &format!("{new}\n"))?;
    Ok(Rotated::Finished)
}

fn tokens(file: &Path) -> io::Result<Vec<String>> {
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Makes the file that the configuration in `file` names for the admin token, unless it is there. That is the first start, and
/// it comes before the configuration is read, which a missing file would fail.
///
/// # Errors
/// When it cannot be written; the text names it.
pub fn make_admin_token(file: &Path) -> Result<(), String> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let table: toml::Table = toml::from_str(&text).unwrap_or_default();
    let named = table.get("admin").and_then(|a| a.get("token")?.get("file")?.as_str());
    let token = named.map(|named| file.parent().unwrap_or(Path::new("")).join(named)).filter(|token| !token.exists());
    let Some(token) = token else { return Ok(()) };
    let made = new_token().and_then(|made| write_private(&token, &format!("{made}\n")));
    made.map_err(|e| format!("the admin token {} cannot be written: {e}", token.display()))
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        path.metadata().expect("it exists").permissions().mode() & 0o777
    }

    #[test]
    fn a_secret_is_for_its_owner_alone_and_a_rewritten_file_keeps_its_mode() {
        let dir = tempfile::tempdir().expect("a directory");
        let token = dir.path().join("sources/a.token");
        write_private(&token, "one\n").expect("written");
        assert_eq!((mode(&token), mode(&dir.path().join("sources"))), (0o600, 0o700));
        std::fs::set_permissions(&token, Permissions::from_mode(0o640)).expect("chmod");
        rewrite(&token, "two\n").expect("rewritten");
        assert_eq!((mode(&token), std::fs::read_to_string(&token).expect("read")), (0o640, "two\n".to_owned()));
        let left: Vec<_> = std::fs::read_dir(dir.path().join("sources")).expect("listed").collect();
        assert_eq!(left.len(), 1, "nothing is left beside it");
    }

    #[test]
    fn tokens_differ_and_fit_a_url() {
        let (a, b) = (new_token().expect("random"), new_token().expect("random"));
        assert_ne!(a, b);
        assert!(a.len() == 43 && a.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)));
    }
}
