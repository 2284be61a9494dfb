//! What can be wrong with a scheme, a secret or a message. No message here repeats any part of a
//! secret: a base64 error, which names the wrong symbol, is not passed on for that reason.

use super::key::{ACCOUNT_KEY_DIGITS, SECRET_BYTES};
use super::scheme::SUPPORTED;
use super::sender::SENDER_TOLERANCE_S_MAX;
use crate::model::limits::{KEY_PAIRS_PER_KIND_MAX, SECRETS_PER_ENDPOINT_MAX};

/// Why a scheme, secret, key or message was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A scheme that there is not.
    #[error("there is no signature scheme '{0}'; supported are {SUPPORTED}")]
    SchemeUnknown(String),
    /// A header was named for a scheme whose headers are fixed.
    #[error("the scheme '{0}' has fixed header names; leave out 'header'")]
    HeaderNotForScheme(&'static str),
    /// A text that is no header name.
    #[error(
        "'{0}' is not a header name: 1 to 100 letters, digits and hyphens, such as X-Signature"
    )]
    HeaderName(String),
    /// A header that the request already has for something else.
    #[error(
        "the header '{0}' has another use in the request; name one of your own, such as X-Signature"
    )]
    HeaderReserved(String),
    /// An endpoint secret without its prefix.
    #[error("the secret does not begin with 'whsec_'")]
    SecretPrefix,
    /// An endpoint secret that is not base64.
    #[error("what follows 'whsec_' in the secret is not standard base64")]
    SecretEncoding,
    /// An endpoint secret that is too short or too long.
    #[error(
        "the secret decodes to {bytes} bytes; it must be {} to {}",
        SECRET_BYTES.start(),
        SECRET_BYTES.end()
    )]
    SecretLength {
        /// How many it has.
        bytes: usize,
    },
    /// A text that no delivery is signed with.
    #[error("the secret must be 1 to 512 bytes without control characters")]
    SecretText,
    /// A text that is not an account key.
    #[error(
        "the account key must be 'tbk_' and {} to {} lowercase hexadecimal digits",
        ACCOUNT_KEY_DIGITS.start(),
        ACCOUNT_KEY_DIGITS.end()
    )]
    AccountKey,
    /// A text that no sender signs with.
    #[error("a sender's secret must be 1 to 512 bytes without control characters")]
    SenderSecret,
    /// A way to prove a sender that there is not.
    #[error(
        "there is no verification '{0}' for senders; supported are standard, github, stripe, hmac and none"
    )]
    SenderUnknown(String),
    /// A field that a way to prove a sender does not have.
    #[error("the verification '{scheme}' has no '{field}'; leave it out")]
    NotForSender {
        /// Which field.
        field: &'static str,
        /// Which way.
        scheme: &'static str,
    },
    /// A tolerance out of its bounds.
    #[error("the tolerance is {s} seconds; it must be 1 to {SENDER_TOLERANCE_S_MAX}")]
    SenderTolerance {
        /// How many seconds.
        s: u32,
    },
    /// A message id that can't be a header or would make the signed content ambiguous.
    #[error("a message id must be 1 to 256 visible ASCII characters without a full stop")]
    MessageId,
    /// A text that is no private key of this kind.
    #[error(
        "this is not a private key of the kind '{0}': give PEM (PKCS#8; rsa also PKCS#1, 2048 to 4096 bits), or \
         of ed25519 whsk_ and base64"
    )]
    PrivateKey(&'static str),
    /// A text that is no public key of this kind.
    #[error(
        "this is not a public key of the kind '{0}': give PEM (BEGIN PUBLIC KEY), or of ed25519 whpk_ and base64"
    )]
    PublicKey(&'static str),
    /// The library has no randomness for a key pair.
    #[error("no key pair can be made: the system gives no randomness")]
    NoRandomness,
    /// Nothing to sign with.
    #[error("there is no key to sign with")]
    NoKey,
    /// More keys than an endpoint may have.
    #[error(
        "{count} keys are too many to sign with; the most is {SECRETS_PER_ENDPOINT_MAX}, of key pairs {KEY_PAIRS_PER_KIND_MAX}"
    )]
    TooManyKeys {
        /// How many there are.
        count: usize,
    },
}
