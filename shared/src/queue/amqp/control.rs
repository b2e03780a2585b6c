//! Operators' decisions, told to every process over a fanout.
//!
//! They are not kept on the broker: the ledger tells the whole of them again and again, and whoever joins hears the next.

use std::sync::Arc;

use futures_util::StreamExt as _;
use lapin::options::BasicConsumeOptions;
use lapin::types::FieldTable;
use lapin::{Consumer, Error};
use tokio::sync::watch;

use super::link::Link;
use super::publisher::Outgoing;
use super::{Shared, headers, topology};
use crate::control::Control;

/// The decisions in force, as they change.
pub(super) type Told = watch::Sender<Option<Arc<Control>>>;

/// Hears what others tell, on a queue that goes with the connection.
pub(super) async fn listen(shared: &Arc<Shared>, link: &Arc<Link>) -> Result<(), Error> {
    let channel = link.consuming.create_channel().await?;
    let tag = shared.new_tag();
    let name = topology::declare_hearing(&channel, &tag).await?;
    let options = BasicConsumeOptions { no_ack: true, exclusive: true, ..Default::default() };
    let consumer = channel.basic_consume(name.into(), tag.into(), options, FieldTable::default()).await?;
    let (shared, link) = (shared.clone(), link.clone());
    tokio::spawn(async move {
        tokio::select! {
            () = link.lost.cancelled() => {}
            () = hear(&shared, consumer) => {
                // Without it an erasure would not be heard: a new connection brings it back.
                link.lost.cancel();
            }
        }
        drop(channel);
    });
    Ok(())
}

async fn hear(shared: &Shared, mut consumer: Consumer) {
    while let Some(Ok(delivery)) = consumer.next().await {
        if headers::is_from(&delivery.properties, shared.origin) {
            continue;
        }
        match serde_json::from_slice::<Control>(&delivery.data) {
            Ok(control) => {
                shared.control.send_replace(Some(Arc::new(control)));
            }
            // Serde's own words could hold a value.
            Err(_) => tracing::error!(
                "decisions of operators were told in a form that this leadrelay does not know; upgrade it"
            ),
        }
    }
}

/// Tells others what this process was given to tell, the latest alone.
pub(super) async fn tell(shared: Arc<Shared>, mut latest: watch::Receiver<Option<Arc<Control>>>) {
    loop {
        tokio::select! {
            () = shared.stop.cancelled() => return,
            changed = latest.changed() => if changed.is_err() { return },
        }
        let Some(control) = latest.borrow_and_update().clone() else { continue };
        let Some(link) = shared.link.borrow().clone() else { continue };
        let Ok(body) = serde_json::to_vec(&*control) else { continue };
        let outgoing = Outgoing {
            exchange: topology::control_exchange().into(),
            key: "".into(),
            body: body.into(),
            properties: headers::fleeting(shared.origin),
        };
        if let Err(error) = link.publish(vec![outgoing].into()).await {
            tracing::debug!(%error, "decisions could not be told now; they are told again soon");
        }
    }
}
