//! One transaction: what was given back, settled and published, and claims for those who wait.
//!
//! Invariant: either all of it is on disk and the books say so, or none of it is in the books.

use rusqlite::Result;

use super::Writer;
use super::trouble::Fault;
use crate::queue::embedded::Handle;
use crate::queue::embedded::books::Grant;
use crate::queue::embedded::op::{NewRow, Publish, Settle};
use crate::queue::join::{self, Part};
use crate::queue::{QueueError, RawClaim, Right};

/// How much of the engine's time a crash may lose.
const STORE_TIME_EVERY: i64 = 1000;

impl Writer {
    /// Writes what was asked for and answers it.
    pub(super) fn transact(&mut self, publishes: Vec<Publish>, settles: Vec<Settle>) {
        let given_back: Vec<_> = self.given_back.take().into_iter().filter(|seq| self.books.give_back(*seq)).collect();
        let publishes = self.admit(publishes);
        let mut outcome = self.attempt(&publishes, &settles, &given_back);
        if outcome.as_ref().is_err_and(|fault| fault.wants_room() && self.make_room()) {
            outcome = self.attempt(&publishes, &settles, &given_back);
        }
        match outcome {
            Ok(grants) => self.confirm(publishes, settles, grants),
            // Settling makes room, so it must not fail for what is published beside it.
            Err(fault) if fault.wants_room() && !publishes.is_empty() && !settles.is_empty() => {
                self.fail(&fault, publishes, Vec::new());
                match self.attempt(&[], &settles, &given_back) {
                    Ok(grants) => self.confirm(Vec::new(), settles, grants),
                    Err(fault) => self.fail(&fault, Vec::new(), settles),
                }
            }
            Err(fault) => self.fail(&fault, publishes, settles),
        }
    }

    /// Moves the log into the database, so that it is written from its start again. False when there is no room for that.
    fn make_room(&self) -> bool {
        self.store.as_ref().is_some_and(|store| store.checkpoint().is_ok())
    }

    /// Refuses what may not be published now.
    fn admit(&mut self, publishes: Vec<Publish>) -> Vec<Publish> {
        if publishes.is_empty() {
            return publishes;
        }
        let bytes: usize = publishes.iter().flat_map(|p| &p.rows).map(|r| r.body.len()).sum();
        if self.trouble.is_none()
            && let Some(store) = &self.store
            && let Err(error) = self.space.expect(bytes as u64, store)
        {
            self.meet(&Fault::reading(&error));
        }
        let Some(reason) = self.refusal() else { return publishes };
        self.tell_health();
        for publish in publishes {
            // The caller may have gone.
            let _ = publish.answer.send(Err(QueueError::Blocked(reason.clone())));
        }
        Vec::new()
    }

    /// Tries one transaction; on a fault, everything is as before.
    fn attempt(&mut self, publishes: &[Publish], settles: &[Settle], given_back: &[i64]) -> Result<Vec<Grant>, Fault> {
        // While the disk fails, nothing is handed out that could not be settled.
        let granting = self.trouble.is_none() && self.books.can_grant();
        if publishes.is_empty() && settles.is_empty() && given_back.is_empty() && !granting {
            return Ok(Vec::new());
        }
        let Some(store) = self.store.take() else { return Err(Fault::away(self.refusal())) };
        let tallies = self.books.tallies();
        let mut grants = Vec::new();
        let written = store.begin().and_then(|()| {
            self.write(&store, publishes, settles, given_back)?;
            if self.trouble.is_none() { self.books.grant(&store, &mut grants) } else { Ok(()) }
        });
        fail::fail_point!("queue::before_commit", |_| std::process::abort());
        let done = match written {
            Ok(()) => store.commit().map_err(|error| Fault::committing(&error)),
            Err(error) => Err(Fault::writing(&error)),
        };
        fail::fail_point!("queue::after_commit", |_| std::process::abort());
        match done {
            Ok(()) => {
                self.store = Some(store);
                Ok(grants)
            }
            Err(fault) => {
                self.books.restore(&tallies, grants);
                // A connection that cannot even do this is of no more use.
                if store.rollback().is_ok() && !fault.ends_connection() {
                    self.store = Some(store);
                }
                Err(fault)
            }
        }
    }

    fn write(
        &mut self,
        store: &super::Store,
        publishes: &[Publish],
        settles: &[Settle],
        given_back: &[i64],
    ) -> Result<()> {
        for seq in given_back {
            store.mark(*seq, self.books.ended(*seq))?;
        }
        for settle in settles {
            for handle in &settle.handles {
                store.remove(handle.seq())?;
            }
        }
        let (alone, mut together) = apart(settles.iter().flat_map(|settle| &settle.outputs));
        for row in alone {
            self.books.insert(store, row, &self.time)?;
        }
        fail::fail_point!("queue::mid_batch", |_| std::process::abort());
        let (alone, more) = apart(publishes.iter().flat_map(|publish| &publish.rows));
        for row in alone {
            self.books.insert(store, row, &self.time)?;
        }
        together.extend(more);
        for group in join::groups(together, |part| part) {
            let (id, body) = join::join(&group);
            let topic = group[0].topic.clone();
            self.books.insert(store, &NewRow { topic, id, delay: None, body, elements_at: None }, &self.time)?;
        }
        let now = self.time.now();
        if now - self.stored_time >= STORE_TIME_EVERY {
            store.set_time(now)?;
            self.stored_time = now;
        }
        Ok(())
    }

    /// Tells everybody that it is on disk.
    fn confirm(&mut self, publishes: Vec<Publish>, settles: Vec<Settle>, grants: Vec<Grant>) {
        for publish in publishes {
            // The caller may have gone.
            let _ = publish.answer.send(Ok(()));
        }
        for settle in settles {
            for handle in settle.handles {
                self.books.settled(handle.seq());
                handle.set_aside();
            }
            let _ = settle.answer.send(Ok(()));
        }
        for grant in grants {
            self.hand_out(grant);
        }
    }

    fn hand_out(&mut self, grant: Grant) {
        self.books.hand_out(&grant);
        let Some(shared) = self.shared.upgrade() else { return };
        let claims: Vec<_> = grant
            .taken
            .into_iter()
            .map(|stored| RawClaim {
                id: stored.id,
                published_to: None,
                not_before: self.time.wall(stored.due),
                redelivered: self.books.ended(stored.seq),
                body: stored.body,
                handle: crate::queue::Handle(Right::Embedded(Handle::new(stored.seq, shared.clone()))),
            })
            .collect();
        // When the consumer has gone, its claims are dropped here and so given back.
        let _ = grant.waiting.answer.send(claims);
        fail::fail_point!("queue::after_claim", |_| std::process::abort());
    }

    /// Tells everybody that it failed. Dropping a settling gives its messages back.
    fn fail(&mut self, fault: &Fault, publishes: Vec<Publish>, settles: Vec<Settle>) {
        self.meet(fault);
        self.tell_health();
        let answers = publishes.into_iter().map(|p| p.answer).chain(settles.into_iter().map(|s| s.answer));
        for answer in answers {
            // The caller may have gone.
            let _ = answer.send(Err(fault.answer()));
        }
    }
}

/// Rows that are stored as they are, and those that are joined with others.
fn apart<'r>(rows: impl Iterator<Item = &'r NewRow>) -> (Vec<&'r NewRow>, Vec<Part>) {
    let (mut alone, mut together) = (Vec::new(), Vec::new());
    for row in rows {
        match row.elements_at {
            Some(elements_at) if row.delay.is_none() => {
                together.push(Part { topic: row.topic.clone(), id: row.id, body: row.body.clone(), elements_at });
            }
            _ => alone.push(row),
        }
    }
    (alone, together)
}
