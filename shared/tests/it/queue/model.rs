//! The embedded engine against a model: random operations, and after each of them both must say the same.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use leadrelay_shared::clock::Clock;
use leadrelay_shared::queue::{Claim, Message, Queue, Topic, settle_all};
use proptest::prelude::*;

use super::harness::{assert_empty, assert_none_ready, claim, message, number, start, stats_of, topic};
use super::opener::{Embedded, Opener};

const TOPICS: [&str; 2] = ["leads", "deliver.crm"];

#[derive(Clone, Debug)]
enum Step {
    Publish(Vec<New>),
    Claim {
        topic: usize,
        most: usize,
    },
    /// Settles some of what is claimed with outputs.
    Settle {
        count: usize,
        outputs: Vec<New>,
    },
    GiveBack {
        which: usize,
    },
    Advance {
        millis: u64,
    },
    Jump {
        minutes: i64,
    },
    Restart,
    Crash,
}

/// A message to be published: where, and after how many milliseconds it may come.
#[derive(Clone, Debug)]
struct New {
    topic: usize,
    delay: Option<u64>,
}

fn new() -> impl Strategy<Value = New> {
    (0..TOPICS.len(), prop::option::of(0..5_000_u64)).prop_map(|(topic, delay)| New { topic, delay })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => prop::collection::vec(new(), 1..6).prop_map(Step::Publish),
        6 => (0..TOPICS.len(), 1..8_usize).prop_map(|(topic, most)| Step::Claim { topic, most }),
        4 => (1..6_usize, prop::collection::vec(new(), 0..4)).prop_map(|(count, outputs)| Step::Settle { count, outputs }),
        2 => any::<usize>().prop_map(|which| Step::GiveBack { which }),
        4 => (1..4_000_u64).prop_map(|millis| Step::Advance { millis }),
        1 => (-90..90_i64).prop_map(|minutes| Step::Jump { minutes }),
        1 => Just(Step::Restart),
        1 => Just(Step::Crash),
    ]
}

/// What the model knows of a message that is not settled.
#[derive(Clone, Debug)]
struct Known {
    topic: usize,
    /// Milliseconds of the engine's time.
    due: i64,
    claimed: bool,
    redelivered: u32,
}

struct World {
    _dir: tempfile::TempDir,
    at: PathBuf,
    clock: Clock,
    queue: Queue,
    held: Vec<Claim<String>>,
    known: BTreeMap<u32, Known>,
    next: u32,
    /// The engine's time when it was opened, and the clock's reading then.
    base: i64,
    opened: Duration,
}

impl World {
    async fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let at = dir.path().to_owned();
        let clock = Clock::manual(start());
        let queue = Embedded.open(&at, clock.clone()).await;
        let base = clock.now().as_millisecond();
        let (held, known) = Default::default();
        Self { _dir: dir, at, queue, held, known, next: 0, base, opened: clock.monotonic(), clock }
    }

    fn now(&self) -> i64 {
        self.base + i64::try_from((self.clock.monotonic() - self.opened).as_millis()).expect("short")
    }

    fn topic(n: usize) -> Topic<String> {
        topic(TOPICS[n])
    }

    /// A message for the queue, and what the model will know of it.
    fn make(&mut self, new: &New) -> (Message, u32, Known) {
        let n = self.next;
        self.next += 1;
        let made = message(&Self::topic(new.topic), n);
        let delay = i64::try_from(new.delay.unwrap_or(0)).expect("short");
        let at: Timestamp = self.clock.now() + SignedDuration::from_millis(delay);
        let made = if new.delay.is_some() { made.not_before(at) } else { made };
        (made, n, Known { topic: new.topic, due: self.now() + delay, claimed: false, redelivered: 0 })
    }

    fn make_all(&mut self, new: &[New]) -> (Vec<Message>, Vec<(u32, Known)>) {
        new.iter().map(|n| self.make(n)).map(|(message, n, known)| (message, (n, known))).unzip()
    }

    fn ready(&self, topic: usize) -> usize {
        self.known.values().filter(|k| k.topic == topic && !k.claimed && k.due <= self.now()).count()
    }

    async fn take(&mut self, step: &Step) {
        match step {
            Step::Publish(new) => {
                let (messages, known) = self.make_all(new);
                self.queue.publish(messages).await.expect("published");
                self.known.extend(known);
            }
            Step::Claim { topic, most } => self.claim(*topic, *most).await,
            Step::Settle { count, outputs } => {
                let count = (*count).min(self.held.len());
                if count == 0 {
                    return;
                }
                let settled: Vec<_> = self.held.drain(..count).collect();
                let numbers: Vec<_> = settled.iter().map(number).collect();
                let (messages, known) = self.make_all(outputs);
                let handles = settled.into_iter().map(|c| c.into_parts().1).collect();
                settle_all(handles, messages).await.expect("settled");
                self.known.retain(|n, _| !numbers.contains(n));
                self.known.extend(known);
            }
            Step::GiveBack { which } => {
                if !self.held.is_empty() {
                    let claim = self.held.swap_remove(which % self.held.len());
                    self.known.get_mut(&number(&claim)).expect("it is known").claimed = false;
                }
            }
            Step::Advance { millis } => self.clock.advance(Duration::from_millis(*millis)),
            Step::Jump { minutes } => self.clock.jump(SignedDuration::from_mins(*minutes)),
            Step::Restart => self.restart().await,
            Step::Crash => self.crash().await,
        }
    }

    async fn claim(&mut self, topic: usize, most: usize) {
        let count = most.min(self.ready(topic));
        if count == 0 {
            assert_none_ready(&self.queue, &Self::topic(topic)).await;
            return;
        }
        let now = self.now();
        let claimed = claim(&mut self.queue.claims(&Self::topic(topic)), count).await;
        for claim in &claimed {
            let known = self.known.get_mut(&number(claim)).expect("it was published and not settled");
            assert!(known.topic == topic && !known.claimed && known.due <= now, "{known:?} at {now}");
            assert_eq!(claim.redelivered(), known.redelivered);
            known.claimed = true;
        }
        self.held.extend(claimed);
    }

    async fn restart(&mut self) {
        let last = self.now();
        self.queue.close().await;
        self.reopen(last).await;
    }

    async fn crash(&mut self) {
        let last = self.now();
        // What a crash may lose of the engine's time is made up for by the wall, unless that went back meanwhile.
        let behind = SignedDuration::from_millis(last - self.clock.now().as_millisecond());
        if behind.is_positive() {
            self.clock.jump(behind);
        }
        self.at = Embedded.end_abruptly(self.queue.clone(), &self.at).await;
        for claim in &self.held {
            self.known.get_mut(&number(claim)).expect("it is known").redelivered += 1;
        }
        self.queue.close().await;
        self.reopen(last).await;
    }

    async fn reopen(&mut self, last: i64) {
        self.held.clear();
        self.known.values_mut().for_each(|k| k.claimed = false);
        self.queue = Embedded.open(&self.at, self.clock.clone()).await;
        self.base = self.clock.now().as_millisecond().max(last);
        self.opened = self.clock.monotonic();
    }

    /// Both must say the same.
    async fn compare(&self) {
        for (n, name) in TOPICS.iter().enumerate() {
            let figures = stats_of(&self.queue, &Self::topic(n)).await;
            let all = self.known.values().filter(|k| k.topic == n);
            let claimed = all.clone().filter(|k| k.claimed).count();
            let ready = self.ready(n);
            let said = (figures.ready, figures.delayed, figures.claimed);
            assert_eq!(said, (ready as u64, (all.count() - claimed - ready) as u64, claimed as u64), "{name}");
        }
    }

    /// Everything that is left comes in the end, and then there is nothing.
    async fn finish(mut self) {
        self.held.clear();
        self.known.values_mut().for_each(|k| k.claimed = false);
        self.clock.advance(Duration::from_hours(4));
        for n in 0..TOPICS.len() {
            let count = self.ready(n);
            self.claim(n, count).await;
        }
        assert!(self.known.values().all(|k| k.claimed), "all came");
        let handles = self.held.drain(..).map(|c| c.into_parts().1).collect();
        settle_all(handles, Vec::new()).await.expect("settled");
        assert_empty(&self.queue).await;
        self.queue.close().await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_does_what_the_model_does(steps in prop::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let mut world = World::new().await;
            for step in &steps {
                world.take(step).await;
                world.compare().await;
            }
            world.finish().await;
        });
    }
}
