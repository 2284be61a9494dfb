//! What the operator chose: a file, then the environment (`THROWBAR_…`), then flags; each beats
//! the one before. A key that nobody knows is an error: a misspelt limit must not be a default.

mod error;

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use http::HeaderValue;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

pub use error::Error;

use crate::alert::SmtpSettings;
use crate::model::{Retention, limits};
use crate::outbound::{self, EgressGuard, Proxy};
use crate::telemetry::LogFormat;

/// The prefix of the environment's keys.
const PREFIX: &str = "THROWBAR_";
/// The settings that are lists, with commas in the environment and in flags.
const LISTS: [&str; 2] = ["egress_allow", "egress_addresses"];
/// Keys under the prefix that are not settings of the server.
const NOT_SETTINGS: [&str; 5] = [
    "THROWBAR_URL",
    "THROWBAR_KEY",
    "THROWBAR_SECRET",
    "THROWBAR_CONFIG",
    "THROWBAR_CRASH_POINT",
];
/// Prefix of what the project's own tests and scripts say to each other.
const TESTS_PREFIX: &str = "THROWBAR_TEST_";
/// Shortest bootstrap key: it is an operator's key, chosen by a person.
const BOOTSTRAP_KEY_CHARS_MIN: usize = 24;

/// Everything that can be set.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The address to serve on, such as `127.0.0.1:8080`; port 0 picks a free one.
    pub listen: String,
    /// Where the server is for those who send to it, such as `https://hooks.example.com`: the URLs of receivers begin
    /// so. Without it, with the address that it listens on.
    pub public_url: Option<String>,
    /// Where the embedded database and the master key are kept.
    pub data: PathBuf,
    /// `sqlite:PATH` or `postgres://…`; without it, SQLite under `data`.
    pub database_url: Option<String>,
    /// The key that seals secrets: base64 of 32 bytes, older ones on further lines. Without it, a
    /// file under `data`, made on the first start.
    pub master_key: Option<String>,
    /// An operator key that exists from the start.
    pub bootstrap_key: Option<String>,
    /// Private ranges that deliveries may reach all the same, such as `127.0.0.0/8`.
    pub egress_allow: Vec<String>,
    /// From where requests leave, such as `203.0.113.7` or `2001:db8::/48`: published to all clients, and else of
    /// no effect.
    pub egress_addresses: Vec<String>,
    /// The proxy that deliveries leave through, such as `http://user:password@proxy.example:3128`.
    pub egress_proxy: Option<String>,
    /// As what this server asks receivers that have to agree before: its name in the DNS.
    pub webhook_origin: String,
    /// Whether endpoints must be https.
    pub https_only: bool,
    /// Largest payload of an event, in bytes.
    pub payload_bytes_max: usize,
    /// Most requests open to one endpoint at a time.
    pub endpoint_window_max: u32,
    /// Threads that run plugins; 0: one for each processor.
    pub plugin_threads: usize,
    /// For how many days an account keeps payloads, if it says nothing.
    pub retention_payload_days: i64,
    /// For how many days an account keeps what became of events, if it says nothing.
    pub retention_log_days: i64,
    /// How long a stop waits for what is under way, before it is handed back.
    pub shutdown_ms: u64,
    /// What is logged: `info`, `debug`, `throwbar=debug,info` …
    pub log: String,
    /// `text` or `json`.
    pub log_format: LogFormat,
    /// The mail server that alerts are handed to: `smtp://relay`, `smtps://NAME:PASSWORD@relay` … Without it there
    /// are no mails.
    pub smtp_url: Option<String>,
    /// From whom they are: `alerts@example.com`, `Throwbar <alerts@example.com>`.
    pub smtp_from: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".to_owned(),
            public_url: None,
            data: PathBuf::from("./data"),
            database_url: None,
            master_key: None,
            bootstrap_key: None,
            egress_allow: Vec::new(),
            egress_addresses: Vec::new(),
            egress_proxy: None,
            webhook_origin: "throwbar".to_owned(),
            https_only: false,
            payload_bytes_max: limits::PAYLOAD_BYTES_MAX,
            endpoint_window_max: 256,
            plugin_threads: 0,
            retention_payload_days: limits::PAYLOAD_DAYS_DEFAULT,
            retention_log_days: limits::LOG_DAYS_DEFAULT,
            shutdown_ms: 20_000,
            log: "info".to_owned(),
            log_format: LogFormat::Text,
            smtp_url: None,
            smtp_from: None,
        }
    }
}

impl Config {
    /// Reads the settings: the file, if one is named; then `environment`; then `flags` (names and
    /// values as in the file).
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
        flags: Vec<(&str, String)>,
    ) -> Result<Self, Error> {
        let mut builder = config::Config::builder();
        if let Some(path) = file {
            builder = builder.add_source(config::File::from(path));
        }
        for (key, value) in environment {
            if !is_setting(&key) || value.is_empty() {
                continue;
            }
            // As text: a key of digits is not a number. What shall be one is read as one below.
            let name = known_name(&key)?;
            let value = spelled(&name, value);
            builder = builder.set_override(name, value).map_err(Error::Wrong)?;
        }
        for (name, value) in flags {
            let value = spelled(name, value);
            builder = builder.set_override(name, value).map_err(Error::Wrong)?;
        }
        let read: Self = builder
            .build()
            .and_then(config::Config::try_deserialize)
            .map_err(Error::Wrong)?;
        read.check()
    }

    fn check(self) -> Result<Self, Error> {
        self.smtp()?;
        let too_short = |key: &String| key.chars().count() < BOOTSTRAP_KEY_CHARS_MIN;
        if self.bootstrap_key.as_ref().is_some_and(too_short) {
            return Err(Error::BootstrapKey);
        }
        self.egress_allow()?;
        self.egress_addresses()?;
        self.retention()?;
        self.public_url()?;
        self.way_out(&EgressGuard::default())?;
        Ok(self)
    }

    /// For how long accounts keep things that say nothing of it.
    pub fn retention(&self) -> Result<Retention, Error> {
        Retention::new(self.retention_payload_days, self.retention_log_days)
            .map_err(Error::Retention)
    }

    /// How requests leave, behind this guard.
    pub fn way_out(&self, guard: &EgressGuard) -> Result<outbound::Settings, Error> {
        let proxy = self.egress_proxy.as_deref().map(Proxy::parse);
        let name = &self.webhook_origin;
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
        if name.is_empty() || !name.bytes().all(fits) {
            return Err(Error::WebhookOrigin);
        }
        Ok(outbound::Settings {
            guard: guard.clone(),
            proxy: proxy.transpose().map_err(Error::EgressProxy)?,
            origin: HeaderValue::from_str(name).map_err(|_| Error::WebhookOrigin)?,
            ..outbound::Settings::default()
        })
    }

    /// The private ranges that deliveries may reach.
    pub fn egress_allow(&self) -> Result<Vec<IpNet>, Error> {
        let read = |text: &String| text.trim().parse().map_err(|_| Error::Egress(text.clone()));
        self.egress_allow.iter().map(read).collect()
    }

    /// The mail server, if there is one.
    pub fn smtp(&self) -> Result<Option<SmtpSettings>, Error> {
        match (&self.smtp_url, &self.smtp_from) {
            (None, None) => Ok(None),
            (Some(url), Some(from)) => SmtpSettings::parse(url, from)
                .map(Some)
                .map_err(Error::Smtp),
            _ => Err(Error::SmtpHalf),
        }
    }

    /// Where the server is for those who send to it, if that is said.
    pub fn public_url(&self) -> Result<Option<url::Url>, Error> {
        let Some(text) = &self.public_url else {
            return Ok(None);
        };
        let read = url::Url::parse(text).ok().filter(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.has_host()
                && url.username().is_empty()
                && url.password().is_none()
                && url.query().is_none()
                && url.fragment().is_none()
        });
        read.map(Some).ok_or_else(|| Error::PublicUrl(text.clone()))
    }

    /// From where requests leave: an address is a range of one.
    pub fn egress_addresses(&self) -> Result<Vec<IpNet>, Error> {
        let read = |text: &String| {
            let (range, address) = (text.trim().parse(), text.trim().parse::<IpAddr>());
            range
                .or(address.map(IpNet::from))
                .map_err(|_| Error::EgressAddress(text.clone()))
        };
        self.egress_addresses.iter().map(read).collect()
    }

    /// Where everything is kept.
    pub fn database_url(&self) -> String {
        match &self.database_url {
            Some(url) => url.clone(),
            None => format!("sqlite:{}", self.data.join("throwbar.db").display()),
        }
    }

    /// The same settings with secrets hidden, for showing.
    #[must_use]
    pub fn without_secrets(&self) -> Self {
        let hide = |value: &Option<String>| value.as_ref().map(|_| "(hidden)".to_owned());
        Self {
            master_key: hide(&self.master_key),
            bootstrap_key: hide(&self.bootstrap_key),
            database_url: self.database_url.as_deref().map(without_password),
            smtp_url: self.smtp_url.as_deref().map(without_password),
            egress_proxy: self.egress_proxy.as_deref().map(without_password),
            ..self.clone()
        }
    }
}

/// The setting that a variable sets.
fn known_name(key: &str) -> Result<String, Error> {
    let name = key[PREFIX.len()..].to_ascii_lowercase();
    let known = serde_json::to_value(Config::default()).expect("settings are plain");
    if known.get(&name).is_some() {
        Ok(name)
    } else {
        Err(Error::Unknown(key.to_owned()))
    }
}

/// A value as it was written: a list is one of texts.
fn spelled(name: &str, value: String) -> config::Value {
    if LISTS.contains(&name) {
        config::Value::from(value.split(',').map(str::to_owned).collect::<Vec<_>>())
    } else {
        config::Value::from(value)
    }
}

fn is_setting(key: &str) -> bool {
    key.starts_with(PREFIX) && !NOT_SETTINGS.contains(&key) && !key.starts_with(TESTS_PREFIX)
}

fn without_password(url: &str) -> String {
    let Ok(mut parsed) = url::Url::parse(url) else {
        return url.to_owned();
    };
    if parsed.password().is_some() && parsed.set_password(Some("hidden")).is_err() {
        return "(hidden)".to_owned();
    }
    parsed.to_string()
}

#[cfg(test)]
mod tests;
