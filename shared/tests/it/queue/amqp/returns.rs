//! Which confirm a returned message hangs on.
//!
//! lapin 4.12.3 gives a message that the broker returned to whichever confirm resolves next, and the broker confirms several at
//! once. So `mandatory` tells the truth of one message on its way, and not of many: the engine publishes nothing so, and an
//! alternate exchange takes what has no queue. What happens with many is printed.

use futures_util::future::join_all;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions, QueuePurgeOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties};
use leadrelay_testkit::broker;

/// Every second message goes to a queue, and the others have none.
const QUEUES: [&str; 2] = ["there", "nowhere"];
const MESSAGES: usize = 2_000;

/// Publishes one message; whether its confirm carried it back exactly where it had no queue.
async fn told_truly(channel: &Channel, n: usize) -> bool {
    let queue = QUEUES[n % 2];
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let id = ShortString::from(n.to_string());
    let properties = BasicProperties::default().with_message_id(id.clone());
    let confirm = channel.basic_publish(ShortString::default(), queue.into(), options, b"lead", properties).await;
    let returned = match confirm.expect("the channel is open").await.expect("the channel is open") {
        Confirmation::Ack(returned) => returned.and_then(|message| message.delivery.properties.message_id().clone()),
        other => panic!("{other:?}"),
    };
    returned == (queue == "nowhere").then_some(id)
}

/// Publishes the messages, so many at once; how many confirms said something else than what became of their message.
async fn told_wrongly(channel: &Channel, at_once: usize) -> usize {
    let mut wrong = 0;
    for first in (0..MESSAGES).step_by(at_once) {
        let told = join_all((first..first + at_once).map(|n| told_truly(channel, n))).await;
        wrong += told.iter().filter(|truly| !**truly).count();
    }
    let purged = channel.queue_purge("there".into(), QueuePurgeOptions::default()).await.expect("purged");
    assert_eq!(purged as usize, MESSAGES / 2, "the broker itself takes the half that has a queue");
    wrong
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stdout, reason = "what is seen with many on their way is told, and nothing relies on it")]
async fn a_returned_message_hangs_on_its_own_confirm_only_when_it_is_alone() {
    let shared = broker::shared().await;
    let url = shared.url(&shared.vhost().await);
    let connection = Connection::connect(&url, ConnectionProperties::default()).await.expect("connected");
    let channel = connection.create_channel().await.expect("a channel");
    channel.confirm_select(ConfirmSelectOptions::default()).await.expect("confirms");
    let durable = QueueDeclareOptions::durable();
    channel.queue_declare("there".into(), durable, FieldTable::default()).await.expect("declared");
    let (alone, many) = (told_wrongly(&channel, 1).await, told_wrongly(&channel, 200).await);
    println!("returned messages: {alone} of {MESSAGES} confirms were wrong with one on its way, {many} with 200");
    assert_eq!(alone, 0);
    connection.close(200, "done".into()).await.expect("closed");
}
