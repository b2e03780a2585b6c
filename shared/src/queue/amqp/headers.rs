//! What leadrelay writes beside a body, and reads back.
//!
//! Everything is written anew for each publish, from this list: what the broker adds (`x-death`, `x-delivery-count`) is never
//! sent back to it. Before 4.0 it would believe it, and drop a message that seems to go in circles.

use std::time::Duration;

use jiff::Timestamp;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};
use uuid::Uuid;

/// What is left of the delay after the step that the message is in, in milliseconds.
const REMAINING: &str = "leadrelay-remaining-ms";
/// When the message was published into the step that it is in, in milliseconds since 1970.
const WAITS_SINCE: &str = "leadrelay-waits-since-ms";
/// Holders that ended with the message before it was last published.
const REDELIVERED: &str = "leadrelay-redelivered";
/// The process that told the decisions.
const ORIGIN: &str = "leadrelay-origin";
/// The broker's own count of returns since the message was last published.
const DELIVERY_COUNT: &str = "x-delivery-count";

/// On disk, as JSON, by this id; `since` now, where it goes into a step.
pub(super) fn persistent(id: Uuid, remaining: Duration, since: Option<Timestamp>, redelivered: u32) -> BasicProperties {
    let mut headers = FieldTable::default();
    if let Some(since) = since {
        headers.insert(WAITS_SINCE.into(), AMQPValue::LongLongInt(since.as_millisecond()));
    }
    if !remaining.is_zero() {
        let ms = i64::try_from(remaining.as_millis()).unwrap_or(i64::MAX);
        headers.insert(REMAINING.into(), AMQPValue::LongLongInt(ms));
    }
    if redelivered > 0 {
        headers.insert(REDELIVERED.into(), AMQPValue::LongLongInt(i64::from(redelivered)));
    }
    BasicProperties::default()
        .with_delivery_mode(2)
        .with_message_id(id.to_string().into())
        .with_content_type("application/json".into())
        .with_headers(headers)
}

/// Not kept: decisions are told again.
pub(super) fn fleeting(origin: Uuid) -> BasicProperties {
    let mut headers = FieldTable::default();
    headers.insert(ORIGIN.into(), AMQPValue::LongString(origin.to_string().into()));
    BasicProperties::default().with_delivery_mode(1).with_content_type("application/json".into()).with_headers(headers)
}

/// The message's id; none where it was not published by leadrelay.
pub(super) fn id(properties: &BasicProperties) -> Option<Uuid> {
    properties.message_id().as_ref().and_then(|id| id.as_str().parse().ok())
}

/// What is left of the delay.
pub(super) fn remaining(properties: &BasicProperties) -> Duration {
    Duration::from_millis(number(properties, REMAINING))
}

/// Since when the message waits in its step; `None` where it is not told.
pub(super) fn waits_since(properties: &BasicProperties) -> Option<Timestamp> {
    let ms = number(properties, WAITS_SINCE);
    if ms == 0 { None } else { Timestamp::from_millisecond(i64::try_from(ms).ok()?).ok() }
}

/// How many holders ended with the message.
pub(super) fn redelivered(properties: &BasicProperties) -> u32 {
    let times = number(properties, REDELIVERED).saturating_add(number(properties, DELIVERY_COUNT));
    u32::try_from(times).unwrap_or(u32::MAX)
}

/// Whether `origin` told these decisions.
pub(super) fn is_from(properties: &BasicProperties, origin: Uuid) -> bool {
    let told_by = properties.headers().as_ref().and_then(|h| h.inner().get(ORIGIN));
    matches!(told_by, Some(AMQPValue::LongString(by)) if by.as_bytes() == origin.to_string().as_bytes())
}

/// A count; nothing where there is none. The broker's versions write it in different widths.
fn number(properties: &BasicProperties, name: &str) -> u64 {
    let value = properties.headers().as_ref().and_then(|h| h.inner().get(name));
    let number = match value {
        Some(AMQPValue::ShortShortInt(n)) => i64::from(*n),
        Some(AMQPValue::ShortShortUInt(n)) => i64::from(*n),
        Some(AMQPValue::ShortInt(n)) => i64::from(*n),
        Some(AMQPValue::ShortUInt(n)) => i64::from(*n),
        Some(AMQPValue::LongInt(n)) => i64::from(*n),
        Some(AMQPValue::LongUInt(n)) => i64::from(*n),
        Some(AMQPValue::LongLongInt(n)) => *n,
        _ => 0,
    };
    u64::try_from(number).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_the_brokers_count_is_added() {
        let (id_of, since) = (Uuid::from_u128(7), Timestamp::from_second(1_800_000_000).expect("a time"));
        let mut written = persistent(id_of, Duration::from_millis(1500), Some(since), 3);
        assert_eq!(
            (id(&written), remaining(&written), redelivered(&written)),
            (Some(id_of), Duration::from_millis(1500), 3)
        );
        assert_eq!(waits_since(&written), Some(since));
        let mut headers = written.headers().clone().expect("headers");
        headers.insert(DELIVERY_COUNT.into(), AMQPValue::LongInt(2));
        written = written.with_headers(headers);
        assert_eq!(redelivered(&written), 5);
        let nothing = BasicProperties::default();
        assert_eq!((id(&nothing), remaining(&nothing), redelivered(&nothing)), (None, Duration::ZERO, 0));
        assert_eq!(waits_since(&nothing), None);
    }

    #[test]
    fn decisions_know_who_told_them() {
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        assert!(is_from(&fleeting(one), one) && !is_from(&fleeting(one), other));
    }
}
