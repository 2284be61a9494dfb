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

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{AlertDescription, CertificateError, ClientConfig, RootCertStore};

use super::Error;

/// Room for what rustls says about a rare failure.
const DETAIL_CHARS_MAX: usize = 200;

/// The client's side of TLS.
pub(super) fn client_config(extra_roots_pem: &[u8]) -> Result<ClientConfig, Error> {
    let system = rustls_native_certs::load_native_certs().certs;
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(Error::Tls)?
        .with_root_certificates(roots(system, extra_roots_pem)?)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
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

/// What went wrong in a handshake, as a sentence for the endpoint's owner.
pub(super) fn explain(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(why) => explain_certificate(why),
        rustls::Error::InvalidMessage(_) => {
            "the receiver does not speak TLS on this port: check the port, or use http://".into()
        }
        rustls::Error::AlertReceived(AlertDescription::UnrecognisedName) => {
            "the receiver has no certificate for this host".into()
        }
        rustls::Error::AlertReceived(alert) => {
            format!("the receiver ended the TLS handshake with the alert {alert:?}")
        }
        rustls::Error::PeerIncompatible(_) => {
            "the receiver offers no version or cipher of TLS in common: it needs TLS 1.2 or 1.3"
                .into()
        }
        other => format!("the TLS handshake failed: {}", shortened(other)),
    }
}

fn explain_certificate(why: &CertificateError) -> String {
    match why {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the certificate has expired".into()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the certificate is not valid yet".into()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "the certificate is not valid for this host".into()
        }
        CertificateError::UnknownIssuer => {
            "the certificate is not signed by a trusted authority: it is self-signed, or its \
             intermediate certificates are not sent along"
                .into()
        }
        CertificateError::BadSignature => {
            "the certificate is not signed by the authority that it names".into()
        }
        CertificateError::Revoked => "the certificate has been revoked".into(),
        other => format!("the certificate is not valid: {}", shortened(other)),
    }
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
