//! A receiver that answers after a while, and counts what came or knows when each lead came.
//!
//! It has the machine in common with what is measured, and so looks no closer than a figure needs.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use serde_json::Value;
use tokio::sync::watch;

use crate::poster::{self, Door};
use crate::{child, stopwatch};

#[derive(Default)]
struct World {
    ids: Mutex<HashSet<String>>,
    /// When each lead came; `None` where nobody asks, since finding its id means to read the whole body.
    arrived: Option<Mutex<HashMap<String, Instant>>>,
    distinct: watch::Sender<u64>,
    answer: Duration,
}

/// The receiver. It ends when this is dropped.
pub(super) struct Receiver {
    world: Arc<World>,
    address: SocketAddr,
    handle: ServerHandle,
}

impl Receiver {
    /// One that counts, and answers after so long.
    pub(super) fn counting(answer: Duration) -> Self {
        Self::start(World { answer, ..World::default() })
    }

    /// One that notes when each lead comes.
    pub(super) fn timing() -> Self {
        Self::start(World { arrived: Some(Mutex::default()), ..World::default() })
    }

    fn start(world: World) -> Self {
        let world = Arc::new(world);
        let shared = web::Data::from(world.clone());
        let server = HttpServer::new(move || {
            App::new()
                .app_data(shared.clone())
                .app_data(web::PayloadConfig::new(1 << 20))
                .default_service(web::to(take))
        })
        .workers(1)
        .disable_signals()
        .bind("127.0.0.1:0")
        .expect("it listens");
        let address = server.addrs()[0];
        let server = server.run();
        let handle = server.handle();
        tokio::spawn(server);
        Self { world, address, handle }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/leads", self.address)
    }

    /// Under how many ids records came.
    pub(super) fn distinct(&self) -> u64 {
        *self.world.distinct.borrow()
    }

    /// Waits until so many came.
    pub(super) async fn reaches(&self, leads: u64) {
        self.world.distinct.subscribe().wait_for(|n| *n >= leads).await.expect("the receiver lives");
    }

    /// Posts leads at a steady rate, and says how long each took from its answer to its arrival, in seconds.
    pub(super) async fn latency(&self, door: &Door, per_second: u64, seconds: u64) -> Vec<f64> {
        let leads = per_second * seconds;
        let mut ticks = tokio::time::interval(Duration::from_secs(1) / u32::try_from(per_second).expect("a rate"));
        let mut accepted = HashMap::new();
        for n in 0..leads {
            ticks.tick().await;
            let answers = poster::post(door, 1, n..n + 1, child::lead).await;
            accepted.insert(answers[0].id().expect("it is accepted"), stopwatch::start());
        }
        self.reaches(leads).await;
        let arrived = self.world.arrived.as_ref().expect("it is one that times").lock().expect("the times");
        accepted.iter().map(|(id, at)| arrived[id].saturating_duration_since(*at).as_secs_f64()).collect()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // The future that waits for the end need not be waited for.
        drop(self.handle.stop(false));
    }
}

async fn take(world: web::Data<World>, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    let id = request.headers().get("webhook-id").and_then(|id| id.to_str().ok()).expect("an id").to_owned();
    if let Some(arrived) = &world.arrived {
        let record: Value = serde_json::from_slice(&body).expect("a record is JSON");
        let lead = record["data"]["record"]["id"].as_str().expect("a lead has an id").to_owned();
        arrived.lock().expect("the times").entry(lead).or_insert_with(stopwatch::start);
    }
    if !world.answer.is_zero() {
        tokio::time::sleep(world.answer).await;
    }
    if world.ids.lock().expect("the ids").insert(id) {
        world.distinct.send_modify(|n| *n += 1);
    }
    HttpResponse::NoContent().finish()
}
