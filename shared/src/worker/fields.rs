//! What fields the destination has: asked for at the start and from time to time, and the routes held against them, so that a
//! field which was removed or became required is told before the next lead fails for it.

use std::sync::Arc;
use std::time::Duration;

use super::desk::Desk;
use super::outputs;
use crate::config::{Mistake, unfit};
use crate::connector::Connector;
use crate::event::Fact;
use crate::fields::{Fields, Note};
use crate::telemetry::{label, metrics};

/// After a check that failed, or that a pause forbids, so long is waited, where checks are not more frequent anyhow.
const AGAIN: Duration = Duration::from_mins(1);

/// Learns the fields, as long as it is let. A destination whose kind has no fields to tell is left in peace.
pub(super) async fn learn<C: Connector>(desk: Arc<Desk<C>>) {
    if C::documented_fields() == Fields::any() {
        return;
    }
    let mut told = None;
    loop {
        let wait = match check(&desk, &mut told).await {
            true => desk.check_every,
            false => AGAIN.min(desk.check_every),
        };
        desk.ctx.clock.sleep(wait).await;
    }
}

/// Asks once; whether there was an answer. `told` is what was told last of the routes.
async fn check<C: Connector>(desk: &Desk<C>, told: &mut Option<Vec<Note>>) -> bool {
    if !desk.may_call() {
        return false;
    }
    let destination = || [label("destination", &*desk.name)];
    let checked = desk.connector.check().await;
    metrics().unchecked.record(u64::from(checked.is_err()), &destination());
    let fields = match checked {
        Ok(fields) => fields,
        Err(error) => {
            tracing::warn!(destination.name = %desk.name, kind = error.kind.as_str(), %error, "destination does not pass its check");
            return false;
        }
    };
    let mistakes = unfit(&desk.ctx.config().routes, &desk.name, &fields);
    metrics().unfit.record(mistakes.len() as u64, &destination());
    if fields != Fields::any() {
        desk.fields.send_replace(Arc::new(fields));
    }
    let notes: Vec<Note> = mistakes.iter().map(note).collect();
    if told.as_ref() != Some(&notes) && tell(desk, &notes).await {
        *told = Some(notes);
    }
    true
}

fn note(mistake: &Mistake) -> Note {
    let remedy = mistake.remedy.as_ref().map(|remedy| format!("; {remedy}")).unwrap_or_default();
    Note::new(&mistake.key, format!("{}{remedy}", mistake.reason))
}

/// Says what has changed, in the log and to the ledger; whether the ledger will hear of it.
async fn tell<C: Connector>(desk: &Desk<C>, notes: &[Note]) -> bool {
    for Note { about, text } in notes {
        tracing::error!(destination.name = %desk.name, key = about, "a route does not fit the destination's fields: {text}");
    }
    if notes.is_empty() {
        tracing::info!(destination.name = %desk.name, "the routes fit the destination's fields");
    }
    let fact = Fact::Checked { destination: desk.name.clone(), unfit: notes.to_vec() };
    let published = desk.ctx.queue.publish(vec![outputs::event(desk.ctx.clock.now(), fact)]).await;
    if let Err(error) = &published {
        tracing::warn!(destination.name = %desk.name, %error, "how the routes fit the destination could not be told");
    }
    published.is_ok()
}
