//! The states of a delivery and what an attempt can come back with. No state is inferred and no
//! number is magic: the store keeps exactly these words.

use serde::Serialize;

use super::{IncarnationId, Timestamp, words};

/// Where a delivery stands.
///
/// ```text
/// pending{due_at} → claimed{holder} → delivered | pending{later} | failed{exhausted|rejected|gone|expired}
/// pending ⇄ held (endpoint disabled, account off)      any open one → cancelled (endpoint removed)
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// Waits for its time.
    Pending {
        /// When the next attempt may begin.
        due_at: Timestamp,
    },
    /// A node is at it.
    Claimed {
        /// The node's life.
        holder: IncarnationId,
    },
    /// The receiver said yes.
    Delivered {
        /// When.
        at: Timestamp,
    },
    /// Given up.
    Failed {
        /// When.
        at: Timestamp,
        /// Why.
        why: Failure,
    },
    /// Kept back because the endpoint or the account is switched off; can be recovered.
    Held,
    /// The endpoint was removed.
    Cancelled,
}

impl DeliveryState {
    /// When it was delivered or given up, if it was.
    pub fn settled_at(self) -> Option<Timestamp> {
        match self {
            Self::Delivered { at } | Self::Failed { at, .. } => Some(at),
            Self::Pending { .. } | Self::Claimed { .. } | Self::Held | Self::Cancelled => None,
        }
    }
}

/// Why a delivery was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// The retry policy has no attempt left.
    Exhausted,
    /// The receiver answered with a status that is final by the retry policy.
    Rejected,
    /// The receiver answered 410.
    Gone,
    /// Its payload reached the end of its retention.
    Expired,
}

/// What came back from one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptResult {
    /// An HTTP answer, whole and within bounds.
    Http {
        /// Its status code.
        status: u16,
    },
    /// No usable answer.
    Refused(Refusal),
    /// The node died; not counted as an attempt of the policy.
    Interrupted,
}

/// Why there was no usable answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// The host name could not be resolved.
    Dns,
    /// No connection, or it broke off.
    Connect,
    /// The TLS handshake failed or the certificate is not valid.
    Tls,
    /// No whole answer within the endpoint's time-out.
    Timeout,
    /// The answer is longer than `response_bytes_max`.
    TooLarge,
    /// The egress guard forbids the address.
    Egress,
    /// The proxy does not let it through.
    Proxy,
    /// There is no access token to send along.
    Authorization,
}

impl AttemptResult {
    /// Whether the receiver accepted the delivery: any 2xx and nothing else.
    pub fn is_success(self) -> bool {
        matches!(self, Self::Http { status: 200..=299 })
    }

    /// The word for logs, filters and metrics: `ok`, `status` or the refusal's name.
    pub fn class(self) -> &'static str {
        match self {
            Self::Http { .. } if self.is_success() => "ok",
            Self::Http { .. } => "status",
            Self::Refused(refusal) => refusal.as_str(),
            Self::Interrupted => "interrupted",
        }
    }
}

words!(Failure {
    Exhausted = "exhausted",
    Rejected = "rejected",
    Gone = "gone",
    Expired = "expired",
});
words!(Refusal {
    Dns = "dns",
    Connect = "connect",
    Tls = "tls",
    Timeout = "timeout",
    TooLarge = "too_large",
    Egress = "egress",
    Proxy = "proxy",
    Authorization = "authorization",
});
