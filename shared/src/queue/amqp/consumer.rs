//! One consumer of one topic: a channel of its own, a tag of its own, and so many messages ahead.
//!
//! It subscribes again for as long as somebody listens: after a lost connection, and after the broker has ended the
//! subscription (a queue that was deleted, a claim held for longer than the broker's consumer timeout). What has arrived and is
//! not wanted any more is given back.
//!
//! One that stands idle is made again from time to time. RabbitMQ 3.10 does not always end the subscription of a queue that was
//! deleted: when the queue is declared again at once, it can tie the new queue to the old consumer, hand that one a message, and
//! have its channel drop it (the queue then has an unacknowledged message and the channel has none).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use lapin::message::Delivery;
use lapin::options::{BasicCancelOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Consumer, Error};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::acks::Acks;
use super::claims::Handle;
use super::held::Held;
use super::link::{Link, in_time};
use super::removal::Removing;
use super::{Shared, fault, headers, topology};
use crate::queue::RawClaim;
use crate::queue::topic::UNROUTED;

/// How long to wait before subscribing again on a connection that stands.
const AGAIN: Duration = Duration::from_secs(1);
/// A subscription that nothing came by for so long, with nothing held, is made again.
const IDLE: Duration = Duration::from_secs(30);
/// How long the end of a cancelled subscription is waited for.
const CANCEL: Duration = Duration::from_secs(5);

/// What arrives, at most `prefetch` messages that are not settled. Dropping it ends the subscription.
pub(super) struct Subscription {
    pub(super) prefetch: u16,
    /// Unbounded, and yet bounded by what the broker hands out ahead.
    pub(super) arrived: UnboundedReceiver<RawClaim>,
    _cancel: DropGuard,
}

impl Subscription {
    pub(super) fn start(shared: &Arc<Shared>, topic: &Arc<str>, prefetch: u16, removing: Option<Removing>) -> Self {
        let (arriving, arrived) = mpsc::unbounded_channel();
        let cancel = shared.stop.child_token();
        let (shared_of, topic, cancel_of) = (shared.clone(), topic.clone(), cancel.clone());
        let consuming = Consuming { shared: shared_of, topic, prefetch, removing, arriving, cancel: cancel_of };
        shared.tasks.spawn(consuming.run());
        Self { prefetch, arrived, _cancel: cancel.drop_guard() }
    }
}

/// Why a subscription ended.
enum End {
    Cancelled,
    Idle,
    ByBroker,
}

struct Consuming {
    shared: Arc<Shared>,
    topic: Arc<str>,
    prefetch: u16,
    removing: Option<Removing>,
    arriving: UnboundedSender<RawClaim>,
    cancel: CancellationToken,
}

impl Consuming {
    async fn run(self) {
        while let Some(link) = self.link().await {
            let ended = self.consume(&link).await;
            // What nobody has a handle of any more went with its channel.
            self.shared.holdings.forget_lost();
            match ended {
                Ok(End::Cancelled) => return,
                Ok(End::Idle) => continue,
                Ok(End::ByBroker) => {
                    tracing::info!(topic = %self.topic, "the broker ended a subscription; it is made again");
                }
                Err(_) if link.is_lost() => continue,
                Err(error) => {
                    tracing::warn!(topic = %self.topic, reason = %fault::short(&error), "a topic cannot be consumed; it is tried again");
                }
            }
            tokio::select! {
                () = self.cancel.cancelled() => return,
                () = link.lost.cancelled() => {}
                () = tokio::time::sleep(AGAIN) => {}
            }
        }
    }

    /// Waits for a connection; `None` when nobody listens any more.
    async fn link(&self) -> Option<Arc<Link>> {
        let mut links = self.shared.link.subscribe();
        tokio::select! {
            () = self.cancel.cancelled() => None,
            link = links.wait_for(|link| link.as_ref().is_some_and(|l| !l.is_lost())) => link.ok()?.clone(),
        }
    }

    /// Consumes until cancelled or idle, or until the subscription ends by itself.
    async fn consume(&self, link: &Arc<Link>) -> Result<End, Error> {
        let queue = match self.removing {
            Some(Removing::Step(step)) => topology::delay(step),
            _ => {
                // Declared each time: it may be for want of the queue that the subscription before this one ended.
                link.declare(&self.topic).await?;
                topology::queue(&self.topic)
            }
        };
        // A tag that was used before can lose deliveries on brokers before 3.11.23.
        let tag = self.shared.new_tag();
        let (acks, mut consumer) = in_time(self.subscribe(link, queue, tag.clone())).await?;
        let end = loop {
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => break End::Cancelled,
                next = timeout(IDLE, consumer.next()) => match next {
                    Ok(Some(Ok(delivery))) => self.take(link, &acks, delivery),
                    Ok(Some(Err(error))) => return Err(error),
                    Ok(None) => return Ok(End::ByBroker),
                    // Whatever is held has them.
                    Err(_) if Arc::strong_count(&acks) == 1 => break End::Idle,
                    Err(_) => {}
                },
            }
        };
        in_time(acks.channel.basic_cancel(tag.into(), BasicCancelOptions::default())).await?;
        // What was on its way when it was cancelled.
        let _ = timeout(CANCEL, self.take_rest(link, &acks, &mut consumer)).await;
        Ok(end)
    }

    async fn subscribe(&self, link: &Link, queue: String, tag: String) -> Result<(Arc<Acks>, Consumer), Error> {
        let channel = link.consuming.create_channel().await?;
        channel.basic_qos(self.prefetch, BasicQosOptions::default()).await?;
        let (options, none) = (BasicConsumeOptions::default(), FieldTable::default());
        let consumer = channel.basic_consume(queue.into(), tag.into(), options, none).await?;
        Ok((Arc::new(Acks::start(channel, link.last_ack.clone())), consumer))
    }

    async fn take_rest(&self, link: &Arc<Link>, acks: &Arc<Acks>, consumer: &mut Consumer) {
        while let Some(Ok(delivery)) = consumer.next().await {
            self.take(link, acks, delivery);
        }
    }

    /// Hands on what arrived; what has not waited long enough waits on.
    fn take(&self, link: &Arc<Link>, acks: &Arc<Acks>, delivery: Delivery) {
        let Delivery { delivery_tag: tag, routing_key, properties, data, .. } = delivery;
        acks.arrived(tag);
        let (id, body) = (headers::id(&properties).unwrap_or_default(), Bytes::from(data));
        let redelivered = headers::redelivered(&properties);
        let published_to: Arc<str> =
            if *routing_key.as_str() == *self.topic { self.topic.clone() } else { routing_key.as_str().into() };
        let held = Held {
            link: link.clone(),
            acks: acks.clone(),
            tag,
            topic: self.topic.clone(),
            published_to: published_to.clone(),
            id,
            body: body.clone(),
            redelivered,
            delay: self.removing.map_or(Duration::ZERO, |removing| removing.delay(&properties, &self.shared.clock)),
        };
        let not_before = (!held.delay.is_zero()).then(|| self.shared.clock.now() + held.delay);
        if *self.topic == *UNROUTED {
            // Its queue was deleted: whoever sends it there again has it made anew.
            link.forget(&published_to);
        }
        let key = self.shared.holdings.add(held);
        let remaining = headers::remaining(&properties);
        if self.removing.is_none() && !remaining.is_zero() {
            return self.shared.give_back(key, remaining);
        }
        let handle = Handle::new(self.shared.clone(), key);
        // Fails when nobody listens any more, and then the handle gives it back.
        let _ = self.arriving.send(RawClaim {
            id,
            published_to: Some(published_to),
            not_before,
            body,
            redelivered,
            handle: crate::queue::Handle(crate::queue::Right::Amqp(handle)),
        });
    }
}
