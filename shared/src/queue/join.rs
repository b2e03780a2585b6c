//! Messages that travel as one: lists, joined into a longer list.
//!
//! A message costs a queue far more than the bytes in it, so what many tell at the same moment is told once. Invariants: whoever
//! waits for one of them is answered by what became of the joined one, and each element has an identity of its own, so that a
//! list which comes again in other company says nothing new.

use std::sync::Arc;

use bytes::Bytes;
use uuid::Uuid;

use super::topic::ENVELOPE_VERSION;
use crate::id::digest;

/// The most bytes of a joined body. A longer one travels alone, as it is.
pub(super) const LONGEST: usize = 32 << 10;

/// How a body begins its list, after the version, the id and the trace, none of which can hold this.
const BEGIN: &[u8] = br#""body":["#;
/// How it ends.
const END: &[u8] = b"]}";

/// Where the elements of a body's list begin; `None` when it holds none.
pub(super) fn elements_at(body: &[u8]) -> Option<usize> {
    let at = body.windows(BEGIN.len()).position(|window| window == BEGIN)? + BEGIN.len();
    (body.ends_with(END) && body.len() > at + END.len()).then_some(at)
}

/// A message that may be joined with others of its topic.
#[derive(Clone)]
pub(super) struct Part {
    pub(super) topic: Arc<str>,
    pub(super) id: Uuid,
    pub(super) body: Bytes,
    /// See [`elements_at`].
    pub(super) elements_at: usize,
}

impl Part {
    fn elements(&self) -> &[u8] {
        &self.body[self.elements_at..self.body.len() - END.len()]
    }
}

/// What is to be joined, in groups of one topic that are not too long.
pub(super) fn groups<T>(parts: Vec<T>, part: impl Fn(&T) -> &Part) -> Vec<Vec<T>> {
    let mut groups: Vec<Vec<T>> = Vec::new();
    let mut bytes = 0;
    for next in parts {
        bytes += part(&next).body.len();
        match groups.last_mut() {
            Some(group) if bytes <= LONGEST && part(&group[0]).topic == part(&next).topic => group.push(next),
            _ => {
                bytes = part(&next).body.len();
                groups.push(vec![next]);
            }
        }
    }
    groups
}

/// One message that says what all of `parts` say. A lone one stays as it is.
pub(super) fn join(parts: &[Part]) -> (Uuid, Bytes) {
    if let [part] = parts {
        return (part.id, part.body.clone());
    }
    let ids: Vec<u8> = parts.iter().flat_map(|part| part.id.into_bytes()).collect();
    let id = digest("joined", &[&ids]);
    let mut body = Vec::with_capacity(parts.iter().map(|part| part.body.len()).sum());
    body.extend_from_slice(format!(r#"{{"v":{ENVELOPE_VERSION},"id":"{id}","body":["#).as_bytes());
    for (n, part) in parts.iter().enumerate() {
        if n > 0 {
            body.push(b',');
        }
        body.extend_from_slice(part.elements());
    }
    body.extend_from_slice(END);
    (id, body.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::{Envelope, Topic};

    fn part(n: u128, elements: &[&str]) -> Part {
        let message = Topic::named("events").message(Uuid::from_u128(n), &elements);
        let elements_at = elements_at(&message.body).expect("a list");
        Part { topic: message.topic, id: message.id, body: message.body, elements_at }
    }

    #[test]
    fn a_joined_message_says_what_its_parts_say() {
        let (id, body) = join(&[part(1, &["a", "\"body\":[]}"]), part(2, &["c"])]);
        let envelope: Envelope<Vec<String>> = Envelope::decode(&body).expect("an envelope");
        assert_eq!(envelope.body, ["a", "\"body\":[]}", "c"]);
        assert_eq!(envelope.id, id);
        assert!(id != Uuid::from_u128(1) && id != Uuid::from_u128(2), "{id}");
        assert_ne!(join(&[part(1, &["a"]), part(3, &["c"])]).0, id, "other company is another message");
    }

    #[test]
    fn a_lone_message_stays_as_it_is() {
        let alone = part(1, &["a"]);
        assert_eq!(join(std::slice::from_ref(&alone)), (alone.id, alone.body));
    }

    #[test]
    fn a_list_without_elements_and_what_is_no_list_are_not_joined() {
        let topic = Topic::<Vec<u8>>::named("events");
        assert_eq!(elements_at(&topic.message(Uuid::nil(), &Vec::new()).body), None);
        assert_eq!(elements_at(&Topic::named("x").message(Uuid::nil(), &7).body), None);
    }

    #[test]
    fn groups_are_of_one_topic_and_not_too_long_and_lose_nothing() {
        let long = "x".repeat(LONGEST / 2 - 100);
        let mut parts: Vec<Part> =
            [&*long, &long, &long, "a", "b"].iter().zip(1..).map(|(e, n)| part(n, &[e])).collect();
        parts.push(Part { topic: "others".into(), ..part(6, &["c"]) });
        parts.push(part(7, &[&"x".repeat(LONGEST * 2)]));
        let groups = groups(parts, |part| part);
        let ids: Vec<Vec<u128>> = groups.iter().map(|group| group.iter().map(|p| p.id.as_u128()).collect()).collect();
        assert_eq!(ids, [vec![1, 2], vec![3, 4, 5], vec![6], vec![7]]);
    }
}
