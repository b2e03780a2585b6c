//! Remembers: events and parked messages in, history, search and replay out.
//!
//! The ledger is a reader: if it is down, leads still flow and history arrives late.

pub mod api;
mod decisions;
mod judge;
mod recorder;
mod replay;
mod retention;
pub mod store;
mod timeline;

use leadrelay_shared::service::{Ctx, RunError, State};
use tokio_util::task::AbortOnDropHandle;

use decisions::Decisions;
use store::Store;

/// Records events and serves the admin API until the service is stopped.
///
/// # Errors
/// When it cannot listen, or its store cannot be opened.
pub async fn run(ctx: Ctx) -> Result<(), RunError> {
    ctx.status.set(recorder::PART, State::Starting);
    let data_dir = ctx.loaded.data_dir();
    let opened = tokio::task::spawn_blocking(move || Store::open(&data_dir)).await;
    let store = opened.map_err(|e| RunError::Other(e.to_string()))?.map_err(|e| RunError::Other(e.to_string()))?;
    let _closing = Closing(store.clone());
    let decisions = Decisions::new(&ctx, store.clone());
    let (server, door) = api::serve(&ctx, &store, &decisions)?;
    let mut server = AbortOnDropHandle::new(tokio::spawn(server));
    let outcome = tokio::select! {
        outcome = recorder::run(ctx.clone(), store.clone()) => outcome,
        () = ctx.stop.immediate() => Ok(()),
        ended = &mut server => Err(RunError::Other(api::ended(ended))),
        ((), ()) = async { tokio::join!(decisions.keep_telling(), retention::run(&ctx, &store)) } => Ok(()),
    };
    tokio::select! {
        biased;
        () = ctx.stop.immediate() => door.stop(false).await,
        () = door.stop(true) => {}
    }
    outcome
}

/// Lets another ledger have the store when this one ends, in whatever way.
struct Closing(Store);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
    }
}
