//! One attempt, from the claims of one call to their settlement.
//!
//! Whatever the connector does (panic, hang, take its time after a stop), each claim is settled or goes back.

use std::sync::Arc;

use jiff::Timestamp;

use super::account::tell_others;
use super::desk::Desk;
use super::gate::{Change, Now};
use super::outputs::{self, Ended};
use crate::config::TooLong;
use crate::connector::{Connector, Outcome};
use crate::delivery::{Delivery, ParkReason};
use crate::error::{DeliveryError, ErrorKind};
use crate::event::Fact;
use crate::fields::{Fields, Note};
use crate::queue::{CRASHES_MAX, Claim, Handle, Message, QueueError};
use crate::retry::Next;
use crate::telemetry::{label, metrics};

/// The longest words of a failure that are kept.
const MESSAGE_MAX: usize = 300;

/// Attempts what was claimed, in one call, and settles it.
pub(super) async fn make<C: Connector>(desk: Arc<Desk<C>>, claims: Vec<Claim<Delivery>>) {
    let (mut ready, mut handles) = (Vec::with_capacity(claims.len()), Vec::with_capacity(claims.len()));
    for claim in claims {
        match before(&desk, claim) {
            Ok((delivery, handle)) => {
                ready.push(delivery);
                handles.push(handle);
            }
            Err((handle, outputs)) => desk.settle(handle, outputs).await,
        }
    }
    if ready.is_empty() {
        return;
    }
    let ready = Arc::new(ready);
    // Fails when the slots are closed, which they never are.
    let Ok(slot) = desk.slots.acquire().await else { return };
    if !desk.may_call() {
        // Claimed ahead, and overtaken by a pause or a stop: dropping it gives it back.
        return;
    }
    let began_at = desk.ctx.clock.now();
    let began = desk.ctx.clock.monotonic();
    let fields = desk.fields.borrow().clone();
    let (fitted, cuts) = fit(&fields, &ready);
    let mut outcomes = call(&desk, fitted, ready.len()).await;
    outcomes.iter_mut().filter_map(|outcome| outcome.as_mut().err()).for_each(shorten);
    let took = desk.ctx.clock.monotonic() - began;
    metrics().attempt.record(took.as_secs_f64(), &[label("destination", &*desk.name)]);
    let now = desk.ctx.clock.now();
    let mut settled = Vec::with_capacity(ready.len());
    for (((delivery, handle), outcome), notes) in ready.iter().zip(handles).zip(outcomes).zip(cuts) {
        let mut out = report(&desk, &outcome, now);
        let next = decide(&desk, delivery, outcome, began_at, now);
        count(&desk, delivery, &next, now);
        out.extend(outputs::of(Ended { delivery, notes, began_at, now, took }, next));
        settled.push(desk.settle(handle, out));
    }
    // The gate knows; the next call need not wait for our disk.
    drop(slot);
    futures_util::future::join_all(settled).await;
}

/// What can be told without asking the destination: an error is a claim that is settled without an attempt.
fn before<C: Connector>(desk: &Desk<C>, claim: Claim<Delivery>) -> Result<(Delivery, Handle), (Handle, Vec<Message>)> {
    let redelivered = claim.redelivered();
    let (envelope, handle) = claim.into_parts();
    let delivery = envelope.body;
    if desk.is_erased(delivery.lead) {
        tracing::info!(lead.id = %delivery.lead, destination.name = %desk.name, "an erased lead is not delivered");
        return Err((handle, Vec::new()));
    }
    let reason = if redelivered >= CRASHES_MAX {
        Some(ParkReason::Crashed { times: redelivered })
    } else if desk.too_long == TooLong::Park {
        desk.fields.borrow().too_long(&delivery.record).map(|f| ParkReason::TooLong { field: f.to_owned() })
    } else {
        None
    };
    match reason {
        Some(reason) => {
            metrics().parked.add(1, &[label("reason", reason.kind())]);
            Err((handle, outputs::park(&delivery, 0, reason, desk.ctx.clock.now())))
        }
        None => Ok((delivery, handle)),
    }
}

/// What the connector gets: copies with every value fitted into its field; where any value fits, what was claimed.
fn fit(fields: &Fields, ready: &Arc<Vec<Delivery>>) -> (Arc<Vec<Delivery>>, Vec<Vec<Note>>) {
    if *fields == Fields::any() {
        return (ready.clone(), vec![Vec::new(); ready.len()]);
    }
    let mut fitted = Vec::clone(ready);
    let cuts = fitted.iter_mut().map(|delivery| fields.fit(&mut delivery.record)).collect();
    (Arc::new(fitted), cuts)
}

/// One call of the connector, bounded in time, in a task of its own so that a panic is one failed attempt.
async fn call<C: Connector>(desk: &Arc<Desk<C>>, deliveries: Arc<Vec<Delivery>>, wanted: usize) -> Vec<Outcome> {
    let connector = desk.connector.clone();
    let mut task = tokio::spawn(async move { connector.deliver_many(&deliveries).await });
    let abort = AbortOnDrop(task.abort_handle());
    let outcomes = tokio::select! {
        outcomes = &mut task => outcomes.map_err(|e| if e.is_panic() { "the connector panicked" } else { "the connector was stopped" }),
        () = desk.ctx.clock.sleep(desk.timeout) => {
            let error = DeliveryError::new(ErrorKind::Uncertain, format!("no answer within {:?}", desk.timeout));
            return vec![Err(error); wanted];
        }
    };
    drop(abort);
    match outcomes {
        Ok(outcomes) if outcomes.len() == wanted => outcomes,
        Ok(outcomes) => {
            let text = format!("the connector gave {} answers for {wanted} deliveries", outcomes.len());
            vec![Err(DeliveryError::new(ErrorKind::Unexpected, text)); wanted]
        }
        Err(text) => vec![Err(DeliveryError::new(ErrorKind::Unexpected, text)); wanted],
    }
}

/// A connector's words are kept in every event of the delivery: they are bounded here, whoever wrote it.
fn shorten(error: &mut DeliveryError) {
    error.message = crate::fields::cut(&error.message, MESSAGE_MAX);
    error.field = error.field.take().map(|field| crate::fields::cut(&field, MESSAGE_MAX));
}

/// Ends the connector's task when the attempt is dropped or out of time.
struct AbortOnDrop(tokio::task::AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Tells the gate, and says what it says.
fn report<C: Connector>(desk: &Desk<C>, outcome: &Outcome, now: Timestamp) -> Vec<Message> {
    let present = Now { wall: now, monotonic: desk.ctx.clock.monotonic() };
    let change = desk.report(outcome.as_ref().map(|_| ()), present);
    let Some(change) = change else { return Vec::new() };
    tell_others(desk, &change, outcome);
    vec![outputs::event(now, tell(desk, change, outcome.as_ref().err()))]
}

/// Says what has changed, in the log and in figures, and gives it for the ledger.
pub(super) fn tell<C: Connector>(desk: &Desk<C>, change: Change, error: Option<&DeliveryError>) -> Fact {
    match change {
        Change::Paused { cause, until } => {
            tracing::warn!(destination.name = %desk.name, kind = error.map(|e| e.kind.as_str()), status = error.and_then(|e| e.status), %until, "destination paused");
            metrics().paused.record(1, &[label("destination", &*desk.name)]);
            Fact::Paused { destination: desk.name.clone(), cause, until: Some(until) }
        }
        Change::Resumed => {
            tracing::info!(destination.name = %desk.name, "destination resumed");
            metrics().paused.record(0, &[label("destination", &*desk.name)]);
            Fact::Resumed { destination: desk.name.clone() }
        }
    }
}

fn decide<C: Connector>(
    desk: &Desk<C>,
    delivery: &Delivery,
    outcome: Outcome,
    began_at: Timestamp,
    now: Timestamp,
) -> Next {
    let first = delivery.first_attempt_at.unwrap_or(began_at);
    let age = std::time::Duration::try_from(now.duration_since(first)).unwrap_or_default();
    desk.policy.decide(outcome, delivery.attempt + 1, age, now, desk.jitter())
}

fn count<C: Connector>(desk: &Desk<C>, delivery: &Delivery, next: &Next, now: Timestamp) {
    let destination = label("destination", &*desk.name);
    match next {
        Next::Done(_) => {
            metrics().delivered.add(1, std::slice::from_ref(&destination));
            let seconds = now.duration_since(delivery.accepted_at).as_secs_f64();
            metrics().end_to_end.record(seconds.max(0.0), &[destination]);
        }
        Next::Again { error, .. } => {
            tracing::info!(lead.id = %delivery.lead, destination.name = %desk.name, attempt = delivery.attempt + 1, kind = error.kind.as_str(), status = error.status, "attempt failed");
            metrics().deferred.add(1, &[destination, label("kind", error.kind.as_str())]);
        }
        Next::Park(reason) => {
            tracing::warn!(lead.id = %delivery.lead, destination.name = %desk.name, reason = reason.kind(), "delivery parked");
            metrics().parked.add(1, &[label("reason", reason.kind())]);
        }
    }
}

impl<C: Connector> Desk<C> {
    /// Settles one claim. On an error the message comes again, and create-once absorbs that it does.
    async fn settle(&self, handle: Handle, outputs: Vec<Message>) {
        fail::fail_point!("worker::before_settle", |_| std::process::abort());
        let settled = crate::queue::settle_all(vec![handle], outputs).await;
        if let Err(error) = &settled
            && *error != QueueError::Closed
        {
            tracing::warn!(destination.name = %self.name, %error, "an attempt's outcome could not be stored; it will be made again");
        }
        self.settled(settled.is_ok());
    }
}
