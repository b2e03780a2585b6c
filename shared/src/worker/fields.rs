//! What fields the destination has: asked for at the start and from time to time, and the routes held against them, so that a
//! field which was removed or became required is told before the next lead fails for it.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use super::desk::Desk;
use super::outputs;
use crate::config::{Mistake, unfit};
use crate::connector::Connector;
use crate::control::Control;
use crate::error::DeliveryError;
use crate::event::Fact;
use crate::fields::{Fields, Note};
use crate::telemetry::{label, metrics};

/// After a check that failed, or that a pause forbids, so long is waited, where checks are not more frequent anyhow.
const AGAIN: Duration = Duration::from_mins(1);

/// Learns the fields, as long as it is let. A destination whose kind has no fields to tell is asked when an operator wants it.
pub(super) async fn learn<C: Connector>(desk: Arc<Desk<C>>) {
    let by_itself = C::documented_fields() != Fields::any();
    let mut control = desk.ctx.queue.control();
    let mut asked_at = asked(&mut control, &desk.name);
    let mut told = None;
    let mut answered = by_itself && desk.may_call() && check(&desk, &mut told, false).await;
    loop {
        let wait = if answered { desk.check_every } else { AGAIN.min(desk.check_every) };
        let by_hand = tokio::select! {
            () = desk.ctx.clock.sleep(wait), if by_itself => false,
            Ok(()) = control.changed() => {
                let at = asked(&mut control, &desk.name);
                if at.is_none() || at == asked_at {
                    continue;
                }
                asked_at = at;
                true
            }
            else => return,
        };
        // An operator who asks is answered, also by a destination that is paused.
        let may = if by_hand { !desk.ctx.stop.is_draining() } else { desk.may_call() };
        answered = may && check(&desk, &mut told, by_hand).await;
    }
}

/// When an operator last asked for a check.
fn asked(control: &mut watch::Receiver<Option<Arc<Control>>>, name: &str) -> Option<Timestamp> {
    control.borrow_and_update().as_ref().and_then(|control| control.check_now.get(name).copied())
}

/// Asks once; whether there was an answer. `told` is what was told last of the routes; whoever asks `by_hand` is told anyway.
async fn check<C: Connector>(desk: &Desk<C>, told: &mut Option<Vec<Note>>, by_hand: bool) -> bool {
    let destination = || [label("destination", &*desk.name)];
    let checked = desk.connector.check().await;
    metrics().unchecked.record(u64::from(checked.is_err()), &destination());
    let fields = match checked {
        Ok(fields) => fields,
        Err(error) => {
            tracing::warn!(destination.name = %desk.name, kind = error.kind.as_str(), %error, "destination does not pass its check");
            if by_hand {
                tell(desk, told.as_deref().unwrap_or_default(), Some(error)).await;
            }
            return false;
        }
    };
    let mistakes = unfit(&desk.ctx.config().routes, &desk.name, &fields);
    metrics().unfit.record(mistakes.len() as u64, &destination());
    if fields != Fields::any() {
        desk.fields.send_replace(Arc::new(fields));
    }
    let notes: Vec<Note> = mistakes.iter().map(note).collect();
    if (by_hand || told.as_ref() != Some(&notes)) && tell(desk, &notes, None).await {
        *told = Some(notes);
    }
    true
}

fn note(mistake: &Mistake) -> Note {
    let remedy = mistake.remedy.as_ref().map(|remedy| format!("; {remedy}")).unwrap_or_default();
    Note::new(&mistake.key, format!("{}{remedy}", mistake.reason))
}

/// Says what has changed, in the log and to the ledger; whether the ledger will hear of it.
async fn tell<C: Connector>(desk: &Desk<C>, notes: &[Note], error: Option<DeliveryError>) -> bool {
    for Note { about, text } in notes {
        tracing::error!(destination.name = %desk.name, key = about, "a route does not fit the destination's fields: {text}");
    }
    if notes.is_empty() && error.is_none() {
        tracing::info!(destination.name = %desk.name, "the routes fit the destination's fields");
    }
    let fact = Fact::Checked { destination: desk.name.clone(), unfit: notes.to_vec(), error };
    let published = desk.ctx.queue.publish(vec![outputs::event(desk.ctx.clock.now(), fact)]).await;
    if let Err(error) = &published {
        tracing::warn!(destination.name = %desk.name, %error, "how the routes fit the destination could not be told");
    }
    published.is_ok()
}
