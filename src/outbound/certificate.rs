//! Certificates that somebody wants to save: authorities, and those that a sender proves itself with. Says what they
//! are, or what is wrong with them.

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, RootCertStore};

use super::connection::ClientCertificate;
use crate::model::Timestamp;
use crate::model::limits::{AUTHORITIES_MAX, CERTIFICATE_BYTES_MAX, CHAIN_CERTIFICATES_MAX};

/// What a certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFacts {
    /// Whose it is, as in `CN=Example, O=Example Ltd`.
    pub subject: String,
    /// When its time is over.
    pub expires_at: Timestamp,
}

/// What is wrong with certificates.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Too long.
    #[error("this has more than {CERTIFICATE_BYTES_MAX} bytes: give fewer certificates")]
    TooLong,
    /// A secret where everybody can read.
    #[error("there is a private key in it, which is shown again here: give certificates only")]
    Key,
    /// There is none.
    #[error("there is no certificate in it: give PEM, with -----BEGIN CERTIFICATE----- lines")]
    None,
    /// Too many.
    #[error("there are more than {0} certificates in it: give fewer")]
    TooMany(usize),
    /// One can't be read.
    #[error("certificate {0} can't be read: give X.509 certificates as PEM")]
    Unreadable(usize),
    /// The time of the first is over.
    #[error("the certificate has expired: give one that has not")]
    Expired,
    /// The key is sealed with a passphrase.
    #[error("the key is encrypted with a passphrase: decrypt it before, as with openssl pkey")]
    EncryptedKey,
    /// There is no key.
    #[error("there is no private key in it: give PEM, with a -----BEGIN PRIVATE KEY----- line")]
    NoKey,
    /// The key is of a kind that can't sign here.
    #[error(
        "the key can't be used: give RSA with 2048 bits or more, ECDSA (P-256, P-384, P-521) or Ed25519"
    )]
    KeyKind,
    /// They don't belong together.
    #[error(
        "the key is not that of the first certificate: give the chain with its own certificate first, and the key \
         that this was made with"
    )]
    Mismatch,
}

/// What certificates say that are to be trusted beside the machine's.
pub fn authorities(pem: &str) -> Result<Vec<CertificateFacts>, CertificateError> {
    let certificates = read(pem, AUTHORITIES_MAX)?;
    let mut roots = RootCertStore::empty();
    for (place, certificate) in certificates.iter().enumerate() {
        let added = roots.add(certificate.clone());
        added.map_err(|_| CertificateError::Unreadable(place + 1))?;
    }
    facts(&certificates)
}

/// What the certificates of a chain say, its own first.
pub fn chain(pem: &str) -> Result<Vec<CertificateFacts>, CertificateError> {
    facts(&read(pem, CHAIN_CERTIFICATES_MAX)?)
}

impl ClientCertificate {
    /// Sees that the key belongs to the chain, whose own certificate's time is not over.
    pub fn check(&self, now: Timestamp) -> Result<(), CertificateError> {
        let facts = chain(&self.chain)?;
        if facts.first().is_some_and(|own| own.expires_at <= now) {
            return Err(CertificateError::Expired);
        }
        self.certified().map(drop)
    }

    /// What a handshake needs of it.
    pub(super) fn certified(&self) -> Result<CertifiedKey, CertificateError> {
        let chain = read(&self.chain, CHAIN_CERTIFICATES_MAX)?;
        if self.key.contains("ENCRYPTED") {
            return Err(CertificateError::EncryptedKey);
        }
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes());
        let key = key.map_err(|_| CertificateError::NoKey)?;
        let provider = aws_lc_rs::default_provider();
        let certified = CertifiedKey::from_der(chain, key, &provider);
        certified.map_err(|error| match error {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                CertificateError::Mismatch
            }
            rustls::Error::InvalidCertificate(_) => CertificateError::Unreadable(1),
            _ => CertificateError::KeyKind,
        })
    }
}

fn read(pem: &str, count_max: usize) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    if pem.len() > CERTIFICATE_BYTES_MAX {
        return Err(CertificateError::TooLong);
    }
    if pem.contains("PRIVATE KEY-----") {
        return Err(CertificateError::Key);
    }
    let mut certificates = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let place = certificates.len() + 1;
        if place > count_max {
            return Err(CertificateError::TooMany(count_max));
        }
        certificates.push(certificate.map_err(|_| CertificateError::Unreadable(place))?);
    }
    if certificates.is_empty() {
        return Err(CertificateError::None);
    }
    Ok(certificates)
}

fn facts(
    certificates: &[CertificateDer<'static>],
) -> Result<Vec<CertificateFacts>, CertificateError> {
    let fact = |(place, certificate): (usize, &CertificateDer<'static>)| {
        let read = x509_parser::parse_x509_certificate(certificate);
        let (_, read) = read.map_err(|_| CertificateError::Unreadable(place + 1))?;
        let expires_s = read.validity().not_after.timestamp();
        Ok(CertificateFacts {
            subject: read.subject().to_string(),
            expires_at: Timestamp::from_ms(expires_s.saturating_mul(1000)),
        })
    };
    certificates.iter().enumerate().map(fact).collect()
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_790_000_000_000);

    fn made(until: i32) -> (String, String) {
        let key = rcgen::KeyPair::generate().expect("a key");
        let mut params = rcgen::CertificateParams::default();
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
        let certificate = params.self_signed(&key).expect("signed");
        (certificate.pem(), key.serialize_pem())
    }

    fn own(chain: &str, key: &str) -> ClientCertificate {
        ClientCertificate {
            chain: chain.to_owned(),
            key: Zeroizing::new(key.to_owned()),
        }
    }

    #[test]
    fn a_certificate_says_whose_it_is_and_until_when() {
        let (pem, _) = made(2100);
        let facts = authorities(&format!("{pem}{pem}")).expect("two");
        assert_eq!(facts.len(), 2);
        assert_eq!(facts[0].subject, "CN=rcgen self signed cert");
        assert_eq!(facts[0].expires_at.to_string(), "2100-01-01T00:00:00.000Z");
        assert_eq!(chain(&pem).expect("one"), facts[..1]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let ((good, key), (other, _), (past, past_key)) = (made(2100), made(2100), made(2020));
        own(&good, &key).check(NOW).expect("they belong together");
        let sealed = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
        for (chain, key, wanted) in [
            (&*other, &*key, CertificateError::Mismatch),
            (&past, &past_key, CertificateError::Expired),
            (&good, &good, CertificateError::NoKey),
            (&good, &sealed, CertificateError::EncryptedKey),
            (&key, &key, CertificateError::Key),
            ("nonsense", &key, CertificateError::None),
        ] {
            assert_eq!(own(chain, key).check(NOW), Err(wanted));
        }
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for (pem, wanted) in [
            (
                &*good.repeat(AUTHORITIES_MAX + 1),
                CertificateError::TooMany(AUTHORITIES_MAX),
            ),
            (broken, CertificateError::Unreadable(1)),
            (
                &"x".repeat(CERTIFICATE_BYTES_MAX + 1),
                CertificateError::TooLong,
            ),
        ] {
            assert_eq!(authorities(pem), Err(wanted));
        }
    }
}
