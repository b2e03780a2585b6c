//! A folder that gets files, and somebody who edits them.

use std::path::PathBuf;

use leadrelay_shared::delivery::Delivery;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::conformance::{Editable, World};

/// The world of the file connector: a folder that is not there yet.
#[derive(Debug)]
pub struct Folder(TempDir);

impl Folder {
    /// Where the files are.
    pub fn path(&self) -> PathBuf {
        self.0.path().join("leads")
    }

    /// The file of `delivery`.
    pub fn file(&self, delivery: &Delivery) -> PathBuf {
        self.path().join(format!("{}.json", delivery.id))
    }
}

impl World for Folder {
    #[expect(clippy::expect_used, reason = "a test without a place for files cannot go on")]
    async fn start() -> Self {
        Self(tempfile::tempdir().expect("a folder for temporary files"))
    }

    fn settings(&self) -> Value {
        json!({"path": self.path()})
    }

    fn records(&self, delivery: &Delivery) -> usize {
        self.file(delivery).exists().into()
    }

    fn total(&self) -> usize {
        std::fs::read_dir(self.path()).map_or(0, Iterator::count)
    }
}

impl Editable for Folder {
    #[expect(clippy::expect_used, reason = "a test whose edit fails cannot go on")]
    fn edit(&self, delivery: &Delivery) {
        std::fs::write(self.file(delivery), "edited").expect("the file can be edited");
    }

    fn is_as_edited(&self, delivery: &Delivery) -> bool {
        std::fs::read(self.file(delivery)).is_ok_and(|content| content == b"edited")
    }
}
