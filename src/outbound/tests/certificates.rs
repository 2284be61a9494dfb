//! Whom the client trusts, and what it says of the others.

use rcgen::{BasicConstraints, IsCa};

use super::super::receiver::{Authority, Identity};
use super::*;
use crate::model::AttemptResult;

async fn post_tls(identity: Identity, extra_roots_pem: Vec<u8>) -> (AttemptResult, String) {
    let receiver = Receiver::start_tls(Script::ok(), identity).await;
    let url = format!("https://receiver.test:{}/", receiver.address.port());
    let settings = Settings {
        extra_roots_pem,
        ..named(&[&[LOOPBACK]])
    };
    let answer = post(settings, &url, LONG).await;
    (answer.result, answer.message.unwrap_or_default())
}

#[tokio::test]
async fn a_certificate_of_a_trusted_authority_is_taken() {
    let authority = Authority::new("Trusted");
    let good = Identity::signed(&Identity::params("receiver.test"), &authority);
    assert_eq!(
        post_tls(good, authority.pem()).await,
        (Http { status: 200 }, String::new())
    );
}

#[tokio::test]
async fn a_bad_certificate_is_named() {
    let authority = Authority::new("Trusted");
    let good = Identity::params("receiver.test");
    let mut expired = good.clone();
    expired.not_after = rcgen::date_time_ymd(2020, 1, 1);
    let mut early = good.clone();
    early.not_before = rcgen::date_time_ymd(4000, 1, 1);
    let mut own_authority = good.clone();
    own_authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let signed = |params| Identity::signed(params, &authority);
    for (identity, message) in [
        (signed(&expired), "has expired"),
        (signed(&early), "not valid yet"),
        (
            signed(&Identity::params("other.test")),
            "not valid for this host",
        ),
        (
            Identity::signed(&good, &Authority::new("Unheard of")),
            "not signed by a trusted authority",
        ),
        (
            Identity::signed(&good, &Authority::new("Trusted")),
            "not signed by the authority that it names",
        ),
        (Identity::self_signed(&good), "self-signed"),
        (Identity::self_signed(&own_authority), "certificate is not"),
    ] {
        let (result, said) = post_tls(identity, authority.pem()).await;
        assert_eq!(result, Failed(Refusal::Tls), "{message}: {said}");
        assert!(said.contains(message), "{message}: {said}");
    }
}

#[tokio::test]
async fn a_receiver_without_tls_is_named() {
    let plain = b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec();
    for (script, refusal, message) in [
        (Script::Blurt(plain), Refusal::Tls, "does not speak TLS"),
        (
            Script::Blurt(vec![]),
            Refusal::Tls,
            "during the TLS handshake",
        ),
        (Script::Reset, Refusal::Connect, "broke off"),
    ] {
        let receiver = Receiver::start(script).await;
        let url = format!("https://127.0.0.1:{}/", receiver.address.port());
        let answer = post(settings(), &url, LONG).await;
        assert_eq!(answer.result, Failed(refusal), "{}", said(&answer));
        assert!(said(&answer).contains(message), "{}", said(&answer));
    }
}
