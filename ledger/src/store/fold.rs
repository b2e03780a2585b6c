//! From everything told of a lead to how it stands. Pure.
//!
//! Invariant: the answer depends on the set of facts alone, never on the order in which they came. A later round wins
//! over an earlier one, within a round the rank decides (parked over deferred over routed), and delivered is final.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use jiff::Timestamp;
use leadrelay_shared::delivery::{ParkReason, Receipt};
use leadrelay_shared::error::DeliveryError;
use leadrelay_shared::event::{About, Fact};
use leadrelay_shared::id::DeliveryId;
use uuid::Uuid;

use super::rows::{Told, What};
use crate::api::types::LeadState;

/// How a lead stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Story {
    pub(crate) state: LeadState,
    /// The highest round of the lead and of its deliveries.
    pub(crate) round: u32,
    /// The round of the lead itself.
    pub(crate) lead_round: u32,
    /// When the last of its deliveries was made, where all are.
    pub(crate) settled_at: Option<Timestamp>,
    pub(crate) deliveries: BTreeMap<DeliveryId, Course>,
}

/// How a delivery stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Course {
    pub(crate) destination: String,
    pub(crate) route: String,
    pub(crate) state: LeadState,
    pub(crate) round: u32,
    pub(crate) attempts: u32,
    pub(crate) receipt: Option<Receipt>,
    pub(crate) last_error: Option<DeliveryError>,
    pub(crate) next_at: Option<Timestamp>,
    pub(crate) delivered_at: Option<Timestamp>,
    pub(crate) parked: Option<ParkReason>,
}

/// A row of the parked list, as the fold sees it.
#[derive(Clone, Debug)]
pub(crate) struct Waits {
    pub(crate) delivery: Option<(DeliveryId, String, String)>,
    pub(crate) round: u32,
    pub(crate) at: Timestamp,
    pub(crate) reason: ParkReason,
}

impl Story {
    /// Whether `waits` still waits: nothing told later has sent it on its way again, and it has not arrived.
    pub(crate) fn holds(&self, waits: &Waits) -> bool {
        match &waits.delivery {
            _ if self.state == LeadState::Erased => false,
            Some((id, ..)) => {
                self.deliveries.get(id).is_some_and(|c| c.state == LeadState::Parked && c.round == waits.round)
            }
            None => self.lead_round == waits.round,
        }
    }
}

/// Tells the story.
pub(crate) fn fold(told: &[Told], parked: &[Waits]) -> Story {
    let mut lead = Lead::default();
    for one in told {
        lead.take(one);
    }
    for waits in parked {
        lead.take_waiting(waits);
    }
    lead.story()
}

/// What is known of the lead while facts are taken in. Every field grows by a maximum or a minimum.
#[derive(Default)]
struct Lead {
    round: u32,
    /// The highest rounds in which it was sent on its way, and in which rules were applied.
    on_its_way: Option<u32>,
    routed: Option<u32>,
    /// The highest round in which it could not go on, and as what.
    stuck: Option<(u32, LeadState)>,
    /// Something other than a resend is known.
    known: bool,
    erased: bool,
    deliveries: BTreeMap<DeliveryId, Delivery>,
}

/// What is known of a delivery.
#[derive(Default)]
struct Delivery {
    round: u32,
    /// Names, by the highest round.
    named: Option<(u32, String, String)>,
    delivered: Option<(Timestamp, Uuid, u32, Receipt)>,
    deferred: Option<Failure>,
    parked: Option<Parking>,
    failed: Option<Failure>,
    /// The highest round and its highest attempt.
    attempts: (u32, u32),
}

struct Parking {
    /// The highest round wins, and in it the first telling.
    rank: (Reverse<u32>, Timestamp, String),
    reason: ParkReason,
}

struct Failure {
    rank: (u32, u32, Timestamp, Uuid),
    error: DeliveryError,
    next_at: Option<Timestamp>,
}

impl Lead {
    fn take(&mut self, told: &Told) {
        let fact = match &told.what {
            What::Accepted(acceptance) => {
                self.at_round(acceptance.round);
                self.on_its_way = self.on_its_way.max(Some(acceptance.round));
                return;
            }
            What::Fact(fact) => &**fact,
        };
        match fact {
            Fact::Quarantined { round, reason, .. } | Fact::Parked { about: None, round, reason, .. } => {
                self.stuck_at(*round, reason);
            }
            Fact::Unmatched { round, .. } => self.stuck_at(*round, &ParkReason::Unmatched),
            Fact::Routed { round, deliveries, .. } => {
                self.at_round(*round);
                self.routed = self.routed.max(Some(*round));
                for about in deliveries {
                    self.delivery(about);
                }
            }
            Fact::Replayed { delivery: None, round, .. } => {
                self.at_round(*round);
                self.on_its_way = self.on_its_way.max(Some(*round));
            }
            Fact::Replayed { delivery: Some(id), round, .. } => {
                self.known = true;
                self.deliveries.entry(*id).or_default().at_round(*round);
            }
            Fact::Delivered { about, attempt, receipt, .. } => {
                self.delivery(about).delivered(told, *attempt, receipt);
            }
            Fact::Deferred { about, attempt, error, next_at, .. } => {
                self.delivery(about).deferred(told, about.round, *attempt, error, *next_at);
            }
            Fact::Parked { about: Some(about), attempt, reason, .. } => {
                self.delivery(about).parked(about.round, told.at, *attempt, reason);
            }
            Fact::Erased { .. } => self.erased = true,
            Fact::Accepted { .. }
            | Fact::Duplicate { .. }
            | Fact::Paused { .. }
            | Fact::Resumed { .. }
            | Fact::Checked { .. } => {}
        }
    }

    fn take_waiting(&mut self, waits: &Waits) {
        match &waits.delivery {
            None => self.stuck_at(waits.round, &waits.reason),
            Some((id, destination, route)) => {
                self.known = true;
                let delivery = self.deliveries.entry(*id).or_default();
                delivery.name(waits.round, destination, route);
                delivery.parked(waits.round, waits.at, 0, &waits.reason);
            }
        }
    }

    fn at_round(&mut self, round: u32) {
        self.known = true;
        self.round = self.round.max(round);
    }

    fn stuck_at(&mut self, round: u32, reason: &ParkReason) {
        self.at_round(round);
        let state = match reason {
            ParkReason::Quarantined { .. } => LeadState::Quarantined,
            ParkReason::Unmatched => LeadState::Unmatched,
            _ => LeadState::Parked,
        };
        self.stuck = self.stuck.max(Some((round, state)));
    }

    fn delivery(&mut self, about: &About) -> &mut Delivery {
        self.known = true;
        let delivery = self.deliveries.entry(about.delivery).or_default();
        delivery.name(about.round, &about.destination, &about.route);
        delivery
    }

    fn story(self) -> Story {
        let deliveries: BTreeMap<_, _> =
            self.deliveries.into_iter().filter_map(|(id, delivery)| Some((id, delivery.course()?))).collect();
        let mut state = deliveries.values().map(|course| course.state).max();
        if let Some((_, stuck)) = self.stuck.filter(|(round, _)| *round == self.round) {
            state = state.max(Some(stuck));
        } else if self.routed == Some(self.round) {
            state = state.or(Some(LeadState::Routed));
        } else if self.on_its_way == Some(self.round) {
            state = state.max(Some(LeadState::Accepted));
        }
        let state = match state {
            _ if self.erased => LeadState::Erased,
            Some(state) => state,
            None if self.known => LeadState::Accepted,
            None => LeadState::Duplicate,
        };
        let settled = deliveries.values().filter_map(|course| course.delivered_at).max();
        Story {
            state,
            round: deliveries.values().map(|course| course.round).fold(self.round, u32::max),
            lead_round: self.round,
            settled_at: settled.filter(|_| state == LeadState::Delivered),
            deliveries,
        }
    }
}

impl Delivery {
    fn at_round(&mut self, round: u32) {
        self.round = self.round.max(round);
    }

    fn name(&mut self, round: u32, destination: &str, route: &str) {
        self.at_round(round);
        let name = (round, destination.to_owned(), route.to_owned());
        if self.named.as_ref().is_none_or(|known| *known < name) {
            self.named = Some(name);
        }
    }

    fn delivered(&mut self, told: &Told, attempt: u32, receipt: &Receipt) {
        if self.delivered.as_ref().is_none_or(|(at, id, ..)| (told.at, told.id) < (*at, *id)) {
            self.delivered = Some((told.at, told.id, attempt, receipt.clone()));
        }
    }

    fn deferred(&mut self, told: &Told, round: u32, attempt: u32, error: &DeliveryError, next_at: Timestamp) {
        self.attempts = self.attempts.max((round, attempt));
        let rank = (round, attempt, told.at, told.id);
        if self.deferred.as_ref().is_none_or(|known| known.rank < rank) {
            self.deferred = Some(Failure { rank, error: error.clone(), next_at: Some(next_at) });
        }
        self.failed(rank, error);
    }

    fn parked(&mut self, round: u32, at: Timestamp, attempt: u32, reason: &ParkReason) {
        self.attempts = self.attempts.max((round, attempt));
        let rank = (Reverse(round), at, super::json(reason));
        if self.parked.as_ref().is_none_or(|known| rank < known.rank) {
            self.parked = Some(Parking { rank, reason: reason.clone() });
        }
        if let Some(error) = error_of(reason) {
            self.failed((round, u32::MAX, at, Uuid::nil()), error);
        }
    }

    fn failed(&mut self, rank: (u32, u32, Timestamp, Uuid), error: &DeliveryError) {
        if self.failed.as_ref().is_none_or(|known| known.rank < rank) {
            self.failed = Some(Failure { rank, error: error.clone(), next_at: None });
        }
    }

    /// How it stands; nothing while its destination is not known, which the next fact about it will tell.
    fn course(self) -> Option<Course> {
        let (_, destination, route) = self.named?;
        let mut course = Course {
            destination,
            route,
            state: LeadState::Routed,
            round: self.round,
            attempts: if self.attempts.0 == self.round { self.attempts.1 } else { 0 },
            receipt: None,
            last_error: self.failed.map(|failure| failure.error),
            next_at: None,
            delivered_at: None,
            parked: None,
        };
        if let Some((at, _, attempt, receipt)) = self.delivered {
            course.state = LeadState::Delivered;
            course.attempts = attempt;
            course.receipt = Some(receipt);
            course.delivered_at = Some(at);
        } else if let Some(parking) = self.parked.filter(|parking| parking.rank.0.0 == self.round) {
            course.state = LeadState::Parked;
            course.parked = Some(parking.reason);
        } else if let Some(failure) = self.deferred.filter(|failure| failure.rank.0 == self.round) {
            course.state = LeadState::Deferred;
            course.next_at = failure.next_at;
        }
        Some(course)
    }
}

/// The failure inside a reason.
pub(crate) fn error_of(reason: &ParkReason) -> Option<&DeliveryError> {
    match reason {
        ParkReason::Rejected { error } | ParkReason::GaveUp { error, .. } => Some(error),
        _ => None,
    }
}
