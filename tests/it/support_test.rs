//! The support itself: stories prove nothing on ground that gives way.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sqlx::{Connection, Executor, PgConnection, Row};
use throwbar::model::Clock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::answers::{Answer, Gate};
use crate::support::before_hanging;
use crate::support::clients::{self, Library, Signed};
use crate::support::postgres::{Cluster, Database};
use crate::support::proxy::Proxy;
use crate::support::receiver::Receiver;

fn client(receiver: &Receiver) -> reqwest::ClientBuilder {
    // Another test of this process may have been first.
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .ok();
    assert!(receiver.address().ip().is_loopback());
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
}

async fn post(receiver: &Receiver, path: &str) -> Result<reqwest::Response, reqwest::Error> {
    let client = client(receiver).build()?;
    client
        .post(receiver.url(path))
        .header("webhook-id", "msg_1")
        .body("{\"a\": 1}")
        .send()
        .await
}

#[tokio::test]
async fn a_receiver_keeps_what_it_gets_and_follows_its_script() {
    let receiver = Receiver::start().await;
    receiver.next(
        "/hook",
        Answer::status(500).header("retry-after", "7").body("no"),
    );
    receiver.next("/hook", Answer::redirect(302, "http://127.0.0.1/"));
    receiver.always("/hook", Answer::status(200));

    let first = post(&receiver, "/hook?x=1").await.expect("an answer");
    assert_eq!(
        (first.status().as_u16(), &first.headers()["retry-after"]),
        (500, &"7".parse().expect("a header"))
    );
    assert_eq!(first.text().await.expect("a body"), "no");
    for (path, status) in [
        ("/hook", 302),
        ("/hook", 200),
        ("/hook", 200),
        ("/other", 204),
    ] {
        assert_eq!(
            post(&receiver, path)
                .await
                .expect("an answer")
                .status()
                .as_u16(),
            status
        );
    }

    let requests = receiver.wait_for(5).await;
    assert_eq!(
        (requests[0].method.as_str(), requests[0].target.as_str()),
        ("POST", "/hook?x=1")
    );
    assert_eq!(&requests[0].body[..], b"{\"a\": 1}");
    assert_eq!(
        receiver.counts_by_webhook_id(),
        BTreeMap::from([("msg_1".to_owned(), 5)])
    );
}

#[tokio::test]
async fn a_receiver_behaves_as_badly_as_it_is_told() {
    let receiver = Receiver::start().await;
    receiver.next("/", Answer::reset());
    receiver.next("/", Answer::cut_short());
    receiver.next("/", Answer::endless());
    receiver.next("/", Answer::hang());

    assert!(post(&receiver, "/").await.expect_err("reset").is_request());
    assert!(
        post(&receiver, "/")
            .await
            .expect("a head")
            .bytes()
            .await
            .is_err()
    );
    let mut endless = post(&receiver, "/").await.expect("a head");
    for _ in 0..100 {
        assert!(
            endless
                .chunk()
                .await
                .expect("more")
                .is_some_and(|chunk| !chunk.is_empty())
        );
    }
    let impatient = client(&receiver)
        .timeout(Duration::from_millis(50))
        .build()
        .expect("a client");
    assert!(
        impatient
            .post(receiver.url("/"))
            .send()
            .await
            .expect_err("no answer")
            .is_timeout()
    );
    assert_eq!(receiver.requests().len(), 4);
}

#[tokio::test]
async fn a_gate_holds_an_answer_back_until_it_is_opened() {
    let receiver = Receiver::start().await;
    let gate = Gate::shut();
    receiver.always("/", Answer::status(201).behind(&gate));
    let answer = async {
        post(&receiver, "/")
            .await
            .expect("an answer")
            .status()
            .as_u16()
    };
    tokio::pin!(answer);
    tokio::select! {
        _ = &mut answer => panic!("answered behind a shut gate"),
        _ = receiver.wait_for(1) => gate.open(),
    }
    assert_eq!(before_hanging("the answer", answer).await, 201);
}

#[tokio::test]
async fn a_certificate_is_good_for_its_name_and_for_who_trusts_it() {
    let receiver = Receiver::start_tls("127.0.0.1").await;
    assert!(
        post(&receiver, "/")
            .await
            .expect_err("nobody signed it")
            .is_connect()
    );
    let trusted = reqwest::Certificate::from_pem(receiver.certificate_pem().as_bytes())
        .expect("a certificate");
    let client = client(&receiver)
        .tls_certs_only([trusted])
        .build()
        .expect("a client");
    assert_eq!(
        client
            .get(receiver.url("/"))
            .send()
            .await
            .expect("an answer")
            .status()
            .as_u16(),
        204
    );
    assert_eq!(receiver.requests().len(), 1);
}

/// Answers each byte with its successor.
async fn successors() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0))
        .await
        .expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                while let Ok(byte) = stream.read_u8().await {
                    stream.write_u8(byte + 1).await.ok();
                }
            });
        }
    });
    address
}

#[tokio::test]
async fn a_cut_line_drops_who_is_on_it_and_refuses_who_comes() {
    let proxy = Proxy::start(successors().await).await;
    let mut old = TcpStream::connect(proxy.address()).await.expect("open");
    old.write_u8(1).await.expect("open");
    assert_eq!(old.read_u8().await.expect("open"), 2);

    proxy.cut().await;
    assert!(before_hanging("the reset", old.read_u8()).await.is_err());
    let refused = TcpStream::connect(proxy.address()).await.expect_err("cut");
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);

    proxy.open().await;
    let mut new = TcpStream::connect(proxy.address())
        .await
        .expect("open again");
    new.write_u8(7).await.expect("open again");
    assert_eq!(
        before_hanging("the answer", new.read_u8())
            .await
            .expect("open again"),
        8
    );
}

#[tokio::test]
async fn a_black_hole_says_nothing_and_forgets_nothing() {
    let proxy = Proxy::start(successors().await).await;
    let mut stream = TcpStream::connect(proxy.address()).await.expect("open");
    stream.write_u8(1).await.expect("open");
    assert_eq!(stream.read_u8().await.expect("open"), 2);

    proxy.blackhole();
    stream.write_u8(3).await.expect("swallowed");
    proxy.until_swallowed(1).await;
    assert!(
        stream
            .try_read(&mut [0])
            .is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    );

    proxy.open().await;
    assert_eq!(
        before_hanging("the answer", stream.read_u8())
            .await
            .expect("open again"),
        4
    );
}

async fn count_databases(url: &str) -> i64 {
    let mut connection = PgConnection::connect(url).await.expect("it runs");
    let row = connection
        .fetch_one("SELECT count(*) FROM pg_database WHERE datname LIKE 't\\_%'")
        .await;
    row.expect("counted").get(0)
}

#[tokio::test]
async fn each_test_has_a_database_of_its_own_that_goes_with_it() {
    let (one, two) = (Database::create().await, Database::create().await);
    assert_ne!(one.url(), two.url());
    let mut connection = PgConnection::connect(&one.url())
        .await
        .expect("it is there");
    connection
        .execute("CREATE TABLE only_here (id INT)")
        .await
        .expect("it is ours");
    let mut other = PgConnection::connect(&two.url())
        .await
        .expect("it is there");
    assert!(other.execute("SELECT * FROM only_here").await.is_err());

    let url = one.url();
    drop(one);
    assert!(
        connection.execute("SELECT 1").await.is_err(),
        "gone, though we were connected"
    );
    assert!(PgConnection::connect(&url).await.is_err());
}

#[tokio::test]
async fn a_killed_cluster_comes_back_with_what_was_committed() {
    let cluster = Cluster::start().await;
    assert_eq!(count_databases(cluster.url()).await, 0);
    let mut connection = PgConnection::connect(cluster.url()).await.expect("it runs");
    connection
        .execute("CREATE TABLE kept (text TEXT)")
        .await
        .expect("made");
    connection
        .execute("INSERT INTO kept VALUES ('yes')")
        .await
        .expect("committed");

    cluster.kill().await;
    assert!(connection.execute("SELECT 1").await.is_err());
    assert!(PgConnection::connect(cluster.url()).await.is_err());

    cluster.restart().await;
    let mut connection = PgConnection::connect(cluster.url())
        .await
        .expect("it runs again");
    let row = connection
        .fetch_one("SELECT text FROM kept")
        .await
        .expect("it is kept");
    assert_eq!(row.get::<String, _>(0), "yes");
}

#[tokio::test]
async fn a_full_disk_refuses_what_needs_room_until_there_is_some() {
    const TWO_MEBIBYTES: &str =
        "INSERT INTO big SELECT repeat('x', 1000) FROM generate_series(1, 2000)";
    let cluster = Cluster::start().await;
    let mut connection = PgConnection::connect(cluster.url()).await.expect("it runs");
    connection
        .execute("CREATE TABLE big (text TEXT)")
        .await
        .expect("made");
    cluster.fill_disk().await;
    let full = connection.execute(TWO_MEBIBYTES).await.expect_err("full");
    assert!(full.to_string().contains("could not extend file"), "{full}");
    cluster.free_disk().await;
    connection
        .execute(TWO_MEBIBYTES)
        .await
        .expect("there is room again");
}

const SECRET: &[u8] = b"a secret of some length";

/// Delivers `body` with a signature made for `signed_body`, and hands on what arrived.
async fn delivered(body: &'static str, signed_body: &str) -> Signed {
    let receiver = Receiver::start().await;
    let timestamp = Clock::System.now().as_s().to_string();
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(SECRET).expect("any length will do");
    mac.update(format!("msg_1.{timestamp}.{signed_body}").as_bytes());
    let signature = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
    let request = client(&receiver)
        .build()
        .expect("a client")
        .post(receiver.url("/"))
        .body(body);
    let request = request
        .header("webhook-id", "msg_1")
        .header("webhook-timestamp", timestamp);
    request
        .header("webhook-signature", signature)
        .send()
        .await
        .expect("delivered");
    Signed::new(
        &format!("whsec_{}", STANDARD.encode(SECRET)),
        &receiver.requests()[0],
    )
}

#[tokio::test]
async fn the_libraries_of_npm_and_pypi_tell_a_good_signature_from_a_bad_one() {
    let (zoe, eve) = ("{\"name\":\"Zoë\"}", "{\"name\":\"Eve\"}");
    let (good, bad) = (delivered(zoe, zoe).await, delivered(eve, zoe).await);
    for library in [Library::Npm, Library::PyPi] {
        let verdicts = clients::verify(library, &[good.clone(), bad.clone(), good.clone()]).await;
        assert!(
            matches!(verdicts.as_slice(), [Ok(()), Err(_), Ok(())]),
            "{library:?}: {verdicts:?}"
        );
    }
}

#[tokio::test]
async fn github_has_329_example_payloads() {
    let payloads = clients::github_payloads().await;
    assert_eq!(payloads.len(), 329);
    for payload in &payloads {
        assert!(!payload.name.is_empty() && payload.payload_json_text.starts_with('{'));
    }
    assert!(
        payloads
            .iter()
            .any(|payload| payload.action.as_deref() == Some("opened"))
    );
}
