//! What can't be reached, in whatever notation it is written: a table of URLs that are refused when somebody
//! wants to save them and when they are dialled, and of names that lead to the same places.

use std::net::IpAddr;

use super::*;

/// A host as it may be written, and what is said of the address that it is.
const HOSTS: &[(&str, &str)] = &[
    // Loopback, in all notations that some library or other reads.
    ("127.0.0.1", "a loopback address"),
    ("127.1", "a loopback address"),
    ("127.0.1", "a loopback address"),
    ("127.255.255.254", "a loopback address"),
    ("2130706433", "a loopback address"),
    ("0x7f000001", "a loopback address"),
    ("0X7F000001", "a loopback address"),
    ("0x7f.0.0.1", "a loopback address"),
    ("0x7f.1", "a loopback address"),
    ("0x7f.0x0.0x0.0x1", "a loopback address"),
    ("0177.0.0.1", "a loopback address"),
    ("0177.0.0.01", "a loopback address"),
    ("0177.1", "a loopback address"),
    ("00000177.0.0.1", "a loopback address"),
    ("017700000001", "a loopback address"),
    ("127.0x0.0.01", "a loopback address"),
    ("127.0.0.1.", "a loopback address"),
    ("0x7f.1.", "a loopback address"),
    ("%31%32%37.0.0.1", "a loopback address"),
    ("127%2e0%2e0%2e1", "a loopback address"),
    ("①②⑦.0.0.1", "a loopback address"),
    ("１２７.0.0.1", "a loopback address"),
    ("𝟏𝟐𝟕.𝟎.𝟎.𝟏", "a loopback address"),
    ("127。0。0。1", "a loopback address"),
    ("127．0．0．1", "a loopback address"),
    ("127｡0｡0｡1", "a loopback address"),
    ("0ｘ7f.1", "a loopback address"),
    ("localhost", "a loopback address"),
    ("LOCALHOST.", "a loopback address"),
    ("ｌocalhost", "a loopback address"),
    ("a.localhost", "a loopback address"),
    ("[::1]", "a loopback address"),
    ("[0:0:0:0:0:0:0:1]", "a loopback address"),
    ("[0000::0001]", "a loopback address"),
    // This machine, whichever that is.
    ("0", "an unspecified address"),
    ("0x0", "an unspecified address"),
    ("0.0.0.0", "an unspecified address"),
    ("00.00", "an unspecified address"),
    ("0.1.2.3", "an unspecified address"),
    ("[::]", "an unspecified address"),
    // Networks of one's own.
    ("10.0.0.1", "a private address"),
    ("012.0.0.1", "a private address"),
    ("167772161", "a private address"),
    ("10.1", "a private address"),
    ("172.16.0.1", "a private address"),
    ("172.31.255.255", "a private address"),
    ("192.168.1.1", "a private address"),
    ("192.168.257", "a private address"),
    ("0xc0a80101", "a private address"),
    ("3232235777", "a private address"),
    ("100.64.0.1", "a carrier-grade NAT address"),
    ("100.127.255.254", "a carrier-grade NAT address"),
    ("169.254.1.1", "a link-local address"),
    ("[fc00::1]", "a private (unique local) address"),
    ("[fd12:3456:789a::1]", "a private (unique local) address"),
    ("[fe80::1]", "a link-local address"),
    ("[febf::1]", "a link-local address"),
    ("[fec0::1]", "a site-local address"),
    // Where clouds tell machines their secrets.
    ("169.254.169.254", "a cloud metadata address"),
    ("169.254.169.254.", "a cloud metadata address"),
    ("2852039166", "a cloud metadata address"),
    ("0xa9fea9fe", "a cloud metadata address"),
    ("0xa9.0xfe.0xa9.0xfe", "a cloud metadata address"),
    ("0251.0376.0251.0376", "a cloud metadata address"),
    ("169.254.43518", "a cloud metadata address"),
    ("169.16689662", "a cloud metadata address"),
    ("169.254.170.2", "a cloud metadata address"),
    ("100.100.100.200", "a cloud metadata address"),
    ("192.0.0.192", "a cloud metadata address"),
    ("168.63.129.16", "a cloud metadata address"),
    ("[fd00:ec2::254]", "a private (unique local) address"),
    ("[fd20:ce::254]", "a private (unique local) address"),
    // Nobody's server.
    ("192.0.0.8", "an IETF protocol address"),
    ("192.0.2.1", "a documentation address"),
    ("198.51.100.1", "a documentation address"),
    ("203.0.113.1", "a documentation address"),
    ("198.18.0.1", "a benchmarking address"),
    ("198.19.255.254", "a benchmarking address"),
    ("192.31.196.1", "an AS112 address"),
    ("192.52.193.1", "a multicast relay address"),
    ("192.88.99.1", "a 6to4 relay address"),
    ("224.0.0.1", "a multicast address"),
    ("239.255.255.250", "a multicast address"),
    ("240.0.0.1", "a reserved address"),
    ("255.255.255.255", "the broadcast address"),
    ("4294967295", "the broadcast address"),
    ("0xffffffff", "the broadcast address"),
    ("[100::1]", "a discard-only address"),
    ("[2001:2::1]", "a benchmarking address"),
    ("[2001:20::1]", "an IETF protocol address"),
    ("[2001:db8::1]", "a documentation address"),
    ("[3fff::1]", "a documentation address"),
    ("[5f00::1]", "a segment routing address"),
    ("[ff02::1]", "a multicast address"),
    ("[ff0e::1]", "a multicast address"),
    ("[4000::1]", "outside the public IPv6 range"),
    // IPv4 within IPv6.
    ("[::ffff:127.0.0.1]", "an IPv4-mapped address"),
    ("[::ffff:7f00:1]", "an IPv4-mapped address"),
    ("[::ffff:a9fe:a9fe]", "an IPv4-mapped address"),
    ("[0:0:0:0:0:ffff:10.0.0.1]", "an IPv4-mapped address"),
    ("[::ffff:8.8.8.8]", "an IPv4-mapped address"),
    ("[::127.0.0.1]", "an IPv4-compatible address"),
    ("[::a9fe:a9fe]", "an IPv4-compatible address"),
    ("[::ffff:0:10.0.0.1]", "an IPv4-translated address"),
    ("[64:ff9b::7f00:1]", "a NAT64 address"),
    ("[64:ff9b::169.254.169.254]", "a NAT64 address"),
    ("[64:ff9b:1::10.0.0.1]", "a NAT64 address"),
    ("[2002:7f00:1::]", "a 6to4 address"),
    ("[2002:a9fe:a9fe::1]", "a 6to4 address"),
    ("[2001::1]", "a Teredo address"),
    ("[2001:0:808:808:0:0:80ff:fffe]", "a Teredo address"),
    ("[2a00::5efe:10.0.0.1]", "an ISATAP address"),
];

/// URLs that are told apart from others by tricks, and what is said of each when it is read.
const TRICKS: &[(&str, &str)] = &[
    ("http://8.8.8.8@127.0.0.1/", "contains credentials"),
    ("http://example.com:80@10.0.0.1/", "contains credentials"),
    ("http://127.0.0.1#@8.8.8.8/", "has a fragment"),
    ("http://127.0.0.1\\@example.com/", "a loopback address"),
    ("http://127.0.0.1?@example.com/", "a loopback address"),
    ("http://@127.0.0.1/", "a loopback address"),
    ("http:///127.0.0.1/", "a loopback address"),
    ("http://\\127.0.0.1/", "a loopback address"),
    ("HTTP://127.0.0.1:65535/", "a loopback address"),
    ("http://[fe80::1%25eth0]/", "not a valid URL"),
    ("http://[fe80::1%eth0]/", "not a valid URL"),
    ("http://[::1%251]/", "not a valid URL"),
    ("http://127.0.0.1%00.example.com/", "not a valid URL"),
    ("http://127.0.0.1%0a/", "not a valid URL"),
    ("http://256.0.0.1/", "not a valid URL"),
    ("http://127.0.0.1.1/", "not a valid URL"),
    ("http://4294967296/", "not a valid URL"),
    ("http://0x100000000/", "not a valid URL"),
    ("http://127.0.0.09/", "not a valid URL"),
    ("http://[127.0.0.1]/", "not a valid URL"),
    ("http://[::1]a/", "not a valid URL"),
    ("gopher://127.0.0.1/", "must begin with https:// or http://"),
    (
        "file://127.0.0.1/etc/passwd",
        "must begin with https:// or http://",
    ),
    (
        "http://127.0.0.1/\r\nHost: example.com",
        "control characters",
    ),
];

/// Names that lead to such places, wherever they are looked up.
const NAMES: &[(&str, &str)] = &[
    ("metadata.google.internal", "169.254.169.254"),
    ("metadata.goog", "169.254.169.254"),
    ("metadata", "169.254.169.254"),
    ("instance-data.ec2.internal", "169.254.169.254"),
    ("metadata.azure.internal", "168.63.129.16"),
    ("7f000001.nip.example", "127.0.0.1"),
    ("localtest.example", "127.0.0.1"),
    ("localhost6", "::1"),
    ("ip6-loopback", "::1"),
    ("router.lan", "192.168.1.1"),
    ("postgres", "10.0.0.5"),
    ("kubernetes.default.svc", "10.96.0.1"),
    ("host.docker.internal", "172.17.0.1"),
    ("tailnet.example", "100.64.0.7"),
    ("mapped.example", "::ffff:10.0.0.1"),
    ("translated.example", "64:ff9b::a00:1"),
    ("multicast.example", "224.0.0.251"),
];

/// A client as there is one where nobody has said anything, for which localhost is this machine.
fn strict() -> Client {
    let script = ScriptedResolver::default();
    for name in ["localhost", "localhost.", "a.localhost"] {
        script.answer(name, &[LOOPBACK]);
    }
    let settings = Settings {
        resolver: Resolver::Scripted(script),
        ..Settings::default()
    };
    Client::new(settings).expect("a client")
}

#[tokio::test]
async fn a_forbidden_host_is_refused_when_saved_and_when_dialled() {
    assert!(HOSTS.len() >= 100, "{} hosts", HOSTS.len());
    let (guard, client) = (EgressGuard::default(), strict());
    for (host, what) in HOSTS {
        for url in [format!("http://{host}/"), format!("https://{host}:8443/a")] {
            let refused = Target::admit(&url, &guard).expect_err(&url).to_string();
            assert!(refused.contains(what), "{url}: {refused}");
            // One that is stored all the same, or was before the guard knew of its range.
            let answer = post_again(&client, &url, LONG).await;
            assert_eq!(answer.result, Failed(Refusal::Egress), "{url}");
            assert!(
                said(&answer).contains("must not reach"),
                "{}",
                said(&answer)
            );
        }
    }
}

#[test]
fn a_url_that_is_two_things_at_once_is_refused() {
    for (url, what) in TRICKS {
        let refused = Target::admit(url, &EgressGuard::default()).expect_err(url);
        assert!(refused.to_string().contains(what), "{url}: {refused}");
    }
}

#[tokio::test]
async fn a_name_is_refused_for_where_it_leads() {
    let script = ScriptedResolver::default();
    for (name, address) in NAMES {
        script.answer(name, &[address.parse::<IpAddr>().expect(address)]);
    }
    let settings = Settings {
        resolver: Resolver::Scripted(script),
        ..Settings::default()
    };
    let client = Client::new(settings).expect("a client");
    for (name, address) in NAMES {
        let answer = post_again(&client, &format!("http://{name}/"), LONG).await;
        assert_eq!(answer.result, Failed(Refusal::Egress), "{name}");
        let said = said(&answer);
        assert!(said.contains(name) && !said.contains(address), "{said}");
    }
}

#[tokio::test]
async fn of_an_answer_with_several_addresses_the_forbidden_ones_are_never_dialled() {
    let receiver = Receiver::start(Script::ok()).await;
    let port = receiver.address.port();
    // Somebody listens behind each of these, and the guard lets one through.
    let own = |last| IpAddr::from([127, 0, 0, last]);
    for (answers, reached) in [
        (vec![own(2), own(3)], false),
        (vec![own(2), own(1), own(3)], true),
        (vec![own(1), own(2)], true),
        (vec!["::1".parse().expect("an address"), own(2)], false),
    ] {
        let script = ScriptedResolver::default();
        script.answer("receiver.test", &answers);
        let settings = Settings {
            guard: EgressGuard::new(vec!["127.0.0.1/32".parse().expect("a network")]),
            resolver: Resolver::Scripted(script),
            ..Settings::default()
        };
        let before = receiver.connections();
        let answer = post(settings, &format!("http://receiver.test:{port}/"), LONG).await;
        let expected = if reached {
            Http { status: 200 }
        } else {
            Failed(Refusal::Egress)
        };
        assert_eq!(answer.result, expected, "{answers:?}: {}", said(&answer));
        let dialled = receiver.connections() - before;
        assert_eq!(dialled, usize::from(reached), "{answers:?}");
    }
}
