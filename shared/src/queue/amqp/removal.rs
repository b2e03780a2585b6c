//! Taking everything out, also what waits in the steps of its delay.

use std::sync::Arc;
use std::time::Duration;

use lapin::BasicProperties;

use super::claims::Claims;
use super::{Engine, Shared, fault, headers, topology};
use crate::clock::Clock;
use crate::queue::QueueError;
use crate::queue::topic::{DEAD, UNROUTED};

/// What everything is taken out of.
#[derive(Clone, Copy, Debug)]
pub(super) enum Removing {
    /// A topic's queue.
    Topic,
    /// A step's.
    Step(Duration),
}

impl Removing {
    /// What is left of a message's delay: of its step, as far as is known since when it waits there, and what comes after.
    pub(super) fn delay(self, properties: &BasicProperties, clock: &Clock) -> Duration {
        let of_step = match self {
            Self::Topic => Duration::ZERO,
            Self::Step(step) => {
                let waited = headers::waits_since(properties).map(|since| clock.now().duration_since(since));
                step.saturating_sub(waited.and_then(|w| w.try_into().ok()).unwrap_or_default())
            }
        };
        of_step + headers::remaining(properties)
    }
}

impl Engine {
    /// Fails while anybody claims: what others hold would stay behind unseen.
    pub(in crate::queue) async fn has_no_consumers(&self) -> Result<(), QueueError> {
        let link = self.shared().now()?;
        for topic in self.shared().topics_with_strays() {
            let consumers = link.ask(async |channel| topology::consumers(channel, &topic).await).await;
            let consumers = consumers.map_err(|e| QueueError::Blocked(fault::short(&e)))?;
            if consumers > 0 {
                return Err(QueueError::Blocked(format!(
                    "{consumers} of the services still take from `{topic}`; stop all of them first"
                )));
            }
        }
        Ok(())
    }

    /// How many messages are in each place.
    pub(in crate::queue) async fn left(&self) -> Result<Vec<(u64, String)>, QueueError> {
        let shared = self.shared();
        let link = shared.now()?;
        let away = |error: lapin::Error| QueueError::Blocked(fault::short(&error));
        let held = shared.holdings.count();
        let mut left = Vec::new();
        for topic in shared.topics_with_strays() {
            let ready = link.declare(&topic).await.map_err(away)?;
            left.push((ready + held.get(&topic).unwrap_or(&0), topic.to_string()));
        }
        for step in &shared.settings.delay_tiers {
            let waiting = link.ask(async |channel| topology::waiting(channel, *step).await).await.map_err(away)?;
            let place = place(*step);
            left.push((waiting + held.get(place.as_str()).unwrap_or(&0), place));
        }
        Ok(left)
    }

    pub(in crate::queue) fn claims_to_remove(&self, of: &str) -> Claims {
        let step = self.shared().settings.delay_tiers.iter().find(|step| place(**step) == of);
        let removing = step.map_or(Removing::Topic, |step| Removing::Step(*step));
        Claims::to_remove(self.clone(), of.into(), removing)
    }
}

impl Shared {
    fn topics_with_strays(&self) -> Vec<Arc<str>> {
        let mut topics = self.topics();
        topics.extend([DEAD, UNROUTED].map(Arc::from));
        topics.sort();
        topics.dedup();
        topics
    }
}

/// A step among the places where messages are.
fn place(step: Duration) -> String {
    format!("delay.{}", step.as_millis())
}
