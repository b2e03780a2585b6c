//! What every process of leadrelay does from its start to its end: logs, threads, signals, the two-stage stop.
//!
//! The first SIGINT or SIGTERM drains: nothing new is accepted, what is in flight is finished, exit code 0. The second stops
//! at once, exit code 130 or 143; nothing is lost by it, because what was in flight is still in the queue.

use std::future::Future;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Process, RunError, panics};

/// How long services may take to return when they are to stop at once.
const AT_ONCE: Duration = Duration::from_secs(2);

/// A second signal stopped the process at once; it ends with this exit code, by which a shell knows the signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped(pub u8);

/// Runs a process's work on threads of its own, and has panics logged without what they say.
///
/// # Errors
/// When the machine has no threads left, or what the work gives back.
pub fn on_threads<T, E: From<RunError>>(work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    panics::install();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|e| RunError::Other(format!("this machine cannot run it: {e}")))?;
    let done = runtime.block_on(work);
    // Whatever still runs was told to stop and had its time.
    runtime.shutdown_background();
    done
}

/// Starts a process, says with `announce` that it is ready, and runs it until a signal or the failure of a service ends it.
///
/// # Errors
/// When it cannot start, a service ends unasked or does not stop as it should, or a second signal comes.
pub async fn serve<P, E>(
    start: impl Future<Output = Result<P, RunError>>,
    announce: impl AsyncFnOnce(&P) -> Result<(), E>,
) -> Result<(), E>
where
    P: AsRef<Process>,
    E: From<RunError> + From<Stopped>,
{
    let mut signals = Signals::new().map_err(|e| RunError::Other(format!("signals cannot be received: {e}")))?;
    let started = tokio::select! {
        started = start => started?,
        // It waits for its disk, and so there is nothing to drain.
        _ = signals.next() => return Ok(()),
    };
    let process = started.as_ref();
    let ended = tokio::select! {
        ready = process.ready() => ready.err(),
        _ = signals.next() => return drained(process, &mut signals).await,
    };
    let failure = match ended {
        Some(error) => error,
        None => {
            announce(&started).await?;
            tokio::select! {
                error = process.failed() => error,
                _ = signals.next() => return drained(process, &mut signals).await,
            }
        }
    };
    // The failure itself is what is told; the others still get to finish what they hold.
    match drain(process, &mut signals).await {
        Err(Left::Stopped(stopped)) => Err(stopped.into()),
        _ => Err(failure.into()),
    }
}

/// What a drain leaves to be told.
enum Left {
    Failed(RunError),
    Stopped(Stopped),
}

async fn drained<E: From<RunError> + From<Stopped>>(process: &Process, signals: &mut Signals) -> Result<(), E> {
    drain(process, signals).await.map_err(|left| match left {
        Left::Failed(error) => error.into(),
        Left::Stopped(stopped) => stopped.into(),
    })
}

async fn drain(process: &Process, signals: &mut Signals) -> Result<(), Left> {
    tracing::info!("stopping: finishing what is in flight; a second signal stops at once");
    tokio::select! {
        drained = process.drain() => {
            drained.map_err(Left::Failed)?;
            tracing::info!("stopped");
            Ok(())
        }
        code = signals.next() => {
            process.stop_now();
            // Their failures no longer matter, and neither does who is too slow: what is in flight is still in the queue.
            let _ = tokio::time::timeout(AT_ONCE, process.drain()).await;
            Err(Left::Stopped(Stopped(code)))
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
