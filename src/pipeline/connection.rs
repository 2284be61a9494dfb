//! How an endpoint's deliveries are connected, as it is stored, and as it is once its references are filled: what it
//! proves itself with, its client certificate, its proxy.
//!
//! No secret stands here: each is a secret variable of the account, sealed there, and these texts refer to it.

use std::fmt;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::settings::EndpointSettings;
use super::variables::AccountVariables;
use crate::model::AccountId;
use crate::outbound::{
    ClientCertificate, ClientCredentials, Connection, ConnectionParts, Proxy, SecretPlace, Target,
    basic,
};
use crate::store;

/// What deliveries prove themselves with, beside their signatures: a header `Authorization`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Auth {
    /// A user and a password.
    Basic(BasicAuth),
    /// A token that stays.
    Bearer(BearerAuth),
    /// A token that is fetched, by client credentials (OAuth 2.0), and fetched anew before it expires.
    OAuth2(OAuth2),
}

/// A user and a password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BasicAuth {
    /// The user, without a colon.
    pub username: String,
    /// The password: a reference to a secret variable.
    #[schema(example = "{{vars.crm_password}}")]
    pub password: String,
}

/// A token that stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BearerAuth {
    /// The token: a reference to a secret variable.
    #[schema(example = "{{vars.crm_token}}")]
    pub token: String,
}

/// Client credentials (OAuth 2.0, RFC 6749, 4.4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OAuth2 {
    /// Where tokens are fetched: an `http` or `https` URL, as an endpoint may have.
    #[schema(example = "https://login.example.com/oauth/token")]
    pub token_url: String,
    /// Who asks for one.
    pub client_id: String,
    /// What proves it: a reference to a secret variable.
    #[schema(example = "{{vars.crm_client_secret}}")]
    pub client_secret: String,
    /// What the token is for: 50 at most; none, if left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// For whom the token is, where the server asks for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// Where the client's secret goes: `header` (as `Basic`), if left out, or `body`.
    #[serde(default, skip_serializing_if = "is_header")]
    pub auth: CredentialsPlace,
}

/// Where a client's secret goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum CredentialsPlace {
    /// Into the header `Authorization`.
    #[default]
    Header,
    /// Into the body.
    Body,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks like this")]
fn is_header(place: &CredentialsPlace) -> bool {
    *place == CredentialsPlace::Header
}

/// A certificate that deliveries prove themselves with in the TLS handshake (mTLS).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OwnCertificate {
    /// PEM: its own certificate first, then those of the authorities between, 10 at most.
    #[schema(example = "-----BEGIN CERTIFICATE-----\n…\n-----END CERTIFICATE-----\n")]
    pub certificate: String,
    /// Its private key as PEM, without a passphrase: a reference to a secret variable.
    #[schema(example = "{{vars.crm_client_key}}")]
    pub key: String,
}

/// A proxy that requests go through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProxySettings {
    /// `http://` or `socks5://`, a host and a port.
    #[schema(example = "http://proxy.example.com:3128")]
    pub url: String,
    /// Who asks; left out together with the password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The password: a reference to a secret variable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "{{vars.proxy_password}}")]
    pub password: Option<String>,
}

/// How an account's deliveries are connected, where their endpoints don't say otherwise.
#[derive(Debug, Clone, Default)]
pub struct AccountConnection {
    /// Certificates that are trusted beside the machine's, as PEM.
    pub authorities: Option<Arc<str>>,
    /// The proxy.
    pub proxy: Option<ProxySettings>,
}

impl AccountConnection {
    /// As it is stored.
    pub fn read(row: &store::AccountConnectionRow) -> Result<Self, serde_json::Error> {
        let proxy = row.proxy.as_deref().map(serde_json::from_str).transpose()?;
        Ok(Self {
            authorities: row.authorities.as_deref().map(Arc::from),
            proxy,
        })
    }
}

/// What can't be made of an endpoint's settings: at which of them, as a JSON pointer, and why.
#[derive(Debug)]
pub struct Unconnectable {
    /// Such as `/auth/basic/password`.
    pub pointer: &'static str,
    /// A sentence.
    pub why: String,
}

/// How one endpoint's requests are connected. Not shown by `Debug`.
#[derive(Clone)]
pub struct Connected {
    /// The way.
    pub connection: Connection,
    /// The header `Authorization`, where it is always the same.
    pub authorization: Option<HeaderValue>,
}

impl fmt::Debug for Connected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connected").finish_non_exhaustive()
    }
}

impl Connected {
    /// As these settings have it, with the account's variables.
    pub fn of(
        account: AccountId,
        settings: &EndpointSettings,
        of_account: &AccountConnection,
        variables: &AccountVariables,
    ) -> Result<Self, Unconnectable> {
        let fill = Fill(variables);
        let (authorization, credentials) = match &settings.auth {
            None => (None, None),
            Some(auth) => fill.auth(auth)?,
        };
        let certificate = settings.client_certificate.as_ref();
        let certificate = certificate.map(|own| fill.certificate(own)).transpose()?;
        let proxy = settings.proxy.as_ref().or(of_account.proxy.as_ref());
        let parts = ConnectionParts {
            authorities: of_account.authorities.clone(),
            certificate,
            proxy: proxy.map(|proxy| fill.proxy(proxy)).transpose()?,
            credentials,
        };
        Ok(Self {
            connection: Connection::of(account.uuid(), parts),
            authorization,
        })
    }

    /// Adds the header that is always the same.
    pub fn add_to(&self, headers: &mut HeaderMap) {
        if let Some(value) = &self.authorization {
            headers.insert(header::AUTHORIZATION, value.clone());
        }
    }
}

/// Puts the values of variables into texts.
struct Fill<'a>(&'a AccountVariables);

impl Fill<'_> {
    fn text(&self, pointer: &'static str, text: &str) -> Result<Zeroizing<String>, Unconnectable> {
        let filled = self.0.fill_text(text);
        let filled = filled.map_err(|why| Unconnectable { pointer, why })?;
        Ok(Zeroizing::new(filled.text().to_owned()))
    }

    /// A text that must not stand in settings itself.
    fn secret(
        &self,
        pointer: &'static str,
        text: &str,
    ) -> Result<Zeroizing<String>, Unconnectable> {
        let filled = self.0.fill_text(text);
        let filled = filled.map_err(|why| Unconnectable { pointer, why })?;
        if filled.secrets.is_empty() {
            let why = "a secret does not stand in an endpoint: make a secret variable of it with POST /v1/variables, \
                 and write {{vars.name}} here";
            return Err(Unconnectable {
                pointer,
                why: why.to_owned(),
            });
        }
        Ok(Zeroizing::new(filled.text().to_owned()))
    }

    fn auth(
        &self,
        auth: &Auth,
    ) -> Result<(Option<HeaderValue>, Option<ClientCredentials>), Unconnectable> {
        match auth {
            Auth::Basic(BasicAuth { username, password }) => {
                let pointer = "/auth/basic/username";
                let user = self.text(pointer, username)?;
                let password = self.secret("/auth/basic/password", password)?;
                let value = basic(&user, &password).filter(|_| is_user(&user));
                let value = value.ok_or_else(|| Unconnectable {
                    pointer,
                    why: "a user has 1 to 255 bytes, and no colon or control character".to_owned(),
                })?;
                Ok((Some(value), None))
            }
            Auth::Bearer(BearerAuth { token }) => {
                let pointer = "/auth/bearer/token";
                let token = self.secret(pointer, token)?;
                let text = Zeroizing::new(format!("Bearer {}", *token));
                let value = HeaderValue::try_from(text.as_str());
                let mut value = value.map_err(|_| Unconnectable {
                    pointer,
                    why: "the token has characters that a header can't have: use visible ASCII"
                        .to_owned(),
                })?;
                value.set_sensitive(true);
                Ok((Some(value), None))
            }
            Auth::OAuth2(settings) => Ok((None, Some(self.credentials(settings)?))),
        }
    }

    fn credentials(&self, settings: &OAuth2) -> Result<ClientCredentials, Unconnectable> {
        let token_url = Target::parse(&settings.token_url).map_err(|error| Unconnectable {
            pointer: "/auth/oauth2/token_url",
            why: error.to_string(),
        })?;
        let client_id = self.text("/auth/oauth2/client_id", &settings.client_id)?;
        let audience = settings.audience.as_deref();
        let audience = audience.map(|text| self.text("/auth/oauth2/audience", text));
        Ok(ClientCredentials {
            token_url,
            client_id: client_id.to_string(),
            client_secret: self.secret("/auth/oauth2/client_secret", &settings.client_secret)?,
            place: match settings.auth {
                CredentialsPlace::Header => SecretPlace::Header,
                CredentialsPlace::Body => SecretPlace::Body,
            },
            scope: settings.scopes.join(" "),
            audience: audience.transpose()?.map(|text| text.to_string()),
        })
    }

    fn certificate(&self, own: &OwnCertificate) -> Result<ClientCertificate, Unconnectable> {
        Ok(ClientCertificate {
            chain: own.certificate.clone(),
            key: self.secret("/client_certificate/key", &own.key)?,
        })
    }

    fn proxy(&self, settings: &ProxySettings) -> Result<Proxy, Unconnectable> {
        let wrong = |error: crate::outbound::ProxyError| Unconnectable {
            pointer: "/proxy/url",
            why: error.to_string(),
        };
        let proxy = Proxy::parse(&settings.url).map_err(wrong)?;
        match (&settings.username, &settings.password) {
            (None, None) => Ok(proxy),
            (Some(user), Some(password)) => {
                let user = self.text("/proxy/username", user)?;
                let password = self.secret("/proxy/password", password)?;
                proxy
                    .with_credentials(&user, &password)
                    .map_err(|error| Unconnectable {
                        pointer: "/proxy/username",
                        why: error.to_string(),
                    })
            }
            (user, _) => Err(Unconnectable {
                pointer: match user {
                    Some(_) => "/proxy/password",
                    None => "/proxy/username",
                },
                why: "a proxy has both a user and a password, or none".to_owned(),
            }),
        }
    }
}

/// Whether this is a user as `Basic` can name one.
fn is_user(text: &str) -> bool {
    (1..=255).contains(&text.len()) && !text.contains(|it: char| it == ':' || it.is_control())
}
