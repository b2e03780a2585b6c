//! Who may see a page, who may change something, and what every answer says to the browser.
//!
//! Invariant: no handler gets a form without [`Posted`], which is only made of a form that carries its session's token.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use actix_web::body::MessageBody;
use actix_web::dev::{Extensions, Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::{COOKIE, HOST, HeaderMap, HeaderName, HeaderValue, LOCATION, ORIGIN, SET_COOKIE};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::web::{Bytes, Data};
use actix_web::{FromRequest, HttpMessage as _, HttpRequest, HttpResponse};
use subtle::ConstantTimeEq as _;

use super::failure::Failure;
use super::session::{self, Session, Sessions};
use super::{Console, shapes};
use crate::api::Front;

/// What a browser is told with every page: nothing from elsewhere, no frame, no script but ours, nothing said to other sites.
const HEADERS: [(&str, &str); 6] = [
    (
        "content-security-policy",
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
];

/// Somebody who is signed in.
#[derive(Clone, Debug)]
pub(super) struct Visitor {
    pub(super) session: Session,
    /// What their forms carry.
    pub(super) form: String,
}

impl FromRequest for Visitor {
    type Error = Failure;
    type Future = std::future::Ready<Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        std::future::ready(request.extensions().get::<Self>().cloned().ok_or_else(signed_out))
    }
}

fn signed_out() -> Failure {
    Failure::forbidden("you are not signed in any more, and nothing was changed; sign in and do it again")
}

/// Lets only those through who are signed in, and only while there is a store to answer them from.
pub(super) async fn signed_in(
    console: Data<Console>,
    front: Data<Front>,
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let now = console.clock.now();
    let session = cookie(request.headers(), session::COOKIE).and_then(|value| console.sessions.of(value, now));
    let Some(session) = session else {
        if request.method() != Method::GET {
            return Ok(request.error_response(signed_out()).map_into_right_body());
        }
        let place = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let login = format!("/login?next={}", shapes::encoded(place));
        let response = HttpResponse::build(StatusCode::SEE_OTHER).insert_header((LOCATION, login)).finish();
        return Ok(request.into_response(response).map_into_right_body());
    };
    let Some(api) = front.api() else {
        return Ok(request.error_response(Failure::from(crate::api::Problem::no_store())).map_into_right_body());
    };
    let renewed = Sessions::renewed(&session, now);
    let form = console.sessions.form_token(&session);
    request.extensions_mut().insert(Visitor { session, form });
    let mut found = Extensions::new();
    found.insert(api);
    request.add_data_container(Rc::new(found));
    let secure = is_secure(request.headers());
    let mut response = next.call(request).await?.map_into_left_body();
    if let (Some(renewed), false) = (renewed, response.headers().contains_key(SET_COOKIE)) {
        response.headers_mut().insert(SET_COOKIE, set_cookie(&console.sessions.value(&renewed), secure));
    }
    Ok(response)
}

/// Adds what every answer says, also those that are refusals.
pub(super) async fn headers(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let checked = match request.method() {
        &Method::GET | &Method::HEAD => Ok(()),
        _ => same_origin(request.headers()),
    };
    let mut response = match checked {
        Ok(()) => next.call(request).await?.map_into_left_body(),
        Err(failure) => request.error_response(failure).map_into_right_body(),
    };
    let all = response.headers_mut();
    for (name, value) in HEADERS {
        all.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    if !all.contains_key("cache-control") {
        all.insert(HeaderName::from_static("cache-control"), HeaderValue::from_static("no-store"));
    }
    Ok(response)
}

/// Refuses what another site's page sends in the name of somebody who is signed in. Browsers say where a form comes from; what
/// says nothing is no browser, and has no cookie that it did not take itself.
fn same_origin(headers: &HeaderMap) -> Result<(), Failure> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let site = text("sec-fetch-site").is_none_or(|site| matches!(site, "same-origin" | "none"));
    let host = text(HOST.as_str()).unwrap_or_default();
    let origin = text(ORIGIN.as_str())
        .is_none_or(|origin| origin.split_once("://").is_some_and(|(_, from)| from.eq_ignore_ascii_case(host)));
    if site && origin {
        Ok(())
    } else {
        Err(Failure::forbidden("this was sent by a page of another site; nothing was changed"))
    }
}

/// A form, of a session and with its token. The pairs are in the order of the form.
#[derive(Debug)]
pub(super) struct Posted(Vec<(String, String)>);

impl FromRequest for Posted {
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Failure>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let visitor = request.extensions().get::<Visitor>().cloned();
        let body = Bytes::from_request(request, payload);
        Box::pin(async move {
            let form = Self(pairs(body.await)?);
            let visitor = visitor.ok_or_else(signed_out)?;
            let given = form.one("form").unwrap_or_default();
            if !bool::from(given.as_bytes().ct_eq(visitor.form.as_bytes())) {
                let detail = "this form was not made for your session, and nothing was changed; load the page again";
                return Err(Failure::forbidden(detail));
            }
            Ok(form)
        })
    }
}

impl Posted {
    /// The value of a field; empty counts as absent.
    pub(super) fn one(&self, name: &str) -> Option<&str> {
        let named = self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        named.filter(|value| !value.is_empty())
    }

    /// All values of a field.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// All fields but the token.
    pub(super) fn fields(&self) -> impl Iterator<Item = &(String, String)> {
        self.0.iter().filter(|(name, _)| name != "form")
    }
}

/// The pairs of a form's body.
pub(super) fn pairs(body: Result<Bytes, actix_web::Error>) -> Result<Vec<(String, String)>, Failure> {
    let body = body.map_err(|error| match error.as_response_error().status_code() {
        StatusCode::PAYLOAD_TOO_LARGE => Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "the form is too large"),
        _ => Failure::bad_request("the form did not arrive"),
    })?;
    Ok(form_urlencoded::parse(&body).into_owned().collect())
}

/// The value of a cookie.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let all = headers.get_all(COOKIE).filter_map(|value| value.to_str().ok());
    all.flat_map(|line| line.split(';'))
        .find_map(|pair| pair.trim().split_once('=').filter(|(key, _)| *key == name))
        .map(|(_, value)| value)
}

/// The header that gives a browser its cookie. An empty value takes it away.
pub(super) fn set_cookie(value: &str, secure: bool) -> HeaderValue {
    let secure = if secure { "; Secure" } else { "" };
    let age = if value.is_empty() { "; Max-Age=0" } else { "" };
    let text = format!("{}={value}; Path=/; HttpOnly; SameSite=Strict{secure}{age}", session::COOKIE);
    // The value is letters and digits, so this cannot fail; without a cookie nobody is signed in.
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// Whether the browser came over TLS, to us or to a proxy before us.
pub(super) fn is_secure(headers: &HeaderMap) -> bool {
    let says =
        |name: &str, begin: &str| headers.get(name).is_some_and(|value| value.as_bytes().starts_with(begin.as_bytes()));
    says(ORIGIN.as_str(), "https://") || says("x-forwarded-proto", "https")
}
