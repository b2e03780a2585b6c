//! The contract of `Connector`, for a folder.

use leadrelay_connector_file::FileConnector;
use leadrelay_testkit::Folder;

leadrelay_testkit::conformance!(FileConnector, Folder, edit);
