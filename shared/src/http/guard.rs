//! Which addresses a client may connect to, asked at the moment it connects.
//!
//! Invariant: a connection goes only to an address that `Reach::admits`. Names are checked by the resolver, whose answer
//! is the very list that is connected to, so a name that changes its mind (DNS rebinding) gains nothing; addresses written
//! into a URL never meet the resolver and are checked by `Reach::admits_host`.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::address::{Place, place};

/// Which addresses may be connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// The public internet alone.
    Public,
    /// The public internet and private networks.
    All,
    /// Private networks alone: where plain HTTP may be spoken.
    Private,
}

/// An address that must not be connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    address: IpAddr,
    place: Place,
}

impl Reach {
    fn admits(self, address: IpAddr) -> Result<(), Refused> {
        let place = place(address);
        match (self, place) {
            (Self::Public | Self::All, Place::Public) | (Self::All | Self::Private, Place::Private) => Ok(()),
            _ => Err(Refused { address, place }),
        }
    }

    /// Checks the host of a URL where it is an address. Any odd way to write one (decimal, octal, hexadecimal) is by now
    /// the ordinary way: [`Url`] has seen to that.
    pub(super) fn admits_host(self, url: &Url) -> Result<(), Refused> {
        let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        host.parse().map_or(Ok(()), |address| self.admits(address))
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = self.address;
        match self.place {
            Place::Public => {
                write!(f, "{address} is a public address, and plain http is for private networks; use https")
            }
            Place::Private => write!(
                f,
                "{address} is on a private network; if the destination is meant to be there, set allow_private_addresses = true"
            ),
            Place::Nowhere => write!(f, "{address} is no address that a destination can have; correct its url"),
        }
    }
}

impl Error for Refused {}

/// Asks for the addresses of a name.
pub(super) type Lookup =
    Arc<dyn Fn(String) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>> + Send + Sync>;

/// The machine's own resolver.
pub(super) fn system_lookup() -> Lookup {
    Arc::new(|name| {
        Box::pin(async move { Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect()) })
    })
}

/// A resolver that leaves out what may not be connected to.
pub(super) struct Guarded {
    pub(super) lookup: Lookup,
    pub(super) reach: Reach,
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let (found, reach) = ((self.lookup)(name.as_str().to_owned()), self.reach);
        Box::pin(async move {
            let mut kept = Vec::new();
            let mut refused = None;
            for address in found.await? {
                match reach.admits(address) {
                    Ok(()) => kept.push(SocketAddr::new(address, 0)),
                    Err(reason) => refused = Some(reason),
                }
            }
            match refused {
                Some(reason) if kept.is_empty() => Err(reason.into()),
                _ => Ok(Box::new(kept.into_iter()) as Addrs),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(reach: Reach, url: &str) -> bool {
        reach.admits_host(&url.parse().expect("a url")).is_ok()
    }

    #[test]
    fn every_spelling_of_a_private_address_is_seen_through() {
        for host in ["127.0.0.1", "2130706433", "0x7f000001", "017700000001", "127.1", "0x7f.1", "127.0.0.1.", "[::1]"]
        {
            assert!(!admitted(Reach::Public, &format!("https://{host}/")), "{host}");
            assert!(admitted(Reach::All, &format!("https://{host}/")), "{host}");
        }
        for host in
            ["[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "0", "169.254.169.254", "１２７.0.0.1"]
        {
            assert!(!admitted(Reach::Public, &format!("https://{host}/")), "{host}");
        }
    }

    #[test]
    fn nowhere_stays_nowhere_even_where_private_is_allowed() {
        assert!(!admitted(Reach::All, "https://169.254.169.254/"));
        assert!(!admitted(Reach::Private, "http://0.0.0.0/"));
    }

    #[test]
    fn plain_http_reaches_private_networks_alone() {
        assert!(admitted(Reach::Private, "http://10.0.0.1/"));
        assert!(!admitted(Reach::Private, "http://8.8.8.8/"));
    }
}
