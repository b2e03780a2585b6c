//! The books of one channel: what is held of it, and which frames acknowledge what is settled.
//!
//! Invariant: a frame that takes several takes nothing that is held. Such a message would be lost.

use std::collections::BTreeSet;
use std::mem::take;

/// The messages of a channel, by their delivery tags.
#[derive(Debug, Default)]
pub(super) struct Books {
    /// The highest that arrived. The broker counts them from 1 on each channel, and leaves none out.
    last: u64,
    held: BTreeSet<u64>,
    /// Of those that were held, what is to be acknowledged.
    settled: BTreeSet<u64>,
    /// And what is to go back.
    returned: Vec<u64>,
}

/// What to send, in this order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Frames {
    /// To be sent before anything else is.
    pub(super) requeue: Vec<u64>,
    /// To be acknowledged with all before it.
    pub(super) through: Option<u64>,
    /// To be acknowledged one by one: something before them is held.
    pub(super) alone: Vec<u64>,
}

impl Books {
    pub(super) fn arrived(&mut self, tag: u64) {
        // One that was passed over is with the client library, which has dropped it. It is not ours to acknowledge, ever.
        self.held.extend(self.last + 1..=tag);
        self.last = self.last.max(tag);
    }

    pub(super) fn holds(&self, tag: u64) -> bool {
        self.held.contains(&tag)
    }

    /// Whether it was held, and so is to be acknowledged now; the broker closes the channel over one that is not there.
    pub(super) fn acknowledge(&mut self, tag: u64) -> bool {
        self.held.remove(&tag) && self.settled.insert(tag)
    }

    /// Whether it was held, and so is to go back now.
    pub(super) fn requeue(&mut self, tag: u64) -> bool {
        let held = self.held.remove(&tag);
        if held {
            self.returned.push(tag);
        }
        held
    }

    /// What is to be sent now, and then is no more in the books.
    pub(super) fn frames(&mut self) -> Frames {
        let mut settled = take(&mut self.settled);
        let above = self.held.first().map(|lowest| settled.split_off(lowest));
        Frames {
            requeue: take(&mut self.returned),
            through: settled.last().copied(),
            alone: above.into_iter().flatten().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn books(arrived: u64, settled: &[u64]) -> Books {
        let mut books = Books::default();
        (1..=arrived).for_each(|tag| books.arrived(tag));
        for tag in settled {
            assert!(books.acknowledge(*tag), "{tag} is held");
        }
        books
    }

    fn frames(through: Option<u64>, alone: &[u64]) -> Frames {
        Frames { through, alone: alone.to_vec(), ..Frames::default() }
    }

    #[test]
    fn neighbours_go_in_one_frame() {
        for (arrived, settled, expected) in [
            (3, &[][..], frames(None, &[])),
            (1, &[1], frames(Some(1), &[])),
            (5, &[3, 1, 2], frames(Some(3), &[])),
            (3, &[3, 1, 2], frames(Some(3), &[])),
            (5, &[1, 2, 4, 5], frames(Some(2), &[4, 5])),
            (3, &[2, 3], frames(None, &[2, 3])),
        ] {
            assert_eq!(books(arrived, settled).frames(), expected, "{settled:?} of {arrived}");
        }
    }

    #[test]
    fn what_is_gone_holds_up_nothing() {
        let mut books = books(4, &[2]);
        assert_eq!(books.frames(), frames(None, &[2]));
        assert!(books.acknowledge(3));
        assert!(books.requeue(1));
        assert_eq!(books.frames(), Frames { requeue: vec![1], through: Some(3), alone: vec![] });
        assert_eq!(books.frames(), Frames::default());
    }

    #[test]
    fn nothing_goes_twice() {
        let mut books = books(2, &[1]);
        assert!(!books.holds(1) && !books.acknowledge(1) && !books.requeue(1), "before it is sent");
        books.frames();
        assert!(!books.holds(1) && !books.acknowledge(1) && !books.requeue(1), "and after");
        assert!(books.holds(2) && !books.acknowledge(3), "what has not arrived is not held");
    }

    #[test]
    fn what_was_passed_over_is_never_acknowledged() {
        let mut books = books(1, &[1]);
        books.arrived(3);
        assert!(books.acknowledge(3));
        assert_eq!(books.frames(), frames(Some(1), &[3]));
    }

    /// A broker's books of the channel: it takes each frame for what it says.
    fn take_frames(there: &mut BTreeSet<u64>, frames: Frames) -> Result<(Vec<u64>, Vec<u64>), TestCaseError> {
        let (mut back, mut acknowledged) = (Vec::new(), Vec::new());
        for tag in frames.requeue {
            prop_assert!(there.remove(&tag), "{tag} is not there");
            back.push(tag);
        }
        if let Some(through) = frames.through {
            prop_assert!(there.contains(&through), "{through} is not there");
            acknowledged.extend(there.extract_if(..=through, |_| true));
        }
        for tag in frames.alone {
            prop_assert!(there.remove(&tag), "{tag} is not there");
            acknowledged.push(tag);
        }
        Ok((back, acknowledged))
    }

    proptest! {
        #[test]
        fn the_broker_is_told_what_was_settled_and_nothing_else(
            steps in proptest::collection::vec((0..4_u8, any::<prop::sample::Index>()), 0..200),
        ) {
            let (mut books, mut there, mut last) = (Books::default(), BTreeSet::new(), 0);
            let (mut held, mut settled, mut returned) = (Vec::new(), Vec::new(), Vec::new());
            for (step, which) in steps {
                match step {
                    1 if !held.is_empty() => {
                        let tag = held.swap_remove(which.index(held.len()));
                        prop_assert!(books.acknowledge(tag));
                        settled.push(tag);
                    }
                    2 if !held.is_empty() && which.index(8) == 0 => {
                        let tag = held.swap_remove(which.index(held.len()));
                        prop_assert!(books.requeue(tag));
                        returned.push(tag);
                    }
                    3 => {
                        let (back, acknowledged) = take_frames(&mut there, books.frames())?;
                        settled.sort_unstable();
                        let mut acknowledged = acknowledged;
                        acknowledged.sort_unstable();
                        prop_assert_eq!(acknowledged, std::mem::take(&mut settled));
                        prop_assert_eq!(back, std::mem::take(&mut returned));
                    }
                    _ => {
                        last += 1;
                        books.arrived(last);
                        there.insert(last);
                        held.push(last);
                    }
                }
            }
        }
    }
}
