//! `leadrelay parked repair`: a new body for a quarantined lead, from a file or from the editor.
//!
//! A body is personal data: the file that the editor works on is for its owner alone and is gone afterwards.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use leadrelay_ledger::api::types::{Repair, Repaired};
use leadrelay_shared::lead::Fault;

use super::super::input;
use super::super::leads::at;
use crate::cli::{Done, Failure};
use crate::client::Api;
use crate::output::{Output, confirm, is_interactive, say};

pub(super) async fn run(output: Output, api: &Api, id: &str, file: Option<PathBuf>, dry_run: bool) -> Done {
    let item = super::item(api, id).await?;
    if item.delivery.is_some() {
        let remedy = "correct the route that made it, or the destination, and release it";
        return Err(Failure::Failed(format!("{} is a delivery and has no body of its own; {remedy}", item.id)));
    }
    let Some(file) = file else {
        let old = item.body.ok_or_else(|| {
            Failure::Failed("its body is not text, or no longer kept; give the corrected one as a file".to_owned())
        })?;
        return edited(output, api, &item.id, &old, dry_run).await;
    };
    let body = text(input::read(&file)?)?;
    let faults = judged(api, &item.id, &body).await?;
    finish(output, api, &item.id, body, &faults, dry_run).await
}

/// Opens the body in the editor until it is a lead or the person has had enough.
async fn edited(output: Output, api: &Api, id: &str, old: &str, dry_run: bool) -> Done {
    let scratch = Scratch::new(old)?;
    loop {
        scratch.edit()?;
        let body = text(input::read(&scratch.0)?)?;
        if body == old {
            return Err(Failure::Failed("nothing was changed, so nothing was sent".to_owned()));
        }
        let faults = judged(api, id, &body).await?;
        if !faults.is_empty() && is_interactive() {
            show(&faults);
            if confirm("edit it again?") {
                continue;
            }
            return Err(Failure::Exit(1));
        }
        return finish(output, api, id, body, &faults, dry_run).await;
    }
}

async fn finish(output: Output, api: &Api, id: &str, body: String, faults: &[Fault], dry_run: bool) -> Done {
    if !faults.is_empty() {
        if output.json {
            output.json(&Repaired { faults: faults.to_vec() })?;
        } else {
            show(faults);
        }
        return Err(Failure::Exit(1));
    }
    if dry_run {
        return super::told(output, id, "a lead now; nothing was sent");
    }
    let _: Repaired = api.post(&["parked", id, "repair"], &Repair { body, dry_run: false }).await?;
    super::told(output, id, "repaired")
}

/// What is wrong with a body, without sending anything on.
async fn judged(api: &Api, id: &str, body: &str) -> Result<Vec<Fault>, Failure> {
    let repair = Repair { body: body.to_owned(), dry_run: true };
    Ok(api.post::<_, Repaired>(&["parked", id, "repair"], &repair).await?.faults)
}

fn show(faults: &[Fault]) {
    faults.iter().for_each(|f| say(format!("still wrong: {}: {}", at(&f.pointer), f.reason)));
}

fn text(bytes: Vec<u8>) -> Result<String, Failure> {
    String::from_utf8(bytes).map_err(|_| Failure::Usage("the corrected body is not UTF-8".to_owned()))
}

/// The file that the editor works on.
struct Scratch(PathBuf);

impl Scratch {
    fn new(text: &str) -> Result<Self, Failure> {
        let failed = |e: std::io::Error| Failure::Failed(format!("no file for the editor: {e}"));
        let name = format!("leadrelay-{}.json", leadrelay_shared::secrets::new_token().map_err(failed)?);
        let scratch = Self(std::env::temp_dir().join(name));
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&scratch.0);
        file.and_then(|mut f| f.write_all(text.as_bytes())).map_err(failed)?;
        Ok(scratch)
    }

    fn edit(&self) -> Result<(), Failure> {
        let named = |variable| std::env::var(variable).ok().filter(|v: &String| !v.trim().is_empty());
        let editor = named("VISUAL").or_else(|| named("EDITOR")).unwrap_or_else(|| "vi".to_owned());
        match run_editor(&editor, &self.0) {
            Ok(true) => Ok(()),
            Ok(false) => Err(Failure::Failed(format!("the editor `{editor}` failed; nothing was sent"))),
            Err(error) => Err(Failure::Failed(format!("the editor `{editor}` cannot be run: {error}; set EDITOR"))),
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0) {
            say(format!("{} holds a lead and could not be removed: {error}", self.0.display()));
        }
    }
}

/// An editor's setting is a command with arguments, as the shell reads it.
fn run_editor(editor: &str, file: &Path) -> std::io::Result<bool> {
    Ok(Command::new("sh").arg("-c").arg(format!("{editor} \"$1\"")).arg("sh").arg(file).status()?.success())
}
