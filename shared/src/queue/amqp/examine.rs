//! Whether a broker is what leadrelay needs: asked of every node, before anything depends on it.
//!
//! Declaring what must stand finds a topology that differs, a broker that is too old, and a permission that is missing:
//! declaring asks for `configure`, binding for `write` and `read`. Nothing is published.

use std::fmt;
use std::time::Duration;

use lapin::{Connection, Error};
use tokio::time::timeout;

use super::connect::connect;
use super::settings::{Node, Settings};
use super::{fault, origin, topology};

/// How long a node may take to answer everything that it is asked.
const ANSWERS: Duration = Duration::from_mins(1);

/// What one node answered.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Examined {
    /// The node, as `host:port`.
    pub node: String,
    /// What is wrong with it, with the remedy; `None` when it is as it must be.
    pub fault: Option<String>,
}

impl fmt::Display for Examined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.fault {
            Some(fault) => f.write_str(fault),
            None => write!(f, "RabbitMQ at {} answers, and has what leadrelay needs", self.node),
        }
    }
}

/// Asks every node, one after the other.
pub async fn examine(settings: &Settings) -> Vec<Examined> {
    let mut examined = Vec::with_capacity(settings.nodes.len());
    for node in &settings.nodes {
        let asked = ask(settings, node).await;
        examined.push(Examined {
            node: format!("{}:{}", node.host, node.port),
            fault: asked.err().map(|error| fault::of_node(node, &error)),
        });
    }
    examined
}

async fn ask(settings: &Settings, node: &Node) -> Result<(), Error> {
    let connection = connect(settings, node, "examines").await?;
    match timeout(ANSWERS, look(settings, &connection)).await {
        Ok(looked) => looked,
        Err(_) => Err(std::io::Error::other("it answers no more; a queue may be without a leader").into()),
    }
}

async fn look(settings: &Settings, connection: &Connection) -> Result<(), Error> {
    let channel = connection.create_channel().await?;
    topology::declare_base(&channel, &settings.delay_tiers).await?;
    for topic in &settings.topics {
        topology::declare_topic(&channel, topic).await?;
    }
    let name = origin().simple().to_string();
    topology::declare_hearing(&channel, &name).await?;
    topology::probe_streams(&channel, &name).await?;
    connection.close(200, "leadrelay has looked".into()).await
}
