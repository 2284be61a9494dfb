//! Is what came to a receiver genuine, and if not, why? By the secret that the receiver was given, and by what the
//! account's endpoints that send to it sign with, as of the time at which it came. What a signature should have been is
//! left out: whoever may read must not find out how to sign.

use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;
use utoipa::ToSchema;

use super::own::parts;
use super::shape::Settings;
use crate::model::{AccountId, EndpointId, Timestamp};
use crate::service::endpoint_shape::stored_settings;
use crate::service::{Error, Service};
use crate::signing::{
    self, Check, Finding, KeyKind, Outcome, PublicKey, Report, Scheme, SignsWith, Step,
    TOLERANCE_S_DEFAULT,
};
use crate::store::{self, Receiver};

/// The headers of signatures, and the schemes that they are of.
const SEEN: [(&str, &str); 7] = [
    ("webhook-signature", "standard"),
    ("svix-signature", "standard"),
    ("x-hub-signature-256", "github"),
    ("stripe-signature", "stripe"),
    ("x-webhook-signature", "event-header"),
    ("x-siqsignature", "rsa"),
    ("x-signature", "body-hmac"),
];

/// Whether a signature is genuine.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SignatureCheckView {
    /// Whether a receiver may trust the request; null, if there is nothing to verify it by.
    pub genuine: Option<bool>,
    /// The schemes of which there is a signature.
    pub seen: Vec<&'static str>,
    /// The scheme that was checked; null, if none was.
    pub scheme: Option<&'static str>,
    /// By whose secret: the id of an endpoint, or `receiver`; null, if by none.
    pub by: Option<String>,
    /// What was found, in order.
    pub findings: Vec<FindingView>,
}

/// One thing that was looked at.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FindingView {
    /// Which part: `headers`, `timestamp`, `secret` or `signature`.
    pub step: &'static str,
    /// What it means: `passed`, `failed` or `hint`.
    pub outcome: &'static str,
    /// A sentence.
    pub text: String,
}

impl From<&Finding> for FindingView {
    fn from(finding: &Finding) -> Self {
        let is_of_mismatch = (finding.step, finding.outcome) == (Step::Signature, Outcome::Failed);
        // After that comes what it should have been.
        let text = match finding.text.split_once(". For ") {
            Some((before, _)) if is_of_mismatch => format!("{before}."),
            _ => finding.text.clone(),
        };
        Self {
            step: finding.step.as_str(),
            outcome: finding.outcome.as_str(),
            text,
        }
    }
}

/// A way to verify.
struct Known {
    by: String,
    scheme: Scheme,
    secret: String,
}

/// By what a receiver's requests are verified.
pub(super) struct Verifier(Vec<Known>);

impl Verifier {
    /// Whether a request that came at this time is genuine.
    pub(super) fn check(
        &self,
        headers: &[(String, String)],
        body: &[u8],
        at: Timestamp,
    ) -> SignatureCheckView {
        let headers: HeaderMap = headers
            .iter()
            .filter_map(|(name, value)| {
                Some((
                    HeaderName::try_from(name).ok()?,
                    HeaderValue::try_from(value).ok()?,
                ))
            })
            .collect();
        let mut seen = Vec::new();
        for (header, scheme) in SEEN {
            if headers.contains_key(header) && !seen.contains(&scheme) {
                seen.push(scheme);
            }
        }
        let check = |known: &Known| {
            signing::verify(&Check {
                scheme: &known.scheme,
                secret: &known.secret,
                headers: &headers,
                body,
                now: at,
                tolerance_s: TOLERANCE_S_DEFAULT,
                also_try: &[],
            })
        };
        let checked: Vec<(&Known, Report)> = self.0.iter().map(|it| (it, check(it))).collect();
        let genuine = checked.iter().find(|(_, report)| report.is_genuine());
        let told = genuine.or(checked.first());
        SignatureCheckView {
            genuine: told.map(|(_, report)| report.is_genuine()),
            seen,
            scheme: told.map(|(known, _)| known.scheme.as_str()),
            by: told.map(|(known, _)| known.by.clone()),
            findings: told
                .map(|(_, report)| report.findings.iter().map(FindingView::from).collect())
                .unwrap_or_default(),
        }
    }
}

impl Service {
    /// By what the requests of a receiver are verified as it stands now.
    pub(super) async fn verifier(&self, row: &Receiver) -> Result<Verifier, Error> {
        let sealed = self.opened_receiver(row)?;
        let mut known = Vec::new();
        if let Some((scheme, secret)) = Settings::read(row)?.scheme.zip(sealed.secret) {
            known.push(Known {
                by: "receiver".to_owned(),
                scheme,
                secret,
            });
        }
        let store = &self.inner.store;
        for endpoint in store.endpoints_at(row.account, &sealed.token).await? {
            let place = self.own_place(&endpoint.url);
            if place.is_some_and(|place| parts(place).0 == sealed.token) {
                self.keys_of(row.account, &endpoint, &mut known).await?;
            }
        }
        Ok(Verifier(known))
    }

    /// What an endpoint signs with.
    async fn keys_of(
        &self,
        account: AccountId,
        endpoint: &store::Endpoint,
        known: &mut Vec<Known>,
    ) -> Result<(), Error> {
        let store = &self.inner.store;
        for scheme in stored_settings(endpoint)?.signatures {
            let secrets = match scheme.signs_with() {
                SignsWith::AccountKey => vec![self.account_key_now(account).await?],
                SignsWith::OwnSecret => {
                    let rows = store.endpoint_secrets(account, endpoint.id).await?;
                    let opened = rows.iter().rev().map(|row| {
                        let secret = self.opened_secret(account, row)?;
                        Ok::<_, Error>(secret.text().to_string())
                    });
                    opened.collect::<Result<_, _>>()?
                }
                SignsWith::KeyPair(kind) => self.public_halves(account, endpoint.id, kind).await?,
            };
            known.extend(secrets.into_iter().map(|secret| Known {
                by: endpoint.id.to_string(),
                scheme: scheme.clone(),
                secret,
            }));
        }
        Ok(())
    }

    async fn public_halves(
        &self,
        account: AccountId,
        endpoint: EndpointId,
        kind: KeyKind,
    ) -> Result<Vec<String>, Error> {
        let rows = self.inner.store.key_pairs(account, endpoint).await?;
        let rows = rows
            .iter()
            .filter(|row| KeyKind::from_word(&row.kind) == Some(kind));
        rows.map(|row| {
            let public = PublicKey::stored(kind, &row.public)
                .map_err(|error| Error::unreadable("a public key", error))?;
            Ok(public.standard_text().unwrap_or_else(|| public.pem()))
        })
        .collect()
    }
}
