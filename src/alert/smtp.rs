//! The mail server: its URL, and the way to it. What is sent is a message with a text and an HTML part, from the
//! installation's own address.

use std::time::{Duration, SystemTime};

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{CertificateStore, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use url::Url;

use super::fate::{self, Tried};
use super::letter::Letter;
use crate::model::Timestamp;
use crate::store::Mail;

/// The time for one whole mail, from the connection on.
const SENDING_MAX: Duration = Duration::from_secs(30);
const SMTPS_PORT: u16 = 465;
/// Where programs with a name and a password hand in mails.
const SUBMISSION_PORT: u16 = 587;
const RELAY_PORT: u16 = 25;

/// Why the mail server can't be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URL is none of a mail server.
    #[error(
        "it must be smtp://HOST, smtps://HOST or with NAME:PASSWORD@ before the host, both percent-encoded, and \
         :PORT after it"
    )]
    Url,
    /// The URL has something that means nothing.
    #[error(
        "only ?tls=required, ?tls=opportunistic or ?tls=none may follow the host, and of those none with smtps://"
    )]
    Parameters,
    /// The name or the password is not UTF-8.
    #[error("the name or the password is not percent-encoded UTF-8")]
    Credentials,
    /// The sender's address is none.
    #[error(
        "'{0}' is not a sender such as alerts@example.com or \"Throwbar <alerts@example.com>\""
    )]
    From(String),
    /// TLS can't be set up.
    #[error("TLS to the mail server can't be set up")]
    Tls(#[source] lettre::transport::smtp::Error),
    /// The mail server has not taken a mail.
    #[error("the mail server has not taken it: {0}")]
    Refused(String),
    /// A message can't be made.
    #[error("the message can't be written")]
    Message(#[source] lettre::error::Error),
    /// An address is none any more.
    #[error("the address can't be used")]
    Address(#[source] lettre::address::AddressError),
}

/// How a connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encryption {
    /// From the first byte on.
    Wrapped,
    /// By STARTTLS, or nothing is sent.
    Required,
    /// By STARTTLS if the server offers it.
    Opportunistic,
    /// Not.
    None,
}

/// Where the mail server is, and who sends.
#[derive(Clone, PartialEq, Eq)]
pub struct SmtpSettings {
    host: String,
    port: u16,
    encryption: Encryption,
    credentials: Option<(String, String)>,
    from: Mailbox,
}

impl std::fmt::Debug for SmtpSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SmtpSettings")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("encryption", &self.encryption)
            .finish_non_exhaustive()
    }
}

impl SmtpSettings {
    /// Reads `smtp://…` (STARTTLS: required where a password is sent, else if it is offered) or `smtps://…`.
    pub fn parse(url: &str, from: &str) -> Result<Self, Error> {
        let url: Url = url.trim().parse().map_err(|_| Error::Url)?;
        let host = url
            .host_str()
            .filter(|host| !host.is_empty())
            .ok_or(Error::Url)?;
        if !matches!(url.path(), "" | "/") || url.fragment().is_some() {
            return Err(Error::Url);
        }
        let decoded = |text: &str| {
            percent_encoding::percent_decode_str(text)
                .decode_utf8()
                .map(std::borrow::Cow::into_owned)
                .map_err(|_| Error::Credentials)
        };
        let credentials = match (url.username(), url.password()) {
            ("", None) => None,
            (name, password) => Some((decoded(name)?, decoded(password.unwrap_or_default())?)),
        };
        let encryption = match (url.scheme(), url.query()) {
            ("smtps", None) => Encryption::Wrapped,
            ("smtp", None) if credentials.is_some() => Encryption::Required,
            ("smtp", None | Some("tls=opportunistic")) => Encryption::Opportunistic,
            ("smtp", Some("tls=required")) => Encryption::Required,
            ("smtp", Some("tls=none")) => Encryption::None,
            ("smtp" | "smtps", Some(_)) => return Err(Error::Parameters),
            _ => return Err(Error::Url),
        };
        let usual_port = match (encryption, &credentials) {
            (Encryption::Wrapped, _) => SMTPS_PORT,
            (_, Some(_)) => SUBMISSION_PORT,
            (_, None) => RELAY_PORT,
        };
        let sender = from.trim().parse::<Mailbox>().ok();
        let from = sender
            .filter(|it| it.email.to_string().is_ascii() && !from.chars().any(char::is_control))
            .ok_or_else(|| Error::From(from.chars().take(80).collect()))?;
        Ok(Self {
            host: host.to_owned(),
            port: url.port().unwrap_or(usual_port),
            encryption,
            credentials,
            from,
        })
    }
}

/// The way to the mail server. Each mail has a connection of its own.
#[derive(Debug)]
pub struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    patience: Duration,
}

impl Smtp {
    /// The way to this one. Nothing is connected yet.
    pub fn new(settings: &SmtpSettings) -> Result<Self, Error> {
        let tls = match settings.encryption {
            Encryption::None => Tls::None,
            Encryption::Opportunistic => Tls::Opportunistic(parameters(&settings.host)?),
            Encryption::Required => Tls::Required(parameters(&settings.host)?),
            Encryption::Wrapped => Tls::Wrapper(parameters(&settings.host)?),
        };
        let own_name = settings.from.email.domain().to_owned();
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&settings.host)
            .port(settings.port)
            .tls(tls)
            .hello_name(ClientId::Domain(own_name))
            .timeout(Some(SENDING_MAX));
        if let Some((name, password)) = &settings.credentials {
            builder = builder.credentials(Credentials::new(name.clone(), password.clone()));
        }
        Ok(Self {
            transport: builder.build(),
            from: settings.from.clone(),
            patience: SENDING_MAX,
        })
    }

    /// The same with another time for one whole mail.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// The message of a letter: one of a thread about its endpoint, and nothing that another machine should answer.
    pub(super) fn message(
        &self,
        mail: &Mail,
        letter: &Letter,
        now: Timestamp,
    ) -> Result<Message, Error> {
        let domain = self.from.email.domain();
        let thread = format!("<{}@{domain}>", mail.endpoint);
        let address = mail.address.parse().map_err(Error::Address)?;
        let list = format!("<alerts.{}.{domain}>", mail.account);
        let mut message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, address))
            .subject(letter.subject())
            .date(system_time(now))
            .message_id(Some(format!("<{}@{domain}>", mail.id)))
            .in_reply_to(thread.clone())
            .references(thread);
        for (name, value) in [
            ("Auto-Submitted", "auto-generated".to_owned()),
            ("X-Auto-Response-Suppress", "All".to_owned()),
            ("List-Id", list),
        ] {
            let name = HeaderName::new_from_ascii(name.to_owned()).expect("a plain name");
            message = message.raw_header(HeaderValue::new(name, value));
        }
        message
            .multipart(MultiPart::alternative_plain_html(
                letter.text(),
                letter.html(),
            ))
            .map_err(Error::Message)
    }

    /// Sends a mail that only says that mails arrive, to an address. What the mail server said.
    pub async fn test(&self, to: &str, now: Timestamp) -> Result<String, Error> {
        let address = to.parse().map_err(Error::Address)?;
        let message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, address))
            .subject("[Throwbar] Mails arrive")
            .date(system_time(now))
            .message_id(None)
            .body("This mail was asked for with `throwbar mail test`. Alerts will come the same way.\n".to_owned())
            .map_err(Error::Message)?;
        match self.send(message).await {
            Tried::Taken(said) => Ok(said),
            Tried::Refused(said) | Tried::NotNow(said) => Err(Error::Refused(said)),
        }
    }

    /// Hands a message to the mail server.
    pub(super) async fn send(&self, message: Message) -> Tried {
        match tokio::time::timeout(self.patience, self.transport.send(message)).await {
            Ok(Ok(response)) => {
                let said: Vec<&str> = response.message().collect();
                Tried::Taken(format!("{} {}", response.code(), said.join(" ")))
            }
            Ok(Err(error)) => Tried::failed(error.status().map(u16::from), fate::words(&error)),
            Err(_elapsed) => Tried::failed(
                None,
                format!("no end after {} seconds", self.patience.as_secs()),
            ),
        }
    }
}

/// TLS to this host: whom the machine trusts, or where it says nothing Mozilla's list.
fn parameters(host: &str) -> Result<TlsParameters, Error> {
    let roots = if rustls_native_certs::load_native_certs().certs.is_empty() {
        CertificateStore::WebpkiRoots
    } else {
        CertificateStore::Default
    };
    TlsParameters::builder(host.to_owned())
        .certificate_store(roots)
        .build()
        .map_err(Error::Tls)
}

fn system_time(now: Timestamp) -> SystemTime {
    let since = Duration::from_millis(u64::try_from(now.as_ms()).unwrap_or(0));
    SystemTime::UNIX_EPOCH + since
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> Result<SmtpSettings, Error> {
        SmtpSettings::parse(url, "Throwbar <alerts@example.com>")
    }

    #[test]
    fn urls_as_operators_write_them() {
        let pair = |name: &str, password: &str| Some((name.to_owned(), password.to_owned()));
        for (url, port, encryption, credentials) in [
            ("smtp://relay", 25, Encryption::Opportunistic, None),
            ("smtp://relay/?tls=none", 25, Encryption::None, None),
            (
                "smtp://relay:2525?tls=required",
                2525,
                Encryption::Required,
                None,
            ),
            (
                "smtp://me%40a.test:p%3Aw%2F@relay",
                587,
                Encryption::Required,
                pair("me@a.test", "p:w/"),
            ),
            (
                "smtp://me:pw@relay?tls=opportunistic",
                587,
                Encryption::Opportunistic,
                pair("me", "pw"),
            ),
            (
                "smtps://me:pw@relay",
                465,
                Encryption::Wrapped,
                pair("me", "pw"),
            ),
        ] {
            let settings = read(url).expect(url);
            let found = (
                settings.port,
                settings.encryption,
                settings.credentials.clone(),
            );
            assert_eq!(found, (port, encryption, credentials), "{url}");
            assert_eq!(settings.host, "relay");
            assert!(!format!("{settings:?}").contains("pw"), "{settings:?}");
        }
    }

    #[test]
    fn what_is_no_mail_server_is_refused() {
        for url in [
            "",
            "relay",
            "http://relay",
            "smtp://",
            "smtp://relay/path",
            "smtp://relay#x",
        ] {
            assert!(matches!(read(url), Err(Error::Url)), "{url}");
        }
        for url in [
            "smtp://relay?tls=yes",
            "smtps://relay?tls=none",
            "smtp://relay?x",
        ] {
            assert!(matches!(read(url), Err(Error::Parameters)), "{url}");
        }
        let broken = read("smtp://me:%ff@relay");
        assert!(matches!(broken, Err(Error::Credentials)), "{broken:?}");
        for from in [
            "",
            "alerts",
            "a@b.test, c@d.test",
            "a@b.test\r\nBcc: c@d.test",
        ] {
            let read = SmtpSettings::parse("smtp://relay", from);
            assert!(matches!(read, Err(Error::From(_))), "{from:?}");
        }
    }
}
