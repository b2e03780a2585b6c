//! What operators do: each act in one place, whether it is asked for by the console or by the API, and each in the audit log.
//!
//! Invariant: an act is taken down before it is done, and how it ended after it. What is taken down names things by the names
//! of the configuration and by ids, and never by what a person wrote.

use std::fmt::Display;
use std::path::PathBuf;

use leadrelay_shared::config::{Origin, nearest};
use leadrelay_shared::id::LeadId;
use leadrelay_shared::secrets;
use leadrelay_shared::service::Ctx;

use crate::api::types::{Erasure, Filter, Repaired, Replayed};
use crate::decisions::Decisions;
use crate::progress::Progress;
use crate::replay::{Refusal, Replayer};
use crate::store::{Act, Store};

/// The longest name of an operator that is taken down, in characters.
const NAME_MAX: usize = 60;
/// The longest reason for a pause, in characters.
const REASON_MAX: usize = 500;

/// Who does something, as they said themselves, and by which door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Operator {
    pub(crate) name: String,
    /// `console` or `api`.
    pub(crate) via: &'static str,
}

impl Operator {
    /// Whoever calls themselves so: on one line, and no longer than the log shows.
    pub(crate) fn new(said: &str, via: &'static str) -> Self {
        let name = said.trim().chars().filter(|c| !c.is_control()).take(NAME_MAX).collect();
        Self { name, via }
    }
}

/// Does what operators ask for; clones share the parts.
#[derive(Clone, Debug)]
pub(crate) struct Acts {
    ctx: Ctx,
    store: Store,
    decisions: Decisions,
    pub(crate) replayer: Replayer,
}

impl Acts {
    pub(crate) fn new(ctx: &Ctx, store: &Store, decisions: &Decisions) -> Self {
        let replayer = Replayer::new(ctx, store.clone());
        Self { ctx: ctx.clone(), store: store.clone(), decisions: decisions.clone(), replayer }
    }

    /// Stops deliveries to a destination until it is resumed.
    pub(crate) async fn pause(&self, by: &Operator, name: &str, reason: String) -> Result<(), Refusal> {
        if reason.chars().count() > REASON_MAX {
            return Err(Refusal::Wrong(format!("a reason has at most {REASON_MAX} characters")));
        }
        self.known(name)?;
        self.audited(by, "pause", name, self.decisions.pause(name, reason)).await?;
        tracing::info!(destination.name = name, "paused by hand");
        Ok(())
    }

    /// Ends a pause, and has the destination tried at once.
    pub(crate) async fn resume(&self, by: &Operator, name: &str) -> Result<(), Refusal> {
        // One that is no longer configured may still be paused.
        if !self.store.paused().await?.contains_key(name) {
            self.known(name)?;
        }
        self.audited(by, "resume", name, self.decisions.resume(name)).await?;
        tracing::info!(destination.name = name, "resumed by hand");
        Ok(())
    }

    /// Has the destination asked for its fields at once; what it says is told as a fact.
    pub(crate) async fn check(&self, by: &Operator, name: &str) -> Result<(), Refusal> {
        self.known(name)?;
        self.audited(by, "check", name, self.decisions.check(name)).await
    }

    /// Sends one parked item on its way again.
    pub(crate) async fn release(&self, by: &Operator, id: &str) -> Result<(), Refusal> {
        let object = self.object(id).await?;
        self.audited(by, "release", &object, self.replayer.release(id)).await
    }

    /// Judges a new body for a parked lead, and unless `dry_run` sends it on its way. To look is no act.
    pub(crate) async fn repair(
        &self,
        by: &Operator,
        id: &str,
        body: Vec<u8>,
        dry_run: bool,
    ) -> Result<Repaired, Refusal> {
        let work = self.replayer.repair(id, body, dry_run);
        if dry_run {
            return work.await;
        }
        let object = self.object(id).await?;
        self.audited(by, "repair", &object, work).await
    }

    /// Sends leads, deliveries or parked items on their way again.
    pub(crate) async fn replay_ids(
        &self,
        by: &Operator,
        ids: Vec<String>,
        progress: &Progress,
    ) -> Result<Replayed, Refusal> {
        let object = match ids.as_slice() {
            // An id and nothing else that somebody might have typed.
            [one] if uuid::Uuid::parse_str(one).is_ok() => one.clone(),
            all => format!("{} ids", all.len()),
        };
        self.audited(by, "replay", &object, self.replayer.by_ids(ids, progress)).await
    }

    /// Sends every parked item that matches on its way again.
    pub(crate) async fn replay_filter(
        &self,
        by: &Operator,
        filter: Filter,
        progress: &Progress,
    ) -> Result<Replayed, Refusal> {
        let object = told(&filter);
        self.audited(by, "replay", &object, self.replayer.by_filter(filter, progress)).await
    }

    /// Gives a source a new secret beside the old one, or drops the old one. Whoever accepts its leads reads the file again.
    pub(crate) async fn rotate(&self, by: &Operator, name: &str, finish: bool) -> Result<(), Refusal> {
        let file = self.token_file(name)?;
        let work = async {
            let turn = if finish { secrets::finish_rotation } else { secrets::rotate };
            let turned = tokio::task::spawn_blocking(move || turn(&file)).await;
            match turned.map_err(|_| Refusal::NotNow("it ended by a fault".to_owned()))? {
                Ok(_) => Ok(()),
                Err(error) => Err(Refusal::NotNow(format!("the secret of {name} stays as it is: {error}"))),
            }
        };
        self.audited(by, if finish { "finish rotation" } else { "rotate" }, name, work).await
    }

    /// The file of a source's secrets, where there is one alone and it is ours to write.
    pub(crate) fn token_file(&self, name: &str) -> Result<PathBuf, Refusal> {
        let missing = || Refusal::Missing("there is no source of this name".to_owned());
        let source = self.ctx.config().sources.get(name).ok_or_else(missing)?;
        match source.tokens.as_slice() {
            [token] if !token.is_withheld() => match token.origin() {
                Origin::File(path) => Ok(path.clone()),
                Origin::Env(_) | Origin::Plain => {
                    Err(Refusal::NotNow("its secret is not in a file, and so not ours to change".to_owned()))
                }
            },
            [_] => {
                Err(Refusal::NotNow("this process is not told its secret; rotate it on ingest's machine".to_owned()))
            }
            _ => {
                Err(Refusal::NotNow("it has several entries in `tokens`, and only one file can be rotated".to_owned()))
            }
        }
    }

    /// Erases a lead and says what remains elsewhere.
    pub(crate) async fn erase(&self, by: &Operator, lead: LeadId) -> Result<Erasure, Refusal> {
        let object = lead.to_string();
        let erasing = async {
            let erasure = self.replayer.erase(lead).await?;
            self.decisions.tell().await?;
            Ok::<_, Refusal>(erasure)
        };
        self.audited(by, "erase", &object, erasing).await
    }

    /// Takes down something that is not done here.
    pub(crate) async fn note(&self, by: &Operator, act: &'static str, object: &str) -> Result<(), Refusal> {
        self.audited(by, act, object, async { Ok::<(), Refusal>(()) }).await
    }

    async fn audited<T, E>(
        &self,
        by: &Operator,
        act: &'static str,
        object: &str,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Refusal>
    where
        Refusal: From<E>,
    {
        let at = self.ctx.clock.now();
        let entry = Act {
            at,
            operator: by.name.clone(),
            via: by.via.to_owned(),
            act: act.to_owned(),
            object: object.to_owned(),
            outcome: None,
        };
        let no = self.store.audit(entry).await?;
        let outcome = work.await.map_err(Refusal::from);
        let told = match &outcome {
            Ok(_) => "done",
            Err(refusal) => refusal.word(),
        };
        if let Err(error) = self.store.audited(no, told).await {
            tracing::error!(%error, act, "how an act ended cannot be written into the audit log; that it was begun is there");
        }
        outcome
    }

    /// The whole id of what is parked under `id`, which may be another of its ids.
    async fn object(&self, id: &str) -> Result<String, Refusal> {
        Ok(self.replayer.parked(id).await?.item.id)
    }

    fn known(&self, name: &str) -> Result<(), Refusal> {
        let all = &self.ctx.config().destinations;
        if all.contains_key(name) {
            return Ok(());
        }
        let remedy = match nearest(name, all.keys().map(String::as_str)) {
            Some(right) => format!("; did you mean `{right}`?"),
            None => String::new(),
        };
        Err(Refusal::Missing(format!("there is no destination of this name{remedy}")))
    }
}

/// A filter in words, without those that were searched for: they may be a person's name.
pub(crate) fn told(filter: &Filter) -> String {
    let Filter { state, source, destination, reason, q, since, until } = filter;
    let mut words = Vec::new();
    let mut say = |name: &str, value: Option<&dyn Display>| {
        words.extend(value.map(|value| format!("{name} {value}")));
    };
    let state = state.map(crate::store::state_word);
    say("state", state.as_ref().map(|v| v as &dyn Display));
    say("source", source.as_ref().map(|v| v as &dyn Display));
    say("destination", destination.as_ref().map(|v| v as &dyn Display));
    say("reason", reason.as_ref().map(|v| v as &dyn Display));
    say("since", since.as_ref().map(|v| v as &dyn Display));
    say("until", until.as_ref().map(|v| v as &dyn Display));
    say("and", q.as_ref().map(|_| &"a search" as &dyn Display));
    if words.is_empty() { "all that is parked".to_owned() } else { words.join(", ") }
}
