//! Judging a repaired body as the door would.

use leadrelay_shared::config::Loaded;
use leadrelay_shared::judge::Judge;
use leadrelay_shared::lead::Fault;

/// What keeps `body` from being a lead of `source`; empty where nothing does.
///
/// # Errors
/// When the source has no judge: it is no longer configured, or its schema cannot be read. In words with the remedy.
pub(crate) fn faults(loaded: &Loaded, source: &str, body: &[u8]) -> Result<Vec<Fault>, String> {
    let max = loaded.config.ingest.max_body;
    if body.len() > max.as_usize() {
        let reason = format!("is larger than ingest.max_body, which is {max}");
        return Ok(vec![Fault { pointer: String::new(), reason }]);
    }
    let judge = Judge::for_source(loaded, source).map_err(|mistake| {
        let remedy = mistake.remedy.map(|r| format!("; {r}")).unwrap_or_default();
        format!("its source cannot judge it: {}: {}{remedy}", mistake.key, mistake.reason)
    })?;
    Ok(judge.judge(body).err().unwrap_or_default())
}
