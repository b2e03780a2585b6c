//! `leadrelay up`: all services in one process, until it is told to stop.
//!
//! The first SIGINT or SIGTERM drains: nothing new is accepted, what is in flight is finished, exit code 0. The second stops
//! at once, exit code 130 or 143; nothing is lost by it, because what was in flight is still in the queue.

use std::time::Duration;

use leadrelay_shared::clock::Clock;
use leadrelay_shared::config::Loaded;
use leadrelay_shared::telemetry;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::check::sound;
use crate::cli::{Call, Done, Failure};
use crate::relay::Relay;
use crate::{secrets, template};

mod announce;
mod panics;

/// How long services may take to return when they are to stop at once.
const AT_ONCE: Duration = Duration::from_secs(2);

pub(crate) fn run(call: &Call) -> Done {
    let first = !call.place.exists();
    if first {
        let file = call.place.file.display();
        template::write(&call.place).map_err(|e| Failure::Failed(format!("{file} cannot be written: {e}")))?;
    }
    make_admin_token(call)?;
    let loaded = sound(call)?;
    telemetry::init(&loaded.config.log).map_err(Failure::Usage)?;
    panics::install();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|e| Failure::Failed(format!("this machine cannot run it: {e}")))?;
    let done = runtime.block_on(serve(call, loaded, first));
    // Whatever still runs was told to stop and had its time.
    runtime.shutdown_background();
    done
}

/// The admin token's file is made on the first start, also where the configuration names another one than the usual.
fn make_admin_token(call: &Call) -> Result<(), Failure> {
    let text = std::fs::read_to_string(&call.place.file).unwrap_or_default();
    let table: toml::Table = toml::from_str(&text).unwrap_or_default();
    let named = table.get("admin").and_then(|a| a.get("token")?.get("file")?.as_str());
    let Some(file) = named.map(|named| call.place.base_dir().join(named)).filter(|file| !file.exists()) else {
        return Ok(());
    };
    let made = secrets::new_token().and_then(|token| secrets::write_private(&file, &format!("{token}\n")));
    made.map_err(|e| Failure::Failed(format!("the admin token {} cannot be written: {e}", file.display())))
}

async fn serve(call: &Call, loaded: Loaded, first: bool) -> Done {
    let mut signals = Signals::new().map_err(|e| Failure::Failed(format!("signals cannot be received: {e}")))?;
    let relay = tokio::select! {
        relay = Relay::start(loaded, Clock::real()) => relay?,
        // It waits for its disk, and so there is nothing to drain.
        _ = signals.next() => return Ok(()),
    };
    let ended = tokio::select! {
        ready = relay.ready() => ready.err(),
        _ = signals.next() => return drained(&relay, &mut signals).await,
    };
    let failure = match ended {
        Some(error) => error,
        None => {
            announce::ready(call, &relay, first).await?;
            tokio::select! {
                error = relay.failed() => error,
                _ = signals.next() => return drained(&relay, &mut signals).await,
            }
        }
    };
    // The failure itself is what is told; the others still get to finish what they hold.
    match drained(&relay, &mut signals).await {
        Err(Failure::Exit(code)) => Err(Failure::Exit(code)),
        _ => Err(failure.into()),
    }
}

async fn drained(relay: &Relay, signals: &mut Signals) -> Done {
    tracing::info!("stopping: finishing what is in flight; a second signal stops at once");
    tokio::select! {
        drained = relay.drain() => {
            drained?;
            tracing::info!("stopped");
            Ok(())
        }
        code = signals.next() => {
            relay.stop_now();
            // Their failures no longer matter, and neither does who is too slow: what is in flight is still in the queue.
            let _ = tokio::time::timeout(AT_ONCE, relay.drain()).await;
            Err(Failure::Exit(code))
        }
    }
}

/// The two signals that stop a process.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Waits for either, and gives the exit code that a shell knows it by.
    async fn next(&mut self) -> u8 {
        tokio::select! {
            _ = self.interrupt.recv() => 130,
            _ = self.terminate.recv() => 143,
        }
    }
}
