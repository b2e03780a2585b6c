//! Facts on their way to the ledger: what is told while one message is on its way travels together in the next.
//!
//! That is a group commit. A lone fact goes out at once; the more are told, the fewer messages they cost.

use std::time::Duration;

use futures_util::future::join_all;
use lapin::types::ShortString;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::link::{CONFIRM, gone};
use super::publisher::{Job, Outgoing};
use super::{headers, topology};
use crate::queue::QueueError;
use crate::queue::join::{self, Part};

/// Messages taken at once.
const AT_ONCE: usize = 64;
/// How long what is told waits for the confirm of what was told before: one that is late or lost holds up nothing else.
const PATIENCE: Duration = Duration::from_millis(20);

/// A message that may travel with others, and who waits for its confirm.
pub(super) struct Telling {
    pub(super) part: Part,
    pub(super) answer: oneshot::Sender<Result<(), QueueError>>,
}

/// Publishes what is told, until nobody can tell any more.
pub(super) async fn run(publisher: mpsc::Sender<Job>, mut told: mpsc::Receiver<Telling>) {
    let mut tellings = Vec::with_capacity(AT_ONCE);
    while told.recv_many(&mut tellings, AT_ONCE).await > 0 {
        // Whoever has given up tells it again.
        let wanted = tellings.drain(..).filter(|telling| !telling.answer.is_closed()).collect();
        let sent = tokio::spawn(send(publisher.clone(), wanted));
        // On a timeout it goes on by itself.
        let _ = timeout(PATIENCE, sent).await;
    }
}

/// Publishes what was told in as few messages as its size allows, and answers everybody.
async fn send(publisher: mpsc::Sender<Job>, tellings: Vec<Telling>) {
    let groups = join::groups(tellings, |telling| &telling.part);
    join_all(groups.into_iter().map(|group| tell(&publisher, group))).await;
}

/// Publishes a group as one message, and tells each of it what became of that.
async fn tell(publisher: &mpsc::Sender<Job>, group: Vec<Telling>) {
    let (parts, waiting): (Vec<_>, Vec<_>) = group.into_iter().map(|telling| (telling.part, telling.answer)).unzip();
    let (answer, answered) = oneshot::channel();
    let job = Job { messages: vec![joined(&parts)], answer };
    let told = match publisher.send(job).await {
        // Nobody waits for longer than that.
        Ok(()) => timeout(CONFIRM, answered).await.ok().and_then(Result::ok).unwrap_or_else(|| Err(gone())),
        Err(_) => Err(gone()),
    };
    for waiter in waiting {
        // Fails when it waits no more.
        let _ = waiter.send(told.clone());
    }
}

fn joined(parts: &[Part]) -> Outgoing {
    let (id, body) = join::join(parts);
    Outgoing {
        exchange: topology::topics_exchange().into(),
        key: ShortString::from(&*parts[0].topic),
        body,
        properties: headers::persistent(id, Duration::ZERO, None, 0),
    }
}
