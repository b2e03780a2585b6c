//! What an answer means. Its body is never shown: a receiver may echo what it was sent.

use jiff::Timestamp;
use leadrelay_shared::error::{DeliveryError, ErrorKind};
use leadrelay_shared::http::{Answer, kind_of_status};

/// The failure that `answer` is, if it is one.
pub(crate) fn parse_error(answer: &Answer, now: Timestamp) -> Option<DeliveryError> {
    let kind = kind_of_status(answer.status)?;
    Some(DeliveryError::new(kind, words(answer.status, kind)).status(answer.status).retry_at(answer.retry_at(now)))
}

fn words(status: u16, kind: ErrorKind) -> &'static str {
    match (status, kind) {
        (300..=399, _) => "the receiver redirects, and redirects are not followed; correct `url`",
        (404, _) => "the receiver knows no such path; correct `url`",
        (405, _) => "the receiver takes no POST at this path; correct `url`",
        (410, _) => "the receiver has retired this path; correct `url` or remove the destination",
        (415, _) => "the receiver takes no application/json",
        (_, ErrorKind::Unauthorized) => {
            "the receiver refuses the signature or the credentials; correct `secret` or `headers`"
        }
        (409, _) => {
            "the receiver says that the lead conflicts with what it has; to an id it knows it should answer 2xx"
        }
        (_, ErrorKind::Rejected) => "the receiver refuses this lead",
        (_, ErrorKind::Throttled) => "the receiver wants fewer requests",
        (_, ErrorKind::Unavailable) => "the receiver cannot take leads now",
        (_, ErrorKind::Uncertain) => "a gateway before the receiver gave up waiting; the lead may have arrived",
        _ => "the receiver gave an answer that no row of the table explains",
    }
}

#[cfg(test)]
mod tests {
    use leadrelay_shared::http::header::HeaderMap;

    use super::*;

    fn parse(status: u16) -> Option<DeliveryError> {
        let answer = Answer { status, headers: HeaderMap::new(), body: "{}".into(), truncated: false };
        parse_error(&answer, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn every_status_has_its_row() {
        let rows = [
            (ErrorKind::Rejected, &[400, 409, 413, 414, 422][..]),
            (ErrorKind::Unauthorized, &[401, 403, 407]),
            (ErrorKind::Misconfigured, &[300, 301, 302, 303, 304, 307, 308, 404, 405, 410, 415]),
            (ErrorKind::Throttled, &[429]),
            (ErrorKind::Unavailable, &[408, 425, 500, 501, 503, 507, 599]),
            (ErrorKind::Uncertain, &[502, 504]),
            (ErrorKind::Unexpected, &[101, 402, 406, 418, 451, 600, 999]),
        ];
        for (kind, statuses) in rows {
            for status in statuses {
                let error = parse(*status).expect("a failure");
                assert_eq!((error.kind, error.status), (kind, Some(*status)));
            }
        }
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(parse(status), None);
        }
    }

    #[test]
    fn words_name_the_remedy() {
        assert_eq!(
            parse(308).expect("a failure").to_string(),
            "the receiver redirects, and redirects are not followed; correct `url` (HTTP 308)"
        );
    }
}
