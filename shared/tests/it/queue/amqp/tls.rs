//! TLS: the broker's certificate by our own authority, and ours for the broker.

use leadrelay_shared::clock::Clock;
use leadrelay_shared::queue::Queue;
use leadrelay_shared::queue::amqp::{Tls, examine};
use leadrelay_testkit::broker::{Broker, free_port};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use super::opener::{settings_for, works};
use crate::queue::harness::{drain, messages, topic};

/// An authority, and certificates of it in a directory.
fn certificates(dir: &std::path::Path) {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(Vec::<String>::new()).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = params.self_signed(&key).expect("an authority");
    std::fs::write(dir.join("ca.pem"), ca.pem()).expect("written");
    let issuer = Issuer::new(params, key);
    for name in ["server", "client"] {
        let key = KeyPair::generate().expect("a key");
        let mut params =
            CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).expect("parameters");
        // With its issuer's name it would pass for self-signed.
        params.distinguished_name.push(DnType::CommonName, name);
        let cert = params.signed_by(&key, &issuer).expect("a certificate");
        std::fs::write(dir.join(format!("{name}.pem")), cert.pem()).expect("written");
        std::fs::write(dir.join(format!("{name}.key")), key.serialize_pem()).expect("written");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_sides_show_a_certificate_and_neither_goes_on_without() {
    let dir = tempfile::tempdir().expect("a directory");
    certificates(dir.path());
    let (at, port) = (dir.path().display(), free_port());
    let broker = Broker::start_with(&format!(
        "listeners.ssl.default = 127.0.0.1:{port}\nssl_options.cacertfile = {at}/ca.pem\nssl_options.certfile = {at}/server.pem\n\
         ssl_options.keyfile = {at}/server.key\nssl_options.verify = verify_peer\nssl_options.fail_if_no_peer_cert = true\n"
    ))
    .await;
    let mut settings = settings_for(&broker, "/", &[]);
    let node = &mut settings.nodes[0];
    (node.port, node.tls, node.host) = (port, true, "localhost".to_owned());
    settings.tls = Tls {
        ca: Some(dir.path().join("ca.pem")),
        identity: Some((dir.path().join("client.pem"), dir.path().join("client.key"))),
    };
    let queue = Queue::amqp(settings.clone(), Clock::real());
    works(&queue).await;
    queue.publish(messages(&topic("leads"), 0..3)).await.expect("published");
    drain(&queue, &topic("leads"), 3).await;
    queue.close().await;

    settings.tls.ca = None;
    assert!(examine(&settings).await[0].fault.is_some(), "a certificate of nobody's is not trusted");
    settings.tls = Tls { ca: Some(dir.path().join("ca.pem")), identity: None };
    assert!(examine(&settings).await[0].fault.is_some(), "the broker asks for ours");
}
