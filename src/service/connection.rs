//! How deliveries are connected: what an account says for all of its endpoints, and what an endpoint may say for itself.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::endpoint_shape::settings_text;
use super::principal::{MayAdminister, MayRead, Principal};
use super::profile::standard;
use super::{Error, Service};
use crate::model::{AccountId, Timestamp};
use crate::outbound::{self, CertificateFacts, ClientCertificate, Proxy};
use crate::pipeline::{
    AccountConnection, Auth, Connected, EndpointSettings, OwnCertificate, ProxySettings,
};
use crate::store::AccountConnectionRow;

/// Most scopes that a token is asked for.
const SCOPES_MAX: usize = 50;
/// Longest id, scope or audience of a client.
const CLIENT_TEXT_BYTES_MAX: usize = 1024;

/// How all of an account's deliveries are connected. What is left out, or null, is as usual.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountConnectionRequest {
    /// Certificates of authorities that are trusted beside the server's own, for this account's deliveries only: PEM,
    /// one after the other, 50 at most.
    #[schema(example = "-----BEGIN CERTIFICATE-----\n…\n-----END CERTIFICATE-----\n")]
    pub certificate_authorities: Option<String>,
    /// The proxy of all endpoints that have none of their own.
    pub proxy: Option<ProxySettings>,
}

/// How all of an account's deliveries are connected.
#[derive(Debug, Serialize, ToSchema)]
pub struct AccountConnectionView {
    /// Certificates of authorities that are trusted beside the server's own, as PEM; null, if there are none.
    pub certificate_authorities: Option<String>,
    /// What those certificates say, in their order.
    pub authorities: Vec<CertificateView>,
    /// The proxy of all endpoints that have none of their own; null, if there is none.
    pub proxy: Option<ProxySettings>,
    /// When this last changed, RFC 3339; null, if it never did.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub updated_at: Option<Timestamp>,
}

/// What a certificate says.
#[derive(Debug, Serialize, ToSchema)]
pub struct CertificateView {
    /// Whose it is.
    #[schema(example = "CN=Example Root, O=Example Ltd")]
    pub subject: String,
    /// When its time is over, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

/// An endpoint's client certificate.
#[derive(Debug, Serialize, ToSchema)]
pub struct OwnCertificateView {
    /// PEM, its own certificate first.
    pub certificate: String,
    /// The reference to the variable with its private key.
    #[schema(example = "{{vars.crm_client_key}}")]
    pub key: String,
    /// Whose it is; null, if it can't be read.
    pub subject: Option<String>,
    /// When its time is over, RFC 3339; null, if it can't be read.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
}

impl From<CertificateFacts> for CertificateView {
    fn from(facts: CertificateFacts) -> Self {
        Self {
            subject: facts.subject,
            expires_at: facts.expires_at,
        }
    }
}

impl From<OwnCertificate> for OwnCertificateView {
    fn from(own: OwnCertificate) -> Self {
        let facts = outbound::chain(&own.certificate).unwrap_or_default();
        let facts = facts.into_iter().next();
        let (subject, expires_at) = facts.map(|it| (it.subject, it.expires_at)).unzip();
        Self {
            certificate: own.certificate,
            key: own.key,
            subject,
            expires_at,
        }
    }
}

impl Service {
    /// How all of the account's deliveries are connected.
    pub async fn account_connection(
        &self,
        who: &Principal<MayRead>,
    ) -> Result<AccountConnectionView, Error> {
        let row = self.inner.store.account_connection(who.account()).await?;
        shown(row)
    }

    /// Has all of the account's deliveries be connected like this from now on.
    pub async fn put_account_connection(
        &self,
        who: &Principal<MayAdminister>,
        to: AccountConnectionRequest,
    ) -> Result<AccountConnectionView, Error> {
        let account = who.account();
        if let Some(pem) = &to.certificate_authorities {
            outbound::authorities(pem)
                .map_err(|error| Error::field("/certificate_authorities", error))?;
        }
        let mut proxy = None;
        if let Some(settings) = &to.proxy {
            self.check_proxy(settings)?;
            let text = serde_json::to_string(settings);
            proxy = Some(text.map_err(|error| Error::unreadable("the proxy", error))?);
        }
        let row = AccountConnectionRow {
            authorities: to.certificate_authorities,
            proxy,
            updated_at: self.inner.clock.now(),
        };
        let usual = standard();
        self.connected(account, &usual, Some(&row)).await?;
        let store = &self.inner.store;
        store.put_account_connection(account, &row).await?;
        tracing::info!(account.id = %account, key.id = %who.key(), "the account's connection was changed");
        shown(Some(row))
    }

    /// How an endpoint with these settings is connected; or what is wrong with them.
    pub(super) async fn check_connection(
        &self,
        account: AccountId,
        settings: &EndpointSettings,
    ) -> Result<Connected, Error> {
        if let Some(Auth::OAuth2(auth)) = &settings.auth {
            self.admit(&auth.token_url, "/auth/oauth2/token_url")?;
            check_texts(&auth.scopes, auth.audience.as_deref(), &auth.client_id)?;
        }
        if settings.auth.is_some() && settings.headers.contains_key("authorization") {
            let why =
                "the endpoint has auth, which makes this header: remove it, or set auth to null";
            return Err(Error::field("/headers/authorization", why));
        }
        if let Some(proxy) = &settings.proxy {
            self.check_proxy(proxy)?;
        }
        if let Some(own) = &settings.client_certificate {
            outbound::chain(&own.certificate)
                .map_err(|error| Error::field("/client_certificate/certificate", error))?;
        }
        let row = self.inner.store.account_connection(account).await?;
        self.connected(account, settings, row.as_ref()).await
    }

    fn check_proxy(&self, proxy: &ProxySettings) -> Result<(), Error> {
        let at = "/proxy/url";
        let admitted = Proxy::admit(&proxy.url, &self.inner.guard);
        let admitted = admitted.map_err(|error| Error::field(at, error))?;
        if admitted.has_credentials() {
            let why = "a secret does not stand in a URL: give username and password beside it";
            return Err(Error::field(at, why));
        }
        Ok(())
    }

    /// With all references filled.
    async fn connected(
        &self,
        account: AccountId,
        settings: &EndpointSettings,
        row: Option<&AccountConnectionRow>,
    ) -> Result<Connected, Error> {
        let of_account = row.map(read).transpose()?.unwrap_or_default();
        let mut texts = settings_text(settings)?;
        texts.push_str(row.and_then(|row| row.proxy.as_deref()).unwrap_or_default());
        let variables = self.variables_in(account, &texts).await?;
        let connected = Connected::of(account, settings, &of_account, &variables);
        let connected = connected.map_err(|wrong| Error::field(wrong.pointer, wrong.why))?;
        if let Some(own) = &settings.client_certificate {
            let key = variables.fill_text(&own.key);
            let key = key.map_err(|why| Error::field("/client_certificate/key", why))?;
            let own = ClientCertificate {
                chain: own.certificate.clone(),
                key: zeroize::Zeroizing::new(key.text().to_owned()),
            };
            own.check(self.inner.clock.now())
                .map_err(|error| Error::field("/client_certificate", error))?;
        }
        Ok(connected)
    }
}

fn shown(row: Option<AccountConnectionRow>) -> Result<AccountConnectionView, Error> {
    let known = row.as_ref().map(read).transpose()?.unwrap_or_default();
    let authorities = known.authorities.as_deref().map(outbound::authorities);
    let authorities = authorities.and_then(Result::ok).unwrap_or_default();
    Ok(AccountConnectionView {
        certificate_authorities: known.authorities.as_deref().map(str::to_owned),
        authorities: authorities.into_iter().map(CertificateView::from).collect(),
        proxy: known.proxy,
        updated_at: row.map(|row| row.updated_at),
    })
}

fn read(row: &AccountConnectionRow) -> Result<AccountConnection, Error> {
    AccountConnection::read(row)
        .map_err(|error| Error::unreadable("the account's connection", error))
}

fn check_texts(scopes: &[String], audience: Option<&str>, client: &str) -> Result<(), Error> {
    if scopes.len() > SCOPES_MAX {
        let why = format!("there are {} scopes: {SCOPES_MAX} at most", scopes.len());
        return Err(Error::field("/auth/oauth2/scopes", why));
    }
    // RFC 6749, 3.3.
    let is_scope = |text: &String| {
        let letters = |it: char| it.is_ascii_graphic() && it != '"' && it != '\\';
        !text.is_empty() && text.len() <= CLIENT_TEXT_BYTES_MAX && text.chars().all(letters)
    };
    if let Some(place) = scopes.iter().position(|text| !is_scope(text)) {
        let why = "a scope is one word of visible ASCII: write several as several";
        return Err(Error::field(format!("/auth/oauth2/scopes/{place}"), why));
    }
    for (at, text) in [
        ("/auth/oauth2/client_id", Some(client)),
        ("/auth/oauth2/audience", audience),
    ] {
        if text.is_some_and(|text| !(1..=CLIENT_TEXT_BYTES_MAX).contains(&text.len())) {
            let why = format!("this has 1 to {CLIENT_TEXT_BYTES_MAX} bytes");
            return Err(Error::field(at, why));
        }
    }
    Ok(())
}
