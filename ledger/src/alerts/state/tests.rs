use std::collections::BTreeSet;

use jiff::SignedDuration;
use proptest::prelude::*;

use super::super::condition::AlertKind;
use super::*;

const SETTINGS: Settings = Settings {
    grace: Duration::from_secs(60),
    gather: Duration::from_secs(30),
    repeat_after: Duration::from_hours(24),
    at_most_per_hour: 4,
};

fn at(seconds: u64) -> Timestamp {
    let start: Timestamp = "2026-11-23T12:00:00Z".parse().expect("a time");
    start + SignedDuration::from_secs(i64::try_from(seconds).expect("small"))
}

fn condition(n: usize, grade: u8) -> Condition {
    let condition = Condition::new(AlertKind::Paused, format!("crm-{n}"), at(0), "it is paused", "look");
    condition.grade(grade)
}

/// A channel over time, with what it was told.
#[derive(Default)]
struct World {
    known: Known,
    now: u64,
    told: Vec<(u64, Telling)>,
}

impl World {
    /// Lets seconds pass, ten by ten, while these are observed.
    fn pass(&mut self, seconds: u64, observed: &[Condition]) {
        let end = self.now + seconds;
        while self.now < end {
            self.now += 10;
            self.look(observed, true);
        }
    }

    fn look(&mut self, observed: &[Condition], room: bool) {
        let (known, telling) = std::mem::take(&mut self.known).step(observed.to_vec(), at(self.now), &SETTINGS, room);
        // A restart in between changes nothing.
        let text = serde_json::to_string(&known).expect("JSON");
        self.known = serde_json::from_str(&text).expect("the same");
        assert_eq!(self.known, known);
        self.told.extend(telling.map(|telling| (self.now, telling)));
    }

    fn news(&self) -> Vec<(u64, Vec<AlertNews>)> {
        self.told.iter().map(|(at, telling)| (*at, telling.news.iter().map(|n| n.what).collect())).collect()
    }
}

#[test]
fn what_lasts_is_told_once_again_after_a_day_and_its_end_once() {
    let mut world = World::default();
    world.pass(26 * 3600, &[condition(1, 1)]);
    world.pass(3600, &[]);
    use AlertNews::{Began, Ended, Lasts};
    let day = 24 * 3600;
    assert_eq!(world.news(), [(100, vec![Began]), (100 + day + 30, vec![Lasts]), (26 * 3600 + 100, vec![Ended])]);
    assert_eq!((world.known.present().count(), world.known.past().count()), (0, 1));
}

#[test]
fn what_is_shorter_than_the_grace_is_not_told_and_a_gap_is_no_end() {
    let mut world = World::default();
    for _ in 0..50 {
        world.pass(50, &[condition(1, 1)]);
        world.pass(20, &[]);
    }
    assert_eq!(world.news(), []);
    world.pass(200, &[condition(1, 1)]);
    for _ in 0..50 {
        world.pass(50, &[]);
        world.pass(20, &[condition(1, 1)]);
    }
    assert_eq!(world.news().len(), 1);
}

#[test]
fn ten_thousand_that_begin_together_are_one_message_and_their_end_another() {
    let all: Vec<Condition> = (0..10_000).map(|n| condition(n, 1)).collect();
    let mut world = World::default();
    world.pass(10, &all[..1]);
    world.pass(190, &all);
    world.pass(200, &[]);
    let counts: Vec<usize> = world.told.iter().map(|(_, telling)| telling.news.len()).collect();
    assert_eq!(counts, [10_000, 10_000]);
}

#[test]
fn what_becomes_worse_is_told_again_and_what_becomes_better_is_not() {
    let mut world = World::default();
    for grade in [1, 2, 1, 2, 3] {
        world.pass(600, &[condition(1, grade)]);
    }
    let news: Vec<_> = world.news().into_iter().flat_map(|(_, news)| news).collect();
    assert_eq!(news, [AlertNews::Began, AlertNews::Worse, AlertNews::Worse]);
}

#[test]
fn what_another_tells_of_does_not_begin_and_is_not_over_because_of_that() {
    let covered = Condition { covered: true, ..condition(1, 1) };
    let mut world = World::default();
    world.pass(50, &[condition(1, 1)]);
    world.pass(600, std::slice::from_ref(&covered));
    assert_eq!((world.news(), world.known.present().count()), (Vec::new(), 0));
    world.pass(200, &[condition(1, 1)]);
    world.pass(600, &[covered]);
    world.pass(200, &[]);
    let news: Vec<_> = world.news().into_iter().flat_map(|(_, news)| news).collect();
    assert_eq!(news, [AlertNews::Began, AlertNews::Ended]);
}

#[test]
fn what_is_held_back_is_in_the_next_message() {
    let mut world = World::default();
    for n in 0..20 {
        world.pass(120, &[condition(n, 1)]);
    }
    world.pass(7200, &[]);
    // Four in the first hour; then all that ended since, and the count of those that came and went meanwhile.
    assert_eq!(world.told.iter().filter(|(at, _)| *at < 3600).count(), 4);
    let (_, fifth) = &world.told[4];
    assert!(fifth.missed > 10, "{fifth:?}");
    assert_eq!(world.told.iter().map(|(_, telling)| telling.missed).sum::<u32>(), fifth.missed);
}

#[test]
fn without_room_nothing_is_made_and_nothing_is_lost() {
    let mut world = World::default();
    for _ in 0..100 {
        world.now += 10;
        world.look(&[condition(1, 1)], false);
    }
    assert_eq!(world.news(), []);
    world.pass(10, &[condition(1, 1)]);
    assert_eq!(world.news(), [(1010, vec![AlertNews::Began])]);
}

#[test]
fn a_wall_clock_that_was_put_back_ends_nothing() {
    let (known, _) = Known::default().step(vec![condition(1, 1)], at(5000), &SETTINGS, true);
    let (known, telling) = known.step(vec![condition(1, 1)], at(100), &SETTINGS, true);
    assert!(telling.is_none() && known.present().count() == 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_limit_holds_and_each_that_began_ends_once(
        steps in proptest::collection::vec((1u64..40, proptest::collection::btree_set(0usize..6, 0..6), 1u8..4, any::<[bool; 2]>()), 1..120),
    ) {
        let mut world = World::default();
        for (tens, which, grade, [room, covered]) in steps {
            world.now += tens * 10;
            let observed: Vec<Condition> = which.into_iter().map(|n| Condition { covered: covered && n > 3, ..condition(n, grade) }).collect();
            world.look(&observed, room);
        }
        for _ in 0..150 {
            world.now += 77;
            world.look(&[], true);
        }
        for (n, (at, telling)) in world.told.iter().enumerate() {
            let hour = world.told[n..].iter().take_while(|(later, _)| later - at < 3600).count();
            prop_assert!(hour <= SETTINGS.at_most_per_hour, "{} in an hour", hour);
            prop_assert!(!telling.news.is_empty());
        }
        let mut open = BTreeSet::new();
        for news in world.told.iter().flat_map(|(_, telling)| &telling.news) {
            let key = news.condition.key();
            match news.what {
                AlertNews::Began => prop_assert!(open.insert(key), "it began twice"),
                AlertNews::Ended => prop_assert!(open.remove(&key), "it ended without having begun"),
                AlertNews::Worse | AlertNews::Lasts => prop_assert!(open.contains(&key)),
            }
        }
        prop_assert!(open.is_empty(), "what began ends: {:?}", open);
        prop_assert_eq!(world.known.present().count(), 0);
    }
}
