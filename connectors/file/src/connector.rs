//! One attempt: the delivery as JSON, written by [`crate::write`] on a thread that may block.

use std::sync::Arc;

use leadrelay_shared::clock::Clock;
use leadrelay_shared::connector::{Connector, Context, Outcome};
use leadrelay_shared::delivery::{Delivery, Receipt, Record};
use leadrelay_shared::error::{DeliveryError, ErrorKind};
use leadrelay_shared::fields::Fields;
use leadrelay_shared::id::{DeliveryId, LeadId};
use serde::Serialize;
use tokio::sync::Semaphore;

use crate::settings::Settings;
use crate::write::Folder;

/// Threads that may be busy with one folder. On a mount that hangs, what was given up still holds its thread, and threads
/// are shared with everybody else in the process: further attempts wait here instead.
const THREADS: usize = 4;

/// Delivers to a folder: one JSON file for each delivery, named by its id.
#[derive(Debug)]
pub struct FileConnector {
    folder: Arc<Folder>,
    threads: Arc<Semaphore>,
    clock: Clock,
}

/// What a file holds.
#[derive(Serialize)]
struct Content<'d> {
    id: DeliveryId,
    lead: LeadId,
    destination: &'d str,
    route: &'d str,
    accepted_at: jiff::Timestamp,
    record: &'d Record,
}

impl Connector for FileConnector {
    const NAME: &'static str = "file";

    type Settings = Settings;

    fn new(settings: Settings, context: Context) -> Result<Self, String> {
        if settings.path.as_os_str().is_empty() {
            return Err("`path` is empty; name a folder".to_owned());
        }
        let folder = Arc::new(Folder::new(context.base_dir.join(settings.path)));
        Ok(Self { folder, threads: Arc::new(Semaphore::new(THREADS)), clock: context.clock })
    }

    async fn deliver(&self, delivery: &Delivery) -> Outcome {
        let name = format!("{}.json", delivery.id);
        let content = content(delivery)?;
        let (folder, now) = (Arc::clone(&self.folder), self.clock.now());
        let path = self.folder.path.join(&name);
        let written = blocking(&self.threads, move || {
            folder.tidy_once(now);
            folder.write_new(&name, &content).map(|existed| (name, existed))
        });
        let (name, existed) = written.await?;
        Ok(Receipt { record: Some(name), link: Some(path.display().to_string()), existed, status: None })
    }

    async fn check(&self) -> Result<Fields, DeliveryError> {
        let folder = Arc::clone(&self.folder);
        blocking(&self.threads, move || folder.prove_writable()).await?;
        Ok(Fields::any())
    }
}

fn content(delivery: &Delivery) -> Result<Vec<u8>, DeliveryError> {
    let content = Content {
        id: delivery.id,
        lead: delivery.lead,
        destination: &delivery.destination,
        route: &delivery.route,
        accepted_at: delivery.accepted_at,
        record: &delivery.record,
    };
    // The error's own words could hold a value of the record.
    let mut json = serde_json::to_vec_pretty(&content)
        .map_err(|_| DeliveryError::new(ErrorKind::Rejected, "the record cannot be written as JSON"))?;
    json.push(b'\n');
    Ok(json)
}

/// Runs `work` where it may block, once a thread is free. It runs to its end, and holds its thread for as long, even when
/// nobody waits for it any more.
async fn blocking<T: Send + 'static>(
    threads: &Arc<Semaphore>,
    work: impl FnOnce() -> Result<T, DeliveryError> + Send + 'static,
) -> Result<T, DeliveryError> {
    let broken_off = || DeliveryError::new(ErrorKind::Uncertain, "writing the file was broken off");
    let thread = Arc::clone(threads).acquire_owned().await.map_err(|_| broken_off())?;
    let done = tokio::task::spawn_blocking(move || {
        let done = work();
        drop(thread);
        done
    });
    done.await.unwrap_or_else(|_| Err(broken_off()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_readable_json_in_the_order_of_the_route() {
        let delivery = leadrelay_testkit::samples::delivery(1);
        let json = String::from_utf8(content(&delivery).expect("JSON")).expect("text");
        assert!(json.starts_with("{\n  \"id\": \""), "{json}");
        assert!(json.ends_with("}\n"), "{json}");
        assert!(json.find("lastname") < json.find("company"), "{json}");
        let read: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(read["record"]["lastname"], "Lee 1");
        assert_eq!(read["lead"], delivery.lead.to_string());
        assert_eq!(read["accepted_at"], "2026-11-23T12:00:00.001Z");
    }

    #[tokio::test]
    async fn attempts_on_a_folder_that_hangs_hold_no_more_threads_than_their_own() {
        let threads = Arc::new(Semaphore::new(THREADS));
        let mut hanging = Vec::new();
        for _ in 0..THREADS {
            let (release, hangs) = std::sync::mpsc::channel::<()>();
            hanging.push(release);
            let attempt = blocking(&threads, move || Ok(hangs.recv().is_ok()));
            // Polled once, which starts it, and then given up, as by a timeout.
            tokio::select! {
                biased;
                _ = attempt => panic!("it hangs"),
                () = std::future::ready(()) => {}
            }
        }
        let began = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let begins = Arc::clone(&began);
        let mut next = Box::pin(blocking(&threads, move || {
            begins.store(true, std::sync::atomic::Ordering::SeqCst);
            Ok(())
        }));
        tokio::select! {
            biased;
            _ = &mut next => panic!("there is no thread for it"),
            () = std::future::ready(()) => {}
        }
        assert_eq!(threads.available_permits(), 0, "given up, they still hold their threads");
        assert!(!began.load(std::sync::atomic::Ordering::SeqCst));
        hanging.pop();
        next.await.expect("the folder answers again");
        assert!(began.load(std::sync::atomic::Ordering::SeqCst));
    }
}
