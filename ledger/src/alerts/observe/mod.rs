//! What is wrong now, from the store, the queue, the configuration and the disk.

mod habits;
mod room;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use leadrelay_shared::event::PauseCause;
use leadrelay_shared::queue::Topic;
use leadrelay_shared::service::Ctx;

use super::condition::{AlertKind, Condition};
use super::message::moment;
use super::words;
use crate::api::types::Filter;
use crate::store::{COUNTED, Habit, ParkedGroup, Store, StoreError};

/// Observes; remembers what is costly to find out.
pub(super) struct Observer {
    ctx: Ctx,
    store: Store,
    /// Habits of sources that have been silent for a while.
    habits: BTreeMap<String, Habit>,
    /// Destinations that are paused, or were and still have leads that waited meanwhile: one outage each.
    outages: BTreeSet<String>,
}

impl Observer {
    pub(super) fn new(ctx: &Ctx, store: &Store) -> Self {
        Self { ctx: ctx.clone(), store: store.clone(), habits: BTreeMap::new(), outages: BTreeSet::new() }
    }

    /// All that is wrong.
    pub(super) async fn observe(&mut self) -> Result<Vec<Condition>, StoreError> {
        let now = self.ctx.clock.now();
        let mut found: Vec<Condition> = self.store.parked_groups(Filter::default()).await?.iter().map(parked).collect();
        let ctx = self.ctx.clone();
        let (paused, late) = (self.paused(now).await?, late(&ctx, &self.store, now).await?);
        found.extend(self.outages(now, paused, late));
        found.extend(self.not_routed(now).await);
        found.extend(self.silent(now).await?);
        found.extend(self.expiring(now));
        found.extend(self.spool(now).await);
        found.extend(self.queue(now));
        found.extend(self.disk(now));
        Ok(found)
    }

    async fn paused(&self, now: Timestamp) -> Result<Vec<Condition>, StoreError> {
        let mut by_hand = self.store.paused().await?;
        let mut rows = self.store.destinations().await?;
        let names = self.ctx.config().destinations.keys();
        let causes = names.filter_map(|name| {
            let cause = match by_hand.remove(name) {
                Some(reason) => PauseCause::Operator { reason },
                None => rows.remove(name)?.failing?.0,
            };
            Some((name, cause))
        });
        let condition = |(name, cause): (&String, PauseCause)| {
            let (text, remedy) = words::pause(name, &cause);
            Condition::new(AlertKind::Paused, name, now, text, remedy).at(format!("/destinations?name={name}"))
        };
        Ok(causes.map(condition).collect())
    }

    /// Joins what belongs to one outage: late leads of a paused destination are told by its pause, which is over when they are
    /// delivered.
    fn outages(&mut self, now: Timestamp, paused: Vec<Condition>, late: Vec<(&str, Condition)>) -> Vec<Condition> {
        let is_paused = |name: &String| paused.iter().any(|one| one.subject == *name);
        let is_late = |name: &String| late.iter().any(|(to, _)| to == name);
        self.outages.retain(|name| is_paused(name) || is_late(name));
        self.outages.extend(paused.iter().map(|one| one.subject.clone()));
        let catching_up: Vec<Condition> =
            self.outages.iter().filter(|name| !is_paused(name)).map(|name| catching_up(name, now)).collect();
        let outages = &self.outages;
        let late = late.into_iter().map(|(to, late)| Condition { covered: outages.contains(to), ..late });
        paused.into_iter().chain(catching_up).chain(late).collect()
    }

    /// Leads that no rules were applied to for longer than the shortest promise. A broker does not tell how old they are.
    async fn not_routed(&self, now: Timestamp) -> Option<Condition> {
        let promise = self.ctx.config().routes.iter().map(|route| route.promise.0).min()?;
        // A queue that cannot be asked is told by its health.
        let topics = self.ctx.queue.stats().await.unwrap_or_default();
        let topic = topics.into_iter().find(|topic| topic.topic == **Topic::leads().name())?;
        let age = topic.oldest_age.filter(|age| *age > promise)?;
        let since = now.checked_sub(age.saturating_sub(promise)).unwrap_or(now);
        let (verb, age) = (if topic.total() == 1 { "waits" } else { "wait" }, words::length(age));
        let text = format!("{} {verb} for the router, the oldest for {age}", words::leads(topic.total()));
        let remedy = "see whether the router runs, and what its log says";
        Some(Condition::new(AlertKind::Late, "not routed", since, text, remedy))
    }
}

/// Routes with a lead that is under way for longer than was promised, with their destinations.
async fn late<'c>(ctx: &'c Ctx, store: &Store, now: Timestamp) -> Result<Vec<(&'c str, Condition)>, StoreError> {
    let mut found = Vec::new();
    for route in &ctx.config().routes {
        let late = now.checked_sub(route.promise.0).unwrap_or(Timestamp::MIN);
        let open = store.open_deliveries(route.to.clone(), route.name.clone(), late).await?;
        let Some(open) = open.filter(|open| open.oldest < late) else { continue };
        let (verb, count) = match open.late {
            1 => ("waits", "1 lead".to_owned()),
            COUNTED.. => ("wait", format!("{COUNTED} leads or more")),
            few => ("wait", words::leads(few)),
        };
        let since = open.oldest.checked_add(route.promise.0).unwrap_or(now);
        let (name, to, promise) = (&route.name, route.to.as_str(), words::length(route.promise.0));
        let oldest = moment(open.oldest);
        let text = format!(
            "{count} of the route {name} to {to} {verb} longer than the {promise} promised, the oldest since {oldest}"
        );
        let condition = Condition::new(AlertKind::Late, name, since, text, format!("see why in the state of {to}"));
        found.push((to, condition.at(format!("/leads?destination={to}"))));
    }
    Ok(found)
}

fn parked(group: &ParkedGroup) -> Condition {
    let ParkedGroup { destination, kind, count, oldest: since, .. } = group;
    let (why, remedy) = words::parked(kind, destination.as_deref());
    let (subject, place, query) = match destination {
        Some(name) => (format!("{name}/{kind}"), format!(" for {name}"), format!("destination={name}&")),
        None => (kind.clone(), String::new(), String::new()),
    };
    let verb = if *count == 1 { "is" } else { "are" };
    let text = format!("{}{place} {verb} parked: {why}", words::leads(*count));
    Condition::new(AlertKind::Parked, subject, *since, text, remedy).at(format!("/parked?{query}reason={kind}"))
}

fn catching_up(name: &str, now: Timestamp) -> Condition {
    let text = format!("{name} is delivered to again; leads that waited meanwhile are still on their way");
    let condition = Condition::new(AlertKind::Paused, name, now, text, "nothing, it goes on by itself");
    condition.at(format!("/destinations?name={name}"))
}
