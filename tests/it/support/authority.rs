//! A certificate authority of the tests' own, and the receivers that it vouches for, or not.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

/// What a receiver proves itself with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// A certificate that is as it should be.
    Good,
    /// One whose time is over.
    Expired,
    /// One of another host.
    OfAnotherHost,
    /// One that was signed with its own key.
    SelfSigned,
    /// One that another authority has signed.
    OfAStranger,
    /// A good one; but whoever connects needs one, too.
    Mutual,
}

impl Proof {
    /// Each that no delivery is sent to, what kind of thing is wrong, and what is said of it.
    pub const BAD: [(Self, &'static str, &'static str); 5] = [
        (Self::Expired, "expired", "has expired"),
        (Self::OfAnotherHost, "wrong_host", "not valid for this host"),
        (Self::SelfSigned, "self_signed", "self-signed"),
        (Self::OfAStranger, "unknown_issuer", "trusted authority"),
        (
            Self::Mutual,
            "client_certificate_required",
            "requires a client certificate",
        ),
    ];
}

/// The authority.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    /// One that nobody has heard of.
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("signed"))
    }

    /// Its certificate, for clients that shall trust it.
    pub fn pem(&self) -> Vec<u8> {
        self.0.pem().into_bytes()
    }

    /// A certificate for a client, and its key, both as PEM.
    pub fn client(&self, name: &str) -> (String, String) {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_after = rcgen::date_time_ymd(2100, 1, 1);
        self.vouch(&params)
    }

    /// The same, of which the time is over.
    pub fn expired_client(&self) -> (String, String) {
        let mut params = CertificateParams::default();
        params.not_after = rcgen::date_time_ymd(2020, 1, 1);
        self.vouch(&params)
    }

    fn vouch(&self, params: &CertificateParams) -> (String, String) {
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.0).expect("signed");
        (certificate.pem(), key.serialize_pem())
    }

    /// How a receiver on 127.0.0.1 with this proof shakes hands.
    pub fn acceptor(&self, proof: Proof) -> TlsAcceptor {
        let host = match proof {
            Proof::OfAnotherHost => "other.test",
            _ => "127.0.0.1",
        };
        let mut params = CertificateParams::new([host.to_owned()]).expect("a name");
        if proof == Proof::Expired {
            params.not_after = rcgen::date_time_ymd(2020, 1, 1);
        }
        let key = KeyPair::generate().expect("a key");
        let certificate = match proof {
            Proof::SelfSigned => params.self_signed(&key),
            Proof::OfAStranger => params.signed_by(&key, &Self::new("A stranger").0),
            _ => params.signed_by(&key, &self.0),
        };
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("versions");
        let builder = if proof == Proof::Mutual {
            let mut roots = RootCertStore::empty();
            roots.add(self.0.der().clone()).expect("a root");
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().expect("a verifier"))
        } else {
            builder.with_no_client_auth()
        };
        let chain = vec![certificate.expect("signed").der().clone()];
        let own_key = PrivatePkcs8KeyDer::from(key.serialize_der());
        let config = builder.with_single_cert(chain, own_key.into());
        TlsAcceptor::from(Arc::new(config.expect("a certificate with its key")))
    }
}
