//! One request: identify, limit, read, judge, publish, answer.
//!
//! Invariant: a success is answered only after the one message that the request leads to is on disk, the queue's or the spool's.
//! No URL, no token and no part of a body is logged.

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use jiff::Timestamp;
use leadrelay_shared::config::OnInvalid;
use leadrelay_shared::event::{Event, Fact};
use leadrelay_shared::id::LeadId;
use leadrelay_shared::lead::{Body, Lead};
use leadrelay_shared::telemetry::{label, metrics};
use serde::Serialize;

use crate::body;
use crate::door::{Door, Source};
use crate::identify::{self, Identity};
use crate::problem::Refusal;
use crate::recent::Entered;

/// What a sender is told of a lead that is safe.
#[derive(Serialize)]
struct Receipt {
    id: LeadId,
    status: Status,
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Accepted,
    Quarantined,
    Duplicate,
}

/// Answers a request at a lead's address.
pub(crate) async fn accept(door: Data<Door>, request: HttpRequest, mut payload: Payload) -> HttpResponse {
    let source = match identify::source(&door, &request) {
        Ok(source) => source,
        Err(refusal) => return refuse(None, &refusal, payload),
    };
    match take(&door, source, &request, &mut payload).await {
        Ok(receipt) => HttpResponse::Accepted().json(receipt),
        Err(refusal) => refuse(Some(source), &refusal, payload),
    }
}

/// Answers a request anywhere else.
pub(crate) async fn nothing_here(payload: Payload) -> HttpResponse {
    refuse(None, &Refusal::Unknown, payload)
}

async fn take(door: &Door, source: &Source, request: &HttpRequest, payload: &mut Payload) -> Result<Receipt, Refusal> {
    source.limit.take().map_err(|wait| Refusal::TooFast { wait })?;
    let key = identify::key(request)?;
    let body = body::read(door, request, payload).await?;
    let received_at = door.clock.now();
    let faults = source.judge.judge(&body).err().unwrap_or_default();
    if !faults.is_empty() && source.on_invalid == OnInvalid::Refuse {
        return Err(Refusal::Invalid { faults });
    }
    let identity = Identity::of(source, key, &body, received_at);
    let turn = match door.recent.enter(identity, source.window).await {
        Entered::First(turn) => turn,
        Entered::Resend(first) => return resend(door, source, first, received_at).await,
        Entered::OtherBody => return Err(Refusal::KeyReused),
    };
    let lead = Lead {
        id: identity.id,
        source: source.name.clone(),
        format: source.format,
        received_at,
        body: Body(body),
        faults,
        round: 0,
    };
    let message = door.leads.message(lead.id.uuid(), &lead);
    door.outbox.send(message).await.map_err(Refusal::Unavailable)?;
    turn.stored(lead.id);
    Ok(stored(source, &lead))
}

fn stored(source: &Source, lead: &Lead) -> Receipt {
    let of_source = [label("source", source.name.as_str())];
    let status = if lead.is_sound() {
        metrics().accepted.add(1, &of_source);
        tracing::debug!(lead.id = %lead.id, source.name = %source.name, bytes = lead.body.len(), "accepted");
        Status::Accepted
    } else {
        metrics().quarantined.add(1, &of_source);
        tracing::info!(lead.id = %lead.id, source.name = %source.name, faults = lead.faults.len(), "quarantined: not a lead");
        Status::Quarantined
    };
    Receipt { id: lead.id, status }
}

/// A resend goes into the history of the first lead and nowhere else.
async fn resend(door: &Door, source: &Source, first: LeadId, at: Timestamp) -> Result<Receipt, Refusal> {
    let event = Event { at, fact: Fact::Duplicate { lead: first, source: source.name.clone() } };
    let message = door.events.told(&vec![event]);
    door.outbox.send(message).await.map_err(Refusal::Unavailable)?;
    metrics().duplicates.add(1, &[label("source", source.name.as_str())]);
    tracing::info!(lead.id = %first, source.name = %source.name, "duplicate: the same was sent before");
    Ok(Receipt { id: first, status: Status::Duplicate })
}

/// A source that is not known is not named: what stands in its place may be anything.
fn refuse(source: Option<&Source>, refusal: &Refusal, rest: Payload) -> HttpResponse {
    let reason = refusal.reason();
    metrics().refused.add(1, &[label("reason", reason)]);
    match (source, refusal) {
        (Some(source), Refusal::Unavailable(error)) => {
            tracing::warn!(source.name = %source.name, reason, %error, "refused");
        }
        (Some(source), Refusal::TooFast { .. }) => tracing::debug!(source.name = %source.name, reason, "refused"),
        (Some(source), _) => tracing::info!(source.name = %source.name, reason, "refused"),
        (None, _) => tracing::debug!(reason, "refused"),
    }
    refusal.answer(rest)
}
