//! What a service sees to by itself, beside answering.

use std::convert::Infallible;

use super::Service;

impl Service {
    /// Sees to it, for as long as it is let: forgets what has expired and what was kept for long enough, writes down what was refused, and counts up what
    /// was attempted.
    pub async fn upkeep(&self) -> Infallible {
        tokio::select! {
            never = self.forget_expired() => never,
            never = Box::pin(self.keep_retention()) => never,
            never = Box::pin(self.keep_refusals()) => never,
            never = Box::pin(self.keep_tallies()) => never,
        }
    }
}
