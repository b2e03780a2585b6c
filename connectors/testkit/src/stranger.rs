//! A server that nobody has a reason to trust: it speaks TLS with a certificate that it has signed itself.

use std::io::Read as _;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::Environment;

/// How long a client may be silent.
const PATIENCE: Duration = Duration::from_secs(10);

/// A server with a certificate of its own making, until it is dropped.
#[derive(Debug)]
pub(crate) struct Stranger {
    address: SocketAddr,
    heard: Arc<AtomicU64>,
    door: JoinHandle<()>,
}

impl Stranger {
    /// Opens a port on loopback.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("the machine has a port");
        let address = listener.local_addr().expect("a bound port has an address");
        let (config, heard) = (Arc::new(config()), Arc::new(AtomicU64::new(0)));
        let counted = heard.clone();
        let door = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (config, heard) = (config.clone(), counted.clone());
                let Ok(stream) = stream.into_std() else { continue };
                tokio::task::spawn_blocking(move || listen(stream, config, &heard));
            }
        });
        Self { address, heard, door }
    }

    /// Its port.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Bytes that clients have told it.
    pub(crate) fn heard(&self) -> u64 {
        self.heard.load(Ordering::SeqCst)
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        self.door.abort();
    }
}

/// The certificate that an application logs in with in the simulation of Dynamics 365: it is as good as any.
fn config() -> ServerConfig {
    let certificate = CertificateDer::from_pem_slice(Environment::certificate().as_bytes()).expect("a certificate");
    let key = PrivateKeyDer::from_pem_slice(Environment::app_key().as_bytes()).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = versions.expect("ring has them").with_no_client_auth();
    builder.with_single_cert(vec![certificate], key).expect("certificate and key belong together")
}

/// Counts what a client tells once it has agreed to talk.
fn listen(stream: TcpStream, config: Arc<ServerConfig>, heard: &AtomicU64) {
    let ready = stream.set_nonblocking(false).and_then(|()| stream.set_read_timeout(Some(PATIENCE)));
    let (Ok(()), Ok(connection)) = (ready, ServerConnection::new(config)) else { return };
    let mut told = [0; 1024];
    // Fails where the client goes away, as it should.
    if let Ok(bytes) = StreamOwned::new(connection, stream).read(&mut told) {
        heard.fetch_add(bytes as u64, Ordering::SeqCst);
    }
}
