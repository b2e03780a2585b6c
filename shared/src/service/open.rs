//! Opening the queue, in the one place that knows which it is.

use std::time::Duration;

use super::RunError;
use crate::clock::Clock;
use crate::config::Loaded;
use crate::queue::{Queue, embedded};
use crate::secrets::private_dir;

/// How often a queue is tried whose disk is full or fails.
const OPEN_EVERY: Duration = Duration::from_secs(1);

/// Opens the queue that the configuration names. The broker's connects by itself; it knows the process as `name`. A disk that
/// is full or fails is waited for: that it was started again makes no room, and neither would ending. Whoever has enough of
/// waiting drops this.
///
/// # Errors
/// When the data directory or the embedded queue in it cannot be used.
pub async fn open_queue(name: &str, loaded: &Loaded, clock: &Clock) -> Result<Queue, RunError> {
    if let Some(settings) = loaded.broker(name) {
        return Ok(Queue::amqp(settings, clock.clone()));
    }
    let dir = loaded.data_dir();
    private_dir(&dir)
        .map_err(|e| RunError::Other(format!("the data directory {} cannot be made: {e}", dir.display())))?;
    let limits = &loaded.config.queue;
    let settings =
        embedded::Settings { dir: dir.join("queue"), max_size: limits.max_size.0, min_free: limits.min_free.0 };
    let mut told = false;
    loop {
        match Queue::embedded(settings.clone(), clock.clone()) {
            Ok(queue) => return Ok(queue),
            Err(error) if error.is_of_disk() => {
                if !std::mem::replace(&mut told, true) {
                    tracing::error!(%error, "the queue cannot be opened; until it can, which is tried every second, no lead is taken");
                }
            }
            Err(error) => return Err(RunError::Other(error.to_string())),
        }
        clock.sleep(OPEN_EVERY).await;
    }
}
