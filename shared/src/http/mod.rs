//! The one outgoing HTTP client: timeouts, capped answers, no redirects, no private addresses unless allowed.
//!
//! Invariants: a connection goes only where [`Settings`] let it, whatever a name resolves to (`guard`); a failure is
//! `Uncertain` unless the request is known not to have left (`failure`); no text or `Debug` of this module holds a path,
//! a query, a header or a body. One request is one attempt: nothing here tries twice, save that a kept-alive connection
//! found closed before anything was written is replaced.

mod address;
mod answer;
mod failure;
mod guard;
mod request;
mod retry_after;
mod status;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

pub use address::{Place, place};
pub use answer::Answer;
pub use request::Request;
pub use reqwest::{Method, Url, header};
pub use retry_after::{LONGEST as LONGEST_RETRY_AFTER, retry_after};
pub use status::kind_of_status;

use crate::error::{DeliveryError, ErrorKind};
use guard::{Guarded, Lookup, Reach};

/// The bytes of an answer that are kept, unless a request asks for more.
pub const ANSWER_CAP: usize = 16 * 1024;

/// A connection that does not come about in this time never will; less where the timeout is short.
const CONNECT: Duration = Duration::from_secs(10);

/// Idle connections are kept so long, and so many of them.
const IDLE: Duration = Duration::from_secs(30);
const IDLE_CONNECTIONS: usize = 64;

/// How a destination's client behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long one request may take, from the connection to the last byte of the answer.
    pub timeout: Duration,
    /// Lets it connect to loopback and private networks, and there speak plain HTTP.
    pub allow_private_addresses: bool,
}

/// An HTTP client; clones share connections.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    settings: Settings,
    roots: Vec<reqwest::Certificate>,
    lookup: Lookup,
    /// Made when first needed: a destination that is a folder needs no certificates, and a machine may have none.
    over_tls: Made,
    plain: Made,
}

type Made = OnceLock<Result<reqwest::Client, String>>;

impl Client {
    /// Makes a client.
    ///
    /// # Errors
    /// When the settings make no sense.
    pub fn new(settings: Settings) -> Result<Self, String> {
        Self::assemble(settings, Vec::new(), guard::system_lookup())
    }

    /// Makes a client that trusts the certificates in `pem` beside those that the machine trusts.
    ///
    /// # Errors
    /// When the settings make no sense or `pem` holds no certificates.
    pub fn trusting(settings: Settings, pem: &str) -> Result<Self, String> {
        let roots = reqwest::Certificate::from_pem_bundle(pem.as_bytes())
            .map_err(|_| "the extra certificates cannot be read; they must be PEM".to_owned())?;
        Self::assemble(settings, roots, guard::system_lookup())
    }

    fn assemble(settings: Settings, roots: Vec<reqwest::Certificate>, lookup: Lookup) -> Result<Self, String> {
        if settings.timeout.is_zero() {
            return Err("the timeout is zero; nothing can be done in no time".to_owned());
        }
        Ok(Self(Arc::new(Inner { settings, roots, lookup, over_tls: OnceLock::new(), plain: OnceLock::new() })))
    }

    /// Begins a request.
    pub fn request(&self, method: Method, url: Url) -> Request {
        Request::new(self.clone(), method, url)
    }

    /// Sends `request` and keeps up to [`ANSWER_CAP`] bytes of the answer. Any status is an answer.
    ///
    /// # Errors
    /// When there is no answer: the failure, classified.
    pub async fn send(&self, request: reqwest::Request) -> Result<Answer, DeliveryError> {
        self.send_keeping(request, ANSWER_CAP).await
    }

    async fn send_keeping(&self, request: reqwest::Request, cap: usize) -> Result<Answer, DeliveryError> {
        let host = failure::shown(request.url());
        let client = self.client_for(request.url(), &host)?;
        let response = client.execute(request).await.map_err(|error| failure::classify(&host, &error))?;
        Ok(Answer::read(response, cap, self.0.settings.timeout / 4).await)
    }

    /// The client that may go where `url` points.
    fn client_for(&self, url: &Url, host: &str) -> Result<&reqwest::Client, DeliveryError> {
        let misconfigured = |reason: String| DeliveryError::new(ErrorKind::Misconfigured, reason);
        let (made, reach) = match (url.scheme(), self.0.settings.allow_private_addresses) {
            ("https", false) => (&self.0.over_tls, Reach::Public),
            ("https", true) => (&self.0.over_tls, Reach::All),
            ("http", true) => (&self.0.plain, Reach::Private),
            ("http", false) => {
                return Err(misconfigured(format!(
                    "{host} is to be reached by plain http; use https, or set allow_private_addresses = true if it is on a private network"
                )));
            }
            _ => return Err(misconfigured(format!("{host} can be reached by https alone; correct its url"))),
        };
        reach.admits_host(url).map_err(|reason| failure::refused(host, reason))?;
        made.get_or_init(|| self.0.make(reach)).as_ref().map_err(|reason| misconfigured(reason.clone()))
    }
}

impl Inner {
    #[expect(clippy::disallowed_methods, reason = "the one place that makes a client")]
    fn make(&self, reach: Reach) -> Result<reqwest::Client, String> {
        // Fails when the process has chosen a provider already, and that is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = reqwest::Client::builder()
            .user_agent(concat!("leadrelay/", env!("CARGO_PKG_VERSION")))
            .timeout(self.settings.timeout)
            // Well before the timeout, so that what times out later is known to have connected.
            .connect_timeout(CONNECT.min(self.settings.timeout / 2))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            .http1_only()
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .dns_resolver(Arc::new(Guarded { lookup: self.lookup.clone(), reach }));
        let builder = match reach {
            // It never speaks TLS, and so needs no certificates.
            Reach::Private => builder.tls_certs_only([]),
            Reach::Public | Reach::All => builder.https_only(true).tls_certs_merge(self.roots.iter().cloned()),
        };
        builder.build().map_err(|error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            format!("the certificates that this machine trusts cannot be read; is the package ca-certificates installed? {cause}")
        })
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Client").field(&self.0.settings).finish()
    }
}
