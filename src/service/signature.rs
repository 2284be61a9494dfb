//! Which signatures an endpoint's deliveries carry, as users ask for them.

use serde::Deserialize;
use utoipa::ToSchema;

use super::Error;
use crate::signing::{OwnSecret, Scheme};

/// Most signatures of one delivery.
const SIGNATURES_MAX: usize = 4;

/// A signature of an endpoint's deliveries.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignatureRequest {
    /// The scheme: `standard` (Standard Webhooks), `event-header` (`X-Webhook-Event`, `-Timestamp`, and `-Signature`
    /// if the endpoint has a secret), `github` (`X-Hub-Signature-256`) or `stripe` (`Stripe-Signature`), with a
    /// secret of the endpoint's own; `standard-ed25519` (Standard Webhooks, `v1a`) or `rsa` (`X-SiqSignature`), with
    /// a key pair of its own; or `body-hmac`, with the account's key.
    #[schema(example = "standard")]
    pub scheme: String,
    /// For `body-hmac` and `rsa`: the header that the signature goes in; `X-Signature` or `X-SiqSignature`, if left
    /// out.
    pub header: Option<String>,
    /// When the endpoint is made, for schemes with a secret: a secret of your own, for all of its schemes. `whsec_` and
    /// base64, or, without `standard`, any text of 1 to 512 bytes. If left out, one is made; for `event-header`
    /// alone none.
    pub secret: Option<String>,
}

/// The schemes that are asked for, and the secret that was given with them.
pub(super) fn schemes(
    requests: &[SignatureRequest],
) -> Result<(Vec<Scheme>, Option<OwnSecret>), Error> {
    if !(1..=SIGNATURES_MAX).contains(&requests.len()) {
        let why = format!(
            "there are {} signatures: give 1 to {SIGNATURES_MAX}",
            requests.len()
        );
        return Err(Error::field("/signatures", why));
    }
    let mut schemes: Vec<Scheme> = Vec::with_capacity(requests.len());
    let mut given: Option<(usize, &String)> = None;
    for (place, request) in requests.iter().enumerate() {
        let at = |field: &str| format!("/signatures/{place}{field}");
        let has_header = ["body-hmac", "rsa"].contains(&request.scheme.as_str());
        let field = if request.header.is_some() && has_header {
            "/header"
        } else {
            "/scheme"
        };
        let scheme = Scheme::from_words(&request.scheme, request.header.as_deref())
            .map_err(|error| Error::field(at(field), error))?;
        if schemes.contains(&scheme) {
            return Err(Error::field(
                at(""),
                "this signature stands there twice: remove one",
            ));
        }
        let tells_in = |told: &Scheme, by: &Scheme| {
            let chosen = told.header();
            chosen.is_some_and(|header| by.tells_in(header.name().as_str()))
        };
        if schemes
            .iter()
            .any(|it| tells_in(&scheme, it) || tells_in(it, &scheme))
        {
            let why = "another signature goes in the same header, which has room for one: choose another header";
            return Err(Error::field(at(field), why));
        }
        if let Some(text) = &request.secret {
            let wrong = |why: &str| Error::field(at("/secret"), why);
            if !scheme.takes_own_secret() {
                return Err(wrong(match scheme.needs_key_pair() {
                    Some(_) => {
                        "this scheme signs with a key pair: leave the secret out, and bring one along at the \
                         endpoint's /keys"
                    }
                    None => "this scheme signs with the account's key: leave the secret out",
                }));
            }
            if given.is_some_and(|(_, other)| other != text) {
                return Err(wrong(
                    "an endpoint has one secret for all of its schemes: say it once",
                ));
            }
            given.get_or_insert((place, text));
        }
        schemes.push(scheme);
    }
    let secret = given.map(|(place, text)| {
        let at = format!("/signatures/{place}/secret");
        OwnSecret::parse(text, &schemes).map_err(|error| Error::field(at, error))
    });
    Ok((schemes, secret.transpose()?))
}
