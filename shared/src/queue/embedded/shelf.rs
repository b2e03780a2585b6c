//! One topic in memory: how many messages wait, where claiming has got to, and who waits for them.
//!
//! A message is in one of four places. It is *fresh* (never had to wait) or *delayed*, then *ripe*; or it was claimed.
//! Claiming moves two marks forward, one through the fresh and one through the ripe, so nothing is kept for a message that
//! waits. What is given back is behind the marks and listed.

use std::collections::VecDeque;
use std::sync::Arc;

use rusqlite::Result;

use super::op::Waiting;
use super::store::{Place, Store, Stored};

/// Before every delayed message, and after every fresh one.
const BEFORE_DELAYED: Place = (0, i64::MAX);

/// A topic.
#[derive(Debug)]
pub(super) struct Shelf {
    /// Its number in the database.
    pub(super) n: i64,
    pub(super) name: Arc<str>,
    pub(super) tally: Tally,
    /// Claimed and neither settled nor given back.
    pub(super) claimed: u64,
    pub(super) given_back: VecDeque<i64>,
    pub(super) waiting: VecDeque<Waiting>,
    /// Whether it was ever claimed from.
    pub(super) asked: bool,
}

/// What a transaction changes and a rollback restores.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tally {
    /// Whether the topic has its row.
    pub(super) stored: bool,
    fresh: u64,
    fresh_after: i64,
    ripe: u64,
    ripe_after: Place,
    /// Everything due up to here is ripe.
    ripe_until: i64,
    delayed: u64,
    next_due: Option<i64>,
    /// Whose turn it is, so that neither the fresh nor the ripe keep the others waiting.
    ripe_first: bool,
}

impl Tally {
    pub(super) const EMPTY: Self = Self {
        stored: false,
        fresh: 0,
        fresh_after: 0,
        ripe: 0,
        ripe_after: BEFORE_DELAYED,
        ripe_until: 0,
        delayed: 0,
        next_due: None,
        ripe_first: false,
    };
}

impl Shelf {
    pub(super) fn new(n: i64, name: Arc<str>) -> Self {
        let (given_back, waiting) = Default::default();
        Self { n, name, tally: Tally::EMPTY, claimed: 0, given_back, waiting, asked: false }
    }

    /// Counts what the database holds beyond the marks.
    pub(super) fn load(&mut self, store: &Store) -> Result<()> {
        let tally = &mut self.tally;
        let (due, seq) = tally.ripe_after;
        tally.fresh = store.count_due_at(self.n, 0, tally.fresh_after)?;
        tally.ripe = store.count_due_at(self.n, due, seq)? + store.count_due_between(self.n, due, tally.ripe_until)?;
        tally.delayed = store.count_due_after(self.n, tally.ripe_until)?;
        tally.next_due = store.next_due(self.n, tally.ripe_until)?;
        Ok(())
    }

    /// Counts a new message.
    pub(super) fn add(&mut self, due: i64) {
        let tally = &mut self.tally;
        if due == 0 {
            tally.fresh += 1;
        } else {
            tally.delayed += 1;
            tally.next_due = Some(tally.next_due.map_or(due, |next| next.min(due)));
        }
    }

    /// Counts what has come due as ripe.
    pub(super) fn ripen(&mut self, store: &Store, now: i64) -> Result<()> {
        if self.tally.next_due.is_none_or(|due| due > now) {
            return Ok(());
        }
        let ripened = store.count_due_between(self.n, self.tally.ripe_until, now)?;
        let next_due = store.next_due(self.n, now)?;
        let tally = &mut self.tally;
        tally.ripe += ripened;
        tally.delayed = tally.delayed.saturating_sub(ripened);
        tally.ripe_until = now;
        tally.next_due = next_due;
        Ok(())
    }

    /// Messages that can be claimed.
    pub(super) fn ready(&self) -> u64 {
        self.tally.fresh + self.tally.ripe + self.given_back.len() as u64
    }

    pub(super) fn delayed(&self) -> u64 {
        self.tally.delayed
    }

    /// When to look at it again for somebody who waits.
    pub(super) fn awaited(&self) -> Option<i64> {
        if self.waiting.is_empty() { None } else { self.tally.next_due }
    }

    /// The next consumer to serve and its share of what there is.
    pub(super) fn next_waiting(&mut self) -> Option<(Waiting, usize)> {
        self.waiting.retain(|w| !w.answer.is_closed());
        let among = self.waiting.len() as u64;
        if among == 0 || self.ready() == 0 {
            return None;
        }
        let share = usize::try_from(self.ready().div_ceil(among)).unwrap_or(usize::MAX);
        self.waiting.pop_front().map(|w| {
            let share = share.min(w.max);
            (w, share)
        })
    }

    /// Takes up to `most` messages and moves the marks: those given back first, then the fresh and the ripe by turns.
    /// The numbers of those that had been given back are added to `again`.
    pub(super) fn take(&mut self, store: &Store, most: usize, again: &mut Vec<i64>) -> Result<Vec<Stored>> {
        let mut taken = Vec::with_capacity(most);
        while taken.len() < most {
            let Some(seq) = self.given_back.pop_front() else { break };
            again.push(seq);
            // It is gone where a settling failed on the face of it and yet reached the disk.
            taken.extend(store.one(seq)?);
        }
        let ripe_first = self.tally.ripe_first;
        self.tally.ripe_first = !ripe_first;
        for ripe in [ripe_first, !ripe_first] {
            let most = most - taken.len();
            if ripe {
                self.take_ripe(store, most, &mut taken)?;
            } else {
                self.take_fresh(store, most, &mut taken)?;
            }
        }
        Ok(taken)
    }

    fn take_fresh(&mut self, store: &Store, most: usize, taken: &mut Vec<Stored>) -> Result<()> {
        if most == 0 || self.tally.fresh == 0 {
            return Ok(());
        }
        let before = taken.len();
        store.due_at(self.n, 0, self.tally.fresh_after, most, taken)?;
        if let Some(last) = taken[before..].last() {
            self.tally.fresh_after = last.seq;
        }
        self.tally.fresh = left(self.tally.fresh, taken.len() - before, most);
        Ok(())
    }

    fn take_ripe(&mut self, store: &Store, most: usize, taken: &mut Vec<Stored>) -> Result<()> {
        if most == 0 || self.tally.ripe == 0 {
            return Ok(());
        }
        let before = taken.len();
        store.ripe(self.n, self.tally.ripe_after, self.tally.ripe_until, most, taken)?;
        if let Some(last) = taken[before..].last() {
            self.tally.ripe_after = (last.due, last.seq);
        }
        self.tally.ripe = left(self.tally.ripe, taken.len() - before, most);
        Ok(())
    }
}

/// What is left of a count after `got` of `asked` were found. Fewer than asked were all there are.
fn left(count: u64, got: usize, asked: usize) -> u64 {
    if got < asked { 0 } else { count.saturating_sub(got as u64) }
}
