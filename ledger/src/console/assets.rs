//! The style sheet, the script and the icon: in the program, and kept by browsers until they change.

use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::web::Path;
use sha2::{Digest as _, Sha256};

use super::failure::Failure;

pub(super) struct Asset {
    name: &'static str,
    kind: &'static str,
    text: &'static str,
}

pub(super) const STYLE: Asset =
    Asset { name: "console.css", kind: "text/css; charset=utf-8", text: include_str!("assets/console.css") };
pub(super) const SCRIPT: Asset =
    Asset { name: "console.js", kind: "text/javascript; charset=utf-8", text: include_str!("assets/console.js") };
pub(super) const ICON: Asset = Asset { name: "icon.svg", kind: "image/svg+xml", text: include_str!("assets/icon.svg") };

/// A name for this version of the assets: a browser that has an older one asks for the new.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut hash = Sha256::new();
    for asset in [STYLE, SCRIPT, ICON] {
        hash.update(asset.text);
    }
    hash.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect()
});

/// Where a page finds it.
pub(super) fn path(asset: &Asset) -> String {
    format!("/assets/{}/{}", *VERSION, asset.name)
}

/// An asset, whatever version is asked for.
pub(super) async fn serve(path: Path<(String, String)>) -> Result<HttpResponse, Failure> {
    let (version, name) = path.into_inner();
    let Some(asset) = [STYLE, SCRIPT, ICON].into_iter().find(|asset| asset.name == name) else {
        return Err(Failure::not_found("there is nothing at this path"));
    };
    let kept = if version == *VERSION { "public, max-age=31536000, immutable" } else { "no-cache" };
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, asset.kind))
        .insert_header((CACHE_CONTROL, kept))
        .body(asset.text))
}
