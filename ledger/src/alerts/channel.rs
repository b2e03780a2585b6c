//! The ways in which somebody is told, and sending what is kept for them.
//!
//! Invariant: a message is forgotten only after the other side has taken it, so it is sent at least once; its id is the same each
//! time.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use leadrelay_shared::config::Config;
use leadrelay_shared::service::Ctx;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::condition::{AlertKind, Condition};
use super::message::Message;
use super::{mail, webhook};
use crate::store::{Store, StoreError, Unsent};

/// After a failure the next attempt is so far away, and twice as far after each further one.
const RETRY_FIRST: Duration = Duration::from_secs(30);
const RETRY_MAX: Duration = Duration::from_mins(30);
/// How long one attempt may take. It is a matter of the network, and so not of the clock that tests move.
const PATIENCE: Duration = Duration::from_secs(20);

/// A way in which somebody is told.
pub(super) struct Channel {
    name: String,
    way: Way,
    /// The route whose broken promise is all that it tells.
    route: Option<String>,
    wake: Notify,
    last: Mutex<Last>,
}

enum Way {
    Mail { to: Vec<String> },
    Webhook,
}

#[derive(Default)]
struct Last {
    sent_at: Option<Timestamp>,
    error: Option<String>,
}

/// Every channel of a configuration.
pub(super) fn configured(config: &Config) -> Vec<Channel> {
    let channel = |name: String, way, route| Channel { name, way, route, wake: Notify::new(), last: Mutex::default() };
    let mail = config.alerts.mail.as_ref();
    let mut all: Vec<Channel> =
        mail.iter().map(|mail| channel("mail".to_owned(), Way::Mail { to: mail.to.clone() }, None)).collect();
    all.extend(config.alerts.webhook.iter().map(|_| channel("webhook".to_owned(), Way::Webhook, None)));
    let escalated = config.routes.iter().filter(|route| mail.is_some() && !route.escalate_to.is_empty());
    all.extend(escalated.map(|route| {
        let to = route.escalate_to.clone();
        channel(format!("escalation/{}", route.name), Way::Mail { to }, Some(route.name.clone()))
    }));
    all
}

impl Channel {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Those of all conditions that it tells of.
    pub(super) fn of(&self, all: &[Condition]) -> Vec<Condition> {
        let Some(route) = &self.route else { return all.to_vec() };
        let own = all.iter().filter(|one| one.kind == AlertKind::Late && one.subject == *route);
        own.map(Condition::uncovered).collect()
    }

    /// There is something to send.
    pub(super) fn wake(&self) {
        self.wake.notify_one();
    }

    /// When a message was last sent, and why the last attempt failed, if it did.
    pub(super) fn last(&self) -> (Option<Timestamp>, Option<String>) {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        (last.sent_at, last.error.clone())
    }

    /// Sends what is kept for it, in order, again and again.
    pub(super) async fn keep_sending(&self, ctx: &Ctx, store: &Store) {
        let mut delay = RETRY_FIRST;
        loop {
            match self.send_next(ctx, store).await {
                Ok(true) => delay = RETRY_FIRST,
                Ok(false) => self.wake.notified().await,
                Err(error) => {
                    tracing::warn!(channel = self.name, error, "an alert is not sent yet; it is kept and tried again");
                    ctx.clock.sleep(delay).await;
                    delay = (delay * 2).min(RETRY_MAX);
                }
            }
        }
    }

    /// Sends the next message, if there is one.
    async fn send_next(&self, ctx: &Ctx, store: &Store) -> Result<bool, String> {
        let words = |error: StoreError| error.to_string();
        let Some(Unsent { id, message }) = store.next_unsent(self.name.clone()).await.map_err(words)? else {
            return Ok(false);
        };
        match serde_json::from_str::<Message>(&message) {
            Ok(message) => self.send(ctx, &id, &message).await?,
            Err(_) => tracing::error!(channel = self.name, "an alert cannot be read and is left out"),
        }
        store.sent(self.name.clone(), id).await.map_err(words)?;
        Ok(true)
    }

    /// Sends one message now.
    ///
    /// # Errors
    /// Why it was not taken, in words that hold no secret.
    pub(super) async fn send(&self, ctx: &Ctx, id: &str, message: &Message) -> Result<(), String> {
        let sending = async {
            match &self.way {
                Way::Mail { to } => mail::send(&ctx.loaded, to, id, message).await,
                Way::Webhook => webhook::send(ctx, id, message, PATIENCE).await,
            }
        };
        let outcome =
            timeout(PATIENCE, sending).await.unwrap_or_else(|_| Err("there was no answer in time".to_owned()));
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.error = outcome.as_ref().err().cloned();
        if outcome.is_ok() {
            last.sent_at = Some(ctx.clock.now());
        }
        outcome
    }
}
