//! Everything from one queue into another.
//!
//! Invariant: a message is settled in the one only after the other has confirmed it. Whatever ends this in between, nothing is
//! lost; what was on its way is moved again under the same id, which everything behind the queue takes for the same.

use std::collections::BTreeMap;
use std::time::Duration;

use leadrelay_shared::clock::Clock;
use leadrelay_shared::queue::{Carried, Carrier, Message, Queue, QueueError, Removal, settle_all};
use serde::Serialize;

/// The most messages on their way at once.
const BATCH: usize = 256;
/// How long to wait for a message before looking whether there is one: what is on its way shows nowhere.
const PATIENCE: Duration = Duration::from_millis(200);
/// It is over when nothing is found so often in a row, and how long in between: what a broker is just moving from one of its
/// queues to another shows in neither.
const LOOKS: u32 = 2;
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// How often the other queue is tried before this is given up, and how long in between.
const TRIES: u32 = 10;
const BETWEEN: Duration = Duration::from_secs(1);

/// What was moved of one topic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Moved {
    /// Messages.
    pub(super) messages: u64,
    /// Those of them that still wait for their time.
    pub(super) delayed: u64,
}

/// What was moved, by topic.
pub(super) type Summary = BTreeMap<String, Moved>;

/// Moves all that `from` holds into `to`; `told` hears of each batch.
pub(super) async fn transfer(
    from: &Queue,
    to: &Queue,
    clock: &Clock,
    mut told: impl FnMut(&Summary),
) -> Result<Summary, QueueError> {
    let removal = from.removal().await?;
    let mut summary = Summary::new();
    let mut empty = 0;
    while empty < LOOKS {
        if empty > 0 {
            clock.sleep(LOOK_AGAIN).await;
        }
        let places = removal.left().await?;
        empty = if places.is_empty() { empty + 1 } else { 0 };
        for (place, _) in places {
            let mut carrier = removal.carrier(&place);
            while let Some(batch) = next(&removal, &mut carrier, &place, clock).await? {
                pass_on(batch, to, clock, &mut summary).await?;
                told(&summary);
            }
        }
    }
    Ok(summary)
}

/// The next messages of a place; `None` when nothing is left there, or nothing comes of it.
async fn next(
    removal: &Removal,
    carrier: &mut Carrier,
    place: &str,
    clock: &Clock,
) -> Result<Option<Vec<Carried>>, QueueError> {
    tokio::select! {
        biased;
        batch = carrier.next(BATCH) => batch.map(Some),
        left = async {
            loop {
                clock.sleep(PATIENCE).await;
                match removal.left().await {
                    Ok(left) if left.iter().any(|(of, _)| of == place) => {}
                    other => return other.map(drop),
                }
            }
        } => left.map(|()| None),
    }
}

async fn pass_on(batch: Vec<Carried>, to: &Queue, clock: &Clock, summary: &mut Summary) -> Result<(), QueueError> {
    let (messages, handles): (Vec<Message>, Vec<_>) = batch.into_iter().map(|c| (c.message, c.handle)).unzip();
    publish(&messages, to, clock).await?;
    fail::fail_point!("move::between", |_| std::process::abort());
    settle_all(handles, Vec::new()).await?;
    for message in messages {
        let moved = summary.entry(message.topic().to_owned()).or_default();
        moved.messages += 1;
        moved.delayed += u64::from(message.due().is_some());
    }
    Ok(())
}

/// Publishes, and tries again for a while what the queue cannot take now.
async fn publish(messages: &[Message], to: &Queue, clock: &Clock) -> Result<(), QueueError> {
    let mut tries = 1;
    loop {
        match to.publish(messages.to_vec()).await {
            Err(QueueError::Blocked(_) | QueueError::Unknown(_)) if tries < TRIES => tries += 1,
            done => return done,
        }
        clock.sleep(BETWEEN).await;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use jiff::Timestamp;
    use leadrelay_shared::queue::{Topic, embedded};

    use super::*;

    fn queue(dir: &Path, name: &str, max_size: u64) -> Queue {
        let settings = embedded::Settings { dir: dir.join(name), max_size, min_free: 0 };
        Queue::embedded(settings, Clock::real()).expect("a queue")
    }

    fn message(topic: &str, n: u128, text: &str) -> Message {
        let id = format!("{n:032x}").parse().expect("an id");
        Topic::<String>::named(topic).message(id, &text.to_owned())
    }

    /// Thousands of messages over three topics, every third of which is due in an hour or more.
    fn messages(due: Timestamp) -> Vec<Message> {
        (0..3000)
            .map(|n: u32| {
                let message = message(["leads", "events", "deliver.crm"][n as usize % 3], n.into(), &n.to_string());
                if n.is_multiple_of(3) { message.not_before(due + Duration::from_secs(n.into())) } else { message }
            })
            .collect()
    }

    fn by_id(messages: Vec<Message>) -> BTreeMap<String, (String, Option<Timestamp>)> {
        messages.into_iter().map(|m| (m.id().to_string(), (m.topic().to_owned(), m.due()))).collect()
    }

    /// Takes everything out of a queue.
    async fn held(queue: &Queue) -> BTreeMap<String, (String, Option<Timestamp>)> {
        let removal = queue.removal().await.expect("it begins");
        // Held until the end, so that nothing comes again.
        let mut all: Vec<Carried> = Vec::new();
        for (place, count) in removal.left().await.expect("an answer") {
            let (mut carrier, before) = (removal.carrier(&place), all.len());
            while all.len() < before + usize::try_from(count).expect("few") {
                all.extend(carrier.next(BATCH).await.expect("claimed"));
            }
        }
        let count = all.len();
        let all = by_id(all.into_iter().map(|carried| carried.message).collect());
        assert_eq!(all.len(), count, "nothing is there twice");
        all
    }

    #[tokio::test]
    async fn everything_arrives_with_its_id_and_its_time() {
        let dir = tempfile::tempdir().expect("a directory");
        let clock = Clock::real();
        let (from, to) = (queue(dir.path(), "from", 1 << 30), queue(dir.path(), "to", 1 << 30));
        let sent = messages(clock.now() + Duration::from_hours(1));
        from.publish(sent.clone()).await.expect("stored");
        let summary = transfer(&from, &to, &clock, |_| {}).await.expect("moved");
        let of = |delayed| Moved { messages: 1000, delayed };
        let wanted = [("leads", of(1000)), ("events", of(0)), ("deliver.crm", of(0))];
        assert_eq!(summary, wanted.map(|(topic, moved)| (topic.to_owned(), moved)).into());
        let again = transfer(&from, &to, &clock, |_| {}).await.expect("moved");
        assert!(again.is_empty(), "a second run finds nothing: {again:?}");
        from.close().await;

        let (sent, arrived) = (by_id(sent), held(&to).await);
        assert_eq!(sent.len(), arrived.len());
        for (id, (topic, due)) in sent {
            let (to_topic, to_due) = &arrived[&id];
            assert_eq!(topic, *to_topic);
            let late = due.zip(*to_due).map(|(due, to_due)| to_due.duration_since(due).abs());
            assert!(due.is_none() == to_due.is_none() && late.is_none_or(|l| l.as_secs() < 1), "{due:?} {to_due:?}");
        }
        to.close().await;
    }

    #[tokio::test]
    async fn what_the_other_queue_cannot_take_stays() {
        let dir = tempfile::tempdir().expect("a directory");
        // Time passes when somebody waits, and so all tries are over at once.
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        let (from, to) = (queue(dir.path(), "from", 1 << 30), queue(dir.path(), "to", 1 << 20));
        let large = "x".repeat(10_000);
        from.publish((0..1000).map(|n| message("leads", n, &large)).collect()).await.expect("stored");
        let moving = transfer(&from, &to, &clock, |_| {});
        let moved = tokio::select! {
            moved = moving => moved,
            () = async { loop { clock.advance(BETWEEN); tokio::time::sleep(Duration::from_millis(5)).await; } } => {
                unreachable!("it goes on for ever")
            }
        };
        assert!(matches!(moved, Err(QueueError::Blocked(_))), "{moved:?}");
        let count = async |queue: &Queue| -> u64 {
            queue.stats().await.expect("stats").iter().map(leadrelay_shared::queue::TopicStats::total).sum()
        };
        let (left, there) = (count(&from).await, count(&to).await);
        assert!(there > 0 && left + there == 1000, "{left} and {there}");
        from.close().await;
        to.close().await;
    }
}
