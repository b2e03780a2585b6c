//! What is wrong now, from the store, the queue, the configuration and the disk.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use leadrelay_shared::event::PauseCause;
use leadrelay_shared::queue::{Health, Topic, embedded};
use leadrelay_shared::service::Ctx;

use super::condition::{AlertKind, Condition};
use super::message::moment;
use super::words;
use crate::store::{COUNTED, Habit, Store, StoreError};

/// A source is silent after so many times the longest gap of its habit, and never before so long.
const GAPS: u32 = 4;
const SILENT_MIN: Duration = Duration::from_hours(24);
/// What a habit is made from: the time before the last lead, and the fewest leads in it.
const HABIT: Duration = Duration::from_hours(30 * 24);
const HABIT_LEADS: u64 = 10;
/// Days before a secret expires, and how bad that is.
const EXPIRES: [(i64, u8); 3] = [(1, 3), (7, 2), (30, 1)];
/// The queue is nearly full from so many percent on, and the disk with so many times `min_free` left.
const FULL_PERCENT: u64 = 80;
const FREE_TIMES: u64 = 4;

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
        let mut found = self.parked().await?;
        let (paused, late) = (self.paused(now).await?, self.late(now).await?);
        found.extend(self.outages(now, paused, late));
        found.extend(self.not_routed(now).await);
        found.extend(self.silent(now).await?);
        found.extend(self.expiring(now));
        found.extend(self.spool(now).await);
        found.extend(self.queue(now));
        found.extend(self.disk(now));
        Ok(found)
    }

    async fn parked(&self) -> Result<Vec<Condition>, StoreError> {
        let groups = self.store.parked_groups().await?;
        Ok(groups
            .into_iter()
            .map(|group| {
                let destination = group.destination.as_deref();
                let (why, remedy) = words::parked(&group.kind, destination);
                let place = destination.map(|name| format!(" for {name}")).unwrap_or_default();
                let query = destination.map(|name| format!("destination={name}&")).unwrap_or_default();
                Condition {
                    kind: AlertKind::Parked,
                    subject: format!(
                        "{}{}",
                        destination.map(|name| format!("{name}/")).unwrap_or_default(),
                        group.kind
                    ),
                    since: group.since,
                    grade: 1,
                    text: format!("{}{place} parked: {why}", words::leads(group.count)),
                    remedy: remedy.to_owned(),
                    path: format!("/parked?{query}reason={}", group.kind),
                    covered: false,
                }
            })
            .collect())
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
            let path = format!("/destinations?name={name}");
            Condition {
                kind: AlertKind::Paused,
                subject: name.clone(),
                since: now,
                grade: 1,
                text,
                remedy,
                path,
                covered: false,
            }
        };
        Ok(causes.map(condition).collect())
    }

    /// Joins what belongs to one outage: late leads of a paused destination are told by its pause, which is over when they are
    /// delivered.
    fn outages(&mut self, now: Timestamp, paused: Vec<Condition>, late: Vec<(String, Condition)>) -> Vec<Condition> {
        let is_paused = |name: &String| paused.iter().any(|one| one.subject == *name);
        let is_late = |name: &String| late.iter().any(|(to, _)| to == name);
        self.outages.retain(|name| is_paused(name) || is_late(name));
        self.outages.extend(paused.iter().map(|one| one.subject.clone()));
        let catching_up: Vec<Condition> =
            self.outages.iter().filter(|name| !is_paused(name)).map(|name| catching_up(name, now)).collect();
        let late = late.into_iter().map(|(to, late)| Condition { covered: self.outages.contains(&to), ..late });
        let late: Vec<Condition> = late.collect();
        paused.into_iter().chain(catching_up).chain(late).collect()
    }

    /// Routes with a lead that is under way for longer than was promised, with their destinations.
    async fn late(&self, now: Timestamp) -> Result<Vec<(String, Condition)>, StoreError> {
        let mut found = Vec::new();
        for route in &self.ctx.config().routes {
            let late = now.checked_sub(route.promise.0).unwrap_or(Timestamp::MIN);
            let open = self.store.open_deliveries(route.to.clone(), route.name.clone(), late).await?;
            let Some(open) = open.filter(|open| open.oldest < late) else { continue };
            let (verb, count) = match open.late {
                1 => ("waits", "1 lead".to_owned()),
                COUNTED.. => ("wait", format!("{COUNTED} leads or more")),
                few => ("wait", words::leads(few)),
            };
            let promise = words::length(route.promise.0);
            found.push((
                route.to.clone(),
                Condition {
                    kind: AlertKind::Late,
                    subject: route.name.clone(),
                    since: open.oldest.checked_add(route.promise.0).unwrap_or(now),
                    grade: 1,
                    text: format!(
                        "{count} of the route {} to {} {verb} longer than the {promise} promised, the oldest since {}",
                        route.name,
                        route.to,
                        moment(open.oldest)
                    ),
                    remedy: format!("see why in the state of {}", route.to),
                    path: format!("/leads?destination={}", route.to),
                    covered: false,
                },
            ));
        }
        Ok(found)
    }

    /// Leads that no rules were applied to for longer than the shortest promise. A broker does not tell how old they are.
    async fn not_routed(&self, now: Timestamp) -> Option<Condition> {
        let promise = self.ctx.config().routes.iter().map(|route| route.promise.0).min()?;
        // A queue that cannot be asked is told by its health.
        let topics = self.ctx.queue.stats().await.unwrap_or_default();
        let topic = topics.into_iter().find(|topic| topic.topic == **Topic::leads().name())?;
        let age = topic.oldest_age.filter(|age| *age > promise)?;
        Some(Condition {
            kind: AlertKind::Late,
            subject: "not routed".to_owned(),
            since: now.checked_sub(age.saturating_sub(promise)).unwrap_or(now),
            grade: 1,
            text: format!("{} wait for the router, the oldest for {}", words::leads(topic.total()), words::length(age)),
            remedy: "see whether the router runs, and what its log says".to_owned(),
            path: "/".to_owned(),
            covered: false,
        })
    }

    async fn silent(&mut self, now: Timestamp) -> Result<Vec<Condition>, StoreError> {
        let mut found = Vec::new();
        for source in self.ctx.config().sources.keys() {
            let Some(last) = self.store.last_lead(source.clone()).await? else { continue };
            let silence: Duration = now.duration_since(last).try_into().unwrap_or_default();
            if silence < SILENT_MIN {
                self.habits.remove(source);
                continue;
            }
            let known = self.habits.get(source).filter(|habit| habit.last == last).copied();
            let habit = match known {
                Some(habit) => Some(habit),
                None => self.store.habit(source.clone(), HABIT).await?,
            };
            let Some(habit) = habit else { continue };
            self.habits.insert(source.clone(), habit);
            let limit = habit.longest_gap.saturating_mul(GAPS).max(SILENT_MIN);
            if habit.leads < HABIT_LEADS || silence < limit {
                continue;
            }
            found.push(Condition {
                kind: AlertKind::Silent,
                subject: source.clone(),
                since: last,
                grade: 1,
                text: format!(
                    "{source} has sent nothing since {}; before that its longest gap in 30 days was {}",
                    moment(last),
                    words::length(habit.longest_gap)
                ),
                remedy: format!("see whether its sender still has the right URL: `leadrelay source url {source}`"),
                path: format!("/leads?source={source}"),
                covered: false,
            });
        }
        Ok(found)
    }

    fn expiring(&self, now: Timestamp) -> Vec<Condition> {
        let today = TimeZone::UTC.to_datetime(now).date();
        let destinations = self.ctx.config().destinations.iter();
        let condition = |(name, date): (&String, jiff::civil::Date)| {
            let left = today.duration_until(date).as_hours() / 24;
            let grade = if left < 0 { 4 } else { EXPIRES.iter().find(|(days, _)| left <= *days)?.1 };
            let begun = date.checked_sub(SignedDuration::from_hours(EXPIRES[2].0 * 24)).ok()?;
            let text = match left {
                ..0 => format!("the secret of {name} has expired on {date}"),
                0 => format!("the secret of {name} expires today"),
                1 => format!("the secret of {name} expires tomorrow, on {date}"),
                days => format!("the secret of {name} expires in {days} days, on {date}"),
            };
            Some(Condition {
                kind: AlertKind::Expiring,
                subject: name.clone(),
                since: TimeZone::UTC.to_timestamp(begun.at(0, 0, 0, 0)).unwrap_or(now),
                grade,
                text,
                remedy: "make a new one, put it where the configuration points, write its secret_expires, and start the relay again"
                    .to_owned(),
                path: format!("/destinations?name={name}"),
                covered: false,
            })
        };
        destinations.filter_map(|(name, d)| Some((name, d.common.secret_expires?))).filter_map(condition).collect()
    }

    /// The spool is ingest's; it is known where ingest runs in this process.
    async fn spool(&self, now: Timestamp) -> Option<Condition> {
        let spool = self.ctx.status.spool().await?;
        let (grade, text) = match (spool.waiting, spool.blocked) {
            (_, Some(reason)) => (2, format!("the spool takes nothing: {reason}")),
            (0, None) => return None,
            (n, None) => (1, format!("{} in the spool of ingest: the broker takes none", words::leads(n))),
        };
        Some(Condition {
            kind: AlertKind::Spool,
            subject: "spool".to_owned(),
            since: now,
            grade,
            text,
            remedy: "see whether RabbitMQ is up and has room; leads are forwarded by themselves when it is".to_owned(),
            path: "/".to_owned(),
            covered: false,
        })
    }

    fn queue(&self, now: Timestamp) -> Option<Condition> {
        let blocked = match &*self.ctx.queue.health().borrow() {
            Health::Blocked(reason) => Some(reason.clone()),
            Health::Ready => None,
        };
        let (grade, text) = match (blocked, self.ctx.queue.size()) {
            (Some(reason), _) => (2, format!("the queue takes nothing: {reason}")),
            (None, Some((used, max))) if used >= max / 100 * FULL_PERCENT => {
                let percent = used.saturating_mul(100) / max.max(1);
                (1, format!("the queue is full to {percent} percent of queue.max_size; beyond it no lead is taken"))
            }
            (None, _) => return None,
        };
        Some(Condition {
            kind: AlertKind::Queue,
            subject: "queue".to_owned(),
            since: now,
            grade,
            text,
            remedy: "see which destinations hold it up, and let them drain or raise the limit".to_owned(),
            path: "/".to_owned(),
            covered: false,
        })
    }

    fn disk(&self, now: Timestamp) -> Option<Condition> {
        let min = self.ctx.config().queue.min_free.0;
        let free = embedded::free_bytes(&self.ctx.loaded.data_dir())?;
        if free >= min.saturating_mul(FREE_TIMES) {
            return None;
        }
        Some(Condition {
            kind: AlertKind::Disk,
            subject: "data_dir".to_owned(),
            since: now,
            grade: if free < min { 2 } else { 1 },
            text: format!("{} MiB are left on the disk of data_dir; below {} no lead is taken", free >> 20, min >> 20),
            remedy: "make room, or give data_dir a larger disk".to_owned(),
            path: "/".to_owned(),
            covered: false,
        })
    }
}

fn catching_up(name: &str, now: Timestamp) -> Condition {
    Condition {
        kind: AlertKind::Paused,
        subject: name.to_owned(),
        since: now,
        grade: 1,
        text: format!("{name} is delivered to again; leads that waited meanwhile are still on their way"),
        remedy: "nothing, it goes on by itself".to_owned(),
        path: format!("/destinations?name={name}"),
        covered: false,
    }
}
