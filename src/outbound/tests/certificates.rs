//! Whom the client trusts, and what it says of the others.

use rcgen::{BasicConstraints, IsCa};

use super::super::receiver::{Authority, Identity};
use super::*;

async fn answer_of(receiver: &Receiver, authority: &Authority) -> Answer {
    let url = format!("https://receiver.test:{}/", receiver.address.port());
    let settings = Settings {
        extra_roots_pem: authority.pem(),
        ..named(&[&[LOOPBACK]])
    };
    post(settings, &url, LONG).await
}

#[tokio::test]
async fn a_certificate_of_a_trusted_authority_is_taken() {
    let authority = Authority::new("Trusted");
    let good = Identity::signed(&Identity::params("receiver.test"), &authority);
    let receiver = Receiver::start_tls(Script::ok(), good).await;
    let answer = answer_of(&receiver, &authority).await;
    assert_eq!(answer.result, Http { status: 200 });
    assert_eq!((answer.message, answer.tls), (None, None));
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
    for (identity, failure, message) in [
        (signed(&expired), TlsFailure::Expired, "has expired"),
        (signed(&early), TlsFailure::NotYetValid, "not valid yet"),
        (
            signed(&Identity::params("other.test")),
            TlsFailure::WrongHost,
            "not valid for this host",
        ),
        (
            Identity::signed(&good, &Authority::new("Unheard of")),
            TlsFailure::UnknownIssuer,
            "not signed by a trusted authority",
        ),
        (
            Identity::signed(&good, &Authority::new("Trusted")),
            TlsFailure::UnknownIssuer,
            "not signed by the authority that it names",
        ),
        (
            Identity::self_signed(&good),
            TlsFailure::SelfSigned,
            "self-signed",
        ),
        (
            Identity::self_signed(&own_authority),
            TlsFailure::SelfSigned,
            "self-signed",
        ),
        (
            Identity::self_signed(&expired),
            TlsFailure::Expired,
            "has expired",
        ),
        (
            signed(&own_authority),
            TlsFailure::Certificate,
            "certificate is not valid",
        ),
    ] {
        let receiver = Receiver::start_tls(Script::ok(), identity).await;
        let answer = answer_of(&receiver, &authority).await;
        let said = said(&answer);
        assert_eq!(answer.result, Failed(Refusal::Tls), "{message}: {said}");
        assert_eq!(answer.tls, Some(failure), "{said}");
        assert!(said.contains(message), "{message}: {said}");
        assert_eq!(receiver.requests().len(), 0, "nothing was told to it");
    }
}

#[tokio::test]
async fn a_receiver_that_asks_for_a_client_certificate_is_named() {
    let authority = Authority::new("Trusted");
    let good = Identity::signed(&Identity::params("receiver.test"), &authority);
    let receiver = Receiver::start_mutual_tls(Script::ok(), good, &authority).await;
    let answer = answer_of(&receiver, &authority).await;
    assert_eq!(answer.result, Failed(Refusal::Tls), "{}", said(&answer));
    assert_eq!(answer.tls, Some(TlsFailure::ClientCertificateRequired));
    assert!(said(&answer).contains("requires a client certificate"));
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
