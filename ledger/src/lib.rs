//! Remembers: events and parked messages in, history, search and replay out.
//!
//! The ledger is a reader: if it is down, leads still flow and history arrives late. So whatever is wrong with its store is
//! told and tried again, and ends nothing; only a second ledger on the same file is refused.

mod acts;
mod alerts;
pub mod api;
mod console;
mod decisions;
mod erase;
mod judge;
mod progress;
mod recorder;
mod removed;
mod replay;
mod retention;
pub mod store;
mod timeline;
mod tryout;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use leadrelay_shared::service::{Ctx, LEDGER, RunError, State};
use tokio_util::task::AbortOnDropHandle;

use alerts::Alerts;
use api::Front;
use decisions::Decisions;
use recorder::{RETRY_FIRST, RETRY_MAX};
use store::{OpenError, Store};

/// Records events and serves the admin API until the service is stopped.
///
/// # Errors
/// When it cannot listen, or another ledger has its store.
pub async fn run(ctx: Ctx) -> Result<(), RunError> {
    ctx.status.set(LEDGER, State::Starting);
    let front = Front::new(&ctx)?;
    let _closing = Closing(front.clone());
    let (server, door) = api::serve(&ctx, &front)?;
    let mut server = AbortOnDropHandle::new(tokio::spawn(server));
    let outcome = tokio::select! {
        outcome = work(&ctx, &front) => outcome,
        () = ctx.stop.immediate() => Ok(()),
        ended = &mut server => Err(RunError::Other(api::ended(ended))),
    };
    tokio::select! {
        biased;
        () = ctx.stop.immediate() => door.stop(false).await,
        () = door.stop(true) => {}
    }
    outcome
}

/// Does everything that needs the store, once there is one, and begins again after a panic.
async fn work(ctx: &Ctx, front: &Front) -> Result<(), RunError> {
    let Some(store) = opened(ctx).await? else { return Ok(()) };
    let decisions = Decisions::new(ctx, store.clone());
    let alerts = Alerts::new(ctx, store.clone());
    front.open(ctx, &store, &decisions, &alerts);
    let mut delay = RETRY_FIRST;
    loop {
        let working = async {
            tokio::select! {
                outcome = recorder::run(ctx.clone(), store.clone()) => outcome,
                ((), (), (), ()) = async {
                    tokio::join!(
                        decisions.keep_telling(),
                        retention::run(ctx, &store),
                        removed::run(ctx, &store),
                        alerts.run()
                    )
                } => Ok(()),
            }
        };
        // Nothing outlives a panic but the store, which rolls back, and decisions, which are read from it.
        if let Ok(outcome) = AssertUnwindSafe(working).catch_unwind().await {
            return outcome;
        }
        tracing::error!("the ledger panicked and begins again; the history waits in the queue and leads flow on");
        if !pause(ctx, "an unexpected failure", &mut delay).await {
            return Ok(());
        }
    }
}

/// Opens the store, however often it takes; `None` when the service is to stop before.
async fn opened(ctx: &Ctx) -> Result<Option<Store>, RunError> {
    let (mut delay, mut told) = (RETRY_FIRST, String::new());
    loop {
        let (bland, reason) = match Store::of(&ctx.loaded).await {
            Ok(store) => return Ok(Some(store)),
            Err(error @ OpenError::Locked { .. }) => return Err(RunError::Other(error.to_string())),
            Err(error) => (error.bland(), error.to_string()),
        };
        if told != reason {
            tracing::error!(
                reason,
                "there is no history for now: it waits in the queue, leads flow on, and the ledger is opened again and again"
            );
            told = reason;
        }
        if !pause(ctx, bland, &mut delay).await {
            return Ok(None);
        }
    }
}

/// Says why nothing is recorded and waits, longer each time; `false` when the service is to stop.
async fn pause(ctx: &Ctx, bland: &str, delay: &mut Duration) -> bool {
    ctx.status.set(LEDGER, State::Blocked(format!("history is not recorded: {bland}; it is kept in the queue")));
    let wait = *delay;
    *delay = (wait * 2).min(RETRY_MAX);
    tokio::select! {
        () = ctx.clock.sleep(wait) => true,
        () = ctx.stop.draining() => false,
    }
}

/// Lets another ledger have the store when this one ends, in whatever way.
struct Closing(Arc<Front>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
    }
}
