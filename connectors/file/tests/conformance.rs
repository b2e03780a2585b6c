//! The contract, for a folder.

use leadrelay_connector_file::FileConnector;
use leadrelay_shared::delivery::Delivery;
use leadrelay_testkit::conformance::{Editable, Target};

struct Folder(tempfile::TempDir);

impl Folder {
    fn file(&self, delivery: &Delivery) -> std::path::PathBuf {
        self.0.path().join("leads").join(format!("{}.json", delivery.id))
    }
}

impl Target for Folder {
    type Connector = FileConnector;

    async fn start() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }
    fn settings(&self) -> serde_json::Value {
        serde_json::json!({"path": self.0.path().join("leads")})
    }
    fn records(&self, delivery: &Delivery) -> usize {
        self.file(delivery).exists().into()
    }
}

impl Editable for Folder {
    fn edit(&self, delivery: &Delivery) {
        std::fs::write(self.file(delivery), "edited").expect("it is there");
    }
    fn is_as_edited(&self, delivery: &Delivery) -> bool {
        std::fs::read(self.file(delivery)).is_ok_and(|content| content == b"edited")
    }
}

leadrelay_testkit::conformance!(Folder, edit);
