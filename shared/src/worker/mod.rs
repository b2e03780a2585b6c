//! The worker: claim, deliver, decide, settle. One for each destination.
//!
//! It holds what connectors must not: concurrency, timeouts, retries, pauses, the guard against panics. Invariants: no
//! more than `concurrency` calls at once; nothing is attempted while the destination is paused, and then one delivery as a
//! probe; every claim is settled or goes back.

mod account;
mod attempt;
mod desk;
mod entry;
mod fields;
mod gate;
mod outputs;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};

pub use entry::{ConnectorEntry, entry, parts, role};
pub use outputs::park;

use self::account::Others;
use self::desk::Desk;
use self::gate::Leave;
use crate::connector::Connector;
use crate::control::Control;
use crate::delivery::Delivery;
use crate::queue::{Claim, Claims, Health, QueueError, Topic};
use crate::service::{Ctx, RunError, State};

/// How long a worker that starts waits for operators' decisions. The ledger tells them every 5 seconds; a little longer, so that
/// the first is heard wherever in between this is.
const CONTROL_WAIT: Duration = Duration::from_secs(7);

type Decisions = watch::Receiver<Option<Arc<Control>>>;

/// Delivers to one destination until the service is stopped.
///
/// # Errors
/// When the destination's settings make no sense to its connector, or the queue is closed.
pub async fn run<C: Connector>(ctx: Ctx, destination: String) -> Result<(), RunError> {
    let desk = Arc::new(Desk::<C>::new(ctx, destination)?);
    let part = format!("deliver.{}", desk.name);
    desk.ctx.status.set(&part, State::Starting);
    let mut control = desk.ctx.queue.control();
    tokio::select! {
        // Fails only when the queue is gone, which the first claim will tell.
        _ = control.wait_for(Option::is_some) => {}
        () = long_enough(&desk.ctx) => {}
        () = desk.ctx.stop.draining() => {}
    }
    // What was asked for before this start is no news.
    desk.is_asked(asked(&desk, &mut control));
    desk.ctx.status.set(&part, State::Ready);
    let learning = tokio::spawn(fields::learn(desk.clone()));
    let mut attempts = JoinSet::new();
    let worked = tokio::select! {
        worked = work(&desk, &mut control, &mut attempts) => worked,
        () = desk.ctx.stop.immediate() => Ok(()),
    };
    learning.abort();
    tokio::select! {
        () = finish(&mut attempts) => {}
        // Dropping the attempts gives their messages back.
        () = desk.ctx.stop.immediate() => attempts.shutdown().await,
    }
    worked
}

/// Waits as long as decisions are waited for. They come through the broker, so the time begins when it is there.
async fn long_enough(ctx: &Ctx) {
    if !ctx.config().queue.url.is_embedded() {
        // Fails only when the queue is gone, which the first claim will tell.
        let _ = ctx.queue.health().wait_for(|health| *health == Health::Ready).await;
    }
    ctx.clock.sleep(CONTROL_WAIT).await;
}

/// Claims and attempts, until draining.
async fn work<C: Connector>(
    desk: &Arc<Desk<C>>,
    control: &mut Decisions,
    attempts: &mut JoinSet<()>,
) -> Result<(), RunError> {
    let mut claims = desk.ctx.queue.claims(&Topic::deliver(&desk.name));
    let mut others = Others::of(desk);
    while !desk.ctx.stop.is_draining() {
        while let Some(ended) = attempts.try_join_next() {
            note_end(ended);
        }
        let slots = slots(desk, attempts.len());
        if matches!(slots, Slots::Wait(_)) || desk.is_paused_by_hand() {
            // What came ahead is not kept from those who may be at work.
            claims.rest();
        }
        let claimed = tokio::select! {
            biased;
            () = desk.ctx.stop.draining() => break,
            _ = control.changed() => { obey(desk, control); continue }
            () = others.changed() => { others.obey(desk).await; continue }
            () = desk.changed.notified() => continue,
            // A claim under way is not given up for an attempt that ends: claims cost, and slots only get more.
            Some(ended) = attempts.join_next(), if matches!(slots, Slots::Idle) => { note_end(ended); continue }
            () = wait(desk, slots) => continue,
            claimed = claim(&mut claims, slots) => claimed?,
        };
        let leave = desk.leave(attempts.len());
        let closed = matches!((leave, slots), (Leave::Wait(_), _) | (Leave::Probe, Slots::Claim(_)));
        if closed || desk.is_paused_by_hand() {
            // The gate closed while the claim was under way; dropping what was claimed gives it back.
            continue;
        }
        let mut claimed = claimed.into_iter().peekable();
        while claimed.peek().is_some() {
            let call: Vec<_> = claimed.by_ref().take(C::BATCH).collect();
            let (desk, held) = (desk.clone(), desk.hold(call.len()));
            attempts.spawn(async move {
                attempt::make(desk, call).await;
                drop(held);
            });
        }
    }
    Ok(())
}

/// What the loop may do next.
#[derive(Clone, Copy)]
enum Slots {
    /// Claim so many deliveries, or what there is of them: a lead that comes alone does not wait for company.
    Claim(usize),
    /// Claim one delivery.
    Probe,
    /// Wait for so long.
    Wait(Duration),
    /// Wait until something else happens: an attempt ends, an operator decides.
    Idle,
}

fn slots<C: Connector>(desk: &Desk<C>, running: usize) -> Slots {
    if desk.is_paused_by_hand() {
        return Slots::Idle;
    }
    match desk.leave(running) {
        Leave::Wait(wait) => Slots::Wait(wait),
        Leave::Probe if running == 0 => Slots::Probe,
        Leave::Full => match desk.room(running) {
            0 => Slots::Idle,
            room => Slots::Claim(room),
        },
        Leave::Probe => Slots::Idle,
    }
}

async fn claim(claims: &mut Claims<Delivery>, slots: Slots) -> Result<Vec<Claim<Delivery>>, QueueError> {
    match slots {
        Slots::Claim(deliveries) => claims.next(deliveries).await,
        Slots::Probe => claims.next(1).await,
        Slots::Wait(_) | Slots::Idle => std::future::pending().await,
    }
}

async fn wait<C: Connector>(desk: &Desk<C>, slots: Slots) {
    match slots {
        Slots::Wait(wait) => desk.ctx.clock.sleep(wait).await,
        _ => std::future::pending().await,
    }
}

/// Takes note of what operators have decided.
fn obey<C: Connector>(desk: &Desk<C>, control: &mut Decisions) {
    if desk.is_asked(asked(desk, control)) {
        desk.probe_now();
    }
}

/// When an operator last asked for this destination to be tried at once.
fn asked<C: Connector>(desk: &Desk<C>, control: &mut Decisions) -> Option<jiff::Timestamp> {
    control.borrow_and_update().as_ref().and_then(|c| c.try_now.get(&desk.name).copied())
}

async fn finish(attempts: &mut JoinSet<()>) {
    while let Some(ended) = attempts.join_next().await {
        note_end(ended);
    }
}

fn note_end(ended: Result<(), JoinError>) {
    if ended.is_err_and(|e| e.is_panic()) {
        tracing::error!("an attempt ended unexpectedly; its message comes again");
    }
}
