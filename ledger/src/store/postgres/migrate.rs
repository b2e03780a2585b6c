//! The schema and its version. Of several ledgers that start at once one brings it up to date, and the others wait.

use super::session::Session;
use crate::store::db::{Db as _, values};
use crate::store::{OpenError, StoreError};

/// The schema's version, kept in the database.
pub(in crate::store) const VERSION: i64 = 1;
const SCHEMA: &str = include_str!("schema.sql");
/// What those hold who change tables: `leadrelay` in ASCII, as far as a number goes.
pub(super) const LOCK: i64 = 0x6c65_6164_7265_6c61;

/// Brings the database to this version, as a whole or not at all.
pub(super) fn migrate(session: &Session) -> Result<(), OpenError> {
    let found = steps(session).map_err(|error| match error {
        StoreError::Postgres(fault) => OpenError::Postgres(fault),
        _ => OpenError::NotOurs,
    })?;
    if found > VERSION { Err(OpenError::NewerDatabase { found }) } else { Ok(()) }
}

/// Answers the version that was found, or that was made.
fn steps(session: &Session) -> Result<i64, StoreError> {
    session.begin("BEGIN")?;
    session.batch(&format!("SELECT pg_advisory_xact_lock({LOCK})"))?;
    let there = session.query_opt("SELECT to_regclass('ledger_version') IS NOT NULL", &[])?;
    let found = match there.map(|row| row.get(0)).transpose()? {
        Some(true) => session.query_opt("SELECT version FROM ledger_version", &[])?,
        _ => {
            session.batch(SCHEMA)?;
            session.batch("CREATE TABLE ledger_version (version BIGINT NOT NULL)")?;
            session.execute("INSERT INTO ledger_version VALUES (?)", values![VERSION])?;
            None
        }
    };
    let found = found.map_or(Ok(VERSION), |row| row.get(0))?;
    session.commit()?;
    Ok(found)
}
