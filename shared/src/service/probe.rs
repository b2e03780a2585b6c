//! Asking a process of this machine whether it is ready, for whoever watches over it and has no HTTP client.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// How long connecting may take, and again sending, and each read.
const PATIENCE: Duration = Duration::from_secs(3);
/// The most that is read of an answer.
const ANSWER_MAX: u64 = 64 << 10;

/// Where a listener can be reached from here: one that listens on every address, at the loopback one.
pub fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

/// Asks `/readyz` of the process that listens there.
pub(super) fn is_ready(listen: SocketAddr) -> Result<(), String> {
    let address = reachable(listen);
    if address.port() == 0 {
        return Err("admin.listen has port 0, and so nobody knows where to ask; give it a port".to_owned());
    }
    let answer = ask(address).map_err(|e| format!("nothing answers at {address}: {e}"))?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    match head.split(' ').nth(1) {
        Some("200") => Ok(()),
        Some("503") => Err(format!("not ready: {}", body.trim())),
        _ => Err(format!("what answers at {address} is not leadrelay")),
    }
}

fn ask(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(format!("GET /readyz HTTP/1.0\r\nHost: {address}\r\n\r\n").as_bytes())?;
    let mut answer = Vec::new();
    stream.take(ANSWER_MAX).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_on_every_address_is_reached_at_the_loopback_one() {
        let told = |text: &str| reachable(text.parse().expect("an address")).to_string();
        assert_eq!(told("0.0.0.0:81"), "127.0.0.1:81");
        assert_eq!(told("[::]:81"), "[::1]:81");
        assert_eq!(told("192.0.2.1:81"), "192.0.2.1:81");
    }

    #[test]
    fn only_200_is_ready_and_the_reason_is_told() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let answers = ["200 OK\r\n\r\n{}", "503 Service Unavailable\r\n\r\n{\"ready\":false}", "404 Not Found\r\n\r\n"];
        let serving = std::thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().expect("a connection");
                let mut asked = [0; 512];
                let read = stream.read(&mut asked).expect("a request");
                assert!(asked[..read].starts_with(b"GET /readyz HTTP/1.0\r\n"));
                stream.write_all(format!("HTTP/1.0 {answer}").as_bytes()).expect("answered");
            }
        });
        assert_eq!(is_ready(address), Ok(()));
        assert_eq!(is_ready(address), Err("not ready: {\"ready\":false}".to_owned()));
        assert!(is_ready(address).expect_err("another").contains("is not leadrelay"));
        serving.join().expect("all were asked");
        assert!(is_ready(address).expect_err("gone").contains("nothing answers"));
        assert!(is_ready(SocketAddr::new(address.ip(), 0)).expect_err("no port").contains("port 0"));
    }
}
