//! The addresses that are not somebody's server on the public internet, with a name for each.
//!
//! Source: the IANA IPv4 and IPv6 special-purpose address registries and the multicast and
//! reserved ranges, read strictly: what the registries call globally reachable but no webhook
//! receiver can have (anycast relays, translators) is here too. In IPv6 everything outside
//! `2000::/3` is special, so a range that is assigned later is refused until someone reads
//! about it. These tables know nothing of an operator's allow-list; `guard` does.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

type Row<Net> = (Net, &'static str);

const fn v4(octets: [u8; 4], prefix_bits: u8, what: &'static str) -> Row<Ipv4Net> {
    let [a, b, c, d] = octets;
    (
        Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix_bits),
        what,
    )
}

const fn v6(first: [u16; 4], prefix_bits: u8, what: &'static str) -> Row<Ipv6Net> {
    let [a, b, c, d] = first;
    (
        Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0), prefix_bits),
        what,
    )
}

/// The first row that contains an address names it, so narrow rows stand before wide ones.
const V4: &[Row<Ipv4Net>] = &[
    v4([169, 254, 169, 254], 32, "a cloud metadata address"),
    v4([169, 254, 170, 2], 32, "a cloud metadata address"),
    v4([100, 100, 100, 200], 32, "a cloud metadata address"),
    v4([192, 0, 0, 192], 32, "a cloud metadata address"),
    // A public address by its number, yet every Azure machine reaches its host there.
    v4([168, 63, 129, 16], 32, "a cloud metadata address"),
    v4([0, 0, 0, 0], 8, "an unspecified address"),
    v4([10, 0, 0, 0], 8, "a private address"),
    v4([100, 64, 0, 0], 10, "a carrier-grade NAT address"),
    v4([127, 0, 0, 0], 8, "a loopback address"),
    v4([169, 254, 0, 0], 16, "a link-local address"),
    v4([172, 16, 0, 0], 12, "a private address"),
    v4([192, 0, 0, 0], 24, "an IETF protocol address"),
    v4([192, 0, 2, 0], 24, "a documentation address"),
    v4([192, 31, 196, 0], 24, "an AS112 address"),
    v4([192, 52, 193, 0], 24, "a multicast relay address"),
    v4([192, 88, 99, 0], 24, "a 6to4 relay address"),
    v4([192, 168, 0, 0], 16, "a private address"),
    v4([192, 175, 48, 0], 24, "an AS112 address"),
    v4([198, 18, 0, 0], 15, "a benchmarking address"),
    v4([198, 51, 100, 0], 24, "a documentation address"),
    v4([203, 0, 113, 0], 24, "a documentation address"),
    v4([224, 0, 0, 0], 4, "a multicast address"),
    v4([255, 255, 255, 255], 32, "the broadcast address"),
    v4([240, 0, 0, 0], 4, "a reserved address"),
];

const V6: &[Row<Ipv6Net>] = &[
    (
        Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 128),
        "an unspecified address",
    ),
    (
        Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128),
        "a loopback address",
    ),
    v6([0x0100, 0, 0, 0], 64, "a discard-only address"),
    v6([0x0100, 0, 0, 1], 64, "a dummy address"),
    v6([0x2001, 0x0002, 0, 0], 48, "a benchmarking address"),
    v6([0x2001, 0x0db8, 0, 0], 32, "a documentation address"),
    v6([0x2001, 0, 0, 0], 23, "an IETF protocol address"),
    v6([0x2620, 0x004f, 0x8000, 0], 48, "an AS112 address"),
    v6([0x3fff, 0, 0, 0], 20, "a documentation address"),
    v6([0x5f00, 0, 0, 0], 16, "a segment routing address"),
    v6([0xfc00, 0, 0, 0], 7, "a private (unique local) address"),
    v6([0xfe80, 0, 0, 0], 10, "a link-local address"),
    v6([0xfec0, 0, 0, 0], 10, "a site-local address"),
    v6([0xff00, 0, 0, 0], 8, "a multicast address"),
];

const GLOBAL_UNICAST: Ipv6Net = v6([0x2000, 0, 0, 0], 3, "").0;

/// What kind of special address this is; `None` for an ordinary public one. Says nothing of
/// IPv4 addresses within IPv6 ones: see [`embedding`].
pub(super) fn kind(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => V4
            .iter()
            .find(|(net, _)| net.contains(&address))
            .map(|&(_, what)| what),
        IpAddr::V6(address) => V6
            .iter()
            .find(|(net, _)| net.contains(&address))
            .map(|&(_, what)| what)
            .or_else(|| {
                let global = GLOBAL_UNICAST.contains(&address);
                (!global).then_some("outside the public IPv6 range")
            }),
    }
}

/// An IPv6 address that some machine on the way turns into IPv4.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Embedding {
    /// What kind of address that makes it.
    pub what: &'static str,
    /// Every IPv4 address that a packet to it may reach.
    pub carried: Vec<Ipv4Addr>,
}

/// The IPv4 addresses within `address`, if it is of a form that carries any: mapped and
/// translated (RFC 4291, RFC 2765), compatible (RFC 4291), NAT64 (RFC 6052, RFC 8215; the last 32
/// bits, also of the local-use prefix), 6to4 (RFC 3056), Teredo (RFC 4380: server and client),
/// ISATAP (RFC 5214).
pub(super) fn embedding(address: Ipv6Addr) -> Option<Embedding> {
    let word = address.segments();
    let pair = |at: usize| Ipv4Addr::from((u32::from(word[at]) << 16) | u32::from(word[at + 1]));
    let last = pair(6);
    let (what, carried) = match word {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => return None,
        [0, 0, 0, 0, 0, 0, ..] => ("an IPv4-compatible address", vec![last]),
        [0, 0, 0, 0, 0, 0xffff, ..] => ("an IPv4-mapped address", vec![last]),
        [0, 0, 0, 0, 0xffff, 0, ..] => ("an IPv4-translated address", vec![last]),
        [0x64, 0xff9b, 0, 0, 0, 0, ..] | [0x64, 0xff9b, 1, ..] => ("a NAT64 address", vec![last]),
        [0x2002, ..] => ("a 6to4 address", vec![pair(1)]),
        [0x2001, 0, ..] => {
            let client = Ipv4Addr::from_bits(!last.to_bits());
            ("a Teredo address", vec![pair(2), client])
        }
        [_, _, _, _, 0 | 0x200, 0x5efe, ..] => ("an ISATAP address", vec![last]),
        _ => return None,
    };
    Some(Embedding { what, carried })
}
