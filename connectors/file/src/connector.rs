//! One attempt: the delivery as JSON, written by [`crate::write`] on a thread that may block.

use std::sync::Arc;

use leadrelay_shared::clock::Clock;
use leadrelay_shared::connector::{Connector, Context, Outcome};
use leadrelay_shared::delivery::{Delivery, Receipt, Record};
use leadrelay_shared::error::{DeliveryError, ErrorKind};
use leadrelay_shared::fields::Fields;
use leadrelay_shared::id::{DeliveryId, LeadId};
use serde::Serialize;

use crate::settings::Settings;
use crate::write::Folder;

/// Delivers to a folder: one JSON file for each delivery, named by its id.
#[derive(Debug)]
pub struct FileConnector {
    folder: Arc<Folder>,
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
        Ok(Self { folder, clock: context.clock })
    }

    async fn deliver(&self, delivery: &Delivery) -> Outcome {
        let name = format!("{}.json", delivery.id);
        let content = content(delivery)?;
        let (folder, now) = (Arc::clone(&self.folder), self.clock.now());
        let path = self.folder.path.join(&name);
        let written = blocking(move || {
            folder.tidy_once(now);
            folder.write_new(&name, &content).map(|existed| (name, existed))
        });
        let (name, existed) = written.await?;
        Ok(Receipt { record: Some(name), link: Some(path.display().to_string()), existed, status: None })
    }

    async fn check(&self) -> Result<Fields, DeliveryError> {
        let folder = Arc::clone(&self.folder);
        blocking(move || folder.prove_writable()).await?;
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

/// Runs `work` where it may block. It runs to its end even when nobody waits for it any more.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, DeliveryError> + Send + 'static,
) -> Result<T, DeliveryError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(DeliveryError::new(ErrorKind::Uncertain, "writing the file was broken off")))
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
}
