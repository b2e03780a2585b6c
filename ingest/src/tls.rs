//! TLS by rustls with ring; the certificate is swapped while connections are open.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use leadrelay_shared::config::Mistake;
use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// The certificate in use, and the files that it came from.
#[derive(Debug)]
pub(crate) struct Certificate {
    cert: PathBuf,
    key: PathBuf,
    current: RwLock<Arc<CertifiedKey>>,
}

impl Certificate {
    /// Reads a certificate chain and its key, which must belong together.
    pub(crate) fn load(cert: &Path, key: &Path) -> Result<Self, Mistake> {
        let current = RwLock::new(Arc::new(read(cert, key)?));
        Ok(Self { cert: cert.to_owned(), key: key.to_owned(), current })
    }

    /// The two files.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        vec![self.cert.clone(), self.key.clone()]
    }

    fn current(&self) -> Arc<CertifiedKey> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the files again. Where they are wrong the certificate in use stays.
    pub(crate) fn reload(&self) {
        match read(&self.cert, &self.key) {
            Ok(next) if next.cert == self.current().cert => {}
            Ok(next) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
                tracing::info!("the TLS certificate has changed");
            }
            Err(mistake) => {
                tracing::error!(key = %mistake.key, reason = %mistake.reason, "the TLS certificate has changed for the worse; the old one stays");
            }
        }
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }
}

/// The server's side of TLS. The HTTP library adds `http/1.1` to its protocols.
pub(crate) fn server_config(certificate: Arc<Certificate>) -> Result<ServerConfig, String> {
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| format!("TLS cannot be set up: {e}"))?;
    Ok(config.with_no_client_auth().with_cert_resolver(certificate))
}

fn read(cert: &Path, key: &Path) -> Result<CertifiedKey, Mistake> {
    let wrong_cert = |e: String| Mistake::new("ingest.tls.cert", format!("{} {e}", cert.display()));
    let wrong_key = |e: String| Mistake::new("ingest.tls.key", format!("{} {e}", key.display()));
    let chain = std::fs::read(cert).map_err(|e| wrong_cert(format!("cannot be read: {e}")))?;
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&chain)
        .collect::<Result<_, _>>()
        .map_err(|e| wrong_cert(format!("is not PEM: {e}")))?;
    if chain.is_empty() {
        return Err(wrong_cert("holds no certificate".to_owned()).remedy("it begins with -----BEGIN CERTIFICATE-----"));
    }
    let private = std::fs::read(key).map_err(|e| wrong_key(format!("cannot be read: {e}")))?;
    // The reader's error names the kind of the fault and nothing of the key.
    let private =
        PrivateKeyDer::from_pem_slice(&private).map_err(|e| wrong_key(format!("holds no private key in PEM: {e}")))?;
    CertifiedKey::from_der(chain, private, &default_provider())
        .map_err(|e| wrong_key(format!("does not go with {}: {e}", cert.display())))
}
