//! Taking the ops that wait: group commit without a fixed delay.
//!
//! Callers who wait for their answers come back together once they have them. So the writer yields for as long as more ops keep
//! arriving and fewer came than were answered last time; a lone caller is never kept waiting.

use tokio::sync::{mpsc, oneshot};

use super::Writer;
use crate::queue::TopicStats;
use crate::queue::embedded::op::{NewRow, Op, Publish, Settle};

/// The most messages of one transaction, unless a single op brings more.
const MOST_MESSAGES: usize = 512;
/// The most bytes of one transaction, unless a single op brings more.
const MOST_BYTES: usize = 4 << 20;
/// How often it yields without anything arriving before it goes on.
const IDLE_YIELDS: u32 = 24;

/// What one step of the writer does.
#[derive(Debug, Default)]
pub(super) struct Work {
    pub(super) publishes: Vec<Publish>,
    pub(super) settles: Vec<Settle>,
    pub(super) stats: Vec<oneshot::Sender<Vec<TopicStats>>>,
    pub(super) close: bool,
    ops: usize,
    messages: usize,
    bytes: usize,
}

impl Work {
    /// Whether somebody asked for something that is written.
    pub(super) fn is_busy(&self) -> bool {
        !self.publishes.is_empty() || !self.settles.is_empty()
    }

    fn is_full(&self) -> bool {
        self.messages >= MOST_MESSAGES || self.bytes >= MOST_BYTES || self.close
    }

    fn count(&mut self, rows: &[NewRow], settled: usize) {
        self.ops += 1;
        self.messages += rows.len() + settled;
        self.bytes += rows.iter().map(|r| r.body.len()).sum::<usize>();
    }
}

impl Writer {
    /// Takes `first` and all that waits behind it.
    pub(super) fn gather(&mut self, first: Option<Op>, todo: &mut mpsc::Receiver<Op>) -> Work {
        let mut work = Work::default();
        if let Some(op) = first {
            self.sort(op, &mut work);
            self.gather_waiting(&mut work, todo);
        }
        let mut idle = 0;
        while work.ops > 0 && work.ops < self.expected && idle < IDLE_YIELDS && !work.is_full() {
            std::thread::yield_now();
            let before = work.ops;
            self.gather_waiting(&mut work, todo);
            idle = if work.ops > before { 0 } else { idle + 1 };
        }
        if work.ops > 0 {
            self.expected = work.ops;
        }
        work
    }

    fn gather_waiting(&mut self, work: &mut Work, todo: &mut mpsc::Receiver<Op>) {
        while !work.is_full() {
            let Ok(op) = todo.try_recv() else { break };
            self.sort(op, work);
        }
    }

    fn sort(&mut self, op: Op, work: &mut Work) {
        match op {
            Op::Publish(publish) => {
                work.count(&publish.rows, 0);
                work.publishes.push(publish);
            }
            Op::Settle(settle) => {
                work.count(&settle.outputs, settle.handles.len());
                work.settles.push(settle);
            }
            Op::Claim { topic, waiting } => self.books.wait(&topic, waiting),
            Op::Stats(answer) => work.stats.push(answer),
            Op::Look => {}
            Op::Leave => self.leaving = true,
            Op::Close => work.close = true,
        }
    }
}
