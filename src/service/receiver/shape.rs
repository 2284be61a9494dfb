//! Receivers as users write and read them, and as they are stored.

use std::collections::BTreeMap;

use http::{HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::signature::SignatureCheckView;
use crate::model::{ReceiverId, ReceiverRequestId, Timestamp};
use crate::pipeline::Secrets;
use crate::service::Error;
use crate::service::hidden::Shown;
use crate::service::json::nullable;
use crate::signing::Scheme;
use crate::store;

/// Most answers of one receiver.
const ANSWERS_MAX: usize = 20;
/// Longest wait before an answer.
const DELAY_MS_MAX: u64 = 60_000;
/// Largest body of an answer that is set.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Most headers of an answer that is set.
const ANSWER_HEADERS_MAX: usize = 20;
/// A receiver to be made.
#[derive(Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewReceiver {
    /// A name by which people recognise it: 1 to 200 bytes, on one line; "receiver", if left out.
    pub name: Option<String>,
    /// What it answers: 200 without a body, if left out.
    pub answer: Option<AnswerRequest>,
    /// What it answers, one after the other; the last one is repeated. In place of `answer`.
    pub answers: Option<Vec<AnswerRequest>>,
    /// By what it verifies signatures, beside what the account's endpoints that send here sign with.
    pub verification: Option<ReceiverVerification>,
    /// Whether whoever follows its stream with `forward=true` answers what comes, in place of `answers`.
    #[serde(default)]
    pub forward: bool,
}

/// What is changed of a receiver; what is left out stays.
#[derive(Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReceiverPatch {
    /// A name by which people recognise it: 1 to 200 bytes, on one line.
    pub name: Option<String>,
    /// What it answers from now on.
    pub answer: Option<AnswerRequest>,
    /// What it answers from now on, one after the other; the last one is repeated. In place of `answer`.
    pub answers: Option<Vec<AnswerRequest>>,
    /// By what it verifies signatures; null: only by what the account's endpoints that send here sign with.
    #[serde(default, deserialize_with = "nullable")]
    pub verification: Option<Option<ReceiverVerification>>,
    /// Whether whoever follows its stream with `forward=true` answers what comes, in place of `answers`.
    pub forward: Option<bool>,
}

/// By what a receiver verifies.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReceiverVerification {
    /// The scheme, as an endpoint names it; by what the secret looks like, if left out.
    #[schema(example = "standard")]
    pub scheme: Option<String>,
    /// For `body-hmac` and `rsa`: the header that the signature is in, if it is not the usual one.
    pub header: Option<String>,
    /// The secret, or of a key pair the public half. It is kept sealed and shown to nobody.
    #[schema(example = "whsec_…")]
    pub secret: String,
}

/// What a receiver answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AnswerRequest {
    /// The status, 200 to 599.
    #[serde(default = "ok")]
    #[schema(minimum = 200, maximum = 599, example = 500)]
    pub status: u16,
    /// How long it waits before that, in milliseconds, 0 to 60000.
    #[serde(default)]
    #[schema(maximum = 60000)]
    pub delay_ms: u64,
    /// Its headers: `content-type`, `retry-after`, and those that begin with `x-`; 20 at most.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(example = json!({"retry-after": "120"}))]
    pub headers: BTreeMap<String, String>,
    /// Its body: 65536 bytes at most.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub body: String,
}

fn ok() -> u16 {
    200
}

impl Default for AnswerRequest {
    fn default() -> Self {
        Self {
            status: ok(),
            delay_ms: 0,
            headers: BTreeMap::new(),
            body: String::new(),
        }
    }
}

/// A receiver.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReceiverView {
    /// The receiver's id.
    #[schema(value_type = String, example = "rcv_0198c1f0a3b27c4d8e5f60718293a4b5")]
    pub id: ReceiverId,
    /// A name by which people recognise it.
    pub name: String,
    /// Where to send to, by any method; a path and a query may follow. Who knows it may send.
    #[schema(example = "http://127.0.0.1:8080/r/r_…")]
    pub url: String,
    /// What it answers, one after the other; the last one is repeated.
    pub answers: Vec<AnswerRequest>,
    /// Whether whoever follows its stream with `forward=true` answers what comes, in place of `answers`.
    pub forward: bool,
    /// Whether somebody does at the moment.
    pub forwarded: bool,
    /// The scheme of the secret that it was given; null, if it has none.
    pub scheme: Option<&'static str>,
    /// How many requests came to it. The last 500 are kept, for 7 days.
    pub received: i64,
    /// When it was made, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it last changed, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

/// A request that came to a receiver.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ReceiverRequestView {
    /// The request's id.
    #[schema(value_type = String, example = "req_0198c1f0a3b27c4d8e5f60718293a4b5")]
    pub id: ReceiverRequestId,
    /// Its method.
    #[schema(example = "POST")]
    pub method: String,
    /// What follows the receiver's URL, from the slash on; `/`, if nothing does.
    pub path: String,
    /// What follows the question mark; empty, if nothing does.
    pub query: String,
    /// Its headers by name in lower case. Where one came twice, both values with a comma between.
    pub headers: BTreeMap<String, String>,
    /// Its body; null, if it is no text.
    pub body: Option<String>,
    /// Its body in base64, if it is no text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_base64: Option<String>,
    /// What it was answered; null, as long as whoever forwards it has not said.
    #[schema(value_type = Option<Object>)]
    pub answer: Option<serde_json::Value>,
    /// Whether its signature is genuine, step by step.
    pub signature: SignatureCheckView,
    /// When it came, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
}

impl Shown for ReceiverRequestView {
    fn hide(&mut self, secrets: &Secrets) {
        secrets.hide(&mut self.query);
        self.headers
            .values_mut()
            .for_each(|value| secrets.hide(value));
        if let Some(body) = &mut self.body {
            secrets.hide(body);
        }
        if let Some(answer) = &mut self.answer {
            secrets.hide_in(answer);
        }
    }
}

/// What is stored of how a receiver behaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Settings {
    pub(super) answers: Vec<AnswerRequest>,
    #[serde(default)]
    pub(super) forward: bool,
    /// Of the secret that it was given.
    #[serde(default)]
    pub(super) scheme: Option<Scheme>,
}

impl Settings {
    pub(super) fn read(row: &store::Receiver) -> Result<Self, Error> {
        serde_json::from_str(&row.settings)
            .map_err(|error| Error::unreadable("the receiver's settings", error))
    }

    pub(super) fn text(&self) -> Result<String, Error> {
        serde_json::to_string(self)
            .map_err(|error| Error::unreadable("the receiver's settings", error))
    }
}

/// What nobody sees of a receiver.
#[derive(Serialize, Deserialize)]
pub(super) struct Sealed {
    /// The last part of its URL.
    pub(super) token: String,
    /// What it verifies by.
    pub(super) secret: Option<String>,
}

/// The answers that are asked for, checked; `None`: nothing is said of them.
pub(super) fn answers(
    one: Option<AnswerRequest>,
    several: Option<Vec<AnswerRequest>>,
) -> Result<Option<Vec<AnswerRequest>>, Error> {
    let answers = match (one, several) {
        (Some(_), Some(_)) => {
            let why = "give either answer or answers: answers are several, one after the other";
            return Err(Error::field("/answers", why));
        }
        (None, None) => return Ok(None),
        (Some(one), None) => {
            check_answer(&one, "/answer")?;
            vec![one]
        }
        (None, Some(several)) => {
            if !(1..=ANSWERS_MAX).contains(&several.len()) {
                let why = format!("a receiver has 1 to {ANSWERS_MAX} answers");
                return Err(Error::field("/answers", why));
            }
            for (place, answer) in several.iter().enumerate() {
                check_answer(answer, &format!("/answers/{place}"))?;
            }
            several
        }
    };
    let lower = |answer: AnswerRequest| AnswerRequest {
        headers: (answer.headers.into_iter())
            .map(|(name, value)| (name.to_ascii_lowercase(), value))
            .collect(),
        ..answer
    };
    Ok(Some(answers.into_iter().map(lower).collect()))
}

fn check_answer(answer: &AnswerRequest, pointer: &str) -> Result<(), Error> {
    let at = |field: &str| format!("{pointer}/{field}");
    if !(200..=599).contains(&answer.status) {
        return Err(Error::field(at("status"), "a status is 200 to 599"));
    }
    if answer.delay_ms > DELAY_MS_MAX {
        let why = format!("it waits {DELAY_MS_MAX} ms at most");
        return Err(Error::field(at("delay_ms"), why));
    }
    if answer.body.len() > ANSWER_BYTES_MAX {
        let why = format!("an answer has {ANSWER_BYTES_MAX} bytes at most");
        return Err(Error::field(at("body"), why));
    }
    if answer.headers.len() > ANSWER_HEADERS_MAX {
        let why = format!("an answer has {ANSWER_HEADERS_MAX} headers at most");
        return Err(Error::field(at("headers"), why));
    }
    for (name, value) in &answer.headers {
        if !may_answer(name) || HeaderValue::from_str(value).is_err() {
            let why = "an answer may have content-type, retry-after and headers that begin with x-, in visible ASCII";
            return Err(Error::field(at("headers"), why));
        }
    }
    Ok(())
}

/// Whether a receiver answers with a header of this name. It shares its host with all else of this server, so what
/// a browser would act on is not among them.
pub(super) fn may_answer(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let is_known =
        matches!(name.as_str(), "content-type" | "retry-after") || name.starts_with("x-");
    is_known && HeaderName::try_from(name.as_str()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_browser_would_act_on_is_no_answer() {
        for (name, expected) in [
            ("Content-Type", true),
            ("retry-after", true),
            ("X-Trace", true),
            ("Set-Cookie", false),
            ("Location", false),
            ("x- y", false),
            ("Content-Length", false),
        ] {
            assert_eq!(may_answer(name), expected, "{name}");
        }
    }

    #[test]
    fn answers_have_their_bounds() {
        let one = |json: &str| serde_json::from_str::<AnswerRequest>(json).expect(json);
        for (answer, field) in [
            (r#"{"status":199}"#, "/answer/status"),
            (r#"{"delay_ms":60001}"#, "/answer/delay_ms"),
            (r#"{"headers":{"set-cookie":"a"}}"#, "/answer/headers"),
        ] {
            let error = answers(Some(one(answer)), None).expect_err(answer);
            assert_eq!(
                error.place().map(ToString::to_string).as_deref(),
                Some(field)
            );
        }
        assert!(answers(None, Some(Vec::new())).is_err());
        assert!(answers(Some(one("{}")), Some(vec![one("{}")])).is_err());
        let kept = answers(Some(one(r#"{"headers":{"X-A":"b"}}"#)), None).expect("fine");
        assert!(kept.expect("one")[0].headers.contains_key("x-a"));
    }
}
