//! Taking everything out of a queue, to put it into another one.
//!
//! Invariant: a message is handed out whatever its time, and told with what is left of it; what is not settled stays where it
//! is, with its time.

use super::carry::Carrier;
use super::{Claims, Engine, Queue, QueueError, Source, Topic};

/// A queue that everything is taken out of. Nothing else may be done with it until it is opened again.
#[derive(Debug)]
pub struct Removal(Queue);

/// Where messages are, as the engine has it: a topic, or on RabbitMQ a step of delay; and how many.
pub type Place = (String, u64);

impl Queue {
    /// Begins to take everything out. The embedded queue then takes no more messages.
    ///
    /// # Errors
    /// When the engine cannot be asked, or others still claim from it.
    pub async fn removal(&self) -> Result<Removal, QueueError> {
        match &self.engine {
            Engine::Embedded(engine) => engine.leave().await?,
            Engine::Amqp(engine) => engine.has_no_consumers().await?,
        }
        Ok(Removal(self.clone()))
    }
}

impl Removal {
    /// What is left, place by place. RabbitMQ tells neither what others hold nor topics that nobody has named to it.
    ///
    /// # Errors
    /// When the engine cannot be asked.
    pub async fn left(&self) -> Result<Vec<Place>, QueueError> {
        let mut places = match &self.0.engine {
            Engine::Embedded(engine) => engine.stats().await?.into_iter().map(|t| (t.total(), t.topic)).collect(),
            Engine::Amqp(engine) => engine.left().await?,
        };
        places.retain(|(count, _)| *count > 0);
        Ok(places.into_iter().map(|(count, place)| (place, count)).collect())
    }

    /// The messages of a place.
    pub fn carrier(&self, place: &str) -> Carrier {
        let source = match &self.0.engine {
            Engine::Embedded(engine) => Source::Embedded(engine.claims(&place.into())),
            Engine::Amqp(engine) => Source::Amqp(engine.claims_to_remove(place)),
        };
        Carrier(Claims { source, topic: Topic::named(place) })
    }
}
