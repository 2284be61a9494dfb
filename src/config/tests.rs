//! What is set, and what is refused.

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
    let config =
        Config::load(Some(&file), env, vec![("listen", "127.0.0.1:3".to_owned())]).expect("fine");
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
        ("THROWBAR_SMTP_URL", "smtps://me:secret@127.0.0.1"),
        ("THROWBAR_SMTP_FROM", "alerts@example.com"),
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

#[test]
fn a_mail_server_and_a_sender_belong_together() {
    let refused = |url: &str, from: &str| {
        let env = environment(&[("THROWBAR_SMTP_URL", url), ("THROWBAR_SMTP_FROM", from)]);
        Config::load(None, env, Vec::new()).expect_err("refused")
    };
    for (url, from) in [("smtp://relay", ""), ("", "alerts@example.com")] {
        assert!(matches!(refused(url, from), Error::SmtpHalf));
    }
    let wrong = refused("relay:25", "alerts@example.com");
    let why = std::error::Error::source(&wrong).expect("why").to_string();
    assert!(
        wrong.to_string().contains("smtp_url (THROWBAR_SMTP_URL)") && why.contains("smtp://HOST"),
        "{wrong}: {why}"
    );
}
