//! Which addresses the client dials.

use super::*;

const PRIVATE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));

#[tokio::test]
async fn a_forbidden_address_is_never_dialled() {
    let receiver = Receiver::start(Script::ok()).await;
    let port = receiver.address.port();
    for host in [
        "127.0.0.1",
        "2130706433",
        "0x7f.1",
        "localhost",
        "[::ffff:127.0.0.1]",
        "0",
    ] {
        let url = format!("http://{host}:{port}/");
        let answer = post(Settings::default(), &url, LONG).await;
        assert_eq!(
            answer.result,
            Failed(Refusal::Egress),
            "{host}: {}",
            said(&answer)
        );
        assert!(
            said(&answer).contains("must not reach"),
            "{host}: {}",
            said(&answer)
        );
    }
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn names_are_resolved_and_judged_at_every_connection() {
    let close = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    let receiver = Receiver::start(Script::SayAndClose(close.into())).await;
    let url = format!("http://receiver.test:{}/", receiver.address.port());

    let mixed = post(named(&[&[PRIVATE, LOOPBACK]]), &url, LONG).await;
    assert_eq!(mixed.result, Http { status: 200 }, "{}", said(&mixed));

    let client = Client::new(named(&[&[LOOPBACK], &[PRIVATE]])).expect("a client");
    let before = post_again(&client, &url, LONG).await;
    assert_eq!(before.result, Http { status: 200 }, "{}", said(&before));
    let rebound = post_again(&client, &url, LONG).await;
    assert_eq!(rebound.result, Failed(Refusal::Egress));
    assert_eq!(
        said(&rebound),
        "'receiver.test' resolves to an address that deliveries must not reach",
        "where it leads is not for its owner"
    );

    let empty: &[&[IpAddr]] = &[&[]];
    for answers in [&[], empty] {
        let unknown = post(named(answers), &url, LONG).await;
        assert_eq!(unknown.result, Failed(Refusal::Dns));
        assert!(
            said(&unknown).contains("'receiver.test'"),
            "{}",
            said(&unknown)
        );
    }
    assert_eq!(receiver.requests().len(), 2);
}

#[tokio::test]
async fn a_lookup_is_theirs_for_whom_the_request_is() {
    let receiver = Receiver::start(Script::ok()).await;
    let url = format!("http://localhost:{}/", receiver.address.port());
    let system = SystemResolver::default();
    let client = Client::new(Settings {
        resolver: Resolver::System(system.clone()),
        ..settings()
    });
    let client = client.expect("a client");
    let [loud, calm] = [1, 2].map(Uuid::from_u128);
    let _all_of_it = system.use_up(loud).await;
    let waits = post_for(loud, &client, &url, SHORT).await;
    assert_eq!(waits.result, Failed(Refusal::Timeout), "{}", said(&waits));
    let served = post_for(calm, &client, &url, LONG).await;
    assert_eq!(served.result, Http { status: 200 }, "{}", said(&served));
}
