//! The policies that an endpoint can name, and what a retry policy comes to. Nothing is kept of what is asked.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::principal::{MayRead, MayWrite, Principal};
use super::{Error, Listed, Service};
use crate::failure::FailurePolicy;
use crate::model::Timestamp;
use crate::retry::RetryPolicy;

/// The beginning of the year 9999: no policy spans from before it to where times can't be written any more.
const FROM_MAX: Timestamp = Timestamp::from_ms(253_370_764_800_000);

/// A ready-made retry policy.
#[derive(Debug, Serialize, ToSchema)]
pub struct RetryPolicyView {
    /// What an endpoint names it by.
    #[schema(value_type = String, example = "eight-step")]
    pub name: RetryPolicy,
    /// When there are attempts, as a sentence.
    pub words: String,
    /// Milliseconds from a failure to the attempt after it.
    pub delays_ms: Vec<i64>,
}

/// A failure policy that an endpoint can have.
#[derive(Debug, Serialize, ToSchema)]
pub struct FailurePolicyView {
    /// Its name.
    #[schema(example = "ladder")]
    pub name: &'static str,
    /// How an endpoint has it, with a number that stands for any where it takes one.
    pub written: FailurePolicy,
    /// When the endpoint is disabled, and what is told before, as a sentence.
    pub words: String,
}

/// A retry policy to be looked at.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RetryPreviewRequest {
    /// As an endpoint would have it.
    pub policy: RetryPolicy,
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
    /// The ready-made retry policies.
    pub fn retry_policies(&self, _who: &Principal<MayRead>) -> Listed<RetryPolicyView> {
        let presets = [RetryPolicy::EightStep, RetryPolicy::ThreeStep].into_iter();
        let view = |policy: RetryPolicy| RetryPolicyView {
            words: policy.preview(),
            delays_ms: policy.delays().collect(),
            name: policy,
        };
        Listed::whole(presets.map(view).collect())
    }

    /// The failure policies.
    pub fn failure_policies(&self, _who: &Principal<MayRead>) -> Listed<FailurePolicyView> {
        let view = |policy: FailurePolicy| FailurePolicyView {
            name: policy.name(),
            words: policy.words(),
            written: policy,
        };
        Listed::whole(FailurePolicy::EACH.into_iter().map(view).collect())
    }

    /// What a retry policy comes to that no endpoint needs to have.
    pub fn preview_retry_policy(
        &self,
        _who: &Principal<MayWrite>,
        request: &RetryPreviewRequest,
    ) -> Result<RetryPreviewView, Error> {
        let from = request.from.unwrap_or_else(|| self.inner.clock.now());
        if from >= FROM_MAX {
            return Err(Error::field("/from", "give a time before the year 9999"));
        }
        let planned = request.policy.planned(from).into_iter();
        let attempts = planned.map(|one| PlannedAttemptView {
            no: one.no,
            after_ms: one.after_ms,
            at: one.at,
            at_latest: one.at_latest,
        });
        Ok(RetryPreviewView {
            words: request.policy.preview(),
            attempts: attempts.collect(),
        })
    }
}
