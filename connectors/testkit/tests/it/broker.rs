//! The broker for tests: it can be broken in the ways that it says, and it leaves nothing behind.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use leadrelay_testkit::broker::{self, Broker, Cluster};
use serde_json::json;
use tokio::net::TcpStream;

/// Declares a quorum queue.
async fn declare(broker: &Broker, vhost: &str, queue: &str) {
    let body = json!({"durable": true, "arguments": {"x-queue-type": "quorum", "x-overflow": "reject-publish"}});
    broker.api("PUT", &format!("/api/queues/{vhost}/{queue}"), Some(body)).await;
}

/// Publishes one message, and waits until a queue has it.
async fn publish(broker: &Broker, vhost: &str, queue: &str) {
    let body =
        json!({"properties": {"delivery_mode": 2}, "routing_key": queue, "payload": "x", "payload_encoding": "string"});
    let before = broker.messages(vhost).get(queue).copied().unwrap_or(0);
    let answer = broker.api("POST", &format!("/api/exchanges/{vhost}/amq.default/publish"), Some(body)).await;
    assert_eq!(answer["routed"], true);
    until(async || broker.messages(vhost).get(queue).copied() == Some(before + 1)).await;
}

/// Waits until something holds.
async fn until(holds: impl AsyncFn() -> bool) {
    let all = async {
        while !holds().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), all).await.expect("it comes to hold");
}

async fn refuses(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).await.is_err()
}

/// Each test has a runtime of its own, and the broker outlives them.
#[test]
fn one_broker_serves_many_runtimes() {
    let vhosts = [(); 2].map(|()| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let shared = broker::shared().await;
            let vhost = shared.vhost().await;
            declare(shared, &vhost, "leads").await;
            publish(shared, &vhost, "leads").await;
            assert_eq!(shared.messages(&vhost)["leads"], 1);
            assert_eq!(shared.url(&vhost), format!("amqp://guest:guest@127.0.0.1:{}/{vhost}", shared.port()));
            (shared.port(), vhost)
        })
    });
    assert_eq!(vhosts[0].0, vhosts[1].0, "one broker");
    assert_ne!(vhosts[0].1, vhosts[1].1, "with a virtual host for each");
}

#[tokio::test]
async fn stopped_or_killed_it_comes_back_where_it_was_with_what_it_had() {
    let broker = Broker::start().await;
    let vhost = broker.vhost().await;
    declare(&broker, &vhost, "leads").await;
    publish(&broker, &vhost, "leads").await;
    let port = broker.port();
    // Stopped first: RabbitMQ before 4 writes down some seconds late which queues it has.
    for end in [Broker::stop, Broker::kill] {
        assert!(broker.runs() && !refuses(port).await);
        end(&broker);
        assert!(!broker.runs() && refuses(port).await);
        broker.start_again().await;
        until(async || broker.messages(&vhost).get("leads") == Some(&1)).await;
    }
    let directory = broker.directory().to_owned();
    drop(broker);
    assert!(refuses(port).await && !directory.exists());
}

#[tokio::test]
async fn alarms_and_policies_come_and_go() {
    let broker = Broker::start_with("consumer_timeout = 60000").await;
    let told = broker.ctl(&["eval", "application:get_env(rabbit, consumer_timeout)."]);
    assert_eq!(told.trim(), "{ok,60000}", "its configuration has the lines that it was given");
    let alarm = async |name: &str| broker.api("GET", "/api/nodes", None).await[0][name] == true;
    broker.memory_alarm(true).await;
    until(async || alarm("mem_alarm").await).await;
    broker.memory_alarm(false).await;
    until(async || !alarm("mem_alarm").await).await;
    broker.disk_alarm(true).await;
    until(async || alarm("disk_free_alarm").await).await;
    broker.disk_alarm(false).await;
    until(async || !alarm("disk_free_alarm").await).await;

    let vhost = broker.vhost().await;
    declare(&broker, &vhost, "leads").await;
    broker.policy(&vhost, "full", "^leads$", json!({"max-length": 1})).await;
    let followed = async || broker.api("GET", &format!("/api/queues/{vhost}/leads"), None).await["policy"] == "full";
    until(followed).await;
}

/// What the child of [`it_ends_with_a_process_that_is_killed`] does.
#[tokio::test]
#[ignore = "waits to be killed"]
#[expect(clippy::print_stdout, reason = "the one that kills it reads this")]
async fn child() {
    let broker = Broker::start().await;
    println!("\nbroker {} {}", broker.port(), broker.directory().display());
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn it_ends_with_a_process_that_is_killed() {
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "broker::child", "--ignored", "--nocapture"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let told = lines.find_map(|line| Some(line.ok()?.strip_prefix("broker ")?.to_owned())).expect("it has a broker");
    let (port, directory) = told.split_once(' ').expect("a port and a directory");
    let port: u16 = port.parse().expect("a port");
    assert!(!refuses(port).await);
    child.kill().expect("killed");
    child.wait().expect("it ends");
    until(async || refuses(port).await && !std::path::Path::new(directory).exists()).await;
}

#[tokio::test]
async fn three_nodes_are_one_broker_that_goes_on_without_its_leader() {
    let cluster = Cluster::start().await;
    let [first, ..] = cluster.nodes();
    let vhost = first.vhost().await;
    declare(first, &vhost, "leads").await;
    publish(first, &vhost, "leads").await;
    let leader = cluster.leader_of(&vhost, "leads");
    leader.kill();
    let left = cluster.nodes().iter().find(|node| node.runs()).expect("two are left");
    until(async || left.messages(&vhost).get("leads") == Some(&1)).await;
    assert_ne!(cluster.leader_of(&vhost, "leads").port(), leader.port(), "another one leads");
    publish(left, &vhost, "leads").await;
    leader.start_again().await;
    until(async || leader.messages(&vhost).get("leads") == Some(&2)).await;
}
