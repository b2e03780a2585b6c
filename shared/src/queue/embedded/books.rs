//! All topics in memory, and the messages that are claimed.
//!
//! Invariant: after a failed transaction the books are as they were before it, except that numbers are never used twice.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use rusqlite::Result;

use super::op::{NewRow, Waiting};
use super::shelf::{Shelf, Tally};
use super::store::{Store, Stored};
use super::time::{EngineTime, LONGEST_DELAY};
use crate::queue::TopicStats;

/// The books.
#[derive(Debug, Default)]
pub(super) struct Books {
    shelves: Vec<Shelf>,
    by_name: HashMap<Arc<str>, usize>,
    next_seq: i64,
    /// The shelves of the claimed messages.
    held: HashMap<i64, usize>,
    /// How often the holders of a message ended with their process.
    ended: HashMap<i64, u32>,
}

/// Messages that are promised to a consumer once the transaction is on disk.
#[derive(Debug)]
pub(super) struct Grant {
    shelf: usize,
    pub(super) waiting: Waiting,
    pub(super) taken: Vec<Stored>,
    /// Those that had been given back.
    again: Vec<i64>,
}

impl Books {
    /// Reads them from the database, at the start and after it had to be opened anew.
    pub(super) fn load(&mut self, store: &Store, time: &EngineTime) -> Result<()> {
        let starting = self.next_seq == 0;
        for shelf in &mut self.shelves {
            shelf.tally.stored = false;
        }
        for (n, name) in store.topics()? {
            let index = self.shelf(&name.into());
            self.shelves[index].n = n;
            self.shelves[index].tally.stored = true;
        }
        let latest = time.due_in(LONGEST_DELAY);
        for shelf in &mut self.shelves {
            if starting && store.pull_in(shelf.n, latest)? > 0 {
                tracing::warn!(topic = %shelf.name, "messages were due later than any delay allows; they are now due in 30 days");
            }
            shelf.load(store)?;
        }
        if starting {
            self.ended = store.marks()?.into_iter().collect();
        }
        self.next_seq = self.next_seq.max(store.last_seq()? + 1);
        self.forget_missing(store)
    }

    /// Strikes from the lists what a transaction of unknown end has removed after all.
    fn forget_missing(&mut self, store: &Store) -> Result<()> {
        for shelf in &mut self.shelves {
            // The list is replaced only when all of it was looked at: what a failing read drops would never be claimed again.
            let mut kept = VecDeque::with_capacity(shelf.given_back.len());
            for seq in &shelf.given_back {
                if store.exists(*seq)? {
                    kept.push_back(*seq);
                }
            }
            shelf.given_back = kept;
        }
        Ok(())
    }

    /// The shelf of a topic, made if need be.
    fn shelf(&mut self, name: &Arc<str>) -> usize {
        if let Some(index) = self.by_name.get(name) {
            return *index;
        }
        let index = self.shelves.len();
        let n = self.shelves.iter().map(|s| s.n).max().unwrap_or(0) + 1;
        self.shelves.push(Shelf::new(n, name.clone()));
        self.by_name.insert(name.clone(), index);
        index
    }

    /// Lets a consumer wait.
    pub(super) fn wait(&mut self, topic: &Arc<str>, waiting: Waiting) {
        let index = self.shelf(topic);
        let shelf = &mut self.shelves[index];
        shelf.asked = true;
        shelf.waiting.retain(|w| !w.answer.is_closed());
        shelf.waiting.push_back(waiting);
    }

    pub(super) fn tallies(&self) -> Vec<Tally> {
        self.shelves.iter().map(|s| s.tally).collect()
    }

    /// Undoes what a failed transaction did to the books.
    pub(super) fn restore(&mut self, tallies: &[Tally], grants: Vec<Grant>) {
        for (i, shelf) in self.shelves.iter_mut().enumerate() {
            shelf.tally = tallies.get(i).copied().unwrap_or(Tally::EMPTY);
        }
        for grant in grants.into_iter().rev() {
            let shelf = &mut self.shelves[grant.shelf];
            for seq in grant.again.into_iter().rev() {
                shelf.given_back.push_front(seq);
            }
            shelf.waiting.push_front(grant.waiting);
        }
    }

    pub(super) fn insert(&mut self, store: &Store, row: &NewRow, time: &EngineTime) -> Result<()> {
        let index = self.shelf(&row.topic);
        let shelf = &mut self.shelves[index];
        if !shelf.tally.stored {
            store.insert_topic(shelf.n, &shelf.name)?;
            shelf.tally.stored = true;
        }
        let seq = self.next_seq;
        self.next_seq += 1;
        let due = row.delay.map_or(0, |delay| time.due_in(delay));
        store.insert(seq, shelf.n, due, time.now(), row.id, &row.body)?;
        shelf.add(due);
        Ok(())
    }

    pub(super) fn ripen(&mut self, store: &Store, now: i64) -> Result<()> {
        self.shelves.iter_mut().try_for_each(|shelf| shelf.ripen(store, now))
    }

    /// Whether somebody waits for what is there.
    pub(super) fn can_grant(&self) -> bool {
        self.shelves.iter().any(|s| s.ready() > 0 && s.waiting.iter().any(|w| !w.answer.is_closed()))
    }

    /// Takes messages for those who wait, and marks them as claimed. On an error, `grants` holds what is to be restored.
    pub(super) fn grant(&mut self, store: &Store, grants: &mut Vec<Grant>) -> Result<()> {
        for index in 0..self.shelves.len() {
            while let Some((waiting, share)) = self.shelves[index].next_waiting() {
                grants.push(Grant { shelf: index, waiting, taken: Vec::new(), again: Vec::new() });
                let Some(grant) = grants.last_mut() else { break };
                grant.taken = self.shelves[index].take(store, share, &mut grant.again)?;
                for stored in &grant.taken {
                    store.mark(stored.seq, self.ended(stored.seq) + 1)?;
                }
                if grant.taken.is_empty()
                    && let Some(grant) = grants.pop()
                {
                    // There was nothing after all.
                    self.shelves[index].waiting.push_front(grant.waiting);
                    if self.shelves[index].ready() == 0 {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// Notes that the messages of a grant are with its consumer.
    pub(super) fn hand_out(&mut self, grant: &Grant) {
        self.shelves[grant.shelf].claimed += grant.taken.len() as u64;
        self.held.extend(grant.taken.iter().map(|s| (s.seq, grant.shelf)));
    }

    /// Notes that a claimed message is gone.
    pub(super) fn settled(&mut self, seq: i64) {
        self.ended.remove(&seq);
        if let Some(index) = self.held.remove(&seq) {
            self.shelves[index].claimed -= 1;
        }
    }

    /// Notes that a claimed message was given back; false when it was not claimed.
    pub(super) fn give_back(&mut self, seq: i64) -> bool {
        let Some(index) = self.held.remove(&seq) else { return false };
        self.shelves[index].claimed -= 1;
        self.shelves[index].given_back.push_back(seq);
        true
    }

    /// How often the holders of a message ended before.
    pub(super) fn ended(&self, seq: i64) -> u32 {
        self.ended.get(&seq).copied().unwrap_or(0)
    }

    /// The claimed messages.
    pub(super) fn held(&self) -> impl Iterator<Item = i64> {
        self.held.keys().copied()
    }

    /// When the first message comes due that somebody waits for.
    pub(super) fn awaited(&self) -> Option<i64> {
        self.shelves.iter().filter_map(Shelf::awaited).min()
    }

    pub(super) fn stats(&self, store: Option<&Store>, now: i64) -> Vec<TopicStats> {
        self.shelves
            .iter()
            .map(|s| stats(s, store, now))
            .filter(|(s, asked)| *asked || s.total() > 0)
            .map(|(s, _)| s)
            .collect()
    }
}

fn stats(shelf: &Shelf, store: Option<&Store>, now: i64) -> (TopicStats, bool) {
    let oldest = store.and_then(|store| {
        store.oldest(shelf.n).unwrap_or_else(|error| {
            tracing::warn!(topic = %shelf.name, %error, "the age of the oldest message cannot be read");
            None
        })
    });
    let stats = TopicStats {
        topic: shelf.name.to_string(),
        ready: shelf.ready(),
        delayed: shelf.delayed(),
        claimed: shelf.claimed,
        oldest_age: oldest.map(|at| std::time::Duration::from_millis(u64::try_from(now - at).unwrap_or(0))),
    };
    (stats, shelf.asked)
}
