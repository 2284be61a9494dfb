//! What whoever forwards a request says of its answer.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::model::Refusal;
use crate::service::Error;

/// Largest answer of whoever forwards, as text: more than that no delivery reads.
const FORWARDED_BYTES_MAX: usize = 2 * 1024 * 1024;

/// What whoever forwards a request was answered, or why not.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ForwardedAnswer {
    /// The status; left out, if there was no answer.
    pub status: Option<u16>,
    /// The headers, as pairs of a name and a value.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// The body, in base64.
    #[serde(default)]
    pub body_base64: String,
    /// Why there was no answer.
    pub error: Option<ForwardedError>,
}

/// Why there was no answer.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ForwardedError {
    /// Which kind: as of an attempt.
    pub class: ForwardedRefusal,
    /// A sentence.
    pub message: String,
}

/// Of which kind it is that there was no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ForwardedRefusal {
    /// No connection.
    Connect,
    /// No answer in time.
    Timeout,
    /// An answer too large.
    TooLarge,
    /// No trust.
    Tls,
    /// No such name.
    Dns,
}

impl From<ForwardedRefusal> for Refusal {
    fn from(refusal: ForwardedRefusal) -> Self {
        match refusal {
            ForwardedRefusal::Connect => Self::Connect,
            ForwardedRefusal::Timeout => Self::Timeout,
            ForwardedRefusal::TooLarge => Self::TooLarge,
            ForwardedRefusal::Tls => Self::Tls,
            ForwardedRefusal::Dns => Self::Dns,
        }
    }
}

impl ForwardedAnswer {
    /// Why there was none.
    pub(super) fn none(class: ForwardedRefusal, message: &str) -> Self {
        Self {
            status: None,
            headers: Vec::new(),
            body_base64: String::new(),
            error: Some(ForwardedError {
                class,
                message: message.to_owned(),
            }),
        }
    }

    /// It as text, if it is one.
    pub(super) fn text(&self) -> Result<String, Error> {
        match (self.status, &self.error) {
            (Some(200..=599), None) | (None, Some(_)) => {}
            (Some(_), None) => return Err(Error::field("/status", "a status is 200 to 599")),
            _ => return Err(Error::field("", "give either a status or an error")),
        }
        if STANDARD.decode(&self.body_base64).is_err() {
            return Err(Error::field("/body_base64", "this is not base64"));
        }
        let text =
            serde_json::to_string(self).map_err(|error| Error::unreadable("the answer", error))?;
        if text.len() > FORWARDED_BYTES_MAX {
            return Err(Error::TooLarge {
                what: "the answer",
                bytes_max: FORWARDED_BYTES_MAX,
            });
        }
        Ok(text)
    }
}
