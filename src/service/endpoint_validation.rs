//! Endpoint validation: whether anybody answers at a URL, before it is saved.
//!
//! The URL is pinged by POST, with an empty JSON object: any HTTP answer means that it is reached. Only if there is
//! none it is asked once more by HEAD, where nothing but 200 counts; or it is asked by OPTIONS instead (`handshake`).
//! The way is that of the endpoint's deliveries, with its proxy, its certificates and what it proves itself with.
//! Redirects are not followed, and the guard judges each address that is dialled. Nothing is written, and no transaction is
//! open meanwhile.
//!
//! What an account may ask is bounded, at a time and in a minute: a node is nobody's port scanner.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::endpoint_shape::UrlWarningView;
use super::handshake::{ValidationKind, shaken};
use super::principal::{MayWrite, Principal};
use super::profile::standard;
use super::{Error, Place, Service, endpoint_url};
use crate::model::{AccountId, AttemptResult};
use crate::outbound::{Answer, Client, Method, Request, Target, UrlRule, UrlRules};
use crate::pipeline::{Auth, Connected, EndpointSettings, Full, OwnCertificate, ProxySettings};

/// How long each ping is waited for.
pub(super) const PING_TIMEOUT: Duration = Duration::from_secs(5);
/// Validations of one account in a minute, on this node.
pub(super) const PER_MINUTE_MAX: u32 = 60;
/// The one answer to HEAD that counts.
const HEAD_STATUS: u16 = 200;

/// A URL to be validated, as an endpoint would have it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EndpointToValidate {
    /// Where requests would be sent: an `http` or `https` URL of 2048 bytes at most, without a user or a fragment.
    #[schema(example = "https://example.com/hook")]
    pub url: String,
    /// What becomes of a URL that is not `https://`; `warned`, if left out.
    pub http: Option<UrlRule>,
    /// What becomes of a URL in which a port is written out, `:443` included; `allowed`, if left out.
    pub explicit_port: Option<UrlRule>,
    /// What requests prove themselves with.
    pub auth: Option<Auth>,
    /// The certificate that requests prove themselves with.
    pub client_certificate: Option<OwnCertificate>,
    /// The proxy that requests go through; the account's, or else the operator's, if left out.
    pub proxy: Option<ProxySettings>,
    /// How it is validated: `ping`, if left out, or `options`.
    #[serde(default)]
    pub validation: ValidationKind,
}

/// What was found at a URL.
#[derive(Debug, Serialize, ToSchema)]
pub struct EndpointValidationView {
    /// The URL as it would be saved.
    pub url: String,
    /// Whether somebody answers.
    pub reached: bool,
    /// By which method it was reached, `POST`, `HEAD` or `OPTIONS`; null, if it was not.
    #[schema(value_type = Option<String>)]
    pub method: Option<&'static str>,
    /// What was answered, as a number; null, if it was not reached.
    pub status: Option<u16>,
    /// Why it was not reached; null, if it was.
    pub problem: Option<ValidationProblemView>,
    /// How many requests a minute the receiver allows, as it says to `OPTIONS`: a number, or `*`; null, if it says
    /// nothing.
    #[schema(example = "120")]
    pub allowed_rate: Option<String>,
    /// What is questionable about the URL.
    pub warnings: Vec<UrlWarningView>,
    /// What was tried, in its order.
    pub steps: Vec<PingView>,
}

/// Why nobody was reached.
#[derive(Debug, Serialize, ToSchema)]
pub struct ValidationProblemView {
    /// Why there was no answer: `dns`, `connect`, `tls`, `timeout`, `too_large`, `egress`, `proxy` or
    /// `authorization`; `status`, if the answer to `OPTIONS` was no.
    #[schema(value_type = String, example = "tls")]
    pub error_class: &'static str,
    /// What is wrong with TLS: `expired`, `not_yet_valid`, `wrong_host`, `unknown_issuer`, `self_signed`, `revoked`,
    /// `certificate` (anything else about it), `client_certificate_required`, `client_certificate_refused` or
    /// `protocol`; null, if it is not that.
    #[schema(value_type = Option<String>, example = "expired")]
    pub tls: Option<&'static str>,
    /// A sentence.
    pub why: String,
}

/// One request of a validation.
#[derive(Debug, Serialize, ToSchema)]
pub struct PingView {
    /// `POST`, `HEAD` or `OPTIONS`.
    #[schema(value_type = String, example = "POST")]
    pub method: &'static str,
    /// What was answered, as a number; null, if nothing was.
    pub status: Option<u16>,
    /// What that means, as a sentence.
    pub says: String,
    /// How long it took, in milliseconds.
    pub duration_ms: u32,
}

/// What came of the pings.
pub(super) struct Pinged {
    pub(super) steps: Vec<PingView>,
    /// Who was reached by which method with which answer; or why nobody was.
    pub(super) outcome: Result<(&'static str, u16), ValidationProblemView>,
    pub(super) allowed_rate: Option<String>,
}

impl Service {
    /// Whether anybody answers at a URL that may be saved.
    pub async fn validate_endpoint(
        &self,
        who: &Principal<MayWrite>,
        asked: EndpointToValidate,
    ) -> Result<EndpointValidationView, Error> {
        let target = self.admit(&asked.url, "/url")?;
        let usual = UrlRules::default();
        let rules = UrlRules {
            http: asked.http.unwrap_or(usual.http),
            explicit_port: asked.explicit_port.unwrap_or(usual.explicit_port),
        };
        let judged = rules.judge(&target);
        let warnings =
            judged.map_err(|warning| Error::field("/url", endpoint_url::refused(warning)))?;
        let settings = EndpointSettings {
            auth: asked.auth,
            client_certificate: asked.client_certificate,
            proxy: asked.proxy,
            ..standard()
        };
        let Pinged {
            steps,
            outcome,
            allowed_rate,
        } = self
            .ping(who.account(), &target, &settings, asked.validation)
            .await?;
        let (reached, problem) = match outcome {
            Ok(reached) => (Some(reached), None),
            Err(problem) => (None, Some(problem)),
        };
        Ok(EndpointValidationView {
            url: target.as_str().to_owned(),
            reached: reached.is_some(),
            method: reached.map(|(method, _)| method),
            status: reached.map(|(_, status)| status),
            problem,
            allowed_rate,
            warnings: warnings.into_iter().map(UrlWarningView::from).collect(),
            steps,
        })
    }

    /// Refuses what is to be saved with a URL at which nobody answers; `pointer`: what has named it.
    pub(super) async fn see_that_it_answers(
        &self,
        account: AccountId,
        target: &Target,
        settings: &EndpointSettings,
        (pointer, kind): (&str, ValidationKind),
    ) -> Result<(), Error> {
        let pinged = self.ping(account, target, settings, kind).await?;
        let Err(problem) = pinged.outcome else {
            return Ok(());
        };
        Err(Error::Invalid {
            code: "endpoint_unreachable",
            at: Place::body(pointer),
            why: format!(
                "nothing was saved, since {}: {}; mend that, or leave validate out to save it all the same",
                match kind {
                    ValidationKind::Ping => "nobody answers at this URL",
                    ValidationKind::Options => "this receiver has not agreed",
                },
                problem.why
            ),
        })
    }

    /// Pings a URL for an account, when it is its turn.
    async fn ping(
        &self,
        account: AccountId,
        target: &Target,
        settings: &EndpointSettings,
        kind: ValidationKind,
    ) -> Result<Pinged, Error> {
        let connected = self.check_connection(account, settings).await?;
        let inner = &self.inner;
        if !inner.pace.take(account, inner.clock.now()) {
            return Err(Error::Validating(Full::Account));
        }
        let turn = inner.validations.turn(&inner.clock, account).await;
        let _turn = turn.map_err(Error::Validating)?;
        Ok(match kind {
            ValidationKind::Ping => {
                let of = (account, PING_TIMEOUT);
                pinged(&inner.client, target, &connected, of).await
            }
            ValidationKind::Options => shaken(&inner.client, target, &connected, account).await,
        })
    }
}

/// By POST, and if there is no answer by HEAD.
async fn pinged(
    client: &Client,
    target: &Target,
    connected: &Connected,
    (account, timeout): (AccountId, Duration),
) -> Pinged {
    let ask = async |method, mut headers: HeaderMap, body| {
        connected.add_to(&mut headers);
        let request = Request {
            method,
            target,
            connection: &connected.connection,
            headers,
            body,
            timeout,
            on_behalf_of: account.uuid(),
        };
        client.send(request).await
    };
    let json = HeaderValue::from_static("application/json");
    let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, json)]);
    let post = ask(Method::Post, headers, Bytes::from_static(b"{}")).await;
    let mut steps = vec![PingView::of("POST", &post)];
    if let Some(status) = post.status {
        let outcome = Ok(("POST", status));
        return Pinged {
            steps,
            outcome,
            allowed_rate: None,
        };
    }
    let head = ask(Method::Head, HeaderMap::new(), Bytes::new()).await;
    steps.push(PingView::of("HEAD", &head));
    let outcome = match head.status {
        Some(HEAD_STATUS) => Ok(("HEAD", HEAD_STATUS)),
        status => Err(ValidationProblemView::of(&post, status)),
    };
    Pinged {
        steps,
        outcome,
        allowed_rate: None,
    }
}

fn says(answer: &Answer) -> &str {
    answer.message.as_deref().unwrap_or("there was no answer")
}

impl PingView {
    fn of(method: &'static str, answer: &Answer) -> Self {
        let says = match answer.status {
            Some(HEAD_STATUS) => format!("{method} was answered {HEAD_STATUS}"),
            Some(status) if method == "HEAD" => {
                format!("HEAD was answered {status}, where only {HEAD_STATUS} counts")
            }
            Some(status) => format!("{method} was answered {status}: any answer counts"),
            None => format!("{method} had no answer: {}", says(answer)),
        };
        Self::told(method, answer, says)
    }

    /// With this sentence.
    pub(super) fn told(method: &'static str, answer: &Answer, says: String) -> Self {
        Self {
            method,
            status: answer.status,
            says,
            duration_ms: answer.duration_ms,
        }
    }
}

impl ValidationProblemView {
    /// Why the POST has failed; and that the HEAD was answered otherwise than it had to be, if it was.
    pub(super) fn of(post: &Answer, head_status: Option<u16>) -> Self {
        let mut why = says(post).to_owned();
        if let Some(status) = head_status {
            why = format!("{why}; HEAD was answered {status}, where only {HEAD_STATUS} counts");
        }
        Self::saying(post, why)
    }

    /// With this sentence.
    pub(super) fn saying(answer: &Answer, why: String) -> Self {
        let error_class = match answer.result {
            AttemptResult::Refused(refusal) => refusal.as_str(),
            // It answered, and that was no yes.
            AttemptResult::Http { .. } => "status",
            AttemptResult::Interrupted => answer.result.class(),
        };
        Self {
            error_class,
            tls: answer.tls.map(crate::outbound::TlsFailure::as_str),
            why,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;
    use tokio::net::TcpListener;

    use super::*;
    use crate::outbound::{self, EgressGuard};

    #[tokio::test]
    async fn who_takes_connections_and_never_answers_is_asked_twice_and_not_reached() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let serving = tokio::spawn(async move {
            let mut silent = Vec::new();
            for _ in 0..2 {
                let (mut stream, _) = listener.accept().await.expect("a connection");
                let mut begin = [0; 4];
                stream.read_exact(&mut begin).await.expect("a request");
                silent.push((stream, begin));
            }
            silent
        });
        let client = Client::new(outbound::Settings {
            guard: EgressGuard::new(vec!["127.0.0.0/8".parse().expect("a network")]),
            ..outbound::Settings::default()
        });
        let target = Target::parse(&format!("http://{address}/")).expect("a URL");
        let account = AccountId::from_uuid(uuid::Uuid::from_u128(1));
        let limit = Duration::from_millis(200);
        let usual = Connected {
            connection: outbound::Connection::default(),
            authorization: None,
        };
        let client = client.expect("a client");
        let found = pinged(&client, &target, &usual, (account, limit)).await;
        let problem = found.outcome.expect_err("nobody answers");
        assert_eq!((problem.error_class, problem.tls), ("timeout", None));
        assert_eq!(problem.why, "no answer within 200 ms");
        let steps: Vec<_> = found.steps.iter().map(|step| &*step.says).collect();
        assert_eq!(
            steps,
            [
                "POST had no answer: no answer within 200 ms",
                "HEAD had no answer: no answer within 200 ms"
            ]
        );
        let silent = serving.await.expect("both came");
        let begins: Vec<_> = silent.iter().map(|(_, begin)| *begin).collect();
        assert_eq!(begins, [*b"POST", *b"HEAD"]);
    }
}
