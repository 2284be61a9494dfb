//! What the operator chose: a file, then the environment (`THROWBAR_…`), then flags; each beats
//! the one before. A key that nobody knows is an error: a misspelt limit must not be a default.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

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
    /// Alerts by mail are not built.
    #[error("smtp_url (THROWBAR_SMTP_URL) is not built yet: take it out; alerts are in the log")]
    Smtp,
}

/// Everything that can be set.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The address to serve on, such as `127.0.0.1:8080`; port 0 picks a free one.
    pub listen: String,
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
    /// Whether endpoints must be https.
    pub https_only: bool,
    /// Largest payload of an event, in bytes.
    pub payload_bytes_max: usize,
    /// Most requests open to one endpoint at a time.
    pub endpoint_window_max: u32,
    /// Threads that run plugins; 0: one for each processor.
    pub plugin_threads: usize,
    /// How long a stop waits for what is under way, before it is handed back.
    pub shutdown_ms: u64,
    /// What is logged: `info`, `debug`, `throwbar=debug,info` …
    pub log: String,
    /// `text` or `json`.
    pub log_format: LogFormat,
    /// Where alerts are to be mailed from; not built yet.
    pub smtp_url: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".to_owned(),
            data: PathBuf::from("./data"),
            database_url: None,
            master_key: None,
            bootstrap_key: None,
            egress_allow: Vec::new(),
            egress_addresses: Vec::new(),
            https_only: false,
            payload_bytes_max: crate::model::limits::PAYLOAD_BYTES_MAX,
            endpoint_window_max: 256,
            plugin_threads: 0,
            shutdown_ms: 20_000,
            log: "info".to_owned(),
            log_format: LogFormat::Text,
            smtp_url: None,
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
        if self.smtp_url.is_some() {
            return Err(Error::Smtp);
        }
        let too_short = |key: &String| key.chars().count() < BOOTSTRAP_KEY_CHARS_MIN;
        if self.bootstrap_key.as_ref().is_some_and(too_short) {
            return Err(Error::BootstrapKey);
        }
        self.egress_allow()?;
        self.egress_addresses()?;
        Ok(self)
    }

    /// The private ranges that deliveries may reach.
    pub fn egress_allow(&self) -> Result<Vec<IpNet>, Error> {
        let read = |text: &String| text.trim().parse().map_err(|_| Error::Egress(text.clone()));
        self.egress_allow.iter().map(read).collect()
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
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn flags_beat_the_environment_which_beats_the_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("throwbar.toml");
        std::fs::write(
            &file,
            "listen = \"127.0.0.1:1\"\nlog = \"debug\"\nhttps_only = true\n",
        )
        .expect("written");
        let env = environment(&[
            ("THROWBAR_LISTEN", "127.0.0.1:2"),
            ("THROWBAR_EGRESS_ALLOW", "127.0.0.0/8,10.0.0.0/8"),
            ("THROWBAR_SHUTDOWN_MS", "250"),
            ("THROWBAR_TEST_POSTGRES", "not a setting"),
            ("PATH", "/bin"),
        ]);
        let config = Config::load(Some(&file), env, vec![("listen", "127.0.0.1:3".to_owned())])
            .expect("fine");
        assert_eq!(
            (config.listen.as_str(), config.log.as_str()),
            ("127.0.0.1:3", "debug")
        );
        assert!(config.https_only);
        assert_eq!(config.shutdown_ms, 250);
        assert_eq!(config.egress_allow.len(), 2);
    }

    #[test]
    fn addresses_to_be_published_are_addresses_or_ranges() {
        let env = environment(&[("THROWBAR_EGRESS_ADDRESSES", "203.0.113.7, 2001:db8::/48")]);
        let config = Config::load(None, env.clone(), Vec::new()).expect("fine");
        let shown = |config: &Config| -> Vec<String> {
            let ranges = config.egress_addresses().expect("read");
            ranges.iter().map(ToString::to_string).collect()
        };
        assert_eq!(shown(&config), ["203.0.113.7/32", "2001:db8::/48"]);
        let flags = vec![("egress_addresses", "198.51.100.1".to_owned())];
        let config = Config::load(None, env, flags).expect("fine");
        assert_eq!(shown(&config), ["198.51.100.1/32"]);
        for wrong in ["example.com", "203.0.113.7,", "203.0.113.7/33", "203.0.113"] {
            let env = environment(&[("THROWBAR_EGRESS_ADDRESSES", wrong)]);
            let error = Config::load(None, env, Vec::new()).expect_err(wrong);
            assert!(matches!(error, Error::EgressAddress(_)), "{wrong}: {error}");
        }
    }

    #[test]
    fn what_nobody_knows_is_refused_by_name() {
        for name in ["THROWBAR_LISTNE", "THROWBAR_listne", "THROWBAR_"] {
            let error = Config::load(None, environment(&[(name, "x")]), Vec::new())
                .expect_err("unknown")
                .to_string();
            assert!(
                error.starts_with(&format!("{name} is no setting")),
                "{error}"
            );
        }
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("throwbar.toml");
        std::fs::write(&file, "listne = 1\n").expect("written");
        assert!(Config::load(Some(&file), Vec::new(), Vec::new()).is_err());
    }

    #[test]
    fn text_stays_text_and_numbers_are_read() {
        let digits = "000123456789012345678901234567890";
        let env = environment(&[
            ("THROWBAR_BOOTSTRAP_KEY", digits),
            ("THROWBAR_LOG", "1e3"),
            ("THROWBAR_DATA", "0007"),
            ("THROWBAR_PAYLOAD_BYTES_MAX", "1000"),
            ("THROWBAR_HTTPS_ONLY", "true"),
            ("THROWBAR_LOG_FORMAT", "json"),
            ("THROWBAR_MASTER_KEY", ""),
        ]);
        let config = Config::load(None, env, Vec::new()).expect("fine");
        assert_eq!(config.bootstrap_key.as_deref(), Some(digits));
        assert_eq!(
            (config.log.as_str(), config.data),
            ("1e3", PathBuf::from("0007"))
        );
        assert_eq!((config.payload_bytes_max, config.https_only), (1000, true));
        assert_eq!(config.master_key, None, "empty is not there");
        let wrong = environment(&[("THROWBAR_PAYLOAD_BYTES_MAX", "many")]);
        assert!(Config::load(None, wrong, Vec::new()).is_err());
    }

    #[test]
    fn secrets_are_hidden_and_short_keys_refused() {
        let env = environment(&[
            ("THROWBAR_BOOTSTRAP_KEY", "tb_0123456789abcdef0123456789"),
            ("THROWBAR_DATABASE_URL", "postgres://me:secret@127.0.0.1/x"),
        ]);
        let shown = format!(
            "{:?}",
            Config::load(None, env, Vec::new())
                .expect("fine")
                .without_secrets()
        );
        assert!(
            !shown.contains("secret") && !shown.contains("0123456789"),
            "{shown}"
        );
        let short = environment(&[("THROWBAR_BOOTSTRAP_KEY", "short")]);
        assert!(matches!(
            Config::load(None, short, Vec::new()),
            Err(Error::BootstrapKey)
        ));
    }
}
