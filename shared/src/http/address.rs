//! Where an address is: on the public internet, on a private network, or nowhere that a CRM could be.
//!
//! Invariant: an address that carries another (IPv4-mapped, NAT64, 6to4) is where the carried one is, and what no table
//! knows is nowhere. So a new range is refused until somebody adds it here.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Anybody can reach it.
    Public,
    /// Loopback, RFC 1918, carrier-grade NAT, benchmarking or unique local: a destination may be there if it is allowed to.
    Private,
    /// Unspecified, link-local, multicast, broadcast, documentation, reserved, or a cloud's metadata service: never.
    Nowhere,
}

/// Where `address` is.
pub fn place(address: IpAddr) -> Place {
    match address {
        IpAddr::V4(v4) => place_v4(v4),
        IpAddr::V6(v6) => place_v6(v6),
    }
}

fn place_v4(address: Ipv4Addr) -> Place {
    match address.octets() {
        // The metadata services of Azure, Alibaba and Oracle; link-local holds everybody else's.
        [168, 63, 129, 16] | [100, 100, 100, 200] | [192, 0, 0, _] | [169, 254, ..]
        // Unspecified, multicast, reserved, broadcast.
        | [0 | 224.., ..]
        // Documentation, and the old relays of 6to4.
        | [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] | [192, 88, 99, _] => Place::Nowhere,
        [10 | 127, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] | [198, 18 | 19, ..] => Place::Private,
        _ => Place::Public,
    }
}

fn place_v6(address: Ipv6Addr) -> Place {
    if address == Ipv6Addr::LOCALHOST {
        return Place::Private;
    }
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            place_v4(carried(high, low))
        }
        // The metadata services of AWS and Google, which stand in the unique local range.
        [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254] | [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254]
        // Teredo and the other protocol assignments, and documentation.
        | [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Place::Nowhere,
        [0xfc00..=0xfdff, ..] => Place::Private,
        [0x2000..=0x3fff, ..] => Place::Public,
        _ => Place::Nowhere,
    }
}

fn carried(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(expected: Place, addresses: &[&str]) {
        for text in addresses {
            let address = text.parse().expect("an address");
            assert_eq!(place(address), expected, "{text}");
        }
    }

    #[test]
    fn the_public_internet() {
        all(Place::Public, &["8.8.8.8", "172.32.0.1", "100.128.0.1", "192.0.1.1", "198.20.0.1", "223.255.255.255"]);
        all(
            Place::Public,
            &["2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1", "2001:4860::8888"],
        );
    }

    #[test]
    fn private_networks() {
        all(Place::Private, &["127.0.0.1", "127.255.0.9", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.0.1"]);
        all(Place::Private, &["100.64.0.1", "100.127.255.255", "198.18.0.1", "::1", "fc00::1", "fdff::1"]);
    }

    #[test]
    fn a_private_address_inside_another_is_private() {
        all(
            Place::Private,
            &["::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1", "2002:c0a8:1::"],
        );
    }

    #[test]
    fn nowhere() {
        all(
            Place::Nowhere,
            &["0.0.0.0", "0.1.2.3", "169.254.169.254", "168.63.129.16", "100.100.100.200", "192.0.0.192"],
        );
        all(Place::Nowhere, &["224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "192.0.2.1", "198.51.100.7"]);
        all(
            Place::Nowhere,
            &["203.0.113.9", "::", "::8.8.8.8", "fe80::1", "fec0::1", "ff02::1", "2001:db8::1", "3fff::1"],
        );
        all(
            Place::Nowhere,
            &["2001::1", "100::1", "64:ff9b:1::1", "fd00:ec2::254", "fd20:ce::254", "::ffff:169.254.169.254"],
        );
        all(Place::Nowhere, &["64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::", "5f00::1", "4000::1"]);
    }
}
