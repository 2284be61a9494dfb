//! What sealed secrets are bound to: moved to another row, they don't open.

use crate::model::{AccountId, KeyPairId, ReceiverId, SecretId, SourceId};

/// The context of an account's signing key.
pub fn account_key(account: AccountId) -> Vec<u8> {
    format!("account-key:{account}").into_bytes()
}

/// The context of an endpoint's signing secret.
pub fn endpoint_secret(account: AccountId, secret: SecretId) -> Vec<u8> {
    format!("endpoint-secret:{account}:{secret}").into_bytes()
}

/// The context of the private half of an endpoint's key pair.
pub fn key_pair(account: AccountId, pair: KeyPairId) -> Vec<u8> {
    format!("key-pair:{account}:{pair}").into_bytes()
}

/// The context of an answer that is kept under an idempotency key.
pub fn reply(account: AccountId, key: &str) -> Vec<u8> {
    format!("reply:{account}:{key}").into_bytes()
}

/// The context of a secret variable.
pub fn variable(account: AccountId, name: &str) -> Vec<u8> {
    format!("variable:{account}:{name}").into_bytes()
}

/// The context of a secret of a source.
pub fn source_secret(account: AccountId, secret: SecretId) -> Vec<u8> {
    format!("source-secret:{account}:{secret}").into_bytes()
}

/// The context of the last part of a source's URL.
pub fn source_path(account: AccountId, source: SourceId) -> Vec<u8> {
    format!("source-path:{account}:{source}").into_bytes()
}

/// The context of what nobody sees of a receiver.
pub fn receiver(account: AccountId, receiver: ReceiverId) -> Vec<u8> {
    format!("receiver:{account}:{receiver}").into_bytes()
}
