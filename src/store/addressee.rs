//! To whom mails go: the addresses of accounts, of keys, and through them of endpoints.

use serde::Deserialize;

use super::backend::Tx;
use super::values::args;
use super::{Error, Store};
use crate::model::{AccountId, ApiKeyId, EndpointId};

/// What an endpoint's settings say of it.
#[derive(Deserialize)]
struct Said {
    notify: Option<Vec<String>>,
}

/// Whom mails about an endpoint go to, each once: whom it names itself, or else whose key has made or changed it
/// last; and the account's owner.
pub(super) fn of(owner: Option<&str>, editor: Option<&str>, settings: &str) -> Vec<String> {
    let said: Option<Said> = serde_json::from_str(settings).ok();
    let own = said
        .and_then(|said| said.notify)
        .unwrap_or_else(|| editor.map(str::to_owned).into_iter().collect());
    let mut addresses: Vec<String> = Vec::new();
    for address in own.into_iter().chain(owner.map(str::to_owned)) {
        let is_known = |known: &String| known.eq_ignore_ascii_case(&address);
        if !addresses.iter().any(is_known) {
            addresses.push(address);
        }
    }
    addresses.sort_unstable();
    addresses
}

/// Notes whose key has made or changed an endpoint.
pub(super) async fn edited(
    tx: &mut Tx,
    (account, endpoint): (AccountId, EndpointId),
    by: ApiKeyId,
) -> Result<(), Error> {
    tx.execute(
        "UPDATE endpoints SET edited_by = $3 WHERE account_id = $1 AND id = $2",
        args![account, endpoint, by],
    )
    .await
    .map(drop)
}

impl Store {
    /// Notes whose key has made or changed an endpoint.
    pub async fn note_editor(
        &self,
        account: AccountId,
        endpoint: EndpointId,
        by: ApiKeyId,
    ) -> Result<(), Error> {
        let mut tx = self.begin().await?;
        edited(&mut tx, (account, endpoint), by).await?;
        tx.commit().await
    }

    /// Changes whom the account's alerts go to; `None`: to nobody. Whether the account exists.
    pub async fn change_owner_mail(
        &self,
        account: AccountId,
        mail: Option<&str>,
    ) -> Result<bool, Error> {
        let changed = self
            .execute(
                "UPDATE accounts SET owner_mail = $2 WHERE id = $1",
                args![account, mail],
            )
            .await?;
        Ok(changed > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_once_and_who_is_named_in_the_editors_place() {
        let (owner, editor) = (Some("owner@a.test"), Some("editor@a.test"));
        let named = r#"{"profile":"standard","notify":["OWNER@a.test","one@a.test"]}"#;
        for (owner, editor, settings, expected) in [
            (owner, editor, "{}", vec!["editor@a.test", "owner@a.test"]),
            (owner, owner, "{}", vec!["owner@a.test"]),
            (owner, editor, named, vec!["OWNER@a.test", "one@a.test"]),
            (None, editor, r#"{"notify":[]}"#, vec![]),
            (owner, editor, r#"{"notify":[]}"#, vec!["owner@a.test"]),
            (owner, None, "not JSON", vec!["owner@a.test"]),
            (None, None, "{}", vec![]),
        ] {
            assert_eq!(of(owner, editor, settings), expected, "{settings}");
        }
    }
}
