//! What a broker took out of its way: messages whose holders ended again and again, and messages whose queue somebody deleted.
//!
//! They are the router's, because it knows what there is: what has a topic goes back to it, what has crashed too often or has
//! no destination any more is parked. The embedded queue has no strays.

use std::time::Duration;

use jiff::Timestamp;
use leadrelay_shared::delivery::{Delivery, ParkReason};
use leadrelay_shared::lead::Lead;
use leadrelay_shared::queue::{CRASHES_MAX, Claim, Message, QueueError, Topic};
use leadrelay_shared::service::Ctx;
use leadrelay_shared::worker;
use serde_json::value::RawValue;

use crate::outcome;
use leadrelay_shared::mapping::Rules;

/// Strays are few; these are claimed at once.
const BATCH: usize = 16;
/// How long to wait after one that could not be settled.
const PAUSE: Duration = Duration::from_secs(5);

type Stray = Claim<Box<RawValue>>;

/// Sorts strays until the service is stopped.
pub(crate) async fn sort(ctx: &Ctx, rules: &Rules) -> Result<(), QueueError> {
    let mut dead = ctx.queue.claims(&Topic::dead());
    let mut unrouted = ctx.queue.claims(&Topic::unrouted());
    loop {
        let (crashed, strays) = tokio::select! {
            () = ctx.stop.draining() => return Ok(()),
            strays = dead.next(BATCH) => (true, strays?),
            strays = unrouted.next(BATCH) => (false, strays?),
        };
        for stray in strays {
            let (topic, id) = (stray.published_to().to_owned(), stray.envelope().id);
            let Some(messages) = sorted(ctx, rules, &stray, crashed) else {
                tracing::error!(topic, message.id = %id, "a stray message cannot be read; it is kept");
                if crashed {
                    dead.set_aside(stray);
                } else {
                    unrouted.set_aside(stray);
                }
                continue;
            };
            tracing::warn!(topic, message.id = %id, crashed, "a stray message is sorted");
            let settled = tokio::select! {
                // What is dropped comes again.
                () = ctx.stop.draining() => return Ok(()),
                settled = stray.settle(messages) => settled,
            };
            if let Err(error) = settled {
                tracing::warn!(topic, %error, "a stray message could not be sorted; it and those after it come again");
                tokio::select! {
                    () = ctx.stop.draining() => return Ok(()),
                    () = ctx.clock.sleep(PAUSE) => break,
                }
            }
        }
    }
}

/// What a stray leads to; `None` when it cannot be read.
fn sorted(ctx: &Ctx, rules: &Rules, stray: &Stray, crashed: bool) -> Option<Vec<Message>> {
    let (topic, now) = (stray.published_to(), ctx.clock.now());
    let times = stray.redelivered().max(CRASHES_MAX);
    if let Some(destination) = topic.strip_prefix("deliver.") {
        let known = ctx.config().destinations.contains_key(destination);
        if crashed {
            return parked(stray, ParkReason::Crashed { times }, now);
        }
        if !known {
            return parked(stray, ParkReason::NoDestination { destination: destination.to_owned() }, now);
        }
    } else if topic == &**Topic::leads().name() && crashed {
        let lead: Lead = serde_json::from_str(stray.body().get()).ok()?;
        return Some(outcome::settle(rules, &lead, times, now).messages);
    }
    let again = Topic::<Box<RawValue>>::named(topic).message(stray.envelope().id, stray.body());
    Some(vec![again])
}

fn parked(stray: &Stray, reason: ParkReason, now: Timestamp) -> Option<Vec<Message>> {
    let delivery: Delivery = serde_json::from_str(stray.body().get()).ok()?;
    Some(worker::park(&delivery, 0, reason, now))
}
