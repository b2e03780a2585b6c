//! Sending on their way again: what is parked, or a lead from the start.
//!
//! Invariant: a delivery keeps its id, so nothing that is sent again can make a second record. Each time is a round of its
//! own, higher than any that the lead or one of its deliveries has had, and the message and its `Replayed` event are
//! published in one call. The fact is recorded here as well, at once, so that a second click finds nothing parked; one
//! operator's wish is carried out at a time, by all ledgers on one store.

use std::sync::Arc;

use leadrelay_shared::clock::Clock;
use leadrelay_shared::config::Loaded;
use leadrelay_shared::delivery::Waiting;
use leadrelay_shared::event::{Event, Fact};
use leadrelay_shared::id::{DeliveryId, LeadId};
use leadrelay_shared::lead::{Body, Fault, Lead};
use leadrelay_shared::queue::{Message, Queue, QueueError, Topic};
use leadrelay_shared::service::Ctx;
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::api::types::{Filter, LeadState, Repaired, Replayed};
use crate::progress::Progress;
use crate::store::{Kept, ParkedRow, Store, StoreError, Turn};

/// Parked items in memory at once; each may hold a whole body.
const BATCH: usize = 32;
/// Refusals that are told one by one.
const REFUSED_MAX: usize = 1000;

/// Sends parked leads and deliveries, and leads from the start, on their way again.
#[derive(Clone, Debug)]
pub(crate) struct Replayer {
    pub(crate) store: Store,
    pub(crate) queue: Queue,
    pub(crate) clock: Clock,
    loaded: Arc<Loaded>,
    pub(crate) turn: Arc<Mutex<()>>,
}

/// Why something was not sent on its way again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("nothing is known of it")]
    Unknown,
    #[error("{0}")]
    NotNow(String),
    #[error("{0}")]
    Missing(String),
    #[error("{0}")]
    Wrong(String),
    #[error("several deliveries of this lead are parked; write the id of one: {}", .0.join(", "))]
    Several(Vec<String>),
    #[error("the body is still not a lead")]
    Faulty(Vec<Fault>),
    #[error(transparent)]
    Queue(#[from] QueueError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Refusal {
    /// In a word, for the audit log.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Unknown | Self::Missing(_) => "refused: not known",
            Self::NotNow(_) => "refused: not possible now",
            Self::Wrong(_) => "refused: not understood",
            Self::Several(_) => "refused: several are meant",
            Self::Faulty(_) => "refused: still not a lead",
            Self::Queue(_) => "failed: the queue did not take it",
            Self::Store(_) => "failed: the history could not be read or written",
        }
    }
}

/// What is published for one item.
struct Step {
    message: Message,
    event: Event,
}

impl Replayer {
    pub(crate) fn new(ctx: &Ctx, store: Store) -> Self {
        let Ctx { queue, clock, loaded, .. } = ctx.clone();
        Self { store, queue, clock, loaded, turn: Arc::default() }
    }

    /// Waits until nobody else sends anything on its way again, here or at another ledger.
    pub(crate) async fn turn(&self) -> Result<(OwnedMutexGuard<()>, Turn), Refusal> {
        Ok((self.turn.clone().lock_owned().await, self.store.turn().await?))
    }

    /// Sends one parked item on its way again, as it is.
    pub(crate) async fn release(&self, id: &str) -> Result<(), Refusal> {
        let _turn = self.turn().await?;
        let row = self.parked(id).await?;
        self.publish(vec![self.again(row.waiting, row.lead_round + 1)?]).await
    }

    /// Judges a new body for a parked lead, and unless `dry_run` sends it on its way when there is nothing wrong with it.
    pub(crate) async fn repair(&self, id: &str, body: Vec<u8>, dry_run: bool) -> Result<Repaired, Refusal> {
        let _turn = self.turn().await?;
        let row = self.parked(id).await?;
        let Waiting::Lead(mut lead) = row.waiting else {
            let reason = "it is a delivery, and the record is made by the rules: release it, or correct the rules and replay its lead";
            return Err(Refusal::NotNow(reason.to_owned()));
        };
        let faults = self.judge(&lead.source, &body)?;
        if dry_run {
            return Ok(Repaired { faults });
        }
        if !faults.is_empty() {
            return Err(Refusal::Faulty(faults));
        }
        lead.body = Body::from(body);
        self.publish(vec![self.lead_again(lead, row.lead_round + 1, true)]).await?;
        Ok(Repaired { faults })
    }

    /// Sends leads, deliveries or parked items on their way again.
    pub(crate) async fn by_ids(&self, ids: Vec<String>, progress: &Progress) -> Result<Replayed, Refusal> {
        let mut replayed = Replayed::default();
        let _turn = self.turn().await?;
        for id in ids {
            match self.by_id(&id).await {
                Ok(count) => {
                    replayed.count += count;
                    progress.done(count);
                }
                Err(refusal @ (Refusal::Unknown | Refusal::NotNow(_))) => {
                    progress.refused(1);
                    replayed.refused.insert(id, refusal.to_string());
                }
                Err(other) => return Err(other),
            }
        }
        Ok(replayed)
    }

    /// Sends every parked item that matches on its way again, a few at a time.
    pub(crate) async fn by_filter(&self, filter: Filter, progress: &Progress) -> Result<Replayed, Refusal> {
        // What is parked anew while this runs is not taken up a second time.
        let now = self.clock.now();
        let filter = Filter { until: Some(filter.until.map_or(now, |until| until.min(now))), ..filter };
        let (mut replayed, mut cursor) = (Replayed::default(), None);
        loop {
            // A turn for each batch, so that others need not wait for the last: what they have sent or erased is not read here.
            let _turn = self.turn().await?;
            let (rows, next) = self.store.parked_rows(filter.clone(), BATCH, cursor).await?;
            let mut steps = Vec::with_capacity(rows.len());
            for row in rows {
                let step = self.again(row.waiting, row.lead_round + 1);
                progress.refused(u64::from(step.is_err()));
                match step {
                    Ok(step) => steps.push(step),
                    Err(refusal) if replayed.refused.len() < REFUSED_MAX => {
                        replayed.refused.insert(row.item.id, refusal.to_string());
                    }
                    Err(_) => {}
                }
            }
            let count = steps.len() as u64;
            if count > 0 {
                self.publish(steps).await?;
            }
            replayed.count += count;
            progress.done(count);
            match next {
                Some(next) => cursor = Some(next),
                None => return Ok(replayed),
            }
        }
    }

    /// A delivery that is parked is sent as it is; of anything else, the lead is routed again by today's rules. Where the
    /// lead's body is no longer kept, what is parked of it is sent as it is.
    async fn by_id(&self, id: &str) -> Result<u64, Refusal> {
        let uuid = uuid::Uuid::parse_str(id).map_err(|_| Refusal::NotNow("not an id; write it in full".to_owned()))?;
        let parked = self.store.parked_row(uuid).await?;
        if let Some(row) = parked {
            self.publish(vec![self.again(row.waiting, row.lead_round + 1)?]).await?;
            return Ok(1);
        }
        let lead = match self.store.lead_of(ids(id)?.1).await? {
            Some(lead) => lead,
            None => ids(id)?.0,
        };
        let Some(kept) = self.store.kept(lead).await? else { return Err(Refusal::Unknown) };
        self.route_again(kept).await
    }

    async fn route_again(&self, kept: Kept) -> Result<u64, Refusal> {
        let round = kept.round + 1;
        if kept.state == LeadState::Erased {
            return Err(Refusal::NotNow("it was erased".to_owned()));
        }
        if let Some(lead) = kept.lead {
            self.publish(vec![self.lead_again(lead, round, false)]).await?;
            return Ok(1);
        }
        let parked = self.store.parked_of_lead(kept.id).await?;
        let steps = parked.into_iter().map(|row| self.again(row.waiting, round)).collect::<Result<Vec<Step>, _>>()?;
        if steps.is_empty() {
            return Err(Refusal::NotNow("its payload is no longer kept".to_owned()));
        }
        let count = steps.len() as u64;
        self.publish(steps).await?;
        Ok(count)
    }

    /// What waits under `id`: a parked item's own id, or that of a lead of which one thing waits.
    pub(crate) async fn parked(&self, id: &str) -> Result<ParkedRow, Refusal> {
        let uuid = uuid::Uuid::parse_str(id).map_err(|_| Refusal::Unknown)?;
        if let Some(row) = self.store.parked_row(uuid).await? {
            return Ok(row);
        }
        let (lead, delivery) = ids(id)?;
        let mut of_lead = self.store.parked_of_lead(lead).await?;
        match of_lead.len() {
            0 => {}
            1 => return of_lead.pop().ok_or(Refusal::Unknown),
            _ => return Err(Refusal::Several(of_lead.into_iter().map(|row| row.item.id).collect())),
        }
        let lead = self.store.lead_of(delivery).await?.unwrap_or(lead);
        let Some(kept) = self.store.kept(lead).await? else { return Err(Refusal::Unknown) };
        Err(Refusal::NotNow(match kept.round {
            0 => "it is not parked".to_owned(),
            round => format!("it is not parked: it was already sent on its way again (round {round})"),
        }))
    }

    /// A delivery to a destination that is no longer configured has no worker: it stays parked, and its lead can be routed by
    /// today's rules.
    fn again(&self, waiting: Waiting, round: u32) -> Result<Step, Refusal> {
        Ok(match waiting {
            Waiting::Lead(lead) => self.lead_again(lead, round, false),
            Waiting::Delivery(mut delivery) => {
                if !self.loaded.config.destinations.contains_key(&delivery.destination) {
                    let reason =
                        format!("there is no destination `{}` any more; replay its lead", delivery.destination);
                    return Err(Refusal::NotNow(reason));
                }
                delivery.round = round;
                delivery.attempt = 0;
                delivery.first_attempt_at = None;
                let fact = Fact::Replayed { lead: delivery.lead, delivery: Some(delivery.id), round, repaired: false };
                let event = Event { at: self.clock.now(), fact };
                let topic = Topic::deliver(&delivery.destination);
                Step { message: topic.message(message_id(&event), &delivery), event }
            }
        })
    }

    /// The faults go: an operator has seen them, and the rules map what can be read.
    fn lead_again(&self, mut lead: Lead, round: u32, repaired: bool) -> Step {
        lead.faults.clear();
        lead.round = round;
        let fact = Fact::Replayed { lead: lead.id, delivery: None, round, repaired };
        let event = Event { at: self.clock.now(), fact };
        Step { message: Topic::leads().message(message_id(&event), &lead), event }
    }

    async fn publish(&self, steps: Vec<Step>) -> Result<(), Refusal> {
        let mut messages = Vec::with_capacity(steps.len() + 1);
        let mut events = Vec::with_capacity(steps.len());
        for Step { message, event } in steps {
            messages.push(message);
            events.push(event);
        }
        messages.push(Topic::events().told(&events));
        self.queue.publish(messages).await?;
        if let Err(error) = self.store.record(events, Vec::new()).await {
            // It is on its way, and the event in the queue will say so.
            tracing::warn!(%error, "a replay is on its way and will be recorded later");
        }
        Ok(())
    }

    fn judge(&self, source: &str, body: &[u8]) -> Result<Vec<Fault>, Refusal> {
        crate::judge::faults(&self.loaded, source, body).map_err(Refusal::NotNow)
    }
}

/// The id of what an event sends on its way: the same however often the step is repeated, and no other message's.
fn message_id(event: &Event) -> uuid::Uuid {
    LeadId::derive(&[b"replayed", event.id().as_bytes()]).uuid()
}

/// `id` read as a lead's and as a delivery's: their texts look alike.
fn ids(id: &str) -> Result<(LeadId, DeliveryId), Refusal> {
    match (id.parse(), id.parse()) {
        (Ok(lead), Ok(delivery)) => Ok((lead, delivery)),
        _ => Err(Refusal::Unknown),
    }
}
