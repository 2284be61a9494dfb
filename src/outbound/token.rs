//! Access tokens by client credentials (OAuth 2.0, RFC 6749, 4.4): fetched where an endpoint says, kept until shortly
//! before they expire, and fetched once by however many wait for one.
//!
//! The token endpoint is asked as a receiver is, behind the same guard, through the same proxy and with the same
//! certificates, within the time of the request that needs the token.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use moka::future::Cache;
use serde::Deserialize;
use url::form_urlencoded::{Serializer, byte_serialize};
use zeroize::Zeroizing;

use super::answer::Problem;
use super::client::{Client, Method, Request};
use super::connection::Digest;
use super::proxy::basic;
use super::seen::Seen;
use super::target::Target;
use crate::model::Refusal;

/// Most bytes of tokens that are kept.
const TOKENS_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// What a token takes beside its text, about.
const TOKEN_BYTES: usize = 256;
/// Largest answer of a token endpoint that is read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Longest token: it has to go into a header.
const TOKEN_CHARS_MAX: usize = 16 * 1024;
/// How long a token is used that does not say how long it lasts.
const LASTS_USUALLY: Duration = Duration::from_mins(5);
/// Longest that a token is used, whatever it says.
const LASTS_MAX: Duration = Duration::from_hours(24);
/// How long before its end a token is used no more; of one that lasts less than twice as long, half its time.
const MARGIN: Duration = Duration::from_secs(30);
/// Longest word for an error that is shown.
const ERROR_CHARS_MAX: usize = 64;

/// Where a client's secret goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretPlace {
    /// Into the header `Authorization`, as `Basic`.
    Header,
    /// Into the body, as `client_id` and `client_secret`.
    Body,
}

/// What tokens are fetched with.
pub struct ClientCredentials {
    /// Where.
    pub token_url: Target,
    /// Who asks.
    pub client_id: String,
    /// What proves it.
    pub client_secret: Zeroizing<String>,
    /// Where that goes.
    pub place: SecretPlace,
    /// What for, space after space between; empty, if nothing is said.
    pub scope: String,
    /// For whom, if that is said.
    pub audience: Option<String>,
}

impl ClientCredentials {
    /// What tells them from others.
    pub(super) fn texts(&self) -> [&str; 6] {
        let place = match self.place {
            SecretPlace::Header => "header",
            SecretPlace::Body => "body",
        };
        let audience = self.audience.as_deref().unwrap_or_default();
        let url = self.token_url.as_str();
        [
            url,
            &self.client_id,
            &self.client_secret,
            place,
            &self.scope,
            audience,
        ]
    }

    /// The request for a token: its headers and its body.
    fn request(&self) -> (HeaderMap, Bytes) {
        let mut headers = HeaderMap::new();
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(header::CONTENT_TYPE, form);
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        let mut body = Serializer::new(String::new());
        body.append_pair("grant_type", "client_credentials");
        if !self.scope.is_empty() {
            body.append_pair("scope", &self.scope);
        }
        if let Some(audience) = &self.audience {
            body.append_pair("audience", audience);
        }
        match self.place {
            SecretPlace::Header => {
                // RFC 6749, 2.3.1: both are form-encoded before.
                let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
                let secret = Zeroizing::new(encoded(&self.client_secret));
                if let Some(who) = basic(&encoded(&self.client_id), &secret) {
                    headers.insert(header::AUTHORIZATION, who);
                }
            }
            SecretPlace::Body => {
                body.append_pair("client_id", &self.client_id);
                body.append_pair("client_secret", &self.client_secret);
            }
        }
        (headers, body.finish().into())
    }
}

/// The tokens that are kept. Clones are the same.
#[derive(Clone)]
pub(super) struct Tokens(Cache<Digest, Arc<Fetched>>);

/// What came of fetching a token. What failed is for those only who waited for it.
struct Fetched {
    token: Result<HeaderValue, String>,
    until: Instant,
}

/// A token as it goes into a request.
pub(super) struct Token {
    pub(super) header: HeaderValue,
    /// Whether it was fetched just now.
    pub(super) is_fresh: bool,
}

impl Default for Tokens {
    fn default() -> Self {
        let weigh = |_: &Digest, fetched: &Arc<Fetched>| {
            let text = fetched.token.as_ref().map_or(0, HeaderValue::len);
            u32::try_from(text + TOKEN_BYTES).unwrap_or(u32::MAX)
        };
        Self(
            Cache::builder()
                .max_capacity(TOKENS_BYTES_MAX)
                .weigher(weigh)
                .time_to_live(LASTS_MAX)
                .build(),
        )
    }
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tokens(…)")
    }
}

impl Client {
    /// A token for this request, which began `now`: the one that is kept, or else a new one. Never the one that was
    /// `refused`.
    pub(super) async fn token(
        &self,
        request: &Request<'_>,
        refused: Option<&HeaderValue>,
        now: Instant,
    ) -> Result<Option<Token>, Problem> {
        let Some((credentials, digest)) = request.connection.credentials() else {
            return Ok(None);
        };
        let fetch = async {
            let (token, lasts) = match self.fetch(credentials, request).await {
                Ok((token, lasts)) => (Ok(token), lasts),
                Err(why) => (Err(why), Duration::ZERO),
            };
            let until = now + lasts.saturating_sub(MARGIN.min(lasts / 2));
            Arc::new(Fetched { token, until })
        };
        let is_over = |kept: &Arc<Fetched>| match &kept.token {
            Ok(token) => kept.until <= now || refused == Some(token),
            Err(_) => true,
        };
        let entry = self.tokens().0.entry(digest);
        let entry = entry.or_insert_with_if(fetch, is_over).await;
        let is_fresh = entry.is_fresh();
        match &entry.into_value().token {
            Ok(token) => Ok(Some(Token {
                header: token.clone(),
                is_fresh,
            })),
            Err(why) => Err(Problem::new(Refusal::Authorization, why.as_str())),
        }
    }

    /// A new token, and how long it lasts; or a sentence.
    async fn fetch(
        &self,
        credentials: &ClientCredentials,
        request: &Request<'_>,
    ) -> Result<(HeaderValue, Duration), String> {
        let (headers, body) = credentials.request();
        let asked = Request {
            method: Method::Post,
            target: &credentials.token_url,
            headers,
            body,
            ..request.clone()
        };
        let mut seen = Seen::keeping(ANSWER_BYTES_MAX);
        let status = self.exchange(asked, &mut seen).await;
        let status =
            status.map_err(|problem| format!("there is no access token: {}", problem.message))?;
        token_in(status, &seen.excerpt)
    }
}

/// The token in an answer (RFC 6749, 5.1), and how long it lasts; or why there is none (5.2).
fn token_in(status: u16, body: &[u8]) -> Result<(HeaderValue, Duration), String> {
    #[derive(Deserialize)]
    struct Granted {
        access_token: String,
        token_type: Option<String>,
        expires_in: Option<serde_json::Value>,
    }
    #[derive(Deserialize)]
    struct Denied {
        error: String,
    }
    if status != 200 {
        let denied: Option<Denied> = serde_json::from_slice(body).ok();
        let why = denied.map_or_else(String::new, |denied| {
            let plain = |letter: &char| letter.is_ascii_graphic();
            let word: String = denied.error.chars().filter(plain).collect();
            let word: String = word.chars().take(ERROR_CHARS_MAX).collect();
            format!(" ({word})")
        });
        return Err(format!(
            "there is no access token: the token endpoint answered {status}{why}"
        ));
    }
    let unusable = |what: &str| {
        format!("there is no access token: the token endpoint answered 200, but {what}")
    };
    let granted: Granted = serde_json::from_slice(body)
        .map_err(|_| unusable("its body is not JSON with an access_token"))?;
    let kind = granted.token_type.as_deref().unwrap_or("Bearer");
    if !kind.eq_ignore_ascii_case("bearer") {
        return Err(unusable("the token is not of the type Bearer"));
    }
    if granted.access_token.len() > TOKEN_CHARS_MAX {
        return Err(unusable("the token is too long for a header"));
    }
    let text = Zeroizing::new(format!("Bearer {}", granted.access_token));
    let mut header = HeaderValue::try_from(text.as_str())
        .map_err(|_| unusable("the token has characters that a header can't have"))?;
    header.set_sensitive(true);
    // Some send the number as a text.
    let lasts_s = granted.expires_in.as_ref().and_then(|value| {
        let text = value.as_str().and_then(|text| text.parse().ok());
        value.as_u64().or(text)
    });
    let lasts = lasts_s.map_or(LASTS_USUALLY, Duration::from_secs);
    Ok((header, lasts.min(LASTS_MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_taken_as_it_comes() {
        for (body, lasts_s) in [
            (
                r#"{"access_token":"abc","token_type":"bearer","expires_in":3600}"#,
                3600,
            ),
            (
                r#"{"access_token":"abc","token_type":"Bearer","expires_in":"60"}"#,
                60,
            ),
            (r#"{"access_token":"abc"}"#, 300),
            (r#"{"access_token":"abc","expires_in":99999999}"#, 86_400),
        ] {
            let (header, lasts) = token_in(200, body.as_bytes()).expect(body);
            assert_eq!(header, "Bearer abc");
            assert!(header.is_sensitive());
            assert_eq!(lasts.as_secs(), lasts_s, "{body}");
        }
    }

    #[test]
    fn why_there_is_none_is_told_and_nothing_that_could_be_secret() {
        for (status, body, says) in [
            (
                401,
                r#"{"error":"invalid_client","error_description":"s3cret"}"#,
                "answered 401 (invalid_client)",
            ),
            (500, "s3cret", "answered 500"),
            (200, "<html>s3cret", "not JSON"),
            (
                200,
                r#"{"access_token":"s3cret","token_type":"mac"}"#,
                "type Bearer",
            ),
            (200, r#"{"access_token":"s3cret\n"}"#, "characters"),
        ] {
            let why = token_in(status, body.as_bytes()).expect_err(body);
            assert!(why.contains(says), "{why}");
            assert!(!why.contains("s3cret"), "{why}");
        }
    }

    #[test]
    fn the_secret_goes_where_it_is_wanted() {
        let credentials = |place| ClientCredentials {
            token_url: Target::parse("https://login.test/token").expect("a URL"),
            client_id: "me & you".to_owned(),
            client_secret: Zeroizing::new("a:b c".to_owned()),
            place,
            scope: "read write".to_owned(),
            audience: Some("crm".to_owned()),
        };
        let (headers, body) = credentials(SecretPlace::Header).request();
        let start = "grant_type=client_credentials&scope=read+write&audience=crm";
        assert_eq!(body, start);
        // `me+%26+you:a%3Ab+c`.
        assert_eq!(headers["authorization"], "Basic bWUrJTI2K3lvdTphJTNBYitj");
        let (headers, body) = credentials(SecretPlace::Body).request();
        assert!(headers.get("authorization").is_none());
        let end = "&client_id=me+%26+you&client_secret=a%3Ab+c";
        assert_eq!(body, format!("{start}{end}"));
    }
}
