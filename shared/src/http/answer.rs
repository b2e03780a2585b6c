//! What a server answered, as much of it as is kept.

use std::fmt;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use jiff::Timestamp;

use super::retry_after;
use crate::error::{DeliveryError, ErrorKind};

/// An answer. Its `Debug` shows neither headers nor body: a server may echo what it was sent.
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, or its beginning.
    pub body: Bytes,
    /// The body is not whole: it is longer than the cap, broke off, or did not end in time. The status stands all the same.
    pub truncated: bool,
}

impl Answer {
    /// Reads up to `cap` bytes for up to `patience`: a status that has come must not be lost to a body that does not.
    pub(super) async fn read(mut response: reqwest::Response, cap: usize, patience: Duration) -> Self {
        let status = response.status().as_u16();
        let headers = std::mem::take(response.headers_mut());
        let mut body = BytesMut::new();
        let whole = tokio::time::timeout(patience, fill(&mut body, response, cap)).await.unwrap_or(false);
        Self { status, headers, body: body.freeze(), truncated: !whole }
    }

    /// The whole body, for a connector that cannot do without it.
    ///
    /// # Errors
    /// `Uncertain` when it is not whole.
    pub fn whole(&self) -> Result<&Bytes, DeliveryError> {
        if self.truncated {
            let message = "the answer broke off or is too long";
            return Err(DeliveryError::new(ErrorKind::Uncertain, message).status(self.status));
        }
        Ok(&self.body)
    }

    /// The time before which the server does not want to be asked again, if it said so.
    pub fn retry_at(&self, now: Timestamp) -> Option<Timestamp> {
        retry_after(&self.headers, now)
    }
}

/// Whether all of the body is in `body`. Dropping a response that is not read to its end closes its connection.
async fn fill(body: &mut BytesMut, mut response: reqwest::Response, cap: usize) -> bool {
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                let room = cap - body.len();
                body.extend_from_slice(&chunk[..chunk.len().min(room)]);
                if chunk.len() > room {
                    return false;
                }
            }
            Ok(None) => return true,
            Err(_) => return false,
        }
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status)
            .field("bytes", &self.body.len())
            .field("truncated", &self.truncated)
            .finish()
    }
}
