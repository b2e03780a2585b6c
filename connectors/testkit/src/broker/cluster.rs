//! Three nodes that are one broker, on one machine.

use serde_json::Value;

use super::Broker;
use super::node::Names;

/// What nodes that belong together know.
const COOKIE: &str = "leadrelay-tests";

/// Three joined nodes. What one of them is told, such as a virtual host or a policy, all know.
#[derive(Debug)]
pub struct Cluster {
    nodes: [Broker; 3],
}

impl Cluster {
    /// Starts three nodes and joins them.
    ///
    /// # Panics
    /// When they cannot be started or joined.
    pub async fn start() -> Self {
        let names = Names::start();
        let nodes = [(); 3].map(|()| Broker::named_in(names.clone(), ""));
        for node in &nodes {
            node.knows(COOKIE);
        }
        tokio::join!(nodes[0].start_again(), nodes[1].start_again(), nodes[2].start_again());
        for node in &nodes[1..] {
            node.ctl(&["stop_app"]);
            node.ctl(&["join_cluster", &nodes[0].name()]);
            node.ctl(&["start_app"]);
        }
        Self { nodes }
    }

    /// The nodes.
    pub fn nodes(&self) -> &[Broker; 3] {
        &self.nodes
    }

    /// The node that leads a queue, as the others know it.
    ///
    /// # Panics
    /// When there is no such queue, or nobody leads it now.
    pub fn leader_of(&self, vhost: &str, queue: &str) -> &Broker {
        let asked = self.nodes.iter().find(|node| node.runs()).expect("a node that runs");
        let listed = asked.ctl(&["list_queues", "-p", vhost, "name", "leader", "--formatter", "json"]);
        let queues: Vec<Value> = serde_json::from_str(&listed).expect("JSON");
        let leader = queues.iter().find(|q| q["name"] == queue).and_then(|q| q["leader"].as_str()).map(str::to_owned);
        self.nodes.iter().find(|node| leader.as_deref() == Some(&node.name())).expect("a leader")
    }
}
