//! Reads a body: never more than the cap, and never longer than it may take.

use actix_web::HttpRequest;
use actix_web::http::header::CONTENT_LENGTH;
use actix_web::web::Payload;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;

use crate::door::Door;
use crate::problem::Refusal;

/// Reads the whole body.
///
/// # Errors
/// When it is announced or found to be too large, does not come in time, or is cut off.
pub(crate) async fn read(door: &Door, request: &HttpRequest, payload: &mut Payload) -> Result<Bytes, Refusal> {
    let length = request.headers().get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > door.max_body as u64) {
        return Err(Refusal::TooLarge { max: door.max_body });
    }
    tokio::select! {
        biased;
        body = collect(payload, door.max_body) => body,
        () = door.clock.sleep(door.read_timeout) => Err(Refusal::Slow),
    }
}

async fn collect(payload: &mut Payload, max: usize) -> Result<Bytes, Refusal> {
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| Refusal::Cut)?;
        if first.len() + rest.len() + chunk.len() > max {
            return Err(Refusal::TooLarge { max });
        }
        // Nearly every lead comes in one piece, which is then not copied.
        if first.is_empty() && rest.is_empty() {
            first = chunk;
            continue;
        }
        rest.extend_from_slice(&std::mem::take(&mut first));
        rest.extend_from_slice(&chunk);
    }
    Ok(if rest.is_empty() { first } else { rest.freeze() })
}
