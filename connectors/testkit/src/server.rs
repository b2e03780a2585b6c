//! The thin face: HTTP/1.1 on a port of its own before a simulated world, with faults by plan.
//!
//! Invariant: a request that a fault does not stop has its effect exactly once, before the answer leaves; a request whose
//! fault is `before` has none.

use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, stream};
use http::header::{LOCATION, RETRY_AFTER};
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::fault::{Fault, How, Plan};
use crate::socket::{Fate, Socket};

/// A simulated third party, without its face.
pub trait Simulated: Send + Sync + 'static {
    /// Lets the request have its effect, and says what is answered.
    fn answer(&self, request: &Request<Bytes>) -> Response<Bytes>;
}

/// A port before a simulated world. It closes when this is dropped.
pub struct Server {
    address: SocketAddr,
    face: Arc<Face>,
    /// Empty only while it is being moved.
    door: Mutex<Option<Door>>,
}

struct Face {
    world: Box<dyn Simulated>,
    plan: RwLock<(u64, Plan)>,
    arrived: AtomicU64,
    handled: watch::Sender<u64>,
    streamed: Arc<AtomicU64>,
    latency_ms: AtomicU64,
}

enum Door {
    Open {
        stop: CancellationToken,
        listening: JoinHandle<Option<()>>,
    },
    /// The port is kept, and nobody listens: the machine refuses connections to it.
    Closed(TcpSocket),
}

/// The connection is cut instead of answered.
#[derive(Debug)]
struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cut by plan")
    }
}

impl std::error::Error for Cut {}

type Body = UnsyncBoxBody<Bytes, Cut>;

impl Server {
    /// Opens a port on loopback before `world`.
    ///
    /// # Panics
    /// When the machine has no port left.
    pub async fn start(world: impl Simulated) -> Self {
        Self::before(world, listen(reserve(SocketAddr::from(([127, 0, 0, 1], 0)))))
    }

    /// Opens `address` before `world`.
    ///
    /// # Errors
    /// When the machine does not give it.
    pub async fn start_at(address: SocketAddr, world: impl Simulated) -> std::io::Result<Self> {
        Ok(Self::before(world, TcpListener::bind(address).await?))
    }

    fn before(world: impl Simulated, listener: TcpListener) -> Self {
        let address = address_of(&listener);
        let face = Arc::new(Face {
            world: Box::new(world),
            plan: RwLock::default(),
            arrived: AtomicU64::new(0),
            handled: watch::Sender::new(0),
            streamed: Arc::default(),
            latency_ms: AtomicU64::new(0),
        });
        let door = Mutex::new(Some(open(listener, &face)));
        Self { address, face, door }
    }

    /// Where it listens: `http://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Follows `plan` from the next request on.
    pub fn plan(&self, plan: Plan) {
        let mut current = self.face.plan.write().unwrap_or_else(PoisonError::into_inner);
        *current = (self.face.arrived.load(Ordering::SeqCst), plan);
    }

    /// Requests that were read, whatever became of them.
    pub fn requests(&self) -> u64 {
        *self.face.handled.borrow()
    }

    /// Waits until `count` requests were read and had their effect, if they were to have one.
    pub async fn has_seen(&self, count: u64) {
        // Fails only when the sender is gone, and `self` holds it.
        let _ = self.face.handled.subscribe().wait_for(|handled| *handled >= count).await;
    }

    /// Lets so much time pass before each answer from now on: a CRM that is far away, or slow.
    pub fn answer_after(&self, latency: Duration) {
        let millis = u64::try_from(latency.as_millis()).unwrap_or(u64::MAX);
        self.face.latency_ms.store(millis, Ordering::SeqCst);
    }

    /// Bytes of oversize answers that clients let it write.
    pub fn streamed(&self) -> u64 {
        self.face.streamed.load(Ordering::SeqCst)
    }

    /// Cuts every connection and refuses new ones, until [`welcome`](Self::welcome).
    ///
    /// # Panics
    /// When another program takes the port in between.
    pub async fn refuse(&self) {
        let mut door = self.door.lock().await;
        *door = match door.take() {
            Some(Door::Open { stop, listening }) => {
                stop.cancel();
                // It ends as soon as it is told to, and a panic in it has been printed.
                let _ = listening.await;
                Some(Door::Closed(reserve(self.address)))
            }
            closed => closed,
        };
    }

    /// Takes connections again.
    pub async fn welcome(&self) {
        let mut door = self.door.lock().await;
        *door = match door.take() {
            Some(Door::Closed(socket)) => Some(open(listen(socket), &self.face)),
            open => open,
        };
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(Door::Open { stop, .. }) = self.door.get_mut() {
            stop.cancel();
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("address", &self.address).field("requests", &self.requests()).finish()
    }
}

#[expect(clippy::expect_used, reason = "a test without a port cannot go on")]
fn reserve(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_reuseaddr(true).expect("an option of sockets");
    socket.bind(address).expect("a port on loopback");
    socket
}

#[expect(clippy::expect_used, reason = "a test without a port cannot go on")]
fn listen(socket: TcpSocket) -> TcpListener {
    socket.listen(1024).expect("a listening port")
}

#[expect(clippy::expect_used, reason = "a listening port has an address")]
fn address_of(listener: &TcpListener) -> SocketAddr {
    listener.local_addr().expect("an address")
}

fn open(listener: TcpListener, face: &Arc<Face>) -> Door {
    let stop = CancellationToken::new();
    let listening =
        tokio::spawn(stop.clone().run_until_cancelled_owned(accept(listener, Arc::clone(face), stop.clone())));
    Door::Open { stop, listening }
}

async fn accept(listener: TcpListener, face: Arc<Face>, stop: CancellationToken) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        // Without it small answers wait for the client's acknowledgement; a connection that is gone already is found out soon.
        let _ = stream.set_nodelay(true);
        tokio::spawn(
            stop.clone().run_until_cancelled_owned(serve(Socket { stream, fate: Fate::default() }, Arc::clone(&face))),
        );
    }
}

async fn serve(socket: Socket, face: Arc<Face>) {
    let fate = socket.fate.clone();
    let service = service_fn(move |request| {
        let (face, fate) = (Arc::clone(&face), fate.clone());
        async move { face.take(request, &fate).await }
    });
    // It ends in an error whenever a plan or a client cuts it, and that is what it is for.
    let _ = http1::Builder::new().auto_date_header(false).serve_connection(TokioIo::new(socket), service).await;
}

impl Face {
    async fn take(&self, request: Request<Incoming>, fate: &Fate) -> Result<Response<Body>, Cut> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
        let request = Request::from_parts(parts, body);
        let fault = self.next_fault();
        let effect = fault.as_ref().is_none_or(|fault| fault.effect);
        let answer = effect.then(|| self.world.answer(&request));
        let latency = Duration::from_millis(self.latency_ms.load(Ordering::SeqCst));
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        self.handled.send_modify(|handled| *handled += 1);
        match (fault, answer) {
            (Some(fault), _) => self.fail(fault.how, &request, fate).await,
            (None, answer) => Ok(answer.unwrap_or_default().map(whole)),
        }
    }

    fn next_fault(&self) -> Option<Fault> {
        let plan = self.plan.read().unwrap_or_else(PoisonError::into_inner);
        let number = self.arrived.fetch_add(1, Ordering::SeqCst);
        plan.1.fault(number.wrapping_sub(plan.0)).cloned()
    }

    async fn fail(&self, how: How, request: &Request<Bytes>, fate: &Fate) -> Result<Response<Body>, Cut> {
        let ok = Response::builder().status(200);
        let answer = match how {
            How::Status(status) => Response::builder().status(status).body(whole(Bytes::new())),
            How::Wait(status, wish) => {
                Response::builder().status(status).header(RETRY_AFTER, wish).body(whole(Bytes::new()))
            }
            How::Echo(status) => Response::builder().status(status).body(whole(request.body().clone())),
            How::Redirect(url) => Response::builder().status(307).header(LOCATION, url).body(whole(Bytes::new())),
            How::Hang => std::future::pending().await,
            How::Drip => ok.body(dripping()),
            How::Cut => {
                fate.reset();
                return Err(Cut);
            }
            How::CutAnswer => ok.header("content-length", 1000).body(breaking()),
            How::Garbage => {
                fate.garbage();
                ok.body(whole(Bytes::new()))
            }
            How::Oversize(bytes) => {
                self.streamed.store(0, Ordering::SeqCst);
                ok.body(self.long(bytes))
            }
        };
        answer.map_err(|_| Cut)
    }

    /// A body of `bytes` bytes, counted as they are asked for.
    fn long(&self, bytes: u64) -> Body {
        static CHUNK: [u8; 16 * 1024] = [b'x'; 16 * 1024];
        let streamed = Arc::clone(&self.streamed);
        stream_of(stream::iter(0..bytes.div_ceil(CHUNK.len() as u64)).map(move |_| {
            streamed.fetch_add(CHUNK.len() as u64, Ordering::SeqCst);
            Ok(Bytes::from_static(&CHUNK))
        }))
    }
}

fn whole(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never: Infallible| match never {}).boxed_unsync()
}

fn stream_of(bytes: impl futures_util::Stream<Item = Result<Bytes, Cut>> + Send + 'static) -> Body {
    BodyExt::boxed_unsync(StreamBody::new(bytes.map(|b| b.map(Frame::data))))
}

fn breaking() -> Body {
    let half = stream::once(std::future::ready(Ok(Bytes::from_static(b"{\"half\":"))));
    // Whoever waits here lets the half be written.
    stream_of(half.chain(stream::once(tokio::task::yield_now().map(|()| Err(Cut)))))
}

fn dripping() -> Body {
    stream_of(stream::unfold((), |()| async {
        tokio::time::sleep(Duration::from_millis(10)).await;
        Some((Ok(Bytes::from_static(b" ")), ()))
    }))
}
