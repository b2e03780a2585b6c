//! Signing in with the admin token, and out.

use actix_web::http::StatusCode;
use actix_web::http::header::SET_COOKIE;
use actix_web::web::{Bytes, Data, Query};
use actix_web::{HttpRequest, HttpResponse};
use minijinja::context;

use super::failure::Failure;
use super::guard::{Posted, Visitor, is_secure, pairs, set_cookie};
use super::{Console, operator, page, to};
use crate::acts::Operator;
use crate::api::Front;

type Pairs = Query<Vec<(String, String)>>;

pub(super) async fn ask(asked: Pairs) -> Result<HttpResponse, Failure> {
    form(&next(&asked), None, StatusCode::OK)
}

pub(super) async fn enter(
    request: HttpRequest,
    console: Data<Console>,
    front: Data<Front>,
    body: Result<Bytes, actix_web::Error>,
) -> Result<HttpResponse, Failure> {
    let now = console.clock.now();
    let Some(address) = request.peer_addr().map(|peer| peer.ip()) else {
        return Err(Failure::bad_request("this came from nowhere"));
    };
    if let Some(seconds) = console.limit.wait(address, now) {
        return Err(Failure::wait(seconds));
    }
    let form_of = pairs(body)?;
    let value = |name: &str| form_of.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str());
    if !front.token().is(value("token")) {
        console.limit.failed(address, now);
        tracing::warn!("somebody tried to sign in to the console with a wrong token");
        return form(&next(&form_of), Some("This is not the admin token."), StatusCode::FORBIDDEN);
    }
    let by = Operator::new(value("name"), "console");
    let session = console.sessions.begin(&by.name, now).map_err(|error| {
        tracing::error!(%error, "no session can be made");
        Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "no session can be made; the log says why")
    })?;
    if let Some(api) = front.api() {
        api.acts.note(&by, "sign in", "").await?;
    }
    let cookie = set_cookie(&console.sessions.value(&session), is_secure(request.headers()));
    let mut response = to(&next(&form_of));
    response.headers_mut().insert(SET_COOKIE, cookie);
    Ok(response)
}

pub(super) async fn out(
    request: HttpRequest,
    console: Data<Console>,
    api: Data<crate::api::Api>,
    visitor: Visitor,
    _: Posted,
) -> Result<HttpResponse, Failure> {
    console.sessions.end(&visitor.session, console.clock.now());
    api.acts.note(&operator(&visitor), "sign out", "").await?;
    let mut response = to("/login");
    response.headers_mut().insert(SET_COOKIE, set_cookie("", is_secure(request.headers())));
    Ok(response)
}

fn form(next: &str, wrong: Option<&str>, status: StatusCode) -> Result<HttpResponse, Failure> {
    let text = page::text("login.html", context! { next, wrong }).map_err(|error| {
        tracing::error!(line = error.line(), "the sign-in page cannot be made: {}", error.kind());
        Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "this page cannot be made; the log says where")
    })?;
    let mut response = page::html(text);
    *response.status_mut() = status;
    Ok(response)
}

/// Where somebody wanted to go: a page of ours, whatever the address says.
fn next(pairs: &[(String, String)]) -> String {
    let asked = pairs.iter().find(|(name, _)| name == "next").map_or("/", |(_, value)| value.as_str());
    let ours =
        asked.starts_with('/') && !asked.starts_with("//") && asked.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    if ours { asked.to_owned() } else { "/".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_elsewhere() {
        for (asked, place) in [
            ("/leads?state=parked", "/leads?state=parked"),
            ("//example.com/", "/"),
            ("/\\example.com", "/"),
            ("https://example.com", "/"),
            ("/\r\nSet-Cookie: a=b", "/"),
            ("", "/"),
        ] {
            assert_eq!(next(&[("next".to_owned(), asked.to_owned())]), place);
        }
    }
}
