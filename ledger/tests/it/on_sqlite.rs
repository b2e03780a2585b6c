//! What holds on both stores, on a file.

use crate::harness;
use crate::stand::OnFile;

type Stand = OnFile;
type Ledger = harness::Ledger<Stand>;

#[path = "alerts.rs"]
mod alerts;
#[path = "api.rs"]
mod api;
#[path = "console.rs"]
mod console;
#[path = "failpoints.rs"]
mod failpoints;
#[path = "removed.rs"]
mod removed;
#[path = "replay.rs"]
mod replay;
#[path = "retention.rs"]
mod retention;
#[path = "sealed.rs"]
mod sealed;
#[path = "store.rs"]
mod store;
