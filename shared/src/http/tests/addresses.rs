//! Where a connection may go, and that it goes nowhere else.

use super::*;

async fn idle() -> Server {
    Server::saying("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await
}

#[tokio::test]
async fn a_private_address_is_refused_unless_allowed_and_nothing_is_sent() {
    let server = idle().await;
    let port = server.address.port();
    let guarded = Client::new(settings(false)).expect("a client");
    for host in ["127.0.0.1", "2130706433", "017700000001", "0x7f.1", "[::ffff:127.0.0.1]", "localhost"] {
        let error = post(&guarded, url("https", format!("{host}:{port}"))).await.expect_err("refused");
        assert_eq!(error.kind, ErrorKind::Misconfigured, "{host}");
        assert!(error.message.contains("allow_private_addresses"), "{error}");
    }
    assert_eq!(server.connections(), 0);
    assert_eq!(post(&local(), server.url()).await.expect("an answer").status, 200);
}

#[tokio::test]
async fn a_public_name_with_a_private_address_is_refused() {
    let server = idle().await;
    let url = url("https", format!("crm.example.com:{}", server.address.port()));
    for addresses in
        [&["127.0.0.1"][..], &["::ffff:127.0.0.1"], &["127.0.0.1", "169.254.169.254"], &["64:ff9b::7f00:1"]]
    {
        assert_eq!(kind_of(&with_lookup(settings(false), to(addresses)), url.clone()).await, ErrorKind::Misconfigured);
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_name_that_changes_its_mind_is_asked_once_for_each_connection_and_never_believed() {
    let server = idle().await;
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let rebinding: Lookup = Arc::new(move |_| {
        // First an address that nobody answers at (and that is allowed), then ours.
        let address = if counted.fetch_add(1, Ordering::SeqCst) == 0 { "169.254.0.1" } else { "127.0.0.1" };
        Box::pin(async move { Ok(vec![address.parse().expect("an address")]) })
    });
    let client = with_lookup(settings(false), rebinding);
    let url = url("https", format!("crm.example.com:{}", server.address.port()));
    assert_eq!(kind_of(&client, url.clone()).await, ErrorKind::Misconfigured);
    assert_eq!(kind_of(&client, url).await, ErrorKind::Misconfigured);
    assert_eq!((asked.load(Ordering::SeqCst), server.connections()), (2, 0));
}

#[tokio::test]
async fn of_several_addresses_only_the_allowed_are_connected_to() {
    use reqwest::dns::Resolve;
    let kept = |reach| async move {
        let addresses = to(&["10.0.0.1", "8.8.8.8", "169.254.169.254", "::1", "0.0.0.0"]);
        let resolver = Guarded { lookup: addresses, reach };
        let found = resolver.resolve("crm.example.com".parse().expect("a name")).await.expect("some are left");
        found.map(|a| a.ip().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(kept(Reach::Public).await, ["8.8.8.8"]);
    assert_eq!(kept(Reach::All).await, ["10.0.0.1", "8.8.8.8", "::1"]);
    assert_eq!(kept(Reach::Private).await, ["10.0.0.1", "::1"]);
}

#[tokio::test]
async fn plain_http_is_for_private_networks_where_they_are_allowed() {
    let server = idle().await;
    let guarded = Client::new(settings(false)).expect("a client");
    assert_eq!(kind_of(&guarded, server.url()).await, ErrorKind::Misconfigured);
    assert_eq!(kind_of(&guarded, url("http", "crm.example.com")).await, ErrorKind::Misconfigured);
    assert_eq!(kind_of(&local(), url("http", "8.8.8.8")).await, ErrorKind::Misconfigured);
    let public = with_lookup(settings(true), to(&["8.8.8.8"]));
    assert_eq!(kind_of(&public, url("http", "crm.example.com")).await, ErrorKind::Misconfigured);
    assert_eq!(server.connections(), 0);
    let private = with_lookup(settings(true), to(&["8.8.8.8", "127.0.0.1"]));
    let named = url("http", format!("crm.example.com:{}", server.address.port()));
    assert_eq!(post(&private, named).await.expect("an answer").status, 200);
}

#[tokio::test]
async fn other_schemes_are_refused() {
    for text in ["ftp://crm.example.com/", "file:///etc/passwd", "unix:/run/crm", "data:,x"] {
        assert_eq!(kind_of(&local(), text.parse().expect("a url")).await, ErrorKind::Misconfigured, "{text}");
    }
}
