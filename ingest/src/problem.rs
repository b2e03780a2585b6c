//! Refusals, and how they are told: `application/problem+json` (RFC 9457), and then the connection is closed.
//!
//! Closing keeps a stranger from holding a connection open, and ends an upload that nobody reads.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::body::{BodySize, MessageBody};
use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, RETRY_AFTER};
use actix_web::web::Payload;
use bytes::Bytes;
use leadrelay_shared::lead::Fault;
use leadrelay_shared::queue::QueueError;
use serde_json::json;

/// When to come back after the queue could not take a lead.
const RETRY_SECS: u64 = 5;

/// Why a request was not accepted.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The head is larger than it may be.
    HeadTooLarge { max: usize },
    /// Not a POST.
    Method,
    /// No such place, source or token.
    Unknown,
    /// The source sends too fast.
    TooFast { wait: Duration },
    /// The body is compressed or otherwise encoded.
    Encoded,
    /// The `Idempotency-Key` cannot be one.
    Key { max: usize },
    /// The `Idempotency-Key` came lately with another body.
    KeyReused,
    /// The body is larger than it may be.
    TooLarge { max: usize },
    /// The body did not come in time.
    Slow,
    /// The body ended before its announced length, or its chunks are wrong.
    Cut,
    /// Not a lead, and the source says to refuse such.
    Invalid { faults: Vec<Fault> },
    /// The queue could not take it.
    Unavailable(QueueError),
}

impl Refusal {
    /// In one word, for metrics, logs and the problem's type.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::HeadTooLarge { .. } => "head_too_large",
            Self::Method => "method",
            Self::Unknown => "unknown",
            Self::TooFast { .. } => "too_fast",
            Self::Encoded => "encoded",
            Self::Key { .. } => "key",
            Self::KeyReused => "key_reused",
            Self::TooLarge { .. } => "too_large",
            Self::Slow => "slow",
            Self::Cut => "cut",
            Self::Invalid { .. } => "invalid",
            Self::Unavailable(_) => "unavailable",
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::HeadTooLarge { .. } => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Unknown => StatusCode::NOT_FOUND,
            Self::TooFast { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Encoded => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::KeyReused => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::Key { .. } | Self::Cut | Self::Invalid { .. } => StatusCode::BAD_REQUEST,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::HeadTooLarge { max } => format!("the headers take more than {max} bytes together"),
            Self::Method => "a lead is sent by POST".to_owned(),
            Self::Unknown => "there is nothing here; check the whole URL, or ask for a new one".to_owned(),
            Self::TooFast { .. } => "too many requests a second; send again after the time in Retry-After".to_owned(),
            Self::Encoded => "the body has a Content-Encoding; send it as it is".to_owned(),
            Self::Key { max } => format!("an Idempotency-Key has 1 to {max} visible characters"),
            Self::KeyReused => {
                "this Idempotency-Key came with another body; give each lead a key of its own".to_owned()
            }
            Self::TooLarge { max } => format!("the body is larger than {max} bytes"),
            Self::Slow => "the body did not come in time".to_owned(),
            Self::Cut => "the body ended before its announced length".to_owned(),
            Self::Invalid { .. } => "the body is not a lead; `faults` says where".to_owned(),
            Self::Unavailable(_) => {
                "the lead could not be stored, so it is not accepted; send it again after the time in Retry-After"
                    .to_owned()
            }
        }
    }

    /// The answer. It holds on to what is left of the request, so that the library does not read that to its end.
    pub(crate) fn answer(&self, rest: Payload) -> HttpResponse {
        let status = self.status();
        let mut problem = json!({
            "type": format!("urn:leadrelay:problem:{}", self.reason()),
            "title": status.canonical_reason(),
            "status": status.as_u16(),
            "detail": self.detail(),
        });
        let mut answer = HttpResponse::build(status);
        answer.content_type("application/problem+json").force_close();
        match self {
            Self::Method => drop(answer.insert_header((ALLOW, "POST"))),
            Self::TooFast { wait } => drop(answer.insert_header((RETRY_AFTER, whole_seconds(*wait)))),
            Self::Unavailable(_) => drop(answer.insert_header((RETRY_AFTER, RETRY_SECS))),
            Self::Invalid { faults } => problem["faults"] = json!(faults),
            _ => {}
        }
        answer.body(Told { text: Some(problem.to_string().into()), _rest: rest })
    }
}

/// At least one, and never before the time.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_millis().div_ceil(1000).max(1).try_into().unwrap_or(u64::MAX)
}

/// The text of a refusal, with the rest of its request.
struct Told {
    text: Option<Bytes>,
    _rest: Payload,
}

impl MessageBody for Told {
    type Error = std::convert::Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.text.as_ref().map_or(0, |text| text.len() as u64))
    }

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Poll::Ready(self.get_mut().text.take().map(Ok))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_is_told_in_whole_seconds_and_in_full() {
        for (ms, seconds) in [(0, 1), (1, 1), (1000, 1), (1001, 2), (59_001, 60)] {
            assert_eq!(whole_seconds(Duration::from_millis(ms)), seconds, "{ms}");
        }
    }
}
