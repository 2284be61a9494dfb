//! Deliveries in order: those of one key to one endpoint leave one after the other.

use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

use super::Timestamp;

/// The due time of a delivery that is behind another of its key, in the year 9999: it gets a real one once it
/// is the first.
pub const BEHIND: Timestamp = Timestamp::from_ms(253_402_300_799_000);

/// What deliveries that keep an order have in common: a hash of a text, since a text may be of any length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, sqlx::Type)]
#[sqlx(transparent)]
pub struct OrderKey(Uuid);

impl OrderKey {
    /// The key of this text.
    pub fn of(text: &str) -> Self {
        let hash: [u8; 32] = Sha256::digest(text.as_bytes()).into();
        let (half, _) = hash.split_at(16);
        let mut bytes = [0; 16];
        bytes.copy_from_slice(half);
        Self(Builder::from_custom_bytes(bytes).into_uuid())
    }

    /// Its 16 bytes.
    pub const fn uuid(self) -> Uuid {
        self.0
    }
}

impl rusqlite::types::FromSql for OrderKey {
    fn column_result(value: rusqlite::types::ValueRef<'_>) -> rusqlite::types::FromSqlResult<Self> {
        <[u8; 16]>::column_result(value).map(|bytes| Self(Uuid::from_bytes(bytes)))
    }
}
