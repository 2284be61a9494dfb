//! The other way of validating an endpoint: it is asked by `OPTIONS` whether it wants deliveries at all, as "HTTP 1.1
//! Web Hooks for Event Delivery" has it (CloudEvents, 4). Only who names this server, or says `*`, has agreed.

use http::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::endpoint_validation::{PING_TIMEOUT, PingView, Pinged, ValidationProblemView};
use crate::model::AccountId;
use crate::outbound::{Answer, Client, Method, Request, Target};
use crate::pipeline::Connected;

const REQUEST_ORIGIN: HeaderName = HeaderName::from_static("webhook-request-origin");
const ALLOWED_ORIGIN: &str = "webhook-allowed-origin";
const ALLOWED_RATE: &str = "webhook-allowed-rate";
/// Longest rate that is shown: a number, or a star.
const RATE_CHARS_MAX: usize = 20;

/// How an endpoint is validated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ValidationKind {
    /// By a ping, to which any answer counts.
    #[default]
    Ping,
    /// By `OPTIONS`, to which the receiver has to agree.
    Options,
}

/// Asks whether deliveries of this server are wanted.
pub(super) async fn shaken(
    client: &Client,
    target: &Target,
    connected: &Connected,
    account: AccountId,
) -> Pinged {
    let origin = client.origin();
    let mut headers = HeaderMap::from_iter([(REQUEST_ORIGIN, origin.clone())]);
    connected.add_to(&mut headers);
    let request = Request {
        method: Method::Options,
        target,
        connection: &connected.connection,
        headers,
        body: bytes::Bytes::new(),
        timeout: PING_TIMEOUT,
        on_behalf_of: account.uuid(),
    };
    let answer = client.send(request).await;
    let verdict = verdict(&answer, origin);
    let says = match &verdict {
        Ok(()) => "OPTIONS was answered: deliveries of this server are welcome".to_owned(),
        Err(why) => why.clone(),
    };
    let step = PingView::told("OPTIONS", &answer, says);
    let outcome = match (verdict, answer.status) {
        (Ok(()), Some(status)) => Ok(("OPTIONS", status)),
        (Err(why), _) => Err(ValidationProblemView::saying(&answer, why)),
        (Ok(()), None) => Err(ValidationProblemView::of(&answer, None)),
    };
    Pinged {
        steps: vec![step],
        outcome,
        allowed_rate: allowed_rate(&answer),
    }
}

/// Whether the answer means that deliveries are wanted; or why not.
fn verdict(answer: &Answer, origin: &HeaderValue) -> Result<(), String> {
    let Some(status) = answer.status else {
        let why = answer.message.as_deref().unwrap_or("there was no answer");
        return Err(format!("OPTIONS had no answer: {why}"));
    };
    if !(200..300).contains(&status) {
        return Err(format!(
            "OPTIONS was answered {status}, where only 2xx means that deliveries are wanted"
        ));
    }
    let shown = String::from_utf8_lossy(origin.as_bytes());
    let mut allowed = answer.headers.get_all(ALLOWED_ORIGIN).iter();
    let is_welcome = |value: &HeaderValue| {
        let text = value.to_str().unwrap_or_default();
        let mut names = text.split(',').map(str::trim);
        names.any(|name| name == "*" || name.eq_ignore_ascii_case(&shown))
    };
    if allowed.any(is_welcome) {
        Ok(())
    } else {
        Err(format!(
            "OPTIONS was answered {status}, but without WebHook-Allowed-Origin: {shown} (or *), which would mean that \
             deliveries are wanted"
        ))
    }
}

/// How many requests a minute are allowed, as the receiver says it.
fn allowed_rate(answer: &Answer) -> Option<String> {
    let text = answer.headers.get(ALLOWED_RATE)?.to_str().ok()?.trim();
    let fits = text == "*" || text.bytes().all(|byte| byte.is_ascii_digit());
    (fits && (1..=RATE_CHARS_MAX).contains(&text.len())).then(|| text.to_owned())
}
