//! How close publishing comes to bare SQLite: rows per second at 64 concurrent callers, one row of 1 KiB each, against a loop
//! on one connection with the same settings and 64 rows a commit. Rounds alternate, and the medians are compared.

#![expect(clippy::disallowed_methods, reason = "a bench measures the machine's time")]
#![expect(clippy::print_stdout, reason = "a bench prints its figures")]
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on ends")]

use std::path::Path;
use std::time::{Duration, Instant};

use leadrelay_shared::clock::Clock;
use leadrelay_shared::queue::embedded::Settings;
use leadrelay_shared::queue::{Queue, Topic};
use rusqlite::{Connection, params};
use uuid::Uuid;

const CALLERS: u128 = 64;
const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_millis(1200);

fn main() {
    // `cargo test --benches` only wants to know that it runs.
    let (rounds, round) =
        if std::env::args().any(|a| a == "--bench") { (ROUNDS, ROUND) } else { (1, Duration::from_millis(50)) };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (mut bare, mut queue) = (Vec::new(), Vec::new());
    for n in 0..rounds {
        bare.push(bare_rate(round));
        queue.push(runtime.block_on(queue_rate(round)));
        println!("round {}: bare {:.0} rows/s, queue {:.0} rows/s", n + 1, bare[n], queue[n]);
    }
    let (bare, queue) = (median(bare), median(queue));
    println!("bare SQLite, 64 rows a commit:  {bare:.0} rows/s");
    println!("queue, {CALLERS} concurrent callers:    {queue:.0} rows/s");
    println!("ratio: {:.2}", queue / bare);
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

/// The same rows as the queue writes, into the same tables.
fn bare_rate(round: Duration) -> f64 {
    let dir = tempfile::tempdir_in(place()).unwrap();
    let conn = Connection::open(dir.path().join("bare.db")).unwrap();
    conn.execute_batch("PRAGMA page_size = 4096; PRAGMA auto_vacuum = INCREMENTAL;").unwrap();
    conn.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())).unwrap();
    conn.execute_batch(
        "PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 67108864; PRAGMA wal_autocheckpoint = 4000;
         PRAGMA secure_delete = FAST; PRAGMA cache_size = -8000;",
    )
    .unwrap();
    conn.execute_batch(include_str!("../src/queue/embedded/store/schema.sql")).unwrap();
    // An envelope of 1 KiB with its version and id.
    let body = vec![b'x'; 1024 + 66];
    let (started, mut rows) = (Instant::now(), 0_i64);
    while started.elapsed() < round {
        conn.prepare_cached("BEGIN IMMEDIATE").unwrap().execute([]).unwrap();
        for _ in 0..CALLERS {
            rows += 1;
            let id = Uuid::from_u128(u128::from(rows.unsigned_abs()));
            conn.prepare_cached("INSERT INTO msg (seq, topic, due, at, id, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")
                .unwrap()
                .execute(params![rows, 1, 0, 0, id.as_bytes(), body])
                .unwrap();
        }
        conn.prepare_cached("COMMIT").unwrap().execute([]).unwrap();
    }
    rows as f64 / started.elapsed().as_secs_f64()
}

async fn queue_rate(round: Duration) -> f64 {
    let dir = tempfile::tempdir_in(place()).unwrap();
    let settings = Settings { dir: dir.path().to_owned(), max_size: 1 << 40, min_free: 0 };
    let queue = Queue::embedded(settings, Clock::real()).unwrap();
    let topic = Topic::<String>::named("leads");
    let started = Instant::now();
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let (queue, topic, text) = (queue.clone(), topic.clone(), text());
            tokio::spawn(async move {
                let mut rows = 0_u32;
                while started.elapsed() < round {
                    let id = Uuid::from_u128(caller << 64 | u128::from(rows));
                    queue.publish(vec![topic.message(id, &text)]).await.unwrap();
                    rows += 1;
                }
                rows
            })
        })
        .collect();
    let mut rows = 0;
    for caller in callers {
        rows += caller.await.unwrap();
    }
    let rate = f64::from(rows) / started.elapsed().as_secs_f64();
    queue.close().await;
    rate
}

/// A body of 1 KiB.
fn text() -> String {
    "x".repeat(1024)
}

/// On the disk of the working tree: `/tmp` may be in memory, where there is nothing to wait for.
fn place() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}
