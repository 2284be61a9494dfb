//! What the client promises, told by real receivers on loopback: requests and answers.

use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use uuid::Uuid;

use super::receiver::{Receiver, Script};
use super::*;
use crate::model::AttemptResult::{Http, Refused as Failed};
use crate::model::Refusal;

mod certificates;
mod egress;
mod forbidden;

const LONG: Duration = Duration::from_mins(1);
const SHORT: Duration = Duration::from_millis(100);
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Reaches loopback and small answers only.
fn settings() -> Settings {
    Settings {
        guard: EgressGuard::new(vec!["127.0.0.0/8".parse().expect("a network")]),
        response_bytes_max: 64 * 1024,
        ..Settings::default()
    }
}

fn named(answers: &[&[IpAddr]]) -> Settings {
    let script = ScriptedResolver::default();
    for answer in answers {
        script.answer("receiver.test", answer);
    }
    Settings {
        resolver: Resolver::Scripted(script),
        ..settings()
    }
}

async fn post(settings: Settings, url: &str, timeout: Duration) -> Answer {
    post_again(&Client::new(settings).expect("a client"), url, timeout).await
}

async fn post_again(client: &Client, url: &str, timeout: Duration) -> Answer {
    post_for(Uuid::nil(), client, url, timeout).await
}

async fn post_for(party: Uuid, client: &Client, url: &str, timeout: Duration) -> Answer {
    let target = Target::parse(url).expect("a URL");
    let request = Request {
        method: Method::Post,
        target: &target,
        connection: &Connection::default(),
        headers: HeaderMap::new(),
        body: Bytes::from_static(b"{}"),
        timeout,
        on_behalf_of: party,
    };
    client.send(request).await
}

fn said(answer: &Answer) -> &str {
    answer.message.as_deref().unwrap_or_default()
}

#[tokio::test]
async fn the_request_arrives_byte_for_byte() {
    let receiver = Receiver::start(Script::ok()).await;
    let client = Client::new(settings()).expect("a client");
    let target = Target::parse(&receiver.url("/hook?key=%20a")).expect("a URL");
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("webhook-id", "evt_1"),
        ("host", "other.example"),
        ("content-length", "1"),
        ("transfer-encoding", "chunked"),
        ("connection", "close"),
    ] {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    let body = Bytes::from_static(b"{ \"a\" : \"\\u0000\" }\n");
    let request = Request {
        method: Method::Put,
        target: &target,
        connection: &Connection::default(),
        headers,
        body: body.clone(),
        timeout: LONG,
        on_behalf_of: Uuid::nil(),
    };
    let answer = client.send(request).await;
    assert_eq!(answer.result, Http { status: 200 });
    assert_eq!(
        (answer.excerpt.as_ref(), answer.message),
        (b"ok".as_ref(), None)
    );
    let seen = receiver.requests().pop().expect("one request");
    let (head, sent) = seen.split_once("\r\n\r\n").expect("a head");
    assert_eq!(sent.as_bytes(), body);
    let mut lines: Vec<_> = head.split("\r\n").collect();
    lines[1..].sort_unstable();
    let host = format!("host: {}", receiver.address);
    let agent = format!("user-agent: Throwbar/{}", env!("CARGO_PKG_VERSION"));
    let length = format!("content-length: {}", body.len());
    let expected = [
        "PUT /hook?key=%20a HTTP/1.1",
        "accept: */*",
        &length,
        &host,
        &agent,
        "webhook-id: evt_1",
    ];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn every_status_is_an_answer() {
    for (head, status) in [
        ("HTTP/1.1 204 No Content\r\n\r\n", 204),
        ("HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n", 200),
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n",
            201,
        ),
        ("HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n", 410),
        (
            "HTTP/1.1 500 Oh\r\ntransfer-encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n",
            500,
        ),
    ] {
        let receiver = Receiver::start(Script::say(head)).await;
        let answer = post(settings(), &receiver.url("/"), LONG).await;
        assert_eq!(answer.result, Http { status }, "{head}: {}", said(&answer));
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    for status in [301, 302, 303, 307, 308] {
        let head = format!("HTTP/1.1 {status} Go\r\nlocation: /b\r\ncontent-length: 0\r\n\r\n");
        let receiver = Receiver::start(Script::say(&head)).await;
        let answer = post(settings(), &receiver.url("/a"), LONG).await;
        assert_eq!(answer.result, Http { status });
        assert!(said(&answer).contains("final URL"));
        assert_eq!(receiver.requests().len(), 1);
    }
}

#[tokio::test]
async fn headers_and_the_bodys_beginning_are_kept() {
    let body = "z".repeat(10_000);
    let head = "HTTP/1.1 429 Slow\r\nretry-after: 7\r\ncontent-encoding: gzip\r\n";
    let script = Script::say(&format!("{head}content-length: 10000\r\n\r\n{body}"));
    let receiver = Receiver::start(script).await;
    let answer = post(settings(), &receiver.url("/"), LONG).await;
    assert_eq!(answer.result, Http { status: 429 });
    assert_eq!(
        answer.excerpt.as_ref(),
        &body.as_bytes()[..EXCERPT_BYTES_MAX]
    );
    assert_eq!(answer.retry_after, Some(RetryAfter::DelayS(7)));
    assert_eq!(answer.headers["content-encoding"], "gzip");
}

async fn refuses(name: &str, script: Script, (refusal, message): (Refusal, &str)) {
    let receiver = Receiver::start(script).await;
    let answer = post(settings(), &receiver.url("/secret"), LONG).await;
    let said = said(&answer);
    assert_eq!(answer.result, Failed(refusal), "{name}: {said}");
    assert!(said.contains(message), "{name}: {said}");
    assert!(!said.contains("secret"), "{name}: {said}");
}

#[tokio::test]
async fn a_broken_answer_is_a_broken_connection() {
    let say = |text: &str| Script::SayAndClose(text.into());
    for (name, script, message) in [
        ("reset", Script::Reset, "broke off"),
        ("nothing", say(""), "before the answer was whole"),
        ("half a head", say("HTTP/1.1 200 OK\r\nconte"), "whole"),
        (
            "half a body",
            say("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc"),
            "whole",
        ),
        (
            "half a chunk",
            say("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab"),
            "whole",
        ),
        ("garbage", say("SSH-2.0-x\r\n\r\n"), "not HTTP"),
        (
            "a bad chunk",
            say("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"),
            "the connection failed",
        ),
    ] {
        refuses(name, script, (Refusal::Connect, message)).await;
    }
}

#[tokio::test]
async fn an_answer_over_the_limits_is_too_large() {
    let head = |lines: String| Script::Say(format!("HTTP/1.1 200 OK\r\n{lines}\r\n").into());
    let one = |bytes| head(format!("x: {}\r\n", "h".repeat(bytes)));
    let announced = b"HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n".to_vec();
    for (name, script, message) in [
        ("a large header", one(100_000), "headers"),
        ("a huge header", one(2_000_000), "headers"),
        ("many headers", head("x: y\r\n".repeat(500)), "headers"),
        ("announced", Script::SayAndHang(announced), "body"),
    ] {
        refuses(name, script, (Refusal::TooLarge, message)).await;
    }
}

#[tokio::test]
async fn what_came_before_the_break_is_kept() {
    let cut = b"HTTP/1.1 200 OK\r\nx-trace: 1\r\ncontent-length: 10\r\n\r\nabc".to_vec();
    let receiver = Receiver::start(Script::SayAndClose(cut)).await;
    let answer = post(settings(), &receiver.url("/"), LONG).await;
    assert_eq!(answer.result, Failed(Refusal::Connect));
    assert_eq!(answer.excerpt.as_ref(), b"abc");
    assert_eq!(answer.headers["x-trace"], "1");
}

#[tokio::test]
async fn a_receiver_that_takes_its_time_is_not_waited_for() {
    for head in [
        "",
        "HTTP/1.1 200 OK\r\ncontent-",
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
    ] {
        let receiver = Receiver::start(Script::SayAndHang(head.into())).await;
        let answer = post(settings(), &receiver.url("/"), SHORT).await;
        assert_eq!(
            answer.result,
            Failed(Refusal::Timeout),
            "{head}: {}",
            said(&answer)
        );
        assert!(said(&answer).contains("within 100 ms"), "{}", said(&answer));
    }
}

#[tokio::test]
async fn an_endless_body_is_hung_up_on() {
    for head in [
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 60000\r\n\r\n",
    ] {
        let receiver = Receiver::start(Script::SayForEver(head.into())).await;
        let tight = Settings {
            response_bytes_max: 50_000,
            ..settings()
        };
        let answer = post(tight, &receiver.url("/"), LONG).await;
        assert_eq!(answer.result, Failed(Refusal::TooLarge));
        receiver.hung_up().await;
    }
}

#[tokio::test]
async fn nobody_listening_is_a_failed_connection() {
    let listener = TcpListener::bind((LOOPBACK, 0)).expect("a free port");
    let url = format!("http://{}/", listener.local_addr().expect("bound"));
    drop(listener);
    let answer = post(settings(), &url, LONG).await;
    assert_eq!(answer.result, Failed(Refusal::Connect));
    assert!(
        said(&answer).contains("refused the connection"),
        "{}",
        said(&answer)
    );
}

#[tokio::test]
async fn connections_are_kept_alive() {
    let receiver = Receiver::start(Script::ok()).await;
    let client = Client::new(settings()).expect("a client");
    for _ in 0..20 {
        let answer = post_again(&client, &receiver.url("/"), LONG).await;
        assert_eq!(answer.result, Http { status: 200 });
    }
    assert!(
        receiver.connections() < 20,
        "{} connections",
        receiver.connections()
    );
}

#[tokio::test]
async fn a_request_is_never_sent_twice() {
    let once = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".to_vec();
    let receiver = Receiver::start(Script::SayOnce(once)).await;
    let client = Client::new(settings()).expect("a client");
    let first = post_again(&client, &receiver.url("/"), LONG).await;
    assert_eq!(first.result, Http { status: 200 });
    let second = post_again(&client, &receiver.url("/"), LONG).await;
    assert_eq!(second.result, Failed(Refusal::Connect), "{}", said(&second));
    assert_eq!(receiver.requests().len(), 2);
}
