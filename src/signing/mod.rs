//! Floor 1: signature schemes. Given a scheme, prepared keys and a message, the headers that
//! prove where the message comes from; and the other way round, what is wrong with headers that
//! do not verify, told step by step.
//!
//! | scheme | headers | key |
//! | --- | --- | --- |
//! | `standard` | `webhook-id`, `-timestamp`, `-signature` and the same under `svix-` | [`EndpointSecret`], decoded |
//! | `body-hmac` | one, `X-Signature` unless named otherwise | [`AccountKey`], its text |
//! | `event-header` | `X-Webhook-Event`, `-Timestamp`, and `-Signature` if there is a secret | [`OwnSecret`], its text |
//! | `github` | `X-Hub-Signature-256` | [`OwnSecret`], its text |
//! | `stripe` | `Stripe-Signature` | [`OwnSecret`], its text |
//! | `standard-ed25519` | those of `standard` | [`KeyPair`], ed25519 |
//! | `rsa` | one, `X-SiqSignature` unless named otherwise | [`KeyPair`], RSA |
//!
//! The other way round again, [`SenderProof`]: what requests that come in must prove, by the schemes of those
//! who send them.
//!
//! Pure: the time and all randomness are handed in. Which keys are in use, and until when two of
//! them overlap, is decided elsewhere; so is where they are kept.

mod error;
mod header;
mod hints;
mod key;
mod key_pair;
mod own_secret;
mod public_key;
mod report;
mod scheme;
mod secret;
mod sender;
mod sign;
mod verify;
mod verify_pair;
mod verify_text;

pub use error::Error;
pub use header::SignatureHeader;
pub use key::{AccountKey, EndpointSecret, SigningKey, SigningKeys};
pub use key_pair::{KeyKind, KeyPair, KeyPairs};
pub use own_secret::{OwnKeys, OwnSecret};
pub use public_key::PublicKey;
pub use report::{Finding, Outcome, Report, Step};
pub use scheme::{Scheme, SignsWith};
pub use secret::Secret;
pub use sender::{SenderProof, Sent};
pub use sign::{Keys, Message, MessageId, sign};
pub use verify::{Check, TOLERANCE_S_DEFAULT, Variant, verify};
