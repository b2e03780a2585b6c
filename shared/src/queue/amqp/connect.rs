//! One connection to one node.

use std::path::Path;
use std::time::Duration;

use lapin::tcp::{OwnedIdentity, OwnedTLSConfig};
use lapin::uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo};
use lapin::{Connection, ConnectionProperties, Error};
use tokio::time::timeout;

use super::settings::{Node, Settings, Tls};

/// A dead peer is found after two of them.
const HEARTBEAT_SECS: u16 = 10;
/// The socket must be there after this long, and the whole handshake soon after.
const CONNECT: Duration = Duration::from_secs(5);
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Connects; `role` is what the connection is for, in RabbitMQ's own lists.
pub(super) async fn connect(settings: &Settings, node: &Node, role: &str) -> Result<Connection, Error> {
    let tls = if node.tls { certificates(&settings.tls).await? } else { OwnedTLSConfig::default() };
    let name = format!("{} {role}", settings.name);
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    let connecting =
        Connection::connect_uri_with_config(uri(node), properties, tls, lapin::runtime::default_runtime()?);
    match timeout(HANDSHAKE, connecting).await {
        Ok(connected) => connected,
        Err(_) => Err(io("it does not answer")),
    }
}

fn uri(node: &Node) -> AMQPUri {
    let userinfo = AMQPUserInfo { username: node.user.clone(), password: node.password.expose().to_owned() };
    let connection_timeout = u64::try_from(CONNECT.as_millis()).ok();
    AMQPUri {
        scheme: if node.tls { AMQPScheme::AMQPS } else { AMQPScheme::AMQP },
        authority: AMQPAuthority { userinfo, host: node.host.clone(), port: node.port },
        vhost: node.vhost.clone(),
        query: AMQPQueryString { heartbeat: Some(HEARTBEAT_SECS), connection_timeout, ..Default::default() },
    }
}

/// Read at each connection, so that renewed files need no restart.
async fn certificates(tls: &Tls) -> Result<OwnedTLSConfig, Error> {
    let cert_chain = match &tls.ca {
        Some(ca) => Some(String::from_utf8_lossy(&read(ca).await?).into_owned()),
        None => None,
    };
    let identity = match &tls.identity {
        Some((cert, key)) => Some(OwnedIdentity::PKCS8 { pem: read(cert).await?, key: read(key).await? }),
        None => None,
    };
    Ok(OwnedTLSConfig { identity, cert_chain })
}

async fn read(file: &Path) -> Result<Vec<u8>, Error> {
    tokio::fs::read(file).await.map_err(|e| io(&format!("{} cannot be read: {e}", file.display())))
}

fn io(text: &str) -> Error {
    std::io::Error::other(text).into()
}
