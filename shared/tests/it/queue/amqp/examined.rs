//! What `examine` finds wrong with a broker.

use std::net::SocketAddr;

use leadrelay_shared::clock::Clock;
use leadrelay_shared::config::Secret;
use leadrelay_shared::queue::Queue;
use leadrelay_shared::queue::amqp::{Examined, Node, Settings, examine};
use leadrelay_testkit::broker;
use serde_json::json;

use super::opener::{settings_for, vhost, works};

async fn fault(settings: &Settings) -> String {
    let mut examined = examine(settings).await;
    assert_eq!(examined.len(), settings.nodes.len());
    examined.remove(0).fault.expect("a fault")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_as_it_must_be_has_no_fault_and_everything_that_it_needs() {
    let shared = broker::shared().await;
    let settings = settings_for(shared, &vhost().await, &["leads", "deliver.crm"]);
    let node = format!("127.0.0.1:{}", shared.port());
    assert_eq!(examine(&settings).await, [Examined { node, fault: None }]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_feature_flag_that_is_off_is_told_with_the_command_that_turns_it_on() {
    let broker = broker::Broker::start_with_features("quorum_queue").await;
    let settings = settings_for(&broker, &broker.vhost().await, &["leads"]);
    let off = fault(&settings).await;
    assert!(off.contains("rabbitmqctl enable_feature_flag all"), "{off}");
    broker.ctl(&["enable_feature_flag", "all"]);
    assert_eq!(examine(&settings).await[0].fault, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_fault_is_told_with_its_remedy_and_no_password() {
    let shared = broker::shared().await;
    let sound = settings_for(shared, &vhost().await, &["leads"]);
    let with = |change: &dyn Fn(&mut Node)| {
        let mut settings = sound.clone();
        settings.nodes.iter_mut().for_each(change);
        settings
    };
    let wrong = fault(&with(&|n| n.password = Secret::plain("hunter2"))).await;
    assert!(
        wrong.contains("refuses user guest") && wrong.contains("queue.password") && !wrong.contains("hunter2"),
        "{wrong}"
    );
    let nowhere = fault(&with(&|n| n.vhost = "nowhere".to_owned())).await;
    assert!(nowhere.contains("nowhere") && nowhere.contains("add_vhost"), "{nowhere}");
    let closed = SocketAddr::from(([127, 0, 0, 1], 1));
    let away = fault(&with(&|n| n.port = closed.port())).await;
    assert!(away.contains("127.0.0.1:1 cannot be reached"), "{away}");

    let vhost = &sound.nodes[0].vhost;
    let weak = json!({"password": "weak-password", "tags": ""});
    shared.api("PUT", &format!("/api/users/weak-{vhost}"), Some(weak)).await;
    let rights = json!({"configure": "^leadrelay", "write": "^$", "read": "^leadrelay"});
    shared.api("PUT", &format!("/api/permissions/{vhost}/weak-{vhost}"), Some(rights)).await;
    let forbidden = fault(&with(&|n| {
        n.user = format!("weak-{}", n.vhost);
        n.password = Secret::plain("weak-password");
    }))
    .await;
    assert!(
        forbidden.contains("ACCESS_REFUSED") && forbidden.contains("user weak-") && forbidden.contains("grant it"),
        "{forbidden}"
    );

    let enough = json!({"configure": "^leadrelay", "write": "^leadrelay", "read": "^leadrelay"});
    shared.api("PUT", &format!("/api/permissions/{vhost}/weak-{vhost}"), Some(enough)).await;
    let settings = with(&|n| {
        n.user = format!("weak-{}", n.vhost);
        n.password = Secret::plain("weak-password");
    });
    assert_eq!(examine(&settings).await[0].fault, None, "rights on our names are enough");
    let queue = Queue::amqp(settings, Clock::real());
    works(&queue).await;
    queue.close().await;

    let path = format!("/api/queues/{vhost}/leadrelay.v1.topic.leads");
    shared.api("DELETE", &path, None).await;
    shared.api("PUT", &path, Some(json!({"durable": true, "arguments": {"x-queue-type": "quorum"}}))).await;
    let differs = fault(&sound).await;
    assert!(differs.contains("leadrelay.v1.topic.leads") && differs.contains("drain it and delete it"), "{differs}");
}
