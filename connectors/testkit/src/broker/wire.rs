//! A wire between a client and a server that can be cut, frozen, or hold the server's answers back.
//!
//! Invariant: bytes are passed on unchanged and in order, or their connection ends.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

/// What the wire lets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    Sound,
    /// Connections are reset, and so are new ones.
    Cut,
    /// Connections stay, and nothing moves.
    Frozen,
    /// What the server says is held back.
    Held,
}

/// A wire to a server. Dropping it cuts it.
pub struct Wire {
    address: SocketAddr,
    mood: Arc<watch::Sender<Mood>>,
    /// How often it was cut: each time ends the connections of before, however soon it is mended.
    cuts: Arc<watch::Sender<u64>>,
    _listening: AbortOnDropHandle<()>,
}

impl Wire {
    /// A wire to `server`.
    pub async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let mood = Arc::new(watch::Sender::new(Mood::Sound));
        let cuts = Arc::new(watch::Sender::new(0));
        let listening = tokio::spawn(listen(listener, server, mood.clone(), cuts.clone()));
        Self { address, mood, cuts, _listening: AbortOnDropHandle::new(listening) }
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Resets every connection, and new ones until it is mended.
    pub fn cut(&self) {
        self.mood.send_replace(Mood::Cut);
        self.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Half open: connections stay, and nothing moves in either direction.
    pub fn freeze(&self) {
        self.mood.send_replace(Mood::Frozen);
    }

    /// Holds back what the server says; what the client says still arrives.
    pub fn hold_answers(&self) {
        self.mood.send_replace(Mood::Held);
    }

    /// Lets everything through again.
    pub fn mend(&self) {
        self.mood.send_replace(Mood::Sound);
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire")
            .field("address", &self.address)
            .field("mood", &*self.mood.borrow())
            .finish_non_exhaustive()
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.cut();
    }
}

async fn listen(
    listener: TcpListener,
    server: SocketAddr,
    mood: Arc<watch::Sender<Mood>>,
    cuts: Arc<watch::Sender<u64>>,
) {
    while let Ok((client, _)) = listener.accept().await {
        tokio::spawn(carry(client, server, mood.subscribe(), cuts.subscribe()));
    }
}

async fn carry(mut client: TcpStream, server: SocketAddr, mood: watch::Receiver<Mood>, mut cuts: watch::Receiver<u64>) {
    if *mood.borrow() != Mood::Cut {
        let Ok(mut server) = TcpStream::connect(server).await else { return };
        let ((from_client, to_client), (from_server, to_server)) = (client.split(), server.split());
        let asks = pass(from_client, to_server, mood.clone(), &[Mood::Frozen]);
        let answers = pass(from_server, to_client, mood, &[Mood::Frozen, Mood::Held]);
        tokio::select! {
            // Fails when the wire is dropped, which cuts it first.
            _ = cuts.changed() => {}
            () = asks => return,
            () = answers => return,
        }
        let _ = server.set_zero_linger();
    }
    // Closing with this sends a reset, as a machine that lost its state does. It fails for a connection that is gone already.
    let _ = client.set_zero_linger();
}

/// Passes bytes on, except in these moods, until either side closes.
async fn pass(mut from: ReadHalf<'_>, mut to: WriteHalf<'_>, mut mood: watch::Receiver<Mood>, not_in: &[Mood]) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let Ok(read @ 1..) = from.read(&mut buffer).await else { return };
        if mood.wait_for(|mood| !not_in.contains(mood)).await.is_err() || to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
