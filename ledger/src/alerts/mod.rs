//! Alerts: what is wrong is observed, and told once to each channel, in few messages.
//!
//! Each channel has a state and a limit of its own ([`state`]), kept in the store together with the messages that follow from
//! it, so that a restart forgets nothing and a mail server that is away loses nothing. Nothing here holds a value of a lead.

mod channel;
mod condition;
mod mail;
mod message;
mod observe;
mod state;
mod webhook;
mod words;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use leadrelay_shared::id::LeadId;
use leadrelay_shared::service::{Ctx, reachable};

use crate::api::types::{Alert, AlertChannel, AlertState, AlertTested, Alerts as Told};
use crate::store::{Store, StoreError, Unsent};
use channel::Channel;
pub use condition::AlertKind;
use condition::Condition;
use message::{Message, link};
use observe::Observer;
pub use state::AlertNews;
use state::{Known, Settings};

/// Between two looks.
const EVERY: Duration = Duration::from_secs(10);
/// What begins within so long is one message.
const GATHER: Duration = Duration::from_secs(30);
/// The channel that sends nothing: what the list shows.
const LIST: &str = "list";
/// Messages of one channel that may wait to be sent; what follows them is held back and summed up.
const WAITING_MAX: u64 = 20;

/// Alerts; clones share them.
#[derive(Clone)]
pub(crate) struct Alerts(Arc<Inner>);

struct Inner {
    ctx: Ctx,
    store: Store,
    channels: Vec<Channel>,
}

impl Alerts {
    pub(crate) fn new(ctx: &Ctx, store: Store) -> Self {
        Self(Arc::new(Inner { ctx: ctx.clone(), store, channels: channel::configured(ctx.config()) }))
    }

    /// Observes and tells, again and again. Of several ledgers on one store one alone does: two would tell everything twice.
    pub(crate) async fn run(&self) {
        let Inner { ctx, store, .. } = &*self.0;
        loop {
            match store.watch().await {
                Ok(Some(watch)) => {
                    let watch = Arc::new(watch);
                    tokio::select! {
                        () = self.watching() => {}
                        () = async {
                            while watch.clone().holds().await {
                                ctx.clock.sleep(EVERY).await;
                            }
                        } => {}
                    }
                }
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "what is wrong is not known now"),
            }
            ctx.clock.sleep(EVERY).await;
        }
    }

    async fn watching(&self) {
        let Inner { ctx, store, channels } = &*self.0;
        let sending = join_all(channels.iter().map(|channel| channel.keep_sending(ctx, store)));
        tokio::join!(self.keep_looking(), sending);
    }

    async fn keep_looking(&self) {
        let Inner { ctx, store, channels } = &*self.0;
        let mut observer = Observer::new(ctx, store);
        let names = channels.iter().map(|c| c.name().to_owned()).chain([LIST.to_owned()]);
        if let Err(error) = store.forget_channels_but(names.collect()).await {
            tracing::warn!(%error, "alerts for channels that are no longer configured are kept for now");
        }
        loop {
            if let Err(error) = self.look(&mut observer).await {
                tracing::warn!(%error, "what is wrong is not known now");
            }
            ctx.clock.sleep(EVERY).await;
        }
    }

    async fn look(&self, observer: &mut Observer) -> Result<(), StoreError> {
        let observed = observer.observe().await?;
        let (mut known, unsent) = (self.0.store.alerts().await?, self.0.store.unsent().await?);
        let settings = self.settings();
        let of_list = Settings { gather: Duration::ZERO, at_most_per_hour: usize::MAX, ..settings };
        let all = observed.iter().map(Condition::uncovered).collect();
        self.step(LIST, known.remove(LIST), all, &of_list, true).await?;
        for channel in &self.0.channels {
            let room = unsent.get(channel.name()).is_none_or(|waiting| *waiting < WAITING_MAX);
            if self.step(channel.name(), known.remove(channel.name()), channel.of(&observed), &settings, room).await? {
                channel.wake();
            }
        }
        Ok(())
    }

    /// One channel's step, kept; whether there is a message to send.
    async fn step(
        &self,
        channel: &str,
        kept: Option<String>,
        observed: Vec<Condition>,
        settings: &Settings,
        room: bool,
    ) -> Result<bool, StoreError> {
        let now = self.0.ctx.clock.now();
        let before = kept.as_deref().map(read).unwrap_or_default();
        let (known, telling) = before.clone().step(observed, now, settings, room);
        if known == before && kept.is_some() {
            return Ok(false);
        }
        let message = telling.filter(|_| channel != LIST).map(|telling| {
            let id = LeadId::derive(&[b"alert", channel.as_bytes(), &now.as_microsecond().to_be_bytes()]);
            let message = Message::new(telling, now, self.base());
            Unsent { id: id.to_string(), message: json(&message) }
        });
        let is_new = message.is_some();
        self.0.store.keep_alerts(channel.to_owned(), json(&known), message, now).await?;
        Ok(is_new)
    }

    /// What is wrong, what was, and how the channels are.
    pub(crate) async fn told(&self) -> Result<Told, StoreError> {
        let (known, unsent) = (self.0.store.alerts().await?, self.0.store.unsent().await?);
        let known = known.get(LIST).map(|text| read(text)).unwrap_or_default();
        let base = self.base();
        let alert = |condition: &Condition, state, ended_at| Alert {
            kind: condition.kind,
            subject: condition.subject.clone(),
            state,
            since: condition.since,
            ended_at,
            text: condition.text.clone(),
            remedy: condition.remedy.clone(),
            path: condition.path.clone(),
            link: link(&base, &condition.path),
        };
        let state = |is_told| if is_told { AlertState::Active } else { AlertState::Pending };
        let channels = self.0.channels.iter().map(|channel| {
            let (last_sent_at, last_error) = channel.last();
            let waiting = unsent.get(channel.name()).copied().unwrap_or(0);
            AlertChannel { name: channel.name().to_owned(), waiting, last_sent_at, last_error }
        });
        Ok(Told {
            current: known.present().map(|one| alert(one.condition, state(one.is_told), None)).collect(),
            recent: known.past().map(|one| alert(&one.condition, AlertState::Ended, Some(one.ended))).collect(),
            channels: channels.collect(),
        })
    }

    /// Sends one message to every channel now.
    pub(crate) async fn test(&self) -> Vec<AlertTested> {
        let Inner { ctx, channels, .. } = &*self.0;
        let now = ctx.clock.now();
        let message = Message::test(now, self.base());
        let id =
            |channel: &str| LeadId::derive(&[b"alert test", channel.as_bytes(), &now.as_microsecond().to_be_bytes()]);
        let tests = channels.iter().map(async |channel| {
            let error = channel.send(ctx, &id(channel.name()).to_string(), &message).await.err();
            AlertTested { channel: channel.name().to_owned(), sent: error.is_none(), error }
        });
        join_all(tests).await
    }

    fn settings(&self) -> Settings {
        let config = &self.0.ctx.config().alerts;
        Settings {
            grace: config.grace.0,
            gather: GATHER,
            repeat_after: config.repeat_after.0,
            at_most_per_hour: usize::try_from(config.at_most_per_hour).unwrap_or(usize::MAX),
        }
    }

    /// Where operators reach the console.
    fn base(&self) -> String {
        let admin = &self.0.ctx.config().admin;
        let bound = || self.0.ctx.status.addresses().get("admin").copied().unwrap_or(admin.listen);
        admin.public_url.clone().unwrap_or_else(|| format!("http://{}", reachable(bound())))
    }
}

/// What was known. What a later version wrote is begun anew: conditions that last are told again.
fn read(text: &str) -> Known {
    serde_json::from_str(text).unwrap_or_else(|_| {
        tracing::error!("what was told of alerts cannot be read; what is wrong will be told again");
        Known::default()
    })
}

/// Plain data always serializes; were it not to, reading it says so.
fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
