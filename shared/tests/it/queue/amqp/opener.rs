//! Queues on the tests' own RabbitMQ: a virtual host for each directory, and a wire to it that can be cut.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use leadrelay_shared::clock::Clock;
use leadrelay_shared::config::Secret;
use leadrelay_shared::queue::amqp::{Node, Settings, Tls};
use leadrelay_shared::queue::{Health, Queue};
use leadrelay_testkit::broker::{self, Broker, Wire};

use crate::queue::opener::Opener;

/// The steps of delays in tests.
pub(crate) const STEPS: [Duration; 3] =
    [Duration::from_millis(200), Duration::from_millis(500), Duration::from_secs(2)];

/// The wires of each directory, the newest last.
static WIRES: Mutex<Option<HashMap<PathBuf, Vec<Wire>>>> = Mutex::new(None);

/// The engine on RabbitMQ.
pub(crate) struct Amqp;

impl Opener for Amqp {
    const COPIES: bool = false;
    const TELLS_ALL: bool = false;
    const MINUTE: Duration = Duration::from_millis(900);

    async fn open(&self, dir: &Path, clock: Clock) -> Queue {
        let (queue, wire) = on_a_wire_with(&vhost_of(dir).await, clock).await;
        WIRES.lock().expect("the wires").get_or_insert_default().entry(dir.to_owned()).or_default().push(wire);
        queue
    }

    async fn end_abruptly(&self, _: Queue, dir: &Path) -> PathBuf {
        let wire = WIRES.lock().expect("the wires").get_or_insert_default().get_mut(dir).and_then(Vec::pop);
        wire.expect("a queue that is open").cut();
        dir.to_owned()
    }

    fn clock(&self) -> Clock {
        Clock::real()
    }

    async fn pass(&self, clock: &Clock, time: Duration) {
        clock.sleep(time).await;
    }
}

/// Waits until a queue is connected; what keeps it from that is shown.
pub(crate) async fn works(queue: &Queue) {
    let mut health = queue.health();
    let last = health.clone();
    let ready = tokio::time::timeout(Duration::from_secs(60), health.wait_for(|h| *h == Health::Ready)).await;
    let Ok(Ok(_)) = ready else { panic!("it does not work: {:?}", *last.borrow()) };
}

/// A queue on a new virtual host, whose name comes first, with these topics.
pub(crate) async fn open(topics: &[&str]) -> (String, Queue) {
    let vhost = vhost().await;
    let queue = Queue::amqp(settings_for(broker::shared().await, &vhost, topics), Clock::real());
    works(&queue).await;
    (vhost, queue)
}

/// A queue on a virtual host, behind a wire.
pub(crate) async fn on_a_wire(vhost: &str) -> (Queue, Wire) {
    on_a_wire_with(vhost, Clock::real()).await
}

pub(crate) async fn on_a_wire_with(vhost: &str, clock: Clock) -> (Queue, Wire) {
    let shared = broker::shared().await;
    let wire = Wire::to(address(shared)).await;
    let mut settings = settings_for(shared, vhost, &[]);
    settings.nodes[0].port = wire.address().port();
    let queue = Queue::amqp(settings, clock);
    works(&queue).await;
    (queue, wire)
}

/// A queue on a broker.
pub(crate) async fn connected_to(broker: &Broker, vhost: &str) -> Queue {
    let queue = Queue::amqp(settings_for(broker, vhost, &[]), Clock::real());
    works(&queue).await;
    queue
}

/// A new virtual host on the shared broker.
pub(crate) async fn vhost() -> String {
    broker::shared().await.vhost().await
}

fn address(broker: &Broker) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], broker.port()))
}

/// Settings for a virtual host of a broker.
pub(crate) fn settings_for(broker: &Broker, vhost: &str, topics: &[&str]) -> Settings {
    let node = Node {
        host: "127.0.0.1".to_owned(),
        port: broker.port(),
        vhost: vhost.to_owned(),
        user: "guest".to_owned(),
        password: Secret::plain("guest"),
        tls: false,
    };
    Settings {
        nodes: vec![node],
        tls: Tls::default(),
        name: "leadrelay-test".to_owned(),
        topics: topics.iter().map(|t| (*t).to_owned()).collect(),
        delay_tiers: STEPS.to_vec(),
    }
}

/// The virtual host of a directory.
async fn vhost_of(dir: &Path) -> String {
    let file = dir.join("vhost");
    if let Ok(name) = std::fs::read_to_string(&file) {
        return name;
    }
    let name = vhost().await;
    std::fs::write(file, &name).expect("written");
    name
}
