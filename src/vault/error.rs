//! What can go wrong with keys and sealed bytes. No message holds any part of a secret.

use super::KeyId;

/// Why a key was refused or sealed bytes could not be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A text that is no master key.
    #[error(
        "line {line} of the master key is not 32 bytes in base64; \
         `throwbar key master` makes a key"
    )]
    MasterKeyText {
        /// Which line of the text, from 1.
        line: usize,
    },
    /// A text without any master key.
    #[error("there is no master key in the text; `throwbar key master` makes one")]
    MasterKeyMissing,
    /// A file that is neither 32 bytes nor text.
    #[error("the master key is neither exactly 32 bytes nor a text with base64 in it")]
    MasterKeyBytes,
    /// The machine gave no random bytes.
    #[error("the operating system gave no random bytes")]
    Random,
    /// The cipher refused, which it does for absurd lengths only.
    #[error("{bytes} bytes could not be sealed")]
    Seal {
        /// How many.
        bytes: usize,
    },
    /// Bytes that were not sealed here, or cut off.
    #[error("{bytes} bytes are too few to be something sealed")]
    TooShort {
        /// How many there are.
        bytes: usize,
    },
    /// Sealed by a later version.
    #[error("sealed in format {0}, which this version does not know")]
    Format(u8),
    /// Sealed under a key that is not there.
    #[error(
        "sealed under the master key {0}, which is not among those given; \
         add that key after the current one"
    )]
    UnknownKey(KeyId),
    /// Altered, or put in another place than it was sealed for.
    #[error("the sealed bytes were altered, or were sealed for another place")]
    Broken,
}
