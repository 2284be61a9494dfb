//! The egress guard: decides which addresses may be dialled.
//!
//! Guarantees: a [`Vetted`] address is public or in a network that the operator allowed, and
//! nothing but [`EgressGuard::vet`] makes one. It judges addresses, never names: a name is
//! judged by what it resolved to, at each dial (see `resolver`).

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use super::special;

/// Which addresses deliveries may reach. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct EgressGuard {
    allow: Arc<[IpNet]>,
}

/// An address that the guard let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vetted(IpAddr);

/// An address that the guard did not let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{address} is {what}, which deliveries must not reach: use a public address, or have the \
     operator put its network on the egress allow-list"
)]
pub struct Refused {
    address: IpAddr,
    what: &'static str,
}

impl EgressGuard {
    /// A guard that lets through public addresses and those in `allow`.
    pub fn new(allow: Vec<IpNet>) -> Self {
        Self {
            allow: allow.into(),
        }
    }

    /// Judges one address. The allow-list wins over what the address is, with one exception: an
    /// IPv6 address that carries an IPv4 one (NAT64, 6to4, mapped …) also needs the carried
    /// address to pass. So an operator on an IPv6-only network may allow `64:ff9b::/96` without
    /// opening `64:ff9b::10.0.0.1`.
    pub fn vet(&self, address: IpAddr) -> Result<Vetted, Refused> {
        if let IpAddr::V6(v6) = address
            && let Some(embedding) = special::embedding(v6)
        {
            let what = embedding.what;
            let passes = |v4: IpAddr| self.vet(v4).is_ok();
            let carried_pass = embedding.carried.into_iter().map(IpAddr::V4).all(passes);
            return if self.allows(address) && carried_pass {
                Ok(Vetted(address))
            } else {
                Err(Refused { address, what })
            };
        }
        match special::kind(address) {
            Some(what) if !self.allows(address) => Err(Refused { address, what }),
            _ => Ok(Vetted(address)),
        }
    }

    fn allows(&self, address: IpAddr) -> bool {
        self.allow.iter().any(|net| net.contains(&address))
    }
}

impl Vetted {
    /// The address.
    pub fn address(self) -> IpAddr {
        self.0
    }
}

impl Refused {
    /// The address.
    pub fn address(self) -> IpAddr {
        self.address
    }

    /// What kind of address it is, as words with an article: `a private address`.
    pub fn what(self) -> &'static str {
        self.what
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect(text)
    }

    fn guard(allow: &[&str]) -> EgressGuard {
        EgressGuard::new(
            allow
                .iter()
                .map(|net| net.parse().expect("a network"))
                .collect(),
        )
    }

    /// First and last addresses of every range, and what is said of them.
    const FORBIDDEN: &[(&str, &str)] = &[
        ("0.0.0.0", "unspecified"),
        ("0.255.255.255", "unspecified"),
        ("10.0.0.0", "private"),
        ("10.255.255.255", "private"),
        ("100.64.0.0", "carrier-grade"),
        ("100.127.255.255", "carrier-grade"),
        ("100.100.100.200", "metadata"),
        ("127.0.0.1", "loopback"),
        ("127.255.255.255", "loopback"),
        ("168.63.129.16", "metadata"),
        ("169.254.0.0", "link-local"),
        ("169.254.169.254", "metadata"),
        ("169.254.170.2", "metadata"),
        ("169.254.255.255", "link-local"),
        ("172.16.0.0", "private"),
        ("172.31.255.255", "private"),
        ("192.0.0.1", "IETF"),
        ("192.0.0.192", "metadata"),
        ("192.0.2.1", "documentation"),
        ("192.31.196.1", "AS112"),
        ("192.52.193.1", "relay"),
        ("192.88.99.1", "6to4"),
        ("192.168.0.0", "private"),
        ("192.168.255.255", "private"),
        ("192.175.48.1", "AS112"),
        ("198.18.0.0", "benchmarking"),
        ("198.19.255.255", "benchmarking"),
        ("198.51.100.7", "documentation"),
        ("203.0.113.7", "documentation"),
        ("224.0.0.1", "multicast"),
        ("239.255.255.255", "multicast"),
        ("240.0.0.1", "reserved"),
        ("255.255.255.254", "reserved"),
        ("255.255.255.255", "broadcast"),
        ("::", "unspecified"),
        ("::1", "loopback"),
        ("::2", "IPv4-compatible"),
        ("::8.8.8.8", "IPv4-compatible"),
        ("::ffff:127.0.0.1", "IPv4-mapped"),
        ("::ffff:8.8.8.8", "IPv4-mapped"),
        ("::ffff:0:10.0.0.1", "IPv4-translated"),
        ("64:ff9b::10.0.0.1", "NAT64"),
        ("64:ff9b::8.8.8.8", "NAT64"),
        ("64:ff9b:1::10.0.0.1", "NAT64"),
        ("64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "NAT64"),
        ("64:ff9b:2::1", "outside"),
        ("100::1", "discard"),
        ("100:0:0:1::1", "dummy"),
        ("2001::1", "Teredo"),
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", "Teredo"),
        ("2001:1::1", "IETF"),
        ("2001:2::1", "benchmarking"),
        ("2001:10::1", "IETF"),
        ("2001:20::1", "IETF"),
        ("2001:1ff:ffff::1", "IETF"),
        ("2001:db8::1", "documentation"),
        ("2002:7f00:1::1", "6to4"),
        ("2002:808:808::1", "6to4"),
        ("2620:4f:8000::1", "AS112"),
        ("2a00::5efe:10.0.0.1", "ISATAP"),
        ("2a00::200:5efe:10.0.0.1", "ISATAP"),
        ("3fff::1", "documentation"),
        ("3fff:fff::1", "documentation"),
        ("4000::1", "outside"),
        ("5f00::1", "segment routing"),
        ("fc00::1", "unique local"),
        ("fd00:ec2::254", "unique local"),
        ("fe80::1", "link-local"),
        ("febf::1", "link-local"),
        ("fec0::1", "site-local"),
        ("feff::1", "site-local"),
        ("ff02::1", "multicast"),
        ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "multicast"),
    ];

    #[test]
    fn special_addresses_are_refused_by_name() {
        for &(text, what) in FORBIDDEN {
            let refused = guard(&[]).vet(address(text)).expect_err(text);
            assert!(refused.what().contains(what), "{text}: {refused}");
        }
    }

    #[test]
    fn the_neighbours_of_every_range_are_public() {
        for text in [
            "1.0.0.0",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "168.63.129.15",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.0.3.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "203.0.114.0",
            "223.255.255.255",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2606:4700::1",
            "2a00:1450::1",
            "3ffe:ffff::1",
            "3fff:1000::1",
        ] {
            assert_eq!(
                guard(&[]).vet(address(text)).map(Vetted::address),
                Ok(address(text))
            );
        }
    }

    #[test]
    fn the_allow_list_opens_exactly_its_networks() {
        let guard = guard(&["10.1.0.0/16", "fd00::/8", "127.0.0.1/32"]);
        for open in ["10.1.2.3", "fd12::1", "127.0.0.1"] {
            assert!(guard.vet(address(open)).is_ok(), "{open}");
        }
        for shut in ["10.2.0.1", "fc00::1", "127.0.0.2", "::ffff:10.1.2.3", "::1"] {
            assert!(guard.vet(address(shut)).is_err(), "{shut}");
        }
    }

    #[test]
    fn an_allowed_translator_opens_no_private_address_behind_it() {
        let guard = guard(&["64:ff9b::/96", "2002::/16", "2001::/32"]);
        for open in ["64:ff9b::8.8.8.8", "2002:808:808::1"] {
            assert!(guard.vet(address(open)).is_ok(), "{open}");
        }
        for shut in [
            "64:ff9b::10.0.0.1",
            "64:ff9b::169.254.169.254",
            "2002:a00:1::1",
            // Teredo: a public server, the client 192.168.0.1 written inverted.
            "2001:0:808:808:0:0:3f57:fffe",
        ] {
            assert!(guard.vet(address(shut)).is_err(), "{shut}");
        }
    }
}
