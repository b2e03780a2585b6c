//! Keeps a link to the broker: connects, watches, connects again, for ever.
//!
//! lapin's own recovery is not used: it knows one node, gives up after some attempts, and is young. What is lost with a link is
//! forgotten here and comes again from the broker.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use lapin::{Error, Event};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::link::Link;
use super::{Shared, control, fault};
use crate::queue::Health;

/// Between attempts, doubled each time, with jitter.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));
/// A connection is looked at so often, beside being listened to.
const LOOK: Duration = Duration::from_secs(1);
/// How long it may take until decisions can be heard.
const LISTEN: Duration = Duration::from_secs(30);
/// How long what is held may take to go back when the engine closes.
const GIVE_BACK: Duration = Duration::from_secs(5);

/// Runs until the engine closes, and then closes everything.
pub(super) async fn run(shared: Arc<Shared>, health: watch::Sender<Health>, closed: watch::Sender<bool>) {
    let mut told = String::new();
    let mut delay = BACKOFF.0;
    let (mut turn, mut away) = (0, false);
    while !shared.stop.is_cancelled() {
        let node = &shared.settings.nodes[turn % shared.settings.nodes.len()];
        turn += 1;
        let topics = shared.topics();
        let opened = tokio::select! {
            () = shared.stop.cancelled() => break,
            opened = Link::open(&shared.settings, node, &topics, away) => opened,
        };
        match opened {
            Ok(link) => {
                tracing::info!(broker.host = node.host, broker.port = node.port, "connected to RabbitMQ");
                (told, away) = (String::new(), false);
                let began = tokio::time::Instant::now();
                let reason = keep(&shared, Arc::new(link), &health).await;
                if began.elapsed() > BACKOFF.1 {
                    // It worked for a while; one that is lost again and again is not hammered.
                    delay = BACKOFF.0;
                }
                shared.holdings.forget_lost();
                if !shared.stop.is_cancelled() {
                    tracing::warn!(
                        broker.host = node.host,
                        broker.port = node.port,
                        reason,
                        "the connection to RabbitMQ is lost; what was claimed comes again"
                    );
                    health.send_replace(Health::Blocked(format!("the connection to RabbitMQ is lost: {reason}")));
                }
            }
            Err(error) => {
                let reason = fault::of_node(node, &error);
                away = !fault::is_of_configuration(&error);
                if told != reason {
                    if fault::is_of_configuration(&error) {
                        tracing::error!(reason, "RabbitMQ cannot be used; it is tried again until it can");
                    } else {
                        tracing::warn!(reason, "RabbitMQ is away; it is tried again until it is back");
                    }
                    told.clone_from(&reason);
                }
                health.send_replace(Health::Blocked(reason));
            }
        }
        tokio::select! {
            () = shared.stop.cancelled() => {}
            () = sleep(jittered(delay)) => {}
        }
        delay = (delay * 2).min(BACKOFF.1);
    }
    end(&shared).await;
    closed.send_replace(true);
}

/// Uses a link until it is lost, and says why it was.
async fn keep(shared: &Arc<Shared>, link: Arc<Link>, health: &watch::Sender<Health>) -> String {
    let listening = tokio::select! {
        () = shared.stop.cancelled() => Ok(Err(std::io::Error::other("it is closed").into())),
        listening = timeout(LISTEN, control::listen(shared, &link)) => listening,
    };
    match listening {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            link.close().await;
            return fault::short(&error);
        }
        Err(_) => {
            link.close().await;
            return "it does not answer".to_owned();
        }
    }
    let mut publishing = pin!(link.publishing.events_listener());
    let mut consuming = pin!(link.consuming.events_listener());
    shared.link.send_replace(Some(link.clone()));
    health.send_replace(Health::Ready);
    let mut ticks = tokio::time::interval(LOOK);
    let reason = loop {
        let event = tokio::select! {
            () = shared.stop.cancelled() => return String::new(),
            event = publishing.next() => event,
            event = consuming.next() => event,
            () = link.lost.cancelled() => break "a channel that must stand was closed".to_owned(),
            _ = ticks.tick() => {
                let connected = link.publishing.status().connected() && link.consuming.status().connected();
                if connected { continue } else { break "it has ended".to_owned() }
            }
        };
        match event {
            Some(Event::ConnectionBlocked(reason)) => {
                tracing::warn!(reason, "RabbitMQ takes no messages for now");
                health.send_replace(Health::Blocked(format!("RabbitMQ takes no messages for now: {reason}")));
                link.blocked.send_replace(Some(format!("RabbitMQ takes no messages: {reason}")));
            }
            Some(Event::ConnectionUnblocked) => {
                tracing::info!("RabbitMQ takes messages again");
                link.blocked.send_replace(None);
                health.send_replace(Health::Ready);
            }
            Some(Event::Error(error)) if is_lost(&link, &error) => break fault::short(&error),
            Some(_) => {}
            None => break "it has ended".to_owned(),
        }
    };
    shared.link.send_replace(None);
    link.lost.cancel();
    link.close().await;
    reason
}

/// An error of one channel is its user's; a connection that is not connected any more is everybody's.
fn is_lost(link: &Link, error: &Error) -> bool {
    let connected = link.publishing.status().connected() && link.consuming.status().connected();
    if connected {
        tracing::debug!(reason = %fault::short(error), "a channel was closed");
    }
    !connected
}

/// Gives back what is held, and closes the link.
async fn end(shared: &Arc<Shared>) {
    let given_back = async {
        shared.tasks.close();
        shared.tasks.wait().await;
        for key in shared.holdings.keys() {
            shared.give_back(key, Duration::ZERO);
        }
        while !shared.holdings.keys().is_empty() {
            shared.holdings.forget_lost();
            sleep(Duration::from_millis(5)).await;
        }
    };
    if timeout(GIVE_BACK, given_back).await.is_err() {
        tracing::info!(
            "what was claimed could not be given back in time; the broker gives it to others when the connection closes"
        );
    }
    let link = shared.link.send_replace(None);
    if let Some(link) = link {
        link.close().await;
    }
}

fn jittered(delay: Duration) -> Duration {
    let random = getrandom::u32().map_or(1.0, |n| f64::from(n) / f64::from(u32::MAX));
    delay.mul_f64(0.5 + random / 2.0)
}
