//! The admin API of the running relay, as commands use it.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;
use leadrelay_ledger::api::OPERATOR;
use leadrelay_ledger::api::types::{Filter, LeadSummary, Page, ParkedItem};
use leadrelay_shared::config::Loaded;
use leadrelay_shared::error::{DeliveryError, ErrorKind};
use leadrelay_shared::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use leadrelay_shared::http::{Answer, Client, Method, Settings, Url};
use leadrelay_shared::service::reachable;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::cli::{Call, Failure};
use crate::operator::Operator;

/// A page of leads with their payloads is far smaller.
const ANSWER_MAX: usize = 32 << 20;

/// Items on one page where all of them are wanted.
const PAGE: usize = 200;

/// Which relay a command speaks to.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Remote {
    /// The admin address of the relay; by default what the configuration says. Its token may come as LEADRELAY_TOKEN.
    #[arg(long, value_name = "ADDRESS", env = "LEADRELAY_ADDRESS")]
    address: Option<String>,
}

/// Speaks to one relay.
#[derive(Debug)]
pub(crate) struct Api {
    client: Client,
    base: Url,
    token: Token,
    operator: Operator,
}

/// The admin token, and where it was found, for the case that it is the wrong one.
#[derive(Debug)]
struct Token {
    header: HeaderValue,
    origin: String,
}

impl Remote {
    /// The relay with its admin API at this address.
    pub(crate) fn at(address: SocketAddr) -> Self {
        Self { address: Some(address.to_string()) }
    }

    /// Prepares to speak to the relay. Mistakes elsewhere in the configuration do not matter here.
    pub(crate) fn api(&self, call: &Call) -> Result<Api, Failure> {
        let loaded = call.place.read().loaded;
        let base = match &self.address {
            Some(text) => address(text)?,
            None => url_of(reachable(loaded.config.admin.listen)),
        };
        Ok(Api { client: client()?, base, token: Token::find(&loaded)?, operator: call.operator.clone() })
    }
}

/// A client for addresses of our own choosing.
pub(crate) fn client() -> Result<Client, Failure> {
    let settings = Settings { timeout: Duration::from_secs(30), allow_private_addresses: true };
    Client::new(settings).map_err(Failure::Failed)
}

fn url_of(address: SocketAddr) -> Url {
    // Unwrap safety: an address is a host and a port, and these are all that a URL needs.
    #[expect(clippy::expect_used, reason = "see above")]
    format!("http://{address}/").parse().expect("an address makes a URL")
}

fn address(text: &str) -> Result<Url, Failure> {
    let whole = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let url = whole.parse::<Url>().ok().filter(|u| u.has_host() && matches!(u.scheme(), "http" | "https"));
    url.ok_or_else(|| Failure::Usage("the address is a host and a port, such as 127.0.0.1:8081, or a URL".to_owned()))
}

impl Token {
    fn find(loaded: &Loaded) -> Result<Self, Failure> {
        let file = loaded.admin_token_file();
        let (text, origin) = match (std::env::var("LEADRELAY_TOKEN"), &loaded.config.admin.token) {
            (Ok(token), _) => (token, "the variable LEADRELAY_TOKEN".to_owned()),
            (Err(_), Some(secret)) => (secret.expose().to_owned(), format!("admin.token in {}", loaded.file.display())),
            (Err(_), None) => {
                let text = std::fs::read_to_string(&file).map_err(|e| no_token(&file.display().to_string(), &e))?;
                (text, file.display().to_string())
            }
        };
        let mut header = HeaderValue::try_from(format!("Bearer {}", text.trim()))
            .map_err(|_| Failure::Failed(format!("the admin token from {origin} holds what no header can hold")))?;
        header.set_sensitive(true);
        Ok(Self { header, origin })
    }
}

fn no_token(file: &str, error: &std::io::Error) -> Failure {
    Failure::Failed(format!(
        "the admin token {file} cannot be read: {error}; `leadrelay up` makes it, --config names another relay's configuration, \
         and the variable LEADRELAY_TOKEN may hold the token itself"
    ))
}

impl Api {
    /// Where the relay is.
    pub(crate) fn at(&self) -> &str {
        self.base.authority()
    }

    /// Asks for `path`.
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &[(String, String)],
    ) -> Result<T, Failure> {
        let mut url = self.url(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.ask(Method::GET, url, None).await
    }

    /// Asks for `path`, and has nothing where it is not there.
    pub(crate) async fn find<T: DeserializeOwned>(&self, path: &[&str]) -> Result<Option<T>, Failure> {
        let answer = self.send(Method::GET, self.url(path), None).await?;
        if answer.status == 404 { Ok(None) } else { self.read(&answer).map(Some) }
    }

    /// Sends `body` to `path`.
    pub(crate) async fn post<B: Serialize, T: DeserializeOwned>(&self, path: &[&str], body: &B) -> Result<T, Failure> {
        let body =
            serde_json::to_vec(body).map_err(|e| Failure::Failed(format!("it cannot be written as JSON: {e}")))?;
        self.ask(Method::POST, self.url(path), Some(body)).await
    }

    /// Has `path` taken away.
    pub(crate) async fn delete<T: DeserializeOwned>(&self, path: &[&str]) -> Result<T, Failure> {
        self.ask(Method::DELETE, self.url(path), None).await
    }

    /// The lead's id that begins with `id`.
    pub(crate) async fn lead_id(&self, id: &str) -> Result<String, Failure> {
        if is_whole(id) {
            return Ok(id.to_owned());
        }
        let page: Page<LeadSummary> = self.get(&["leads"], &beginning(id)).await?;
        only(id, "lead", page.items.iter().map(|l| l.id.to_string()))
    }

    /// The parked item's id that begins with `id`; a lead's id stands for what is parked of it.
    pub(crate) async fn parked_id(&self, id: &str) -> Result<String, Failure> {
        if is_whole(id) {
            return Ok(id.to_owned());
        }
        let page: Page<ParkedItem> = self.get(&["parked"], &beginning(id)).await?;
        only(id, "parked item", page.items.into_iter().flat_map(|p| [p.id, p.lead.to_string()]))
    }

    /// The id that begins with `id`, of what is parked or of any lead.
    pub(crate) async fn any_id(&self, id: &str) -> Result<String, Failure> {
        if is_whole(id) {
            return Ok(id.to_owned());
        }
        let parked: Page<ParkedItem> = self.get(&["parked"], &beginning(id)).await?;
        let leads: Page<LeadSummary> = self.get(&["leads"], &beginning(id)).await?;
        let parked = parked.items.into_iter().map(|p| p.id);
        only(id, "lead or parked item", parked.chain(leads.items.iter().map(|l| l.id.to_string())))
    }

    /// How many parked items match.
    pub(crate) async fn count_parked(&self, filter: &Filter) -> Result<u64, Failure> {
        let mut query = query(filter);
        query.push(("limit".to_owned(), PAGE.to_string()));
        let mut count = 0;
        let mut cursor = None;
        loop {
            let mut query = query.clone();
            query.extend(cursor.map(|c| ("cursor".to_owned(), c)));
            let page: Page<ParkedItem> = self.get(&["parked"], &query).await?;
            count += page.items.len() as u64;
            cursor = page.next;
            if cursor.is_none() {
                return Ok(count);
            }
        }
    }

    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut steps) = url.path_segments_mut() {
            steps.pop_if_empty().extend(["api", "v1"]).extend(path);
        }
        url
    }

    async fn ask<T: DeserializeOwned>(&self, method: Method, url: Url, body: Option<Vec<u8>>) -> Result<T, Failure> {
        let answer = self.send(method, url, body).await?;
        self.read(&answer)
    }

    async fn send(&self, method: Method, url: Url, body: Option<Vec<u8>>) -> Result<Answer, Failure> {
        let mut request = self.client.request(method, url).header(AUTHORIZATION, self.token.header.clone());
        request = request.header(ACCEPT, HeaderValue::from_static("application/json")).keeping(ANSWER_MAX);
        request = request.header(HeaderName::from_static(OPERATOR), self.operator.header());
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, HeaderValue::from_static("application/json")).body(body);
        }
        request.send().await.map_err(|error| self.unreachable(&error))
    }

    fn unreachable(&self, error: &DeliveryError) -> Failure {
        let at = self.base.authority();
        Failure::Failed(match error.kind {
            ErrorKind::Unavailable => format!(
                "no relay answers at {at} ({error}); is `leadrelay up` running? --address or LEADRELAY_ADDRESS names another"
            ),
            _ => format!("the relay at {at} was asked in vain: {error}"),
        })
    }

    fn read<T: DeserializeOwned>(&self, answer: &Answer) -> Result<T, Failure> {
        let at = self.base.authority();
        match answer.status {
            200..=299 => {
                let body = answer.whole().map_err(|e| Failure::Failed(e.to_string()))?;
                let body: &[u8] = if body.is_empty() { b"null" } else { body };
                serde_json::from_slice(body).map_err(|e| {
                    Failure::Failed(format!("what answers at {at} does not speak as a relay of this version does: {e}"))
                })
            }
            401 | 403 => Err(Failure::Failed(format!(
                "the relay at {at} refuses the admin token, which comes from {}; the right one is the one that it was started with",
                self.token.origin
            ))),
            status => Err(Failure::Failed(problem(status, &answer.body))),
        }
    }
}

/// What a problem document says.
pub(crate) fn problem(status: u16, body: &[u8]) -> String {
    let problem: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |key: &str| problem.get(key).and_then(Value::as_str).filter(|t| !t.is_empty());
    match text("detail").or_else(|| text("title")) {
        Some(said) => said.to_owned(),
        None if status == 404 => "there is no such thing".to_owned(),
        None => format!("the relay answered HTTP {status}"),
    }
}

/// A filter as a query.
pub(crate) fn query(filter: &Filter) -> Vec<(String, String)> {
    let Ok(Value::Object(fields)) = serde_json::to_value(filter) else { return Vec::new() };
    fields.into_iter().filter_map(|(key, value)| Some((key, value.as_str()?.to_owned()))).collect()
}

/// Whether this is an id in full.
pub(crate) fn is_whole(id: &str) -> bool {
    id.parse::<leadrelay_shared::id::LeadId>().is_ok()
}

fn beginning(id: &str) -> Vec<(String, String)> {
    vec![("q".to_owned(), id.to_owned()), ("limit".to_owned(), "20".to_owned())]
}

/// The only one of `ids` that begins with `beginning`.
fn only(beginning: &str, what: &str, ids: impl Iterator<Item = String>) -> Result<String, Failure> {
    let beginning = beginning.to_lowercase();
    let mut found: Vec<String> = ids.filter(|id| id.starts_with(&beginning)).collect();
    found.sort();
    found.dedup();
    match found.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(Failure::Failed(format!("there is no {what} whose id begins with {beginning}"))),
        several => {
            Err(Failure::Failed(format!("{} of them begin with {beginning}; write more of the id", several.len())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_of_an_id_must_be_of_one_alone() {
        let found = |ids: &[&str]| only("AB", "lead", ids.iter().map(|s| (*s).to_owned()));
        assert_eq!(found(&["abc", "xyz", "abc"]).expect("one"), "abc");
        assert!(found(&["abc", "abd"]).is_err());
        assert!(found(&["xyz"]).is_err());
    }

    #[test]
    fn a_filter_asks_only_for_what_is_given() {
        let filter = Filter { source: Some("addon".to_owned()), ..Filter::default() };
        assert_eq!(query(&filter), [("source".to_owned(), "addon".to_owned())]);
    }
}
