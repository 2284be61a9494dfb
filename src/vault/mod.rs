//! Floor 1: secrets sealed at rest, and API keys that are kept as hashes only.
//!
//! What must be read again (signing secrets, account keys) is sealed under a master key that is
//! not in the database. What need only be recognised (API keys) is hashed and forgotten.
//!
//! Randomness has two sources. What becomes a secret of its own ([`MasterKey::from_random`],
//! [`ApiKey::from_random`]) is made of bytes that are handed in, so that a test can say which.
//! Nonces are drawn inside, from [`random`]: nobody has a good reason to choose one.

mod api_key;
mod error;
mod master_key;
pub mod random;
mod seal;

pub use api_key::{ApiKey, ApiKeyHash};
pub use error::Error;
pub use master_key::{KeyId, MasterKey};
pub use seal::Vault;
