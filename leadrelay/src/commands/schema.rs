//! `leadrelay schema`: the JSON Schema of the configuration, for editors.

use leadrelay_shared::config::schema;

use crate::cli::{Call, Done};
use crate::connectors::infos;

pub(crate) fn run(call: &Call) -> Done {
    call.output.json(&schema(&infos()))
}
