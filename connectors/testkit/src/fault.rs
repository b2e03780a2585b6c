//! What goes wrong, when: a plan is a pure function from a request's number to a fault.

/// One thing that goes wrong with one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Whether the request has its effect all the same: then only the answer is lost.
    pub effect: bool,
    /// What the client sees instead of an answer.
    pub how: How,
}

/// What a client sees instead of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// This status, with nothing else said.
    Status(u16),
    /// This status, and `Retry-After` with this value.
    Wait(u16, String),
    /// This status, and the request's own body as its text, as some servers do.
    Echo(u16),
    /// A redirect to this URL.
    Redirect(String),
    /// Nothing at all, until the client goes away.
    Hang,
    /// The status 200, and then a body that drips for ever.
    Drip,
    /// The connection is reset.
    Cut,
    /// The status 200, half of a body, and then the connection is closed.
    CutAnswer,
    /// Bytes that are not HTTP.
    Garbage,
    /// The status 200, and a body of this many bytes.
    Oversize(u64),
}

impl Fault {
    /// The request has no effect.
    pub fn before(how: How) -> Self {
        Self { effect: false, how }
    }

    /// The request has its effect, and its answer is lost.
    pub fn after(how: How) -> Self {
        Self { effect: true, how }
    }
}

/// Which requests go wrong, and how. Requests are counted from the moment the plan is made known to a server.
#[derive(Clone, Debug, Default)]
pub enum Plan {
    /// None.
    #[default]
    Sound,
    /// The first ones, one by one; what comes after the list is sound.
    List(Vec<Option<Fault>>),
    /// Every one, in the same way.
    Always(Fault),
    /// Every one but so many first ones.
    After(u64, Fault),
    /// A share of them, drawn from the faults by a seed: the same seed breaks the same requests.
    Share {
        /// Where the draw begins.
        seed: u64,
        /// How many of a hundred go wrong.
        percent: u8,
        /// What is drawn from.
        faults: Vec<Fault>,
    },
}

impl Plan {
    /// The first request goes wrong, and no other.
    pub fn once(fault: Fault) -> Self {
        Self::List(vec![Some(fault)])
    }

    /// The fault of the `number`th request, counted from 0.
    pub fn fault(&self, number: u64) -> Option<&Fault> {
        match self {
            Self::Sound => None,
            Self::List(list) => list.get(usize::try_from(number).ok()?)?.as_ref(),
            Self::Always(fault) => Some(fault),
            Self::After(sound, fault) => (number >= *sound).then_some(fault),
            Self::Share { seed, percent, faults } => {
                let draw = mix(seed.wrapping_add(mix(number)));
                let broken = draw % 100 < u64::from(*percent) && !faults.is_empty();
                broken.then(|| &faults[(draw >> 32) as usize % faults.len()])
            }
        }
    }
}

/// Spreads a number over all 64 bits, so that neighbours have nothing in common.
fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_ends() {
        let plan = Plan::List(vec![None, Some(Fault::before(How::Cut))]);
        assert_eq!((plan.fault(0), plan.fault(2)), (None, None));
        assert_eq!(plan.fault(1), Some(&Fault::before(How::Cut)));
    }

    #[test]
    fn what_comes_after_begins_there() {
        let plan = Plan::After(2, Fault::before(How::Cut));
        assert_eq!([0, 1, 2, 9].map(|n| plan.fault(n).is_some()), [false, false, true, true]);
    }

    #[test]
    fn a_share_is_about_its_size_and_repeats() {
        let faults = vec![Fault::before(How::Cut), Fault::after(How::Cut)];
        let plan = Plan::Share { seed: 7, percent: 20, faults: faults.clone() };
        let broken: Vec<_> = (0..10_000).filter_map(|n| plan.fault(n)).collect();
        assert!((1_800..2_200).contains(&broken.len()), "{}", broken.len());
        assert!(faults.iter().all(|f| broken.iter().filter(|b| **b == f).count() > 800));
        assert!((0..1_000).all(|n| plan.fault(n) == plan.clone().fault(n)));
    }
}
