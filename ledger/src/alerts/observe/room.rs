//! Where leads are kept: the spool, the queue, the disk.

use jiff::Timestamp;
use leadrelay_shared::queue::{Health, embedded};

use super::super::condition::{AlertKind, Condition};
use super::super::words;
use super::Observer;

/// The queue is nearly full from so many percent on, and the disk with so many times `min_free` left.
const FULL_PERCENT: u64 = 80;
const FREE_TIMES: u64 = 4;

impl Observer {
    /// The spool is ingest's; it is known where ingest runs in this process.
    pub(super) async fn spool(&self, now: Timestamp) -> Option<Condition> {
        let spool = self.ctx.status.spool().await?;
        let (grade, text) = match (spool.waiting, spool.blocked) {
            (_, Some(reason)) => (2, format!("the spool takes nothing: {reason}")),
            (0, None) => return None,
            (n, None) => (1, format!("{} in the spool of ingest: the broker takes none", words::leads(n))),
        };
        let remedy = "see whether RabbitMQ is up and has room; leads are forwarded by themselves when it is";
        Some(Condition::new(AlertKind::Spool, "spool", now, text, remedy).grade(grade))
    }

    pub(super) fn queue(&self, now: Timestamp) -> Option<Condition> {
        let blocked = match &*self.ctx.queue.health().borrow() {
            Health::Blocked(reason) => Some(reason.clone()),
            Health::Ready => None,
        };
        let (grade, text) = match (blocked, self.ctx.queue.size()) {
            (Some(reason), _) => (2, format!("the queue takes nothing: {reason}")),
            (None, Some((used, max))) if used >= max / 100 * FULL_PERCENT => {
                let percent = used.saturating_mul(100) / max.max(1);
                (1, format!("the queue is full to {percent} percent of queue.max_size; beyond it no lead is taken"))
            }
            (None, _) => return None,
        };
        let remedy = "see which destinations hold it up, and let them drain or raise the limit";
        Some(Condition::new(AlertKind::Queue, "queue", now, text, remedy).grade(grade))
    }

    pub(super) fn disk(&self, now: Timestamp) -> Option<Condition> {
        let min = self.ctx.config().queue.min_free.0;
        let free = embedded::free_bytes(&self.ctx.loaded.data_dir())?;
        if free >= min.saturating_mul(FREE_TIMES) {
            return None;
        }
        let text = format!("{} MiB are left on the disk of data_dir; below {} no lead is taken", free >> 20, min >> 20);
        let condition = Condition::new(AlertKind::Disk, "data_dir", now, text, "make room, or give it a larger disk");
        Some(condition.grade(if free < min { 2 } else { 1 }))
    }
}
