//! Pausing with others: destinations that work in one account stop together and begin again together.

use jiff::Timestamp;
use tokio::sync::watch;

use super::attempt::tell;
use super::desk::Desk;
use super::gate::{Change, Now};
use super::outputs;
use crate::account::{Account, Pause, concerns};
use crate::connector::{Connector, Outcome};

/// What is known of the pause of an account. A destination without one hears of none.
pub(super) struct Others(Option<watch::Receiver<Option<Pause>>>);

impl Others {
    pub(super) fn of<C: Connector>(desk: &Desk<C>) -> Self {
        Self(desk.connector.account().map(Account::watch))
    }

    /// Waits for news of the account.
    pub(super) async fn changed(&mut self) {
        let Some(told) = &mut self.0 else { return std::future::pending().await };
        if told.changed().await.is_err() {
            // The account is gone, and then there is no news.
            std::future::pending::<()>().await;
        }
    }

    /// Does what the news demands.
    pub(super) async fn obey<C: Connector>(&mut self, desk: &Desk<C>) {
        let Some(told) = &mut self.0 else { return };
        let pause = told.borrow_and_update().clone();
        match pause {
            Some(pause) if pause.met_by != desk.name => pause_too(desk, &pause).await,
            Some(_) => {}
            None => desk.probe_now(),
        }
    }
}

async fn pause_too<C: Connector>(desk: &Desk<C>, pause: &Pause) {
    let now = Now { wall: desk.ctx.clock.now(), monotonic: desk.ctx.clock.monotonic() };
    let Some(change) = desk.pause_with(&pause.error, pause.until, now) else { return };
    let fact = tell(desk, change, Some(&pause.error));
    // Should it not be stored, the ledger shows the destination as it was; nothing else depends on it.
    if let Err(error) = desk.ctx.queue.publish(vec![outputs::event(now.wall, fact)]).await {
        tracing::warn!(destination.name = %desk.name, %error, "that a destination is paused could not be told");
    }
}

/// Tells the others of the account what an outcome has changed here.
pub(super) fn tell_others<C: Connector>(desk: &Desk<C>, change: &Change, outcome: &Outcome) {
    let Some(account) = desk.connector.account() else { return };
    let until = |change: &Change| match change {
        Change::Paused { until, .. } => Some::<Timestamp>(*until),
        Change::Resumed => None,
    };
    match (until(change), outcome.as_ref().err()) {
        (Some(until), Some(error)) if concerns(error.kind) => account.pause(&desk.name, error, until),
        (None, _) => account.resume(),
        _ => {}
    }
}
