//! Where a token may be sent: to Salesforce, or to where it came from.
//!
//! The answer with a token names the org's address (`instance_url`). Whoever could forge that would be sent every lead and
//! the token with it, so it is held against a list.

use std::net::IpAddr;

use leadrelay_shared::error::{DeliveryError, ErrorKind};
use leadrelay_shared::http::{Place, Url, place};

/// The domains of Salesforce's orgs: commercial, US government, China (help.salesforce.com, "My Domain URL Formats").
const DOMAINS: [&str; 4] = ["salesforce.com", "salesforce.mil", "sfcrmproducts.cn", "sfcrmapps.cn"];

/// The address in `text`, if a token that `login` gave may be sent there.
pub(crate) fn trusted(text: &str, login: &Url) -> Result<Url, DeliveryError> {
    let url: Option<Url> = text.parse().ok();
    let url = url.filter(|url| url.username().is_empty() && url.password().is_none());
    let trusted = url.filter(|url| is_origin_of(login, url) || is_salesforce(url) || is_private(url));
    let Some(mut url) = trusted else {
        let message =
            "the login names an instance that is no address of Salesforce; no token is sent there. Correct `login_url`";
        return Err(DeliveryError::new(ErrorKind::Misconfigured, message));
    };
    url.set_path("");
    url.set_query(None);
    url.set_fragment(None);
    Ok(url)
}

fn is_origin_of(login: &Url, url: &Url) -> bool {
    login.origin() == url.origin()
}

fn is_salesforce(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let is_below = |domain: &str| host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
    url.scheme() == "https" && url.port().is_none() && DOMAINS.iter().any(|domain| is_below(domain))
}

/// A simulated org. The client refuses to connect to it unless the destination may be on a private network.
fn is_private(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host.parse::<IpAddr>().is_ok_and(|address| place(address) == Place::Private)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_trusted(text: &str) -> bool {
        trusted(text, &"https://login.contoso.com".parse().expect("a url")).is_ok()
    }

    #[test]
    fn salesforce_and_where_the_token_came_from_are_trusted() {
        for url in [
            "https://contoso.my.salesforce.com",
            "https://contoso--uat.sandbox.my.salesforce.com/",
            "https://na139.salesforce.com",
            "https://contoso.my.salesforce.mil",
            "https://contoso.my.sfcrmapps.cn",
            "https://login.contoso.com",
            "http://127.0.0.1:8090",
        ] {
            assert!(is_trusted(url), "{url}");
        }
    }

    #[test]
    fn nothing_else_is() {
        for url in [
            "https://salesforce.com.example.com",
            "https://example.com",
            "https://evilsalesforce.com",
            "https://salesforce.com",
            "http://contoso.my.salesforce.com",
            "https://contoso.my.salesforce.com:8443",
            "https://contoso.my.salesforce.com@example.com",
            "https://user:word@contoso.my.salesforce.com",
            "http://login.contoso.com",
            "https://login.contoso.com:444",
            "https://8.8.8.8",
            "ftp://contoso.my.salesforce.com",
            "contoso.my.salesforce.com",
            "",
        ] {
            assert!(!is_trusted(url), "{url}");
        }
    }

    #[test]
    fn only_the_address_is_kept() {
        let url = trusted("https://contoso.my.salesforce.com/a?b#c", &"https://a.example.com".parse().expect("a url"));
        assert_eq!(url.expect("trusted").as_str(), "https://contoso.my.salesforce.com/");
    }
}
