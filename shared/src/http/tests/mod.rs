//! The client against small servers of bytes: one connection, one scripted answer.

mod addresses;
mod answers;
mod tls;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::guard::Lookup;
use super::*;

/// What every URL of these tests has in its path, and no text may show.
const TOKEN: &str = "s3cr3t-token";

fn settings(allow_private_addresses: bool) -> Settings {
    Settings { timeout: Duration::from_secs(20), allow_private_addresses }
}

fn hasty() -> Settings {
    Settings { timeout: Duration::from_secs(1), allow_private_addresses: true }
}

fn local() -> Client {
    Client::new(settings(true)).expect("a client")
}

fn with_lookup(settings: Settings, lookup: Lookup) -> Client {
    Client::assemble(settings, Vec::new(), lookup).expect("a client")
}

/// Names resolve to these.
fn to(addresses: &'static [&'static str]) -> Lookup {
    Arc::new(move |_| {
        Box::pin(async move { Ok(addresses.iter().map(|a| a.parse::<IpAddr>().expect("an address")).collect()) })
    })
}

fn url(scheme: &str, authority: impl std::fmt::Display) -> Url {
    format!("{scheme}://{authority}/{TOKEN}?sig={TOKEN}").parse().expect("a url")
}

/// Posts, and holds any error to its promise.
async fn post(client: &Client, url: Url) -> Result<Answer, DeliveryError> {
    let outcome = client.request(Method::POST, url).body("{}").send().await;
    if let Err(error) = &outcome {
        assert!(!format!("{error} {error:?}").contains(TOKEN), "{error:?}");
    }
    outcome
}

async fn kind_of(client: &Client, url: Url) -> ErrorKind {
    post(client, url).await.expect_err("a failure").kind
}

/// Serves connections one after another with `script`, and counts them.
struct Server {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Server {
    async fn start<S, F>(script: S) -> Self
    where
        S: Fn(TcpStream, String) -> F + Send + 'static,
        F: Future<Output = io::Result<()>> + Send,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let request = head(&mut stream).await.expect("a request");
                // A script that ends in an error has met a client that went away, which is what some of them wait for.
                let _ = script(stream, request).await;
            }
        });
        Self { address, connections }
    }

    async fn saying(answer: &'static str) -> Self {
        Self::start(move |mut stream, _| async move { stream.write_all(answer.as_bytes()).await }).await
    }

    fn url(&self) -> Url {
        url("http", self.address)
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// Reads up to the end of a request's head, and of the body `{}`.
async fn head(stream: &mut TcpStream) -> io::Result<String> {
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n\r\n{}") && !read.starts_with(b"\x16") {
        if stream.read_buf(&mut read).await? == 0 {
            break;
        }
    }
    Ok(String::from_utf8_lossy(&read).into_owned())
}
