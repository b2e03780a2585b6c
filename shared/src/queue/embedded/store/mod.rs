//! The database: every SQL statement of the engine, and nothing else.
//!
//! `msg` holds every message; `due` is 0 for a message that may be claimed at once, so that those come in the order of `seq`
//! whatever any clock says. A claim is not written to its message: `claim` holds a row for each claimed message, and what
//! is found there at the start tells whose holder ended.

mod open;

use std::fmt;

use bytes::Bytes;
use rusqlite::{CachedStatement, Connection, Result, Row, params};
use uuid::Uuid;

pub use open::OpenError;
pub(super) use open::lock;

/// Bytes of a page.
pub(super) const PAGE: u64 = 4096;

/// A place in the order in which delayed messages come due.
pub(super) type Place = (i64, i64);

/// A stored message.
pub(super) struct Stored {
    pub(super) seq: i64,
    pub(super) due: i64,
    pub(super) id: Uuid,
    pub(super) body: Bytes,
}

/// Prints which message it is, and never what it says.
impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stored")
            .field("seq", &self.seq)
            .field("due", &self.due)
            .field("id", &self.id)
            .field("bytes", &self.body.len())
            .finish()
    }
}

/// The connection.
#[derive(Debug)]
pub(super) struct Store {
    conn: Connection,
}

impl Store {
    fn new(conn: Connection) -> Self {
        Self { conn }
    }

    fn cached(&self, sql: &str) -> Result<CachedStatement<'_>> {
        self.conn.prepare_cached(sql)
    }

    fn number(&self, sql: &str, params: impl rusqlite::Params) -> Result<i64> {
        self.cached(sql)?.query_row(params, |r| r.get(0))
    }

    fn count(&self, sql: &str, params: impl rusqlite::Params) -> Result<u64> {
        self.number(sql, params).map(|n| u64::try_from(n).unwrap_or(0))
    }

    pub(super) fn begin(&self) -> Result<()> {
        self.cached("BEGIN IMMEDIATE")?.execute([]).map(drop)
    }

    pub(super) fn commit(&self) -> Result<()> {
        fail::fail_point!("queue::commit_refused", |_| Err(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL),
            None
        )));
        self.cached("COMMIT")?.execute([])?;
        fail::fail_point!("queue::commit_unknown", |_| Err(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR_FSYNC),
            None
        )));
        Ok(())
    }

    /// Undoes an open transaction; SQLite has already done so after some errors.
    pub(super) fn rollback(&self) -> Result<()> {
        if self.conn.is_autocommit() { Ok(()) } else { self.cached("ROLLBACK")?.execute([]).map(drop) }
    }

    pub(super) fn insert_topic(&self, n: i64, name: &str) -> Result<()> {
        self.cached("INSERT INTO topic (n, name) VALUES (?1, ?2)")?.execute(params![n, name]).map(drop)
    }

    pub(super) fn insert(&self, seq: i64, topic: i64, due: i64, at: i64, id: Uuid, body: &[u8]) -> Result<()> {
        self.cached("INSERT INTO msg (seq, topic, due, at, id, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
            .execute(params![seq, topic, due, at, id.as_bytes(), body])
            .map(drop)
    }

    /// Removes a message and its claim.
    pub(super) fn remove(&self, seq: i64) -> Result<()> {
        self.cached("DELETE FROM msg WHERE seq = ?1")?.execute([seq])?;
        self.cached("DELETE FROM claim WHERE seq = ?1")?.execute([seq]).map(drop)
    }

    /// Notes how often the holder of a message will have ended, should its present one do so.
    pub(super) fn mark(&self, seq: i64, times: u32) -> Result<()> {
        if times == 0 {
            self.cached("DELETE FROM claim WHERE seq = ?1")?.execute([seq]).map(drop)
        } else {
            self.cached("INSERT OR REPLACE INTO claim (seq, times) VALUES (?1, ?2)")?
                .execute(params![seq, times])
                .map(drop)
        }
    }

    /// One message by its number, if it is still there.
    pub(super) fn one(&self, seq: i64) -> Result<Option<Stored>> {
        let mut statement = self.cached("SELECT seq, due, id, body FROM msg WHERE seq = ?1")?;
        let mut rows = statement.query([seq])?;
        rows.next()?.map(stored).transpose()
    }

    pub(super) fn exists(&self, seq: i64) -> Result<bool> {
        self.cached("SELECT 1 FROM msg WHERE seq = ?1")?.exists([seq])
    }

    /// Messages due exactly at `due` (0: they never had to wait), after number `after`.
    pub(super) fn due_at(&self, topic: i64, due: i64, after: i64, limit: usize, into: &mut Vec<Stored>) -> Result<()> {
        let sql = "SELECT seq, due, id, body FROM msg WHERE topic = ?1 AND due = ?2 AND seq > ?3 ORDER BY seq LIMIT ?4";
        let mut statement = self.cached(sql)?;
        let mut rows = statement.query(params![topic, due, after, limit as i64])?;
        while let Some(row) = rows.next()? {
            into.push(stored(row)?);
        }
        Ok(())
    }

    /// Messages that have waited and are due after `after` and no later than `until`. A row-value comparison would do it in
    /// one statement, but goes through all messages of one due time again for each call.
    pub(super) fn ripe(
        &self,
        topic: i64,
        after: Place,
        until: i64,
        limit: usize,
        into: &mut Vec<Stored>,
    ) -> Result<()> {
        let full = into.len() + limit;
        self.due_at(topic, after.0, after.1, limit, into)?;
        let sql = "SELECT seq, due, id, body FROM msg WHERE topic = ?1 AND due > ?2 AND due <= ?3 \
                   ORDER BY due, seq LIMIT ?4";
        let mut statement = self.cached(sql)?;
        let mut rows = statement.query(params![topic, after.0, until, (full - into.len()) as i64])?;
        while let Some(row) = rows.next()? {
            into.push(stored(row)?);
        }
        Ok(())
    }

    /// How many are due exactly at `due`, after number `after`.
    pub(super) fn count_due_at(&self, topic: i64, due: i64, after: i64) -> Result<u64> {
        self.count("SELECT count(*) FROM msg WHERE topic = ?1 AND due = ?2 AND seq > ?3", [topic, due, after])
    }

    pub(super) fn count_due_between(&self, topic: i64, after: i64, until: i64) -> Result<u64> {
        self.count("SELECT count(*) FROM msg WHERE topic = ?1 AND due > ?2 AND due <= ?3", [topic, after, until])
    }

    pub(super) fn count_due_after(&self, topic: i64, due: i64) -> Result<u64> {
        self.count("SELECT count(*) FROM msg WHERE topic = ?1 AND due > ?2", [topic, due])
    }

    pub(super) fn next_due(&self, topic: i64, after: i64) -> Result<Option<i64>> {
        self.cached("SELECT min(due) FROM msg WHERE topic = ?1 AND due > ?2")?.query_row([topic, after], |r| r.get(0))
    }

    /// Pulls in what is due later than any delay can be.
    pub(super) fn pull_in(&self, topic: i64, latest: i64) -> Result<usize> {
        self.cached("UPDATE msg SET due = ?2 WHERE topic = ?1 AND due > ?2")?.execute([topic, latest])
    }

    /// When the oldest message of a topic came. Exact for those that never had to wait and for up to a thousand others;
    /// beyond that the others are represented by those that are due first.
    pub(super) fn oldest(&self, topic: i64) -> Result<Option<i64>> {
        let sql = "SELECT min(at) FROM msg WHERE seq IN (
                     SELECT (SELECT seq FROM msg WHERE topic = ?1 AND due = 0 ORDER BY seq LIMIT 1)
                     UNION ALL
                     SELECT min(seq) FROM (SELECT seq FROM msg WHERE topic = ?1 AND due > 0 ORDER BY due LIMIT 1000))";
        self.cached(sql)?.query_row([topic], |r| r.get(0))
    }

    pub(super) fn topics(&self) -> Result<Vec<(i64, String)>> {
        self.cached("SELECT n, name FROM topic ORDER BY n")?.query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?.collect()
    }

    /// The messages whose holders ended, and how often.
    pub(super) fn marks(&self) -> Result<Vec<(i64, u32)>> {
        self.cached("SELECT seq, times FROM claim")?.query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?.collect()
    }

    pub(super) fn last_seq(&self) -> Result<i64> {
        let sql = "SELECT max(coalesce((SELECT max(seq) FROM msg), 0), coalesce((SELECT max(seq) FROM claim), 0))";
        self.number(sql, [])
    }

    /// Where the engine's time last stood.
    pub(super) fn time(&self) -> Result<i64> {
        self.number("SELECT coalesce((SELECT value FROM meta WHERE name = 'time'), 0)", [])
    }

    pub(super) fn set_time(&self, now: i64) -> Result<()> {
        self.cached("INSERT OR REPLACE INTO meta (name, value) VALUES ('time', ?1)")?.execute([now]).map(drop)
    }

    /// Pages of the file and those of them that are free.
    pub(super) fn pages(&self) -> Result<(u64, u64)> {
        Ok((self.count("PRAGMA page_count", [])?, self.count("PRAGMA freelist_count", [])?))
    }

    /// Gives up to `pages` free pages back to the file system.
    pub(super) fn vacuum(&self, pages: u32) -> Result<()> {
        let mut statement = self.cached(&format!("PRAGMA incremental_vacuum({pages})"))?;
        let mut rows = statement.query([])?;
        while rows.next()?.is_some() {}
        Ok(())
    }

    /// Moves the log into the database. Its file keeps its size and is written from its start.
    pub(super) fn checkpoint(&self) -> Result<()> {
        self.conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
    }

    /// Moves the whole log into the database and empties it.
    pub(super) fn empty_log(&self) -> Result<()> {
        self.conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
    }

    /// Proves that the disk takes what is written, and leaves nothing behind.
    pub(super) fn probe(&self) -> Result<()> {
        self.begin()?;
        self.cached("INSERT OR REPLACE INTO probe (n, filler) VALUES (1, zeroblob(65536))")?.execute([])?;
        self.commit()?;
        self.begin()?;
        self.cached("DELETE FROM probe")?.execute([])?;
        self.commit()
    }
}

fn stored(row: &Row<'_>) -> Result<Stored> {
    let id: [u8; 16] = row.get(2)?;
    let body: Vec<u8> = row.get(3)?;
    Ok(Stored { seq: row.get(0)?, due: row.get(1)?, id: Uuid::from_bytes(id), body: body.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_message_prints_no_body() {
        let printed = format!("{:?}", Stored { seq: 1, due: 2, id: Uuid::nil(), body: Bytes::from_static(b"M4RK3R") });
        assert!(!printed.contains("M4RK3R") && printed.contains("bytes: 6"), "{printed}");
    }
}
