//! Whom a client trusts.

use std::io::{Read, Write};

use rustls::pki_types::PrivateKeyDer;

use super::*;

/// A server of TLS on a thread of its own, and the certificate to trust it by.
fn serve(name: &str) -> (SocketAddr, String) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("a configuration");
    let config = Arc::new(config);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let session = rustls::ServerConnection::new(Arc::clone(&config)).expect("a session");
            let mut tls = rustls::StreamOwned::new(session, stream);
            let mut request = [0; 4096];
            // A client that does not trust us ends the handshake here.
            if tls.read(&mut request).is_ok() {
                let _ = tls.write_all(b"HTTP/1.1 204 No Content\r\n\r\n");
            }
        }
    });
    (address, made.cert.pem())
}

fn client(pem: Option<&str>) -> Client {
    let roots = pem.map(|pem| reqwest::Certificate::from_pem_bundle(pem.as_bytes()).expect("certificates"));
    Client::assemble(settings(true), roots.unwrap_or_default(), to(&["127.0.0.1"])).expect("a client")
}

#[tokio::test]
async fn a_certificate_is_believed_only_by_who_trusts_it_and_for_its_name() {
    let (address, pem) = serve("crm.example.com");
    let here = |name: &str| url("https", format!("{name}:{}", address.port()));
    assert_eq!(post(&client(Some(&pem)), here("crm.example.com")).await.expect("an answer").status, 204);

    let stranger = post(&client(None), here("crm.example.com")).await.expect_err("not trusted");
    assert_eq!(stranger.kind, ErrorKind::Misconfigured);
    assert!(stranger.message.contains("does not trust"), "{stranger}");

    let other = post(&client(Some(&pem)), here("other.example.com")).await.expect_err("another name");
    assert_eq!(other.kind, ErrorKind::Misconfigured);
    assert!(other.message.contains("another name"), "{other}");
}

#[tokio::test]
async fn a_port_that_does_not_speak_tls_is_unavailable() {
    let plain = Server::saying("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await;
    let error = post(&client(None), url("https", format!("crm.example.com:{}", plain.address.port()))).await;
    let error = error.expect_err("no handshake");
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert!(error.message.contains("TLS"), "{error}");
}

#[test]
fn extra_certificates_must_be_certificates() {
    assert!(Client::trusting(settings(true), "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----").is_err());
}
