//! Opening the file: the lock, the settings, the schema and its version.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::store::{OpenError, StoreError};

/// The schema's version, kept in the file.
pub(in crate::store) const VERSION: i64 = 3;

/// What makes a database of version 1 one of version 2.
const FROM_1: &str =
    "ALTER TABLE destination ADD COLUMN unfit_at INTEGER; ALTER TABLE destination ADD COLUMN unfit TEXT;";
/// What makes a database of version 2 one of version 3. Deliveries that are under way get their route with their next fact.
const FROM_2: &str = "ALTER TABLE delivery ADD COLUMN route TEXT NOT NULL DEFAULT '';
ALTER TABLE delivery ADD COLUMN open_since INTEGER;
UPDATE delivery SET open_since = received_at WHERE state IN ('routed', 'deferred');
CREATE INDEX delivery_open ON delivery (destination, route, open_since) WHERE open_since IS NOT NULL;
CREATE INDEX parked_group ON parked (destination, kind, at);
CREATE TABLE alert (channel TEXT PRIMARY KEY, known TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE alert_message (channel TEXT NOT NULL, id TEXT NOT NULL, at INTEGER NOT NULL, message TEXT NOT NULL,
  PRIMARY KEY (channel, id)) WITHOUT ROWID;
ALTER TABLE payload ADD COLUMN sealed INTEGER;
CREATE INDEX payload_sealed ON payload (sealed);
ALTER TABLE parked ADD COLUMN sealed INTEGER;
CREATE INDEX parked_sealed ON parked (sealed);";
/// The tables that came with version 3 for what operators have done.
const OPERATORS: &str = include_str!("operators.sql");
const SCHEMA: &str = include_str!("schema.sql");
/// Another program may look into the file, but not hold it for long; the recorder tries again anyway.
const BUSY: Duration = Duration::from_millis(250);

pub(in crate::store) struct Opened {
    pub(in crate::store) writer: Connection,
    pub(in crate::store) path: PathBuf,
    pub(in crate::store) lock: File,
}

pub(in crate::store) fn open(dir: &Path) -> Result<Opened, OpenError> {
    let directory = |path: &Path| {
        let path = path.to_owned();
        move |source| OpenError::Directory { path, source }
    };
    std::fs::create_dir_all(dir).map_err(directory(dir))?;
    let lock_path = dir.join("ledger.lock");
    let lock = private_file(&lock_path).map_err(directory(&lock_path))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(std::fs::TryLockError::WouldBlock) => return Err(OpenError::Locked { path: dir.to_owned() }),
        Err(std::fs::TryLockError::Error(source)) => return Err(directory(&lock_path)(source)),
    }
    let path = dir.join("ledger.db");
    // Made here, so that nobody else on the machine can read it; the files that SQLite puts beside it follow suit.
    private_file(&path).map_err(directory(&path))?;
    let unreadable = |source| OpenError::Unreadable { path: path.clone(), source };
    let mut writer = Connection::open(&path).map_err(unreadable)?;
    settle_in(&writer).map_err(unreadable)?;
    let found = writer.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0)).map_err(unreadable)?;
    match found {
        0 => make(&mut writer, &[SCHEMA, OPERATORS]).map_err(unreadable)?,
        1 => make(&mut writer, &[FROM_1, FROM_2, OPERATORS]).map_err(unreadable)?,
        2 => make(&mut writer, &[FROM_2, OPERATORS]).map_err(unreadable)?,
        VERSION => {}
        found => return Err(OpenError::Newer { path, found }),
    }
    Ok(Opened { writer, path, lock })
}

fn private_file(path: &Path) -> std::io::Result<File> {
    let mut options = File::options();
    options.create(true).truncate(false).read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn settle_in(writer: &Connection) -> rusqlite::Result<()> {
    writer.busy_timeout(BUSY)?;
    writer.set_prepared_statement_cache_capacity(64);
    // Takes effect on a file that is still empty, and so must come first.
    writer.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    writer.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    writer.pragma_update(None, "synchronous", "FULL")?;
    writer.pragma_update_and_check(None, "secure_delete", "FAST", |_| Ok(()))?;
    writer.pragma_update(None, "foreign_keys", false)?;
    writer.pragma_update(None, "cache_size", -16 * 1024)?;
    writer.pragma_update_and_check(None, "journal_size_limit", 16 << 20, |_| Ok(()))
}

/// Brings the database to this version, as a whole or not at all.
fn make(writer: &mut Connection, steps: &[&str]) -> rusqlite::Result<()> {
    let transaction = writer.transaction()?;
    steps.iter().try_for_each(|step| transaction.execute_batch(step))?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}

/// A connection that only reads.
pub(in crate::store) fn reader(path: &Path) -> Result<Connection, StoreError> {
    let reader = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    reader.busy_timeout(BUSY)?;
    reader.set_prepared_statement_cache_capacity(32);
    reader.pragma_update(None, "cache_size", -4 * 1024)?;
    Ok(reader)
}
