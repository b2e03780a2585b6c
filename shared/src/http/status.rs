//! What a status means where the body says nothing more. A connector whose CRM says more in its body asks that first.

use crate::error::ErrorKind;

/// What kind of failure `status` is; none for 2xx.
///
/// `Rejected` is for what can differ from lead to lead. What would befall every lead alike (a wrong path, a method or a
/// content type that is not taken, a redirect) is `Misconfigured`: it pauses the destination instead of parking its leads.
pub fn kind_of_status(status: u16) -> Option<ErrorKind> {
    Some(match status {
        200..=299 => return None,
        300..=399 | 404 | 405 | 410 | 415 => ErrorKind::Misconfigured,
        401 | 403 | 407 => ErrorKind::Unauthorized,
        400 | 409 | 413 | 414 | 422 => ErrorKind::Rejected,
        429 => ErrorKind::Throttled,
        // A gateway gave up on a server that may have finished all the same.
        502 | 504 => ErrorKind::Uncertain,
        408 | 425 | 500..=599 => ErrorKind::Unavailable,
        _ => ErrorKind::Unexpected,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_a_kind() {
        for status in 0..=u16::MAX {
            assert_eq!(kind_of_status(status).is_none(), (200..300).contains(&status), "{status}");
        }
    }
}
