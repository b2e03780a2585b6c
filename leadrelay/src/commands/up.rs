//! `leadrelay up`: all services in one process, until it is told to stop.

use leadrelay_shared::clock::Clock;
use leadrelay_shared::config::Loaded;
use leadrelay_shared::service::{on_threads, serve};
use leadrelay_shared::{secrets, telemetry};

use super::check::sound;
use crate::cli::{Call, Done, Failure};
use crate::relay::Relay;
use crate::template::{self, Preset};

mod announce;

pub(crate) fn run(call: &Call) -> Done {
    let first = !call.place.exists();
    if first {
        let file = call.place.file.display();
        template::write(&call.place, Preset::Start)
            .map_err(|e| Failure::Failed(format!("{file} cannot be written: {e}")))?;
    }
    secrets::make_admin_token(&call.place.file).map_err(Failure::Failed)?;
    let loaded = sound(call)?;
    telemetry::init(&loaded.config.log).map_err(Failure::Usage)?;
    on_threads(up(call, loaded, first))
}

async fn up(call: &Call, loaded: Loaded, first: bool) -> Done {
    let announce = async |relay: &Relay| announce::ready(call, relay, first).await;
    serve(Relay::start(loaded, Clock::real()), announce).await
}
