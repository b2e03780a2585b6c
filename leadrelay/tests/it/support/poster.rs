//! Posts leads over keep-alive connections, as fast as they are answered. Shared by the tests and the benches.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Where leads are posted.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    pub(crate) address: SocketAddr,
    /// `/v1/leads/<source>/<token>`
    pub(crate) path: String,
}

/// One answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Answer {
    /// The lead's id, where the answer tells one.
    pub(crate) fn id(&self) -> Option<String> {
        let answer: serde_json::Value = serde_json::from_str(&self.body).ok()?;
        answer["id"].as_str().map(str::to_owned)
    }
}

/// Posts leads `range`, each once, over so many connections. Ends early when the door closes; what was answered is told.
pub(crate) async fn post(door: &Door, connections: usize, range: Range<u64>, body: fn(u64) -> String) -> Vec<Answer> {
    let next = Arc::new(AtomicU64::new(range.start));
    let mut tasks = JoinSet::new();
    for _ in 0..connections {
        let (door, next, end) = (door.clone(), next.clone(), range.end);
        tasks.spawn(async move {
            let mut answers = Vec::new();
            // An error is the door closing, which the caller sees by the number of answers.
            let _ = one_connection(&door, &next, end, body, &mut answers).await;
            answers
        });
    }
    tasks.join_all().await.into_iter().flatten().collect()
}

async fn one_connection(
    door: &Door,
    next: &AtomicU64,
    end: u64,
    body: fn(u64) -> String,
    answers: &mut Vec<Answer>,
) -> std::io::Result<()> {
    let stream = TcpStream::connect(door.address).await?;
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    loop {
        let n = next.fetch_add(1, Ordering::Relaxed);
        if n >= end {
            return Ok(());
        }
        let body = body(n);
        let head = format!(
            "POST {} HTTP/1.1\r\nhost: relay\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            door.path,
            body.len()
        );
        stream.get_mut().write_all([head.as_bytes(), body.as_bytes()].concat().as_slice()).await?;
        let (status, body) = answer(&mut stream).await?;
        answers.push(Answer { status, body });
    }
}

async fn answer(stream: &mut BufReader<TcpStream>) -> std::io::Result<(u16, String)> {
    let closed = || std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    let status = line.split(' ').nth(1).and_then(|s| s.parse().ok()).ok_or_else(closed)?;
    let mut length = 0;
    loop {
        line.clear();
        stream.read_line(&mut line).await?;
        match line.trim_end().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse().map_err(|_| closed())?;
            }
            Some(_) => {}
            None if line.is_empty() => return Err(closed()),
            None => break,
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}
