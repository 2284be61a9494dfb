//! Which URLs an endpoint may have: what the server lets anybody save, and what the endpoint's own settings ask of
//! its URL.

use super::{Error, Schemes, Service};
use crate::outbound::{Target, UrlWarning};
use crate::pipeline::EndpointSettings;

impl Service {
    /// A URL that may be saved.
    pub(super) fn admit(&self, url: &str, pointer: &str) -> Result<Target, Error> {
        // What is handed over in the house is dialled by nobody.
        if let Ok(target) = Target::parse(url)
            && self.is_own(&target)
        {
            return Ok(target);
        }
        let target =
            Target::admit(url, &self.inner.guard).map_err(|error| Error::field(pointer, error))?;
        if self.inner.rules.schemes == Schemes::HttpsOnly && !target.is_https() {
            return Err(Error::field(
                pointer,
                "this server sends to https:// URLs only: use one",
            ));
        }
        Ok(target)
    }
}

/// What is wrong with a URL that these settings refuse.
pub(super) fn refused(warning: UrlWarning) -> &'static str {
    match warning {
        UrlWarning::Http => {
            "the endpoint's setting http refuses a URL that is not https://: use one that is, or set http to warned"
        }
        UrlWarning::ExplicitPort => {
            "the endpoint's setting explicit_port refuses a URL with a port in it, were it the usual one: leave it \
             out, or set explicit_port to warned"
        }
    }
}

/// Sees that a URL is as the settings ask.
pub(super) fn check(
    target: &Target,
    settings: &EndpointSettings,
    pointer: &str,
) -> Result<(), Error> {
    let judged = settings.url_rules().judge(target);
    judged
        .map(drop)
        .map_err(|warning| Error::field(pointer, refused(warning)))
}

/// Sees that a changed endpoint's URL, the one that is `given` or else the `stored` one, is as its settings ask from
/// now on. Where they ask for no more than they did, what is stored stays.
pub(super) fn check_change(
    stored: &str,
    given: Option<&Target>,
    known: &EndpointSettings,
    settings: &EndpointSettings,
) -> Result<(), Error> {
    if let Some(target) = given {
        return check(target, settings, "/url");
    }
    if settings.url_rules() == known.url_rules() {
        return Ok(());
    }
    let target =
        Target::parse(stored).map_err(|error| Error::unreadable("the endpoint's URL", error))?;
    let judged = settings.url_rules().judge(&target);
    judged.map(drop).map_err(|warning| {
        let pointer = match warning {
            UrlWarning::Http => "/http",
            UrlWarning::ExplicitPort => "/explicit_port",
        };
        Error::field(pointer, refused(warning))
    })
}
