//! Why settings can't be used.

use super::BOOTSTRAP_KEY_CHARS_MIN;
use crate::alert;
use crate::model::RetentionError;
use crate::outbound::ProxyError;

/// Why the settings can't be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A value or a key is wrong.
    #[error("the configuration can't be used")]
    Wrong(#[source] config::ConfigError),
    /// A variable that nobody knows.
    #[error(
        "{0} is no setting: check its spelling, or take it out; the settings are in the README"
    )]
    Unknown(String),
    /// The bootstrap key is too short.
    #[error(
        "bootstrap_key (THROWBAR_BOOTSTRAP_KEY) must have at least {BOOTSTRAP_KEY_CHARS_MIN} characters"
    )]
    BootstrapKey,
    /// A range can't be read.
    #[error("egress_allow (THROWBAR_EGRESS_ALLOW): '{0}' is not a CIDR range such as 10.0.0.0/8")]
    Egress(String),
    /// An address can't be read.
    #[error(
        "egress_addresses (THROWBAR_EGRESS_ADDRESSES): '{0}' is neither an address such as 203.0.113.7 nor a CIDR \
         range such as 203.0.113.0/28"
    )]
    EgressAddress(String),
    /// The mail server or the sender can't be read.
    #[error("smtp_url (THROWBAR_SMTP_URL) or smtp_from (THROWBAR_SMTP_FROM) can't be used")]
    Smtp(#[source] alert::Error),
    /// There is a mail server and no sender, or a sender and no mail server.
    #[error(
        "smtp_url (THROWBAR_SMTP_URL) and smtp_from (THROWBAR_SMTP_FROM) belong together: set both, or none"
    )]
    SmtpHalf,
    /// Things can't be kept for so long.
    #[error("retention_payload_days and retention_log_days can't be used")]
    Retention(#[source] RetentionError),
    /// The server's own URL can't be used.
    #[error(
        "public_url (THROWBAR_PUBLIC_URL): '{0}' is no URL such as https://hooks.example.com, without user, query and \
         fragment"
    )]
    PublicUrl(String),
    /// A proxy can't be read.
    #[error("egress_proxy (THROWBAR_EGRESS_PROXY)")]
    EgressProxy(#[source] ProxyError),
    /// A name that can't be sent.
    #[error(
        "webhook_origin (THROWBAR_WEBHOOK_ORIGIN) must be a name of letters, digits, '-' and '.'"
    )]
    WebhookOrigin,
}
