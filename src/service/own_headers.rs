//! Headers that an endpoint or a profile may have for its own.

use std::collections::BTreeMap;

use http::HeaderName;

use super::{Error, check};
use crate::model::header::{OF_THE_CONNECTION, is_signature};
use crate::model::limits::{HEADER_VALUE_BYTES_MAX, HEADERS_PER_ENDPOINT_MAX};
use crate::signing::Scheme;

/// Headers that say what the body is, or by which way it came.
const TAKEN: [&str; 11] = [
    "accept-encoding",
    "content-digest",
    "content-encoding",
    "content-range",
    "content-type",
    "date",
    "forwarded",
    "http2-settings",
    "trailers",
    "via",
    "x-real-ip",
];
/// Beginnings of names that this server, proxies and signature schemes use.
const PREFIXES_TAKEN: [&str; 9] = [
    "proxy-",
    "svix-",
    "throwbar-",
    "webhook-",
    "x-forwarded-",
    "x-http-method",
    "x-original-",
    "x-throwbar-",
    "x-webhook-",
];

/// The headers by their names in lower case. What their values refer to is looked up elsewhere.
pub(super) fn checked(
    headers: BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, Error> {
    if headers.len() > HEADERS_PER_ENDPOINT_MAX {
        let why = format!(
            "there are {} headers: {HEADERS_PER_ENDPOINT_MAX} at most",
            headers.len()
        );
        return Err(Error::field("/headers", why));
    }
    let mut named = BTreeMap::new();
    for (spelled, value) in headers {
        let at = format!("/headers/{}", check::escaped(&spelled));
        let name = HeaderName::try_from(&spelled).map_err(|_| {
            Error::field(
                &at,
                "this is not the name of a header: use ASCII letters, digits and -",
            )
        })?;
        let name = name.as_str();
        let is_taken = OF_THE_CONNECTION.contains(&name)
            || TAKEN.contains(&name)
            || PREFIXES_TAKEN.iter().any(|prefix| name.starts_with(prefix))
            || is_signature(name);
        if is_taken {
            let why = "this header has another use, for the connection, the body or a signature: choose another";
            return Err(Error::field(&at, why));
        }
        if value.len() > HEADER_VALUE_BYTES_MAX {
            let why = format!(
                "the value has {} bytes: {HEADER_VALUE_BYTES_MAX} at most",
                value.len()
            );
            return Err(Error::field(&at, why));
        }
        if named.insert(name.to_owned(), value).is_some() {
            return Err(Error::field(
                &at,
                "this header stands there twice: remove one",
            ));
        }
    }
    Ok(named)
}

/// Sees that no header is one that a scheme signs in, which would be lost without a word.
pub(super) fn check_beside(
    headers: &BTreeMap<String, String>,
    schemes: &[Scheme],
) -> Result<(), Error> {
    let signed_in = schemes.iter().filter_map(Scheme::header);
    for header in signed_in {
        if headers.contains_key(header.name().as_str()) {
            let at = format!("/headers/{}", check::escaped(header.name().as_str()));
            let why =
                "a signature goes in this header: choose another, or another one for the signature";
            return Err(Error::field(at, why));
        }
    }
    Ok(())
}
