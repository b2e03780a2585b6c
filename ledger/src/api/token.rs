//! The bearer token: from the configuration, or made on first start. Never shown, compared in constant time.

use std::fmt;
use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::rc::Rc;

use actix_web::body::MessageBody;
use actix_web::dev::{Extensions, ServiceRequest, ServiceResponse};
use actix_web::http::header::AUTHORIZATION;
use actix_web::middleware::Next;
use actix_web::web::Data;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use leadrelay_shared::config::{Loaded, Secret};
use leadrelay_shared::secrets::private_dir;
use subtle::ConstantTimeEq as _;

use super::Front;
use super::problem::Problem;

/// Random bytes in a token that is made here.
const BYTES: usize = 32;

/// The token that the API asks for.
#[derive(Clone)]
pub(crate) struct Token(String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

impl Token {
    /// The token of the configuration, or of the file in the data directory, which is made if need be.
    pub(super) fn of(loaded: &Loaded) -> Result<Self, String> {
        if let Some(secret) = &loaded.config.admin.token {
            let token = secret.expose().trim();
            if token.is_empty() {
                return Err("admin.token is empty; give it a secret, or leave the key out and one is made".to_owned());
            }
            return Ok(Self(token.to_owned()));
        }
        let path = loaded.admin_token_file();
        private_dir(&loaded.data_dir())
            .and_then(|()| make(&path))
            .map_err(|e| format!("the admin token cannot be written to {}: {e}", path.display()))?;
        Ok(Self(Secret::from_file(&path)?.expose().trim().to_owned()))
    }

    /// Whether `given` is the token.
    pub(crate) fn is(&self, given: &str) -> bool {
        bool::from(given.trim().as_bytes().ct_eq(self.0.as_bytes()))
    }

    /// The token itself, to make a key of.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    fn opens(&self, request: &ServiceRequest) -> bool {
        let header = request.headers().get(AUTHORIZATION).map_or(&b""[..], |value| value.as_bytes());
        let Some((scheme, given)) = header.split_at_checked("Bearer ".len()) else { return false };
        scheme.eq_ignore_ascii_case(b"Bearer ") && bool::from(given.ct_eq(self.0.as_bytes()))
    }
}

/// Makes the file with a fresh token, for its owner alone, unless it is there.
fn make(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = match options.open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(()),
        Err(error) => return Err(error),
    };
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
    writeln!(file, "{}", URL_SAFE_NO_PAD.encode(bytes))?;
    file.sync_all()
}

/// Lets only those through who have the token, and only while there is a store to answer them from.
pub(super) async fn required(
    front: Data<Front>,
    mut request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    if !front.token.opens(&request) {
        return Err(Problem::unauthorized().into());
    }
    let Some(api) = front.api.get() else {
        return Err(Problem::no_store().into());
    };
    let mut found = Extensions::new();
    found.insert(api.clone());
    request.add_data_container(Rc::new(found));
    next.call(request).await
}
