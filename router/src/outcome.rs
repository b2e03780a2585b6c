//! What one claimed lead leads to, as messages. Pure: the same claim makes the same messages with the same ids, so that a
//! lead that comes twice says everything once.

use std::panic::{AssertUnwindSafe, catch_unwind};

use jiff::Timestamp;
use leadrelay_shared::delivery::{ParkReason, Parked, Waiting};
use leadrelay_shared::event::{About, Event, Fact};
use leadrelay_shared::fields::Note;
use leadrelay_shared::id::LeadId;
use leadrelay_shared::lead::Lead;
use leadrelay_shared::queue::{CRASHES_MAX, Message, Topic};

use leadrelay_shared::mapping::{Routing, Rules};

/// The messages that settle a lead, and what to count once they are durable.
#[derive(Debug)]
pub(crate) struct Settlement {
    pub(crate) messages: Vec<Message>,
    /// The destinations that get it.
    pub(crate) routed: Vec<String>,
    /// Why it is parked, if it is.
    pub(crate) parked: Option<&'static str>,
}

/// Decides what becomes of a lead that was claimed `redelivered` times before.
pub(crate) fn settle(rules: &Rules, lead: &Lead, redelivered: u32, now: Timestamp) -> Settlement {
    let mut out = Outbox::new(lead, now);
    if redelivered >= CRASHES_MAX {
        let reason = ParkReason::Crashed { times: redelivered };
        out.parked_event(reason.clone());
        return out.park(reason);
    }
    if !lead.is_sound() {
        let reason = ParkReason::Quarantined { faults: lead.faults.clone() };
        out.event(Fact::Quarantined { lead: lead.id, round: lead.round, reason: reason.clone() });
        return out.park(reason);
    }
    let routing = guarded(|| rules.route(lead));
    if routing.deliveries.is_empty() && routing.failed.is_empty() {
        out.event(Fact::Unmatched { lead: lead.id, round: lead.round, rules: rules.version().to_owned() });
        return out.park(ParkReason::Unmatched);
    }
    out.route(rules, routing)
}

/// A fault in the mapping engine fails the lead that found it, and nothing else.
fn guarded(route: impl FnOnce() -> Routing) -> Routing {
    catch_unwind(AssertUnwindSafe(route)).unwrap_or_else(|_| {
        let reason = "internal error; please report it with the route and the shape of the lead".to_owned();
        let failed = ParkReason::MappingFailed { route: "(any)".to_owned(), key: "(any)".to_owned(), reason };
        Routing { failed: vec![failed], ..Routing::default() }
    })
}

struct Outbox<'l> {
    lead: &'l Lead,
    now: Timestamp,
    events: Vec<Event>,
    settlement: Settlement,
}

impl<'l> Outbox<'l> {
    fn new(lead: &'l Lead, now: Timestamp) -> Self {
        // A fresh lead was accepted when ingest had it; one that an operator sends again, now.
        let at = if lead.round == 0 { lead.received_at } else { now };
        let events = vec![Event { at, fact: Fact::Accepted { lead: lead.clone() } }];
        Self { lead, now, events, settlement: Settlement { messages: Vec::new(), routed: Vec::new(), parked: None } }
    }

    fn route(mut self, rules: &Rules, routing: Routing) -> Settlement {
        let Routing { deliveries, failed, skipped: mut notes } = routing;
        notes.extend(failed.iter().map(failure_note));
        for delivery in &deliveries {
            let topic = Topic::deliver(&delivery.destination);
            self.settlement.messages.push(topic.message(delivery.id.uuid(), delivery));
            self.settlement.routed.push(delivery.destination.clone());
        }
        self.event(Fact::Routed {
            lead: self.lead.id,
            round: self.lead.round,
            rules: rules.version().to_owned(),
            deliveries: deliveries.iter().map(About::of).collect(),
            notes,
        });
        match merged(failed) {
            None => self.done(),
            Some(reason) => {
                self.parked_event(reason.clone());
                self.park(reason)
            }
        }
    }

    fn event(&mut self, fact: Fact) {
        self.events.push(Event { at: self.now, fact });
    }

    fn parked_event(&mut self, reason: ParkReason) {
        let Lead { id: lead, round, .. } = *self.lead;
        self.event(Fact::Parked { lead, about: None, round, attempt: 0, reason });
    }

    fn park(mut self, reason: ParkReason) -> Settlement {
        let id = LeadId::derive(&[b"parked lead", self.lead.id.uuid().as_bytes(), &self.lead.round.to_be_bytes()]);
        self.settlement.parked = Some(reason.kind());
        let parked = Parked { at: self.now, reason, what: Waiting::Lead(self.lead.clone()) };
        self.settlement.messages.push(Topic::parked().message(id.uuid(), &parked));
        self.done()
    }

    fn done(mut self) -> Settlement {
        self.settlement.messages.push(Topic::events().told(&self.events));
        self.settlement
    }
}

fn failure_note(reason: &ParkReason) -> Note {
    match reason {
        ParkReason::MappingFailed { route, key, reason } => Note::new(route, format!("failed at {key}: {reason}")),
        other => Note::new("", other.to_string()),
    }
}

/// One reason for all routes that failed: a lead is parked once.
fn merged(failed: Vec<ParkReason>) -> Option<ParkReason> {
    let mut failed = failed.into_iter();
    let mut first = failed.next()?;
    if let ParkReason::MappingFailed { reason, .. } = &mut first {
        for other in failed {
            reason.push_str(&format!("; and {other}"));
        }
    }
    Some(first)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use leadrelay_shared::config::Loader;
    use leadrelay_shared::lead::{Fault, Format};

    use super::*;

    #[test]
    fn a_panic_while_mapping_fails_that_lead() {
        let routing = guarded(|| panic!("on purpose, in a test"));
        let [ParkReason::MappingFailed { reason, .. }] = routing.failed.as_slice() else { panic!("one failure") };
        assert!(reason.starts_with("internal error") && !reason.contains("on purpose"));
    }

    fn rules(when: &str) -> Rules {
        let text = format!(
            "[destinations.crm]\nconnector = 'file'\n[destinations.partner]\nconnector = 'file'\n\
            [[routes]]\nname = 'a'\nto = 'crm'\nwhen = '{when}'\n[[routes]]\nname = 'b'\nto = 'partner'\nwhen = '{when}'\n"
        );
        let config = Loader::default().parse(&text, Path::new("."), std::iter::empty()).expect("a configuration");
        Rules::compile(&config).expect("sound rules")
    }

    fn lead() -> Lead {
        Lead {
            id: LeadId::derive(&[b"x"]),
            source: "addon".into(),
            format: Format::Marketplace,
            received_at: Timestamp::UNIX_EPOCH,
            body: "{}".into(),
            faults: Vec::new(),
            round: 0,
        }
    }

    fn topics(rules: &Rules, lead: &Lead, redelivered: u32) -> (Vec<String>, Option<&'static str>) {
        let made = settle(rules, lead, redelivered, Timestamp::UNIX_EPOCH);
        let later = settle(rules, lead, redelivered, Timestamp::MAX);
        let ids = |s: &Settlement| s.messages.iter().map(Message::id).collect::<Vec<_>>();
        assert_eq!(ids(&made), ids(&later), "ids do not depend on the time");
        assert_eq!(ids(&made).into_iter().collect::<BTreeSet<_>>().len(), made.messages.len(), "no two are the same");
        (made.messages.iter().map(|m| m.topic().to_owned()).collect(), made.parked)
    }

    #[test]
    fn every_outcome_has_its_messages() {
        let applies = rules("true");
        let told = |topics: &[&str], parked| (topics.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>(), parked);
        let both = told(&["deliver.crm", "deliver.partner", "events"], None);
        assert_eq!(topics(&applies, &lead(), 0), both);
        assert_eq!(topics(&applies, &lead(), 4), both);
        let crashed = told(&["parked", "events"], Some("crashed"));
        assert_eq!(topics(&applies, &lead(), CRASHES_MAX), crashed);
        let fault = Fault { pointer: String::new(), reason: "not JSON".into() };
        let quarantined = Lead { faults: vec![fault], ..lead() };
        assert_eq!(topics(&applies, &quarantined, 0), told(&["parked", "events"], Some("quarantined")));
        assert_eq!(topics(&rules("false"), &lead(), 0), told(&["parked", "events"], Some("unmatched")));
        let failed = told(&["parked", "events"], Some("mapping_failed"));
        assert_eq!(topics(&rules("1 / 0"), &lead(), 0), failed);
    }

    #[test]
    fn another_round_says_it_anew_and_delivers_under_the_same_id() {
        let id = |round| settle(&rules("true"), &Lead { round, ..lead() }, 0, Timestamp::UNIX_EPOCH).messages;
        for (first, second) in id(0).iter().zip(&id(1)) {
            assert_eq!(first.id() == second.id(), first.topic().starts_with("deliver."), "{}", first.topic());
        }
    }

    #[test]
    fn several_failures_are_told_in_one_reason() {
        let failed =
            |route: &str| ParkReason::MappingFailed { route: route.into(), key: "when".into(), reason: "no".into() };
        let merged = merged(vec![failed("a"), failed("b"), failed("c")]).expect("a reason");
        assert_eq!(merged.to_string(), "route a, when: no; and route b, when: no; and route c, when: no");
    }
}
