//! What a retry policy comes to. Nothing is kept of what is asked.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::policy_ref::{PolicyRef, RetryPolicyRef};
use super::principal::{MayWrite, Principal};
use super::{Error, Service};
use crate::model::Timestamp;

/// The beginning of the year 9999: no policy spans from before it to where times can't be written any more.
const FROM_MAX: Timestamp = Timestamp::from_ms(253_370_764_800_000);

/// A retry policy to be looked at.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RetryPreviewRequest {
    /// As an endpoint would have it.
    pub policy: RetryPolicyRef,
    /// When the first attempt begins, RFC 3339; now, if left out.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub from: Option<Timestamp>,
}

/// What a retry policy comes to.
#[derive(Debug, Serialize, ToSchema)]
pub struct RetryPreviewView {
    /// When there are attempts, and after which answers there are none, as a sentence.
    pub words: String,
    /// All attempts of a delivery of which each fails, takes no time, and is asked for no more by `Retry-After`.
    pub attempts: Vec<PlannedAttemptView>,
}

/// One attempt as a retry policy plans it.
#[derive(Debug, Serialize, ToSchema)]
pub struct PlannedAttemptView {
    /// Its number, from 1.
    pub no: u16,
    /// The delay after the failure before it, without jitter, in milliseconds; 0 for the first.
    pub after_ms: i64,
    /// The earliest that it begins, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The latest that it begins, RFC 3339: if each jitter comes to its most.
    #[schema(value_type = String, format = DateTime)]
    pub at_latest: Timestamp,
}

impl Service {
    /// What a retry policy comes to that no endpoint needs to have.
    pub async fn preview_retry_policy(
        &self,
        who: &Principal<MayWrite>,
        request: RetryPreviewRequest,
    ) -> Result<RetryPreviewView, Error> {
        let from = request.from.unwrap_or_else(|| self.inner.clock.now());
        if from >= FROM_MAX {
            return Err(Error::field("/from", "give a time before the year 9999"));
        }
        let policy = match request.policy {
            PolicyRef::Written(policy) => policy,
            named @ PolicyRef::Named(_) => {
                let book = self.rulebook(who.account()).await?;
                book.retry_policy(named, "/policy")?.0
            }
        };
        let planned = policy.planned(from).into_iter();
        let attempts = planned.map(|one| PlannedAttemptView {
            no: one.no,
            after_ms: one.after_ms,
            at: one.at,
            at_latest: one.at_latest,
        });
        Ok(RetryPreviewView {
            words: policy.preview(),
            attempts: attempts.collect(),
        })
    }
}
