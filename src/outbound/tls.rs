//! Whom to trust, and the words for a certificate that is not to be trusted.
//!
//! Roots: the machine's own store where there is one (so an operator's company root counts, and a
//! root that the distribution withdrew does not), else Mozilla's list as compiled in, because a
//! minimal Debian has no `ca-certificates` and deliveries must work there. The platform's
//! own verifier would refuse to start on such a machine. Extra roots are added to either.
//!
//! The provider is handed over, not installed for the process: a library that installs another
//! one first changes nothing here. TLS 1.2 and 1.3; no early data, which could be replayed.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{AlertDescription, CertificateError, ClientConfig, RootCertStore};

use super::Error;
use super::answer::Problem;
use super::connection::ClientCertificate;
use super::verifier::{SelfSigned, Verifier};
use crate::model::words;

/// Room for what rustls says about a rare failure.
const DETAIL_CHARS_MAX: usize = 200;

/// The client's side of TLS: what the machine trusts, read once.
#[derive(Debug)]
pub(super) struct Tls {
    provider: Arc<CryptoProvider>,
    roots: Arc<RootCertStore>,
    verifier: Arc<Verifier>,
}

impl Tls {
    /// With these roots beside the machine's.
    pub(super) fn new(extra_roots_pem: &[u8]) -> Result<Self, Error> {
        let system = rustls_native_certs::load_native_certs().certs;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let roots = Arc::new(roots(system, extra_roots_pem)?);
        let verifier = Verifier::new(roots.clone(), &provider).map_err(Error::Roots)?;
        Ok(Self {
            verifier: Arc::new(verifier),
            provider,
            roots,
        })
    }

    /// For whoever has nothing of its own.
    pub(super) fn usual(&self) -> Result<ClientConfig, Error> {
        Ok(self.config(self.verifier.clone(), None)?)
    }

    /// For whoever trusts further authorities, or proves itself.
    pub(super) fn of(
        &self,
        authorities: Option<&str>,
        certificate: Option<&ClientCertificate>,
    ) -> Result<ClientConfig, Problem> {
        let problem = |why: String| Problem::tls(TlsFailure::Certificate, why);
        let verifier = match authorities {
            None => self.verifier.clone(),
            Some(pem) => {
                let mut all = RootCertStore::clone(&self.roots);
                for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()).flatten() {
                    let added = all.add(certificate);
                    added
                        .map_err(|_| problem("an authority of the account can't be read".into()))?;
                }
                let verifier = Verifier::new(Arc::new(all), &self.provider);
                Arc::new(verifier.map_err(|error| problem(error.to_string()))?)
            }
        };
        let own = certificate.map(ClientCertificate::certified).transpose();
        let own = own.map_err(|error| {
            problem(format!(
                "the endpoint's client certificate can't be used: {error}"
            ))
        })?;
        self.config(verifier, own)
            .map_err(|error| problem(shortened(&error)))
    }

    fn config(
        &self,
        verifier: Arc<Verifier>,
        own: Option<CertifiedKey>,
    ) -> Result<ClientConfig, rustls::Error> {
        let builder = ClientConfig::builder_with_provider(self.provider.clone())
            .with_safe_default_protocol_versions()?
            // What judges is rustls' own verifier: see `verifier`.
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = match own {
            None => builder.with_no_client_auth(),
            Some(own) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(own))),
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

fn roots(system: Vec<CertificateDer<'static>>, extra_pem: &[u8]) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    let (trusted, unreadable) = roots.add_parsable_certificates(system);
    if trusted == 0 {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    tracing::debug!(
        roots.system = trusted,
        roots.unreadable = unreadable,
        "root certificates loaded; with none of the system's, the built-in list counts"
    );
    let before = roots.len();
    for certificate in CertificateDer::pem_slice_iter(extra_pem) {
        roots
            .add(certificate.map_err(Error::ExtraRootsPem)?)
            .map_err(Error::ExtraRoot)?;
    }
    if !extra_pem.is_empty() && roots.len() == before {
        return Err(Error::NoExtraRoots);
    }
    Ok(roots)
}

/// What kind of thing went wrong in a handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsFailure {
    /// The certificate's time is over.
    Expired,
    /// The certificate's time has not come.
    NotYetValid,
    /// The certificate is another host's.
    WrongHost,
    /// No authority that is trusted here has signed the certificate.
    UnknownIssuer,
    /// The certificate was signed with its own key.
    SelfSigned,
    /// The certificate was withdrawn.
    Revoked,
    /// The certificate is not valid for another reason.
    Certificate,
    /// The receiver asks who connects for a certificate.
    ClientCertificateRequired,
    /// The receiver does not take the certificate of who connects.
    ClientCertificateRefused,
    /// The two don't come to speak TLS with each other.
    Protocol,
}

words!(TlsFailure {
    Expired = "expired",
    NotYetValid = "not_yet_valid",
    WrongHost = "wrong_host",
    UnknownIssuer = "unknown_issuer",
    SelfSigned = "self_signed",
    Revoked = "revoked",
    Certificate = "certificate",
    ClientCertificateRequired = "client_certificate_required",
    ClientCertificateRefused = "client_certificate_refused",
    Protocol = "protocol",
});

/// What went wrong in a handshake: its kind, and a sentence for the endpoint's owner.
pub(super) fn explain(error: &rustls::Error) -> (TlsFailure, String) {
    let say = |failure, text: &str| (failure, text.to_owned());
    match error {
        rustls::Error::InvalidCertificate(why) => explain_certificate(why),
        rustls::Error::InvalidMessage(_) => say(
            TlsFailure::Protocol,
            "the receiver does not speak TLS on this port: check the port, or use http://",
        ),
        rustls::Error::AlertReceived(AlertDescription::UnrecognisedName) => say(
            TlsFailure::WrongHost,
            "the receiver has no certificate for this host",
        ),
        rustls::Error::AlertReceived(AlertDescription::CertificateRequired) => say(
            TlsFailure::ClientCertificateRequired,
            "the receiver requires a client certificate: give the endpoint one, or have it take connections \
             without, since each request is signed",
        ),
        rustls::Error::AlertReceived(
            AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::AccessDenied,
        ) => say(
            TlsFailure::ClientCertificateRefused,
            "the receiver does not take the endpoint's client certificate: give one that it trusts and that has not \
             expired",
        ),
        rustls::Error::AlertReceived(alert) => {
            let text = format!("the receiver ended the TLS handshake with the alert {alert:?}");
            (TlsFailure::Protocol, text)
        }
        rustls::Error::PeerIncompatible(_) => say(
            TlsFailure::Protocol,
            "the receiver offers no version or cipher of TLS in common: it needs TLS 1.2 or 1.3",
        ),
        other => {
            let text = format!("the TLS handshake failed: {}", shortened(other));
            (TlsFailure::Protocol, text)
        }
    }
}

fn explain_certificate(why: &CertificateError) -> (TlsFailure, String) {
    let (failure, text) = match why {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            (TlsFailure::Expired, "the certificate has expired")
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            (TlsFailure::NotYetValid, "the certificate is not valid yet")
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => (
            TlsFailure::WrongHost,
            "the certificate is not valid for this host",
        ),
        CertificateError::UnknownIssuer => (
            TlsFailure::UnknownIssuer,
            "the certificate is not signed by a trusted authority, or its intermediate \
             certificates are not sent along",
        ),
        CertificateError::BadSignature => (
            TlsFailure::UnknownIssuer,
            "the certificate is not signed by the authority that it names",
        ),
        CertificateError::Revoked => (TlsFailure::Revoked, "the certificate has been revoked"),
        CertificateError::Other(other) if other.0.is::<SelfSigned>() => (
            TlsFailure::SelfSigned,
            "the certificate is self-signed: use one of an authority that is trusted publicly",
        ),
        other => {
            let text = format!("the certificate is not valid: {}", shortened(other));
            return (TlsFailure::Certificate, text);
        }
    };
    (failure, text.to_owned())
}

/// What a receiver has a part in is kept on one line, and has no characters that can't be kept.
fn shortened(error: &impl ToString) -> String {
    let text = error.to_string();
    let shown = text.chars().filter(|letter| !letter.is_control());
    shown.take(DETAIL_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authority() -> rcgen::Certificate {
        let key = rcgen::KeyPair::generate().expect("a key");
        let params = rcgen::CertificateParams::default();
        params.self_signed(&key).expect("signed")
    }

    #[test]
    fn the_systems_roots_count_and_without_any_the_built_in_ones() {
        let system = vec![authority().der().clone()];
        assert_eq!(roots(system, b"").expect("one").len(), 1);
        let unreadable = vec![CertificateDer::from(vec![0])];
        for system in [vec![], unreadable] {
            assert!(roots(system, b"").expect("many").len() > 50);
        }
    }

    #[test]
    fn extra_roots_are_added_and_must_be_certificates() {
        let system = vec![authority().der().clone()];
        let extra = authority().pem() + &authority().pem();
        assert_eq!(roots(system, extra.as_bytes()).expect("three").len(), 3);

        let key = rcgen::KeyPair::generate().expect("a key").serialize_pem();
        for no_certificate in ["nonsense", key.as_str()] {
            let refused = roots(vec![], no_certificate.as_bytes());
            assert!(
                matches!(refused, Err(Error::NoExtraRoots)),
                "{no_certificate}"
            );
        }
        let broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(matches!(roots(vec![], broken), Err(Error::ExtraRoot(_))));
    }
}
