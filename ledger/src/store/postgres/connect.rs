//! One connection to PostgreSQL.

use std::sync::Arc;
use std::time::Duration;

use leadrelay_shared::config::Database;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio::time::timeout;
use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_util::task::AbortOnDropHandle;

use super::fault::{Fault, Kind};

/// The socket must be there after this long, and the whole handshake soon after.
const CONNECT: Duration = Duration::from_secs(5);
const HANDSHAKE: Duration = Duration::from_secs(10);
/// A dead server is found after this long without a sign of life.
const SIGN_OF_LIFE: Duration = Duration::from_secs(20);

/// What each connection begins with. A statement ends before we would give it up, and a transaction of a ledger that has died ends
/// by itself. What is said to be recorded is on the server's disk, whatever it does for others.
const SETTINGS: &str = "SET statement_timeout = '50s'; SET idle_in_transaction_session_timeout = '60s'; \
     SET standard_conforming_strings = on; \
     SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'";

/// A connection, and the task that keeps it going until it is dropped.
pub(super) struct Connected {
    pub(super) client: Arc<Client>,
    _driver: AbortOnDropHandle<()>,
}

pub(super) async fn connect(database: &Database) -> Result<Connected, Fault> {
    let connecting = async {
        let connected = if database.tls {
            let tls = MakeRustlsConnect::new(trusting(database).await?);
            driven(config(database, SslMode::Require).connect(tls).await)?
        } else {
            driven(config(database, SslMode::Disable).connect(NoTls).await)?
        };
        connected.client.batch_execute(SETTINGS).await.map_err(|error| Fault::connecting(&error))?;
        Ok(connected)
    };
    timeout(HANDSHAKE, connecting).await.unwrap_or_else(|_| Err(Kind::Silent.into()))
}

fn config(database: &Database, mode: SslMode) -> Config {
    let mut config = Config::new();
    config
        .host(&database.host)
        .port(database.port)
        .user(&database.user)
        .dbname(&database.name)
        .application_name("leadrelay-ledger")
        .ssl_mode(mode)
        .connect_timeout(CONNECT)
        .keepalives_idle(SIGN_OF_LIFE)
        .tcp_user_timeout(SIGN_OF_LIFE);
    if let Some(password) = &database.password {
        config.password(password.expose());
    }
    config
}

type Opened<S> = (Client, tokio_postgres::Connection<tokio_postgres::Socket, S>);

fn driven<S>(opened: Result<Opened<S>, tokio_postgres::Error>) -> Result<Connected, Fault>
where
    S: tokio_postgres::tls::TlsStream + Unpin + Send + 'static,
{
    let (client, connection) = opened.map_err(|error| Fault::connecting(&error))?;
    let driver = tokio::spawn(async move {
        // What breaks it is told to the statement that waits, or to the next one.
        let _ = connection.await;
    });
    Ok(Connected { client: Arc::new(client), _driver: AbortOnDropHandle::new(driver) })
}

/// Read at each connection, so that renewed files need no restart.
async fn trusting(database: &Database) -> Result<ClientConfig, Fault> {
    let mut roots = RootCertStore::empty();
    match &database.ca {
        Some(file) => {
            let pem = tokio::fs::read(file).await.map_err(|_| Kind::CaFile)?;
            for certificate in CertificateDer::pem_slice_iter(&pem) {
                roots.add(certificate.map_err(|_| Kind::CaFile)?).map_err(|_| Kind::CaFile)?;
            }
            if roots.is_empty() {
                return Err(Kind::CaFile.into());
            }
        }
        None => {
            let found = tokio::task::spawn_blocking(rustls_native_certs::load_native_certs).await;
            roots.add_parsable_certificates(found.map_err(|_| Kind::Certificate)?.certs);
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Ok(builder.map_err(|_| Kind::Certificate)?.with_root_certificates(roots).with_no_client_auth())
}
