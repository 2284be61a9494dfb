//! The master keys that a start begins with, and the proof that they open what is in the database.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use super::Error;
use crate::config::Config;
use crate::model::Clock;
use crate::store::Store;
use crate::vault::{MasterKey, Vault, random};

/// The name of the file in the data directory.
const FILE: &str = "master.key";
/// What is sealed under each key; whoever opens it has the key.
const WORD: &[u8] = b"throwbar";
/// What the word is sealed for.
const CONTEXT: &[u8] = b"the word of a master key";

/// The configured master keys; else those in the data directory, made on the first start. They open
/// every secret in this database.
pub(crate) async fn open_vault(config: &Config, store: &Store) -> Result<Vault, Error> {
    let seals = store.seals().await.map_err(Error::Store)?;
    let vault = match &config.master_key {
        Some(text) => Vault::from_text(text).map_err(Error::MasterKey)?,
        None => from_folder(config, &seals)?,
    };
    if seals.is_empty()
        && !store
            .accounts(None, 1)
            .await
            .map_err(Error::Store)?
            .is_empty()
    {
        return Err(Error::NoSeals);
    }
    prove(&vault, &seals)?;
    let sealed = vault.seal(WORD, CONTEXT).map_err(Error::MasterKey)?;
    let key = vault.current_key();
    let kept = store
        .keep_seal(key.as_bytes(), &sealed, Clock::System.now())
        .await;
    kept.map_err(Error::Store)?;
    // Another node may have begun with another key at the same moment.
    prove(&vault, &store.seals().await.map_err(Error::Store)?)?;
    Ok(vault)
}

fn prove(vault: &Vault, seals: &[Vec<u8>]) -> Result<(), Error> {
    for sealed in seals {
        vault.open(sealed, CONTEXT).map_err(Error::WrongMasterKey)?;
    }
    Ok(())
}

/// A key is made only for a database in which nothing was sealed yet.
fn from_folder(config: &Config, seals: &[Vec<u8>]) -> Result<Vault, Error> {
    let path = config.data.join(FILE);
    let failed = |cause| Error::Data {
        path: path.display().to_string(),
        cause,
    };
    if !path.exists() {
        if !seals.is_empty() {
            return Err(Error::NoMasterKey {
                path: path.display().to_string(),
            });
        }
        let key = MasterKey::from_random(random::bytes().map_err(Error::MasterKey)?);
        write_private(&config.data, &key.text()).map_err(failed)?;
        if config.database_url().starts_with("postgres") {
            tracing::warn!(path = %path.display(), "made a master key; other nodes on this database need the same one");
        }
    }
    Vault::from_file_content(&std::fs::read(&path).map_err(failed)?).map_err(Error::MasterKey)
}

/// Writes the key to a new file that only its owner can read, and sees that it stays there: secrets
/// are sealed under it from now on.
fn write_private(folder: &Path, text: &str) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(folder.join(FILE))?;
    file.write_all(text.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    std::fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    /// A data directory, and the settings of a node there.
    fn place() -> (TempDir, Config) {
        let folder = tempfile::tempdir().expect("a folder");
        let config = Config {
            data: folder.path().to_owned(),
            ..Config::default()
        };
        (folder, config)
    }

    fn with_keys(config: &Config, keys: &[[u8; 32]]) -> Config {
        let texts = keys.iter().map(|key| MasterKey::from_random(*key).text());
        let texts: Vec<String> = texts.map(|text| text.to_string()).collect();
        Config {
            master_key: Some(texts.join("\n")),
            ..config.clone()
        }
    }

    async fn store(config: &Config) -> Store {
        Store::open(&config.database_url()).await.expect("it opens")
    }

    #[tokio::test]
    async fn only_who_opens_everything_may_begin() {
        let (_folder, config) = place();
        let store = store(&config).await;
        let (first, second) = ([1; 32], [2; 32]);
        for (keys, may) in [
            (&[first][..], true),
            (&[second], false),
            (&[second, first], true),
            // What was sealed since is sealed under the second.
            (&[first], false),
            (&[second], false),
            (&[first, second], true),
        ] {
            let opened = open_vault(&with_keys(&config, keys), &store).await;
            let is_wrong = matches!(opened, Err(Error::WrongMasterKey(_)));
            assert_eq!((opened.is_ok(), is_wrong), (may, !may), "{keys:?}");
        }
    }

    #[tokio::test]
    async fn a_key_is_made_for_a_new_database_only() {
        let (_folder, config) = place();
        let store = store(&config).await;
        let made = open_vault(&config, &store).await.expect("made");
        let again = open_vault(&config, &store).await.expect("read");
        assert_eq!(made.current_key(), again.current_key());
        std::fs::remove_file(config.data.join(FILE)).expect("removed");
        let lost = open_vault(&config, &store).await.expect_err("lost");
        assert!(matches!(lost, Error::NoMasterKey { .. }), "{lost}");
        assert!(!config.data.join(FILE).exists());
    }

    #[tokio::test]
    async fn accounts_whose_key_nobody_can_name_are_not_taken_over() {
        let (_folder, config) = place();
        let store = store(&config).await;
        let now = crate::model::Clock::System.now();
        let new = crate::store::NewAccount {
            id: crate::model::AccountId::mint(now),
            uid: None,
            name: "theirs".to_owned(),
            signing_key: vec![1].into(),
            owner_mail: None,
            created_at: now,
        };
        store.create_account(&new).await.expect("made");
        let config = with_keys(&config, &[[1; 32]]);
        let refused = open_vault(&config, &store).await.expect_err("refused");
        assert!(matches!(refused, Error::NoSeals), "{refused}");
    }
}
