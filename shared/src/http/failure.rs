//! What a failed request means: one function, so that every connector says the same.
//!
//! Invariant: `Uncertain` unless it is known that the request did not leave. No text holds more of a URL than its host,
//! because tokens live in paths and queries.
//!
//! A certificate that is not accepted is `Misconfigured` and not `Unavailable`: it is never cured by trying again, and while
//! a person looks at it no lead should use up its attempts.

use std::error::Error;
use std::io;

use reqwest::Url;
use rustls::CertificateError;

use super::guard::Refused;
use crate::error::{DeliveryError, ErrorKind};

/// The host and port of `url`: all of it that may be shown.
pub(super) fn shown(url: &Url) -> String {
    let host = url.host_str().unwrap_or("(no host)");
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// A request that must not be sent.
pub(super) fn refused(host: &str, reason: Refused) -> DeliveryError {
    DeliveryError::new(ErrorKind::Misconfigured, format!("{host} is not connected to: {reason}"))
}

/// What `error` means. `host` is for the message.
pub(super) fn classify(host: &str, error: &reqwest::Error) -> DeliveryError {
    if let Some(reason) = find::<Refused>(error) {
        return refused(host, *reason);
    }
    if error.is_builder() {
        return DeliveryError::new(
            ErrorKind::Misconfigured,
            format!("no request to {host} can be made; correct its url"),
        );
    }
    if error.is_connect() {
        return not_connected(host, error);
    }
    let message = if error.is_timeout() {
        format!("no answer from {host} in time")
    } else {
        format!("the connection to {host} broke, or what came was not HTTP, before there was an answer")
    };
    DeliveryError::new(ErrorKind::Uncertain, message)
}

fn not_connected(host: &str, error: &reqwest::Error) -> DeliveryError {
    let unavailable = |message: String| DeliveryError::new(ErrorKind::Unavailable, message);
    if let Some(tls) = find::<rustls::Error>(error) {
        return match tls {
            rustls::Error::InvalidCertificate(reason) => {
                let message = format!("the certificate of {host} is not accepted: {}", in_words(reason));
                DeliveryError::new(ErrorKind::Misconfigured, message)
            }
            _ => unavailable(format!("the TLS handshake with {host} failed; does it speak TLS at this port?")),
        };
    }
    if error.is_timeout() {
        return unavailable(format!("no connection to {host} in time"));
    }
    if error.is_dns() {
        return unavailable(format!("the name of {host} cannot be resolved"));
    }
    match find::<io::Error>(error) {
        Some(cause) => unavailable(format!("no connection to {host}: {}", cause.kind())),
        None => unavailable(format!("no connection to {host}")),
    }
}

fn in_words(reason: &CertificateError) -> &'static str {
    match reason {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "it is not valid yet",
        CertificateError::Revoked => "it is revoked",
        CertificateError::UnknownIssuer => "this machine does not trust its issuer",
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => "it is for another name",
        _ => "it is not valid",
    }
}

/// The first cause of type `T`. An `io::Error` hides the error that it was made from, so it is opened.
fn find<'e, T: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e T> {
    let mut at = Some(error);
    while let Some(cause) = at {
        if let Some(found) = cause.downcast_ref::<T>() {
            return Some(found);
        }
        if let Some(found) =
            cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref).and_then(|inner| find::<T>(inner))
        {
            return Some(found);
        }
        at = cause.source();
    }
    None
}
