//! Erasing: a lead's body, contact fields and parked copies go at once, and whatever of it is still in a queue ends there.
//!
//! That a lead was erased is a fact like any other, so it does not matter what else is told of the lead before or after: its
//! rows stay empty. What it takes with it and what it cannot reach is said in the [`Erasure`].

use leadrelay_shared::event::{Event, Fact};
use leadrelay_shared::id::LeadId;
use leadrelay_shared::queue::Topic;

use crate::api::types::{Erasure, LeadState, Remaining};
use crate::replay::{Refusal, Replayer};
use crate::store::FoundLead;

impl Replayer {
    /// Erases a lead. Erasing it again changes nothing and says the same of what remains.
    pub(crate) async fn erase(&self, lead: LeadId) -> Result<Erasure, Refusal> {
        // Not while something is sent on its way again: what is read before would be published after.
        let _turn = self.turn().await?;
        let Some(found) = self.store.lead(lead).await? else { return Err(Refusal::Unknown) };
        let parked = self.store.waiting_of_lead(lead).await?;
        let before = found.summary.state == LeadState::Erased;
        let at = self.clock.now();
        if !before {
            let event = Event { at, fact: Fact::Erased { lead } };
            // In the queue as well, so that every ledger hears of it, and first there: what is recorded here alone would be lost
            // with this ledger's disk.
            self.queue.publish(vec![Topic::events().told(&vec![event.clone()])]).await?;
            self.store.record(vec![event], Vec::new()).await?;
        }
        Ok(erasure(&found, parked, before, at))
    }
}

fn erasure(found: &FoundLead, parked: u64, before: bool, at: jiff::Timestamp) -> Erasure {
    let mut erasure = Erasure {
        lead: found.summary.id,
        at,
        before,
        body: found.body.is_some() || found.unread.is_some(),
        parked,
        stopped: Vec::new(),
        remaining: Vec::new(),
    };
    for course in found.story.deliveries.values() {
        match (&course.receipt, course.state) {
            (Some(receipt), _) => erasure.remaining.push(Remaining {
                destination: course.destination.clone(),
                record: receipt.record.clone(),
                link: receipt.link.clone(),
            }),
            (None, LeadState::Routed | LeadState::Deferred) => erasure.stopped.push(course.destination.clone()),
            (None, _) => {}
        }
    }
    erasure
}
