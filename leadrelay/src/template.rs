//! The configuration that `leadrelay up` begins with where there is none.

use std::io;
use std::path::Path;

use leadrelay_shared::secrets;

use crate::place::Place;

/// Our own text, commented for a person who sees it for the first time.
pub(crate) const TEXT: &str = include_str!("leadrelay.template.toml");

/// The token file that the text names, and its source.
const TOKEN_FILE: &str = "data/sources/marketplace.token";

/// The one source of the text.
pub(crate) const SOURCE: &str = "marketplace";

/// Writes the configuration and its source's token. A token that is there already is kept.
pub(crate) fn write(place: &Place) -> io::Result<()> {
    let token = place.base_dir().join(TOKEN_FILE);
    if !token.exists() {
        secrets::write_private(&token, &format!("{}\n", secrets::new_token()?))?;
    }
    create(&place.file)
}

fn create(file: &Path) -> io::Result<()> {
    if let Some(dir) = file.parent().filter(|p| !p.as_os_str().is_empty()) {
        std::fs::create_dir_all(dir)?;
    }
    secrets::rewrite(file, TEXT)
}
